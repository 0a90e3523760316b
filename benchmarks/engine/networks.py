"""The networks that are measured, and rows drawn from them with some cells missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.network import ENTITY, SUBTYPE, Network, Table

Array = NDArray[np.float64]
Codes = Mapping[str, NDArray[np.int8]]
MISSING = 0.4


@dataclass(frozen=True)
class Subject:
    """A network: its tables, the variables that are never seen, and those that may be."""

    name: str
    tables: Mapping[str, Table]
    latent: tuple[str, ...]
    seen: tuple[str, ...]

    def states(self, name: str) -> int:
        """Return how many states a variable has."""
        return int(self.tables[name].values.shape[-1])

    @property
    def parameters(self) -> int:
        """The number of cells in all tables."""
        return sum(table.values.size for table in self.tables.values())


def real(network: Network) -> Subject:
    """Return the network of the ontology; context and features may be seen."""
    seen = (*network.variables("context"), *network.variables("feature"))
    return Subject("real", network.tables, network.variables("mechanism"), seen)


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a synthetic network is; ``cross`` is how often a cause lies outside the finding's own group."""

    nodes: int
    mechanisms: int
    group: int
    cross: float = 0.0

    @property
    def name(self) -> str:
        """What the network is called in the results."""
        return f"{self.nodes} nodes, {self.mechanisms} mechanisms"


SHAPES = (Shape(40, 10, 2), Shape(80, 18, 3), Shape(200, 24, 3, 0.05), Shape(200, 40, 3, 0.05))
CONTEXTS = (25, 4, 2, 4, 3, 3, 3)
ENTITIES, PER_ENTITY = 10, 3


def synthetic(shape: Shape, seed: int = 0) -> Subject:
    """Return a random network: contexts -> entity -> subtype -> binary mechanisms -> features.

    The last two contexts act on features as well. A feature has one parent out of entity and subtype, one to
    three mechanisms, mostly of one group, and sometimes a context.
    """
    rng = np.random.default_rng(seed)
    tables: dict[str, Table] = {}
    contexts = [f"context{i}" for i in range(len(CONTEXTS))]
    for name, states in zip(contexts, CONTEXTS, strict=True):
        _add(tables, rng, name, (), states)
    _add(tables, rng, ENTITY, (contexts[0], contexts[1], contexts[2]), ENTITIES)
    _add(tables, rng, SUBTYPE, (ENTITY, contexts[3]), ENTITIES * PER_ENTITY)
    own = np.repeat(np.eye(ENTITIES), PER_ENTITY, axis=1)[:, None, :]
    values = tables[SUBTYPE].values * own
    tables[SUBTYPE] = Table(SUBTYPE, (ENTITY, contexts[3]), values / values.sum(axis=-1, keepdims=True))
    mechanisms = [f"mechanism{i}" for i in range(shape.mechanisms)]
    for name in mechanisms:
        _add(tables, rng, name, (SUBTYPE,), 2)
    features = [f"feature{i}" for i in range(shape.nodes - len(tables))]
    groups = [mechanisms[i : i + shape.group] for i in range(0, len(mechanisms), shape.group)]
    for number, name in enumerate(features):
        own_group = groups[number % len(groups)]
        causes = list(rng.choice(own_group, size=rng.integers(1, min(3, len(own_group)) + 1), replace=False))
        causes = [str(rng.choice(mechanisms)) if rng.random() < shape.cross else str(cause) for cause in causes]
        acting = [c for c, often in ((contexts[-1], 0.25), (contexts[-2], 0.15)) if rng.random() < often]
        pivot = SUBTYPE if rng.random() < 0.5 else ENTITY
        _add(tables, rng, name, (pivot, *dict.fromkeys([*acting, *causes])), int(rng.integers(2, 8)))
    return Subject(shape.name, tables, tuple(mechanisms), (*contexts, *features))


def _add(tables: dict[str, Table], rng: np.random.Generator, name: str, parents: tuple[str, ...], states: int) -> None:
    above = [tables[parent].values.shape[-1] for parent in parents]
    values = rng.dirichlet(np.full(states, 0.7), size=above) + 1e-3
    tables[name] = Table(name, parents, values / values.sum(axis=-1, keepdims=True))


def draw(subject: Subject, count: int, *, missing: float = MISSING, seed: int = 1) -> dict[str, NDArray[np.int8]]:
    """Return rows drawn from the network as codes of what may be seen, -1 in a share of cells."""
    rng = np.random.default_rng(seed)
    drawn: dict[str, NDArray[np.intp]] = {}
    for name, table in subject.tables.items():
        rows = table.values[tuple(drawn[parent] for parent in table.parents)]
        below = np.cumsum(np.broadcast_to(rows, (count, rows.shape[-1])), axis=1)
        drawn[name] = np.minimum((below < rng.random((count, 1))).sum(axis=1), rows.shape[-1] - 1)
    return {n: np.where(rng.random(count) < missing, -1, drawn[n]).astype(np.int8) for n in subject.seen}


def part(codes: Codes, start: int, count: int) -> dict[str, NDArray[np.int8]]:
    """Return some of the rows."""
    return {name: values[start : start + count] for name, values in codes.items()}


def records(codes: Codes) -> list[dict[str, int]]:
    """Return each row as position of state by variable, without what is missing."""
    names = list(codes)
    table = np.column_stack([codes[name] for name in names])
    return [{n: int(c) for n, c in zip(names, row, strict=True) if c >= 0} for row in table]


def vectors(subject: Subject, record: Mapping[str, int]) -> dict[str, Array]:
    """Return a row as likelihood vectors."""
    return {name: np.eye(subject.states(name))[code] for name, code in record.items()}
