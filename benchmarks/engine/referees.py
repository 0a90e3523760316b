"""Agreement on random evidence sets: hard, grouped, soft and missing, mixed; ``python -m benchmarks.engine.referees``.

pyAgrum and pgmpy answer the same sets as the engine: entity, subtype and mechanisms. The float32 rows of ``score`` are
compared with pyAgrum as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine.networks import Subject, real
from benchmarks.engine.peers import Agrum, agrum_network
from benchmarks.engine.timing import Measure, Spread
from hepagraph.inference import Reasoner
from hepagraph.inference.engine import Engine
from hepagraph.inference.network import ENTITY, SUBTYPE, Network
from hepagraph.inference.pgmpy_model import pgmpy_posterior, to_pgmpy

Array = NDArray[np.float64]
Evidence = dict[str, Array]
DOUBLE_BAR, SINGLE_BAR = 1e-9, 1e-6


def evidence_sets(subject: Subject, count: int, seed: int) -> Iterator[Evidence]:
    """Yield random evidence sets, from nothing seen to everything; states are chosen evenly, so many conflict."""
    rng = np.random.default_rng(seed)
    names = np.array(subject.seen)
    for _ in range(count):
        chosen = rng.choice(names, size=rng.integers(0, len(names) + 1), replace=False)
        yield {str(name): _vector(rng, subject.states(str(name))) for name in chosen}


def _vector(rng: np.random.Generator, states: int) -> Array:
    kind = rng.integers(4)
    hard = np.eye(states)[rng.integers(states)]
    if kind < 2:
        return hard
    if kind == 2:
        group = (rng.random(states) < 0.5).astype(np.float64)
        return group if group.any() else hard
    return rng.random(states) + 0.01


def against_agrum(subject: Subject, sets: Sequence[Evidence]) -> tuple[dict[str, float], Array]:
    """Return the largest difference of each kind of target, and pyAgrum's posteriors of the entity."""
    engine = Engine(subject.tables, subject.latent)
    targets = (ENTITY, SUBTYPE, *subject.latent)
    peer = Agrum(agrum_network(subject), "ShaferShenoy", targets)
    worst = dict.fromkeys((ENTITY, SUBTYPE, "mechanisms"), 0.0)
    entities = []
    for evidence in sets:
        found = engine.marginals(evidence, targets).posterior
        entities.append(peer.posterior({name: list(vector) for name, vector in evidence.items()}))
        for name in targets:
            wanted = peer.engine.posterior(name).toarray()
            key = name if name in worst else "mechanisms"
            worst[key] = max(worst[key], float(np.abs(found[name] - wanted).max()))
    return worst, np.array(entities)


def against_pgmpy(network: Network, subject: Subject, sets: Sequence[Evidence]) -> float:
    """Return the largest difference from pgmpy: entity, subtype and one mechanism in turn."""
    engine, model = Engine(subject.tables, subject.latent), to_pgmpy(network)
    worst = 0.0
    for number, evidence in enumerate(sets):
        target = (ENTITY, SUBTYPE, subject.latent[number % len(subject.latent)])[number % 3]
        wanted = pgmpy_posterior(model, network, evidence, target)
        found = engine.marginals(evidence, [target]).posterior[target]
        worst = max(worst, float(np.abs(found - wanted).max()))
    return worst


def as_codes(subject: Subject, sets: Sequence[Evidence]) -> tuple[dict[str, NDArray[np.int32]], Mapping[str, Array]]:
    """Return evidence sets as codes and what they mean."""
    codes = {name: np.full(len(sets), -1, dtype=np.int32) for name in subject.seen}
    meanings: dict[str, list[Array]] = {name: list(np.eye(subject.states(name))) for name in subject.seen}
    for row, evidence in enumerate(sets):
        for name, vector in evidence.items():
            if np.count_nonzero(vector) == 1:
                codes[name][row] = int(vector.argmax())
            else:
                codes[name][row] = len(meanings[name])
                meanings[name].append(vector)
    used = {name: np.stack(found) for name, found in meanings.items() if len(found) > subject.states(name)}
    return codes, used


def single_precision(subject: Subject, sets: Sequence[Evidence], entities: Array) -> tuple[float, int]:
    """Return the largest difference of float32 rows from pyAgrum, and how many rows; contexts must be hard."""
    engine = Engine(subject.tables, subject.latent)
    above = engine.full_program().above
    hard = [i for i, e in enumerate(sets) if all(np.count_nonzero(e[name]) == 1 for name in above if name in e)]
    codes, meanings = as_codes(subject, [sets[i] for i in hard])
    posterior, _ = engine.score(codes, meanings=meanings, dtype=np.float32)
    return float(np.abs(posterior - entities[hard]).max()), len(hard)


def measure(network: Network, *, agrum: int = 10_000, pgmpy: int = 300, seed: int = 7) -> list[Measure]:
    """Return the largest differences with their bars."""
    subject = real(network)
    sets = list(evidence_sets(subject, max(agrum, pgmpy), seed))
    worst, entities = against_agrum(subject, sets[:agrum])
    single, rows = single_precision(subject, sets[:agrum], entities)
    double = against_pgmpy(network, subject, sets[:pgmpy])
    measures = [
        _difference(f"agree_agrum_{key}", f"{key}, float64, pyAgrum, {agrum:,} evidence sets", value, DOUBLE_BAR)
        for key, value in worst.items()
    ]
    measures.append(
        _difference("agree_pgmpy", f"all targets, float64, pgmpy, {pgmpy:,} evidence sets", double, DOUBLE_BAR)
    )
    what = f"{ENTITY}, float32 score, pyAgrum, {rows:,} evidence sets"
    return [*measures, _difference("agree_single", what, single, SINGLE_BAR)]


def _difference(key: str, what: str, value: float, bar: float) -> Measure:
    return Measure(key, f"largest difference: {what}", Spread(value, value, value), bar, most=True, unit="")


def main() -> None:
    """Print the largest differences."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--agrum", type=int, default=10_000, help="evidence sets for pyAgrum")
    parser.add_argument("--pgmpy", type=int, default=300, help="evidence sets for pgmpy")
    options = parser.parse_args()
    for measure_ in measure(Reasoner.load().network, agrum=options.agrum, pgmpy=options.pgmpy):
        print(measure_)


if __name__ == "__main__":
    main()
