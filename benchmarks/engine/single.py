"""One case, warm and in process: one posterior, everything at once, an interval."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine.networks import Subject, draw, records, vectors
from benchmarks.engine.peers import PGMPY, Agrum, AgrumInformation, Pgmpy, agrum_network
from benchmarks.engine.timing import Measure, Rates, Work, best, interleave, ratio
from hepagraph.inference import Reasoner
from hepagraph.inference.case import Case
from hepagraph.inference.engine import Engine
from hepagraph.inference.interval import posterior_interval
from hepagraph.inference.network import ENTITY, Network
from hepagraph.inference.reporting import reported

Array = NDArray[np.float64]
FINDINGS, CONTEXTS, CASES = 12, 4, 24
WAYS = ("by_state", "by_entity", "joints")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@dataclass(frozen=True)
class OneCase:
    """What was seen in a case: positions of states, the same as vectors, soft vectors, and one finding changed."""

    record: dict[str, int]
    hard: dict[str, Array]
    soft: dict[str, Array]
    changed: tuple[str, int]


def drawn_cases(network: Network, subject: Subject, count: int = CASES, seed: int = 3) -> list[OneCase]:
    """Return cases drawn from the network, each with a dozen findings and some context."""
    rng = np.random.default_rng(seed)
    whole = records(draw(subject, count, missing=0.0, seed=seed))
    cases = []
    for row in whole:
        features = [str(name) for name in rng.choice(network.variables("feature"), FINDINGS, replace=False)]
        contexts = [str(name) for name in rng.choice(network.variables("context"), CONTEXTS, replace=False)]
        record = {name: row[name] for name in (*features, *contexts)}
        hard = vectors(subject, record)
        name = features[0]
        changed = (name, (record[name] + 1) % subject.states(name))
        cases.append(OneCase(record, hard, reported(network, hard), changed))
    return cases


def over(cases: Sequence[OneCase], ask: Callable[[OneCase], object], *, times: int = 1) -> Work:
    """Return the work of asking about every case, some times."""

    def work(turn: int) -> int:
        for _ in range(times):
            for case in cases:
                ask(case)
        return times * len(cases)

    return work


def posteriors(network: Network, subject: Subject, *, rounds: int = 9) -> tuple[Rates, list[Measure]]:
    """Measure one posterior from a dict of vectors."""
    engine, agrum = Engine(subject.tables, subject.latent), agrum_network(subject)
    cases = drawn_cases(network, subject)
    contenders = {"ours": over(cases, lambda case: engine.marginals(case.hard, [ENTITY]), times=20)}
    for kind in ("Lazy", "ShaferShenoy", "VariableElimination"):
        contenders[f"pyAgrum {kind}"] = over(cases, _asking(Agrum(agrum, kind)))
    for order in PGMPY:
        contenders[f"pgmpy {order}"] = over(cases[:8], _asking(Pgmpy(network, order)))
    contenders["soft, ours"] = over(cases, lambda case: engine.marginals(case.soft, [ENTITY]), times=20)
    for kind in ("Lazy", "ShaferShenoy", "VariableElimination"):
        contenders[f"soft, pyAgrum {kind}"] = over(cases, _asking_soft(Agrum(agrum, kind)))
    rates = interleave(contenders, rounds)
    first, second, soft = best(rates, "pyAgrum"), best(rates, "pgmpy"), best(rates, "soft, pyAgrum")
    return rates, [
        Measure("single_agrum", f"one posterior against {first}", ratio(rates, "ours", first), 20),
        Measure("single_pgmpy", f"one posterior against {second}", ratio(rates, "ours", second), 60),
        Measure("single_soft", f"one posterior of soft findings against {soft[6:]}", ratio(rates, "soft, ours", soft)),
    ]


def _asking(peer: Agrum | Pgmpy) -> Callable[[OneCase], object]:
    return lambda case: peer.posterior(case.record)


def _asking_soft(peer: Agrum) -> Callable[[OneCase], object]:
    return lambda case: peer.posterior({name: list(vector) for name, vector in case.soft.items()})


def changes(network: Network, subject: Subject, *, rounds: int = 9) -> tuple[Rates, list[Measure]]:
    """Measure one posterior after one finding changed: pyAgrum may reuse what the change leaves as it was.

    Each case is a loop of its own: one query outside the clock would not fit ``interleave``, so every case is asked
    with one finding switched to and fro many times, and the first query weighs little.
    """
    engine, agrum = Engine(subject.tables, subject.latent), agrum_network(subject)
    cases, times = drawn_cases(network, subject, 8), 40

    def ours(case: OneCase) -> None:
        name, code = case.changed
        eye = np.eye(subject.states(name))
        for turn in range(times):
            vector = eye[code if turn % 2 == 0 else case.record[name]]
            engine.marginals({**case.hard, name: vector}, [ENTITY])

    def theirs(peer: Agrum) -> Callable[[OneCase], object]:
        def ask(case: OneCase) -> None:
            name, code = case.changed
            peer.posterior(case.record)
            for turn in range(times - 1):
                peer.changed(name, code if turn % 2 == 0 else case.record[name])

        return ask

    contenders = {"ours": over(cases, ours)}
    for kind in ("Lazy", "ShaferShenoy"):
        contenders[f"pyAgrum {kind}"] = over(cases, theirs(Agrum(agrum, kind)))
    rates = {name: [rate * times for rate in found] for name, found in interleave(contenders, rounds).items()}
    peer = best(rates, "pyAgrum")
    return rates, [
        Measure("single_change", f"one finding changed, against {peer} chgEvidence", ratio(rates, "ours", peer), 20)
    ]


def everything(network: Network, subject: Subject, *, rounds: int = 9) -> tuple[Rates, list[Measure]]:
    """Measure all marginals, all flips of one finding and the worth of every feature, against the worth alone."""
    engine, agrum = Engine(subject.tables, subject.latent), agrum_network(subject)
    cases, features = drawn_cases(network, subject, 4), network.variables("feature")

    def ours(case: OneCase) -> None:
        survey = engine.survey(case.hard, features)
        survey.what_ifs()
        survey.information()

    contenders = {
        "ours": over(cases, ours, times=20),
        "survey alone": over(cases, lambda c: engine.survey(c.hard, features), times=20),
    }
    for kind in ("Lazy", "ShaferShenoy"):
        ways = AgrumInformation(agrum, kind)
        for way in WAYS:
            contenders[f"pyAgrum {kind} {way}"] = over(cases, _worth(getattr(ways, way), network))
        contenders[f"without the case, {kind}"] = over(cases, _worth(ways.impact, network))
    check_worth(engine, AgrumInformation(agrum, "Lazy"), network, cases[0])
    rates = interleave(contenders, rounds)
    peer, impact = best(rates, "pyAgrum"), best(rates, "without the case")
    step = max((n for n in rates if n.endswith("by_state")), key=lambda n: statistics.median(rates[n]))
    worth = "everything against the worth alone,"
    return rates, [
        Measure("all_best", f"{worth} {peer} (pyAgrum's best way)", ratio(rates, "ours", peer), 80),
        Measure("all_states", f"{worth} {step} (chgEvidence)", ratio(rates, "ours", step)),
        Measure(
            "all_impact", "everything against evidenceImpact, which forgets the case", ratio(rates, "ours", impact)
        ),
        Measure("all_survey", f"the backward pass alone against {peer}", ratio(rates, "survey alone", peer)),
    ]


def _open(network: Network, case: OneCase) -> list[str]:
    return [name for name in network.variables("feature") if name not in case.record]


def _worth(way: Callable[[Mapping[str, int], Sequence[str]], object], network: Network) -> Callable[[OneCase], object]:
    return lambda case: way(case.record, _open(network, case))


def check_worth(engine: Engine, ways: AgrumInformation, network: Network, case: OneCase) -> None:
    """Refuse to compare methods that do not give the same answer."""
    found = engine.survey(case.hard).information()
    for way in (ways.by_state, ways.by_entity, ways.joints):
        for name, wanted in way(case.record, _open(network, case)).items():
            assert abs(found[name] - wanted) < 1e-9, (way.__name__, name, found[name], wanted)


def intervals(reasoner: Reasoner, *, rounds: int = 9) -> tuple[Rates, list[Measure]]:
    """Measure an interval from 200 draws on the examples of one lesion, against one answer and one bare posterior."""
    cases = one_lesion_cases(reasoner)
    network = reasoner.network
    likelihoods = [evidence_of(network, case) for case in cases]

    def interval(turn: int) -> int:
        for likelihood in likelihoods:
            posterior_interval(reasoner.skeleton, network, likelihood, seed=0, draws=200, parts=False)
        return len(cases)

    def answer(turn: int) -> int:
        for case in cases:
            reasoner.posterior(case)
        return len(cases)

    def bare(turn: int) -> int:
        for _ in range(20):
            for likelihood in likelihoods:
                network.engine.marginals(likelihood, [ENTITY])
        return 20 * len(cases)

    rates = interleave({"interval": interval, "answer": answer, "bare posterior": bare}, rounds)
    answers = ratio(rates, "answer", "interval")
    what = "an interval of 200 draws costs as much as so many"
    return rates, [
        Measure("interval_answer", f"{what} answers (Reasoner.posterior)", answers, 10, most=True),
        Measure("interval_bare", f"{what} bare posteriors", ratio(rates, "bare posterior", "interval")),
    ]  # fmt: skip


def one_lesion_cases(reasoner: Reasoner) -> list[Case]:
    """Return the examples with one lesion."""
    values = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(EXAMPLES.glob("*.json"))]
    cases = [reasoner.read(value) for value in values]
    return [case for case in cases if len(case.lesions) == 1]


def evidence_of(network: Network, case: Case) -> dict[str, Any]:
    """Return the likelihood vectors of a case's only lesion and its context."""
    seen = {**case.context, **case.lesions[0].findings}
    return reported(network, {name: np.array(finding.likelihood) for name, finding in seen.items()})
