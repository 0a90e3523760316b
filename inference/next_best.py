"""What to look at next: unobserved findings and whole examinations, ranked by what they tell about the entity.

The measure is the mutual information of the entity and the report, given all that is known: by how many bits the
answer is expected to become surer (Lindley 1956). Reports err as readers do. An examination shows several findings; its
information is that of its most telling ones together, computed over all their combinations, so it is a lower bound.

Where costs are known, each also gets what it is expected to save of the loss of a wrong management (see ``costs``).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.assessability import Exam
from hepagraph.inference.case import derived_findings
from hepagraph.inference.costs import Losses, losses_of
from hepagraph.inference.looks import Look, NextBest, PerfectTest, Protocol
from hepagraph.inference.network import ENTITY
from hepagraph.inference.replicates import reading_error

if TYPE_CHECKING:
    from hepagraph.inference.case import Case, Lesion
    from hepagraph.inference.preparing import Prepared
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.kg.costs import Costs

__all__ = ["Look", "NextBest", "PerfectTest", "Protocol", "entropy", "information", "joint_reports", "next_best"]

Array = NDArray[np.float64]
TOGETHER = 3  # findings of an examination that are taken together


def next_best(
    reasoner: Reasoner,
    case: Case,
    *,
    differential: str | None = None,
    prior: Mapping[str, float] | None = None,
    costs: Costs | None = None,
    lesion: str | None = None,
) -> tuple[NextBest, ...]:
    """Return for each lesion what to look at next, or for the only one that is wanted, by its id.

    ``costs`` stand in place of the ontology's (``reasoner.costs``); where there are neither, nothing is priced.

    Raises
    ------
    CaseError
        The case, the differential or the prior is bad.
    """
    wanted = case.positions(lesion)
    prepared = reasoner.prepare(case, reasoner.entities(differential), prior)
    priced = costs or reasoner.costs
    return tuple(_of_lesion(reasoner, case, case.lesions[position], prepared[position], priced) for position in wanted)


def _of_lesion(reasoner: Reasoner, case: Case, lesion: Lesion, evidence: Prepared, costs: Costs | None) -> NextBest:
    network = reasoner.network
    entities = network.states[ENTITY]
    losses = None if costs is None else losses_of(costs, entities)
    open_features = [
        name
        for name in network.variables("feature")
        if name not in lesion.findings and name not in lesion.not_assessable and name not in evidence.likelihood
    ]
    joints = reasoner.what_if_reports(evidence)
    answer = network.engine.marginals(evidence.likelihood, [ENTITY]).posterior[ENTITY]
    leading = int(answer.argmax())
    looks = [
        _look(network.states[name], network.labels[name], name, joints[name], leading, entities, losses)
        for name in open_features
        if _shows(reasoner, name, case.exams)
    ]
    looks.sort(key=lambda look: (-look.information, look.variable))
    protocols = [
        found
        for exam in _candidates(reasoner, case.exams)
        if (found := _protocol(reasoner, case, evidence, exam, open_features, costs)) is not None
    ]
    protocols.sort(key=lambda protocol: (-protocol.information, protocol.modality, protocol.agent or ""))
    others = [row for row in np.argsort(-answer).tolist() if row != leading and answer[row] > 0]
    rival = others[0] if others else None
    apart = None if rival is None else _separator({n: joints[n] for n in open_features}, (leading, rival))
    management, loss = (None, None) if losses is None else losses.best(answer)
    return NextBest(
        lesion.id,
        entities[leading],
        None if rival is None else entities[rival],
        apart,
        entropy(answer),
        tuple(looks),
        tuple(protocols),
        () if costs is None or losses is None else _perfect(reasoner, costs, losses, answer),
        management,
        loss,
        None if losses is None else float(losses.table.max()),
    )


def _perfect(reasoner: Reasoner, costs: Costs, losses: Losses, answer: Array) -> tuple[PerfectTest, ...]:
    saving, labels = losses.saving(np.diag(answer)), reasoner.network.labels
    return tuple(
        PerfectTest(test, labels.get(test, test), entropy(answer), saving, costs.burdens.get(test, 0.0))
        for test in costs.tests
    )


def _separator(joints: Mapping[str, Array], pair: tuple[int, int]) -> tuple[str, float] | None:
    """Return the finding that tells most about the choice between two entities, and how many bits; None for none."""
    found = {}
    for name, joint in joints.items():
        two = joint[:, pair]
        found[name] = information(two / two.sum())
    best = max(found, key=lambda name: (found[name], name), default=None)
    return None if best is None or found[best] <= 0 else (best, found[best])


def entropy(probabilities: Array) -> float:
    """Return the entropy of a distribution in bits.

    >>> entropy(np.array([0.5, 0.25, 0.25]))
    1.5
    """
    inside = probabilities[probabilities > 0]
    return float(-(inside * np.log2(inside)).sum())


def information(joint: Array) -> float:
    """Return the mutual information in bits of the two axes of a joint that sums to one.

    >>> information(np.array([[0.5, 0.0], [0.0, 0.5]]))
    1.0
    """
    return max(0.0, entropy(joint.sum(axis=0)) + entropy(joint.sum(axis=1)) - entropy(joint.ravel()))


def _look(
    states: Sequence[str],
    label: str,
    name: str,
    joint: Array,
    leading: int,
    entities: Sequence[str],
    losses: Losses | None,
) -> Look:
    shares, tops = joint.sum(axis=1), joint.argmax(axis=1)
    outcomes = [(state, float(p), entities[top]) for state, p, top in zip(states, shares, tops, strict=True)]
    changes = float(shares[tops != leading].sum())
    ranked = tuple(sorted(outcomes, key=lambda item: -item[1]))
    return Look(name, label, information(joint), changes, ranked, None if losses is None else losses.saving(joint))


def _shows(reasoner: Reasoner, name: str, exams: Sequence[Exam]) -> bool:
    variable = reasoner.reader.variables[name]
    return reasoner.reader.assessability.reason_against(variable, variable.states, exams, advice=True) is None


def _candidates(reasoner: Reasoner, exams: Sequence[Exam]) -> list[Exam]:
    """Return every examination that was not done: each modality alone, and with each agent that is given with it."""
    agents = reasoner.reader.assessability.modalities_of_agent
    listed = [
        node
        for variable in reasoner.reader.variables.values()
        if variable.section == "exam"
        for node in (variable.nodes[state] for state in variable.states)
        if node not in agents
    ]
    modalities = [*listed, *reasoner.reader.assessability.advised_modalities]
    found = [Exam(modality) for modality in modalities]
    found += [Exam(modality, agent) for modality in modalities for agent, used in agents.items() if modality in used]
    return [exam for exam in found if exam not in exams]


def _protocol(
    reasoner: Reasoner,
    case: Case,
    evidence: Prepared,
    exam: Exam,
    open_features: Sequence[str],
    costs: Costs | None,
) -> Protocol | None:
    """Return the worth of an examination, or None where it shows nothing that those at hand do not."""
    network = reasoner.network
    if not case.exams or (exam.agent is None and _has_agents(reasoner, exam)):
        return None
    new = [n for n in open_features if _shows(reasoner, n, [exam]) and not _shows(reasoner, n, case.exams)]
    if not new:
        return None
    decided = derived_findings(reasoner.reader.variables, [exam])
    given = {n: np.asarray(f.likelihood) for n, f in decided.items() if n not in evidence.likelihood}
    seen = {**evidence.likelihood, **given}
    survey = network.engine.survey(seen, changes=()).what_ifs()
    channels = {name: _channel(reasoner, name) for name in new}
    single = {name: information(channels[name] @ survey[name]) for name in new}
    best = sorted(new, key=lambda name: (-single[name], name))[:TOGETHER]
    together = joint_reports(reasoner, seen, {name: channels[name] for name in best})
    spelt = {node: n for v in reasoner.reader.variables.values() for n, node in v.nodes.items()}
    modality = spelt.get(exam.modality or "", exam.modality or "")
    agent = None if exam.agent is None else spelt.get(exam.agent, exam.agent)
    saving = burden = None
    if costs is not None:
        saving = losses_of(costs, network.states[ENTITY]).saving(together)
        burden = sum(costs.burdens.get(part, 0.0) for part in (modality, agent) if part is not None)
    return Protocol(modality, agent, information(together), tuple(best), saving, burden)


def _has_agents(reasoner: Reasoner, exam: Exam) -> bool:
    return any(exam.modality in used for used in reasoner.reader.assessability.modalities_of_agent.values())


def _channel(reasoner: Reasoner, name: str) -> Array:
    """Return P(report | true state), shape (states, states)."""
    network = reasoner.network
    if name in network.base_rates:
        return reading_error(network.base_rates[name], network.reporting_error)
    return np.eye(len(network.states[name]))


def joint_reports(reasoner: Reasoner, given: Mapping[str, Array], channels: Mapping[str, Array]) -> Array:
    """Return P(reports of several findings together, entity | given), shape (combinations of reports, entities).

    Parameters
    ----------
    given
        Likelihood vectors, shape (states,), of what is known.
    channels
        For each finding P(report | true state), shape (reports, states).

    Raises
    ------
    ImpossibleEvidenceError
        What is known has probability zero.
    """
    combinations = np.array(list(itertools.product(*(range(len(channel)) for channel in channels.values()))))
    likelihood = {**given, **{n: c[combinations[:, i]] for i, (n, c) in enumerate(channels.items())}}
    found = reasoner.network.engine.batch_marginals(likelihood, [ENTITY], allow_impossible=True)
    weights = np.exp(found.evidence_log - np.logaddexp.reduce(found.evidence_log))
    joint: Array = found.posterior[ENTITY] * weights[:, None]
    return joint
