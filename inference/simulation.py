"""Draw lesions from the network, forwards through its tables, and count what signs they show.

Every variable is drawn from its table's row, parents first; draws that break a condition are thrown away (rejection
sampling), so what is left follows the network's own distribution given the condition. It shares no code with exact
inference, so that each can be checked against the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.elimination import relevant
from hepagraph.inference.network import Network, Table
from hepagraph.ontology.errors import ImpossibleEvidenceError, Problem

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Draws = Mapping[str, Index]
BATCH = 100_000
MAXIMUM_BATCHES = 200


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the simulated lesions show a sign, with the Monte Carlo standard error of the share."""

    value: float
    standard_error: float
    lesions: int


def simulate(
    network: Network,
    count: int,
    rng: np.random.Generator,
    *,
    given: Mapping[str, Sequence[str]] | None = None,
    variables: Sequence[str] | None = None,
) -> dict[str, Index]:
    """Return ``count`` lesions as positions of states by variable, each array of shape (count,).

    Parameters
    ----------
    network
        The network to draw from.
    count
        How many lesions to draw.
    rng
        The random generator.
    given
        The allowed states of some variables.
    variables
        What to draw, besides what leads to it; all by default.

    Raises
    ------
    ImpossibleEvidenceError
        The condition is so rare that 20 million draws did not give enough lesions.
    """
    conditions = {name: _allowed(network, name, states) for name, states in (given or {}).items()}
    wanted = relevant(network.tables, [*(network.tables if variables is None else variables), *conditions])
    kept: dict[str, list[Index]] = {name: [] for name in wanted}
    got = 0
    for _ in range(MAXIMUM_BATCHES):
        batch = _batch(network, wanted, conditions, rng)
        for name, values in batch.items():
            kept[name].append(values)
        got += len(next(iter(batch.values())))
        if got >= count:
            return {name: np.concatenate(parts)[:count] for name, parts in kept.items()}
    where = ", ".join(f"{name}: {' or '.join(states)}" for name, states in (given or {}).items())
    what = f"{MAXIMUM_BATCHES * BATCH} draws gave {got} of {count} lesions"
    raise ImpossibleEvidenceError([Problem("impossible", where, what, advice="loosen the condition")])


def share_showing(network: Network, draws: Draws, sign: Mapping[str, Sequence[str]], *, every: bool = True) -> Share:
    """Return the share of the lesions that show a sign: in every feature, or in any, one of its states."""
    parts = [np.isin(draws[name], _positions(network, name, states)) for name, states in sign.items()]
    shown = np.all(parts, axis=0) if every else np.any(parts, axis=0)
    value = float(shown.mean())
    return Share(value, float(np.sqrt(value * (1 - value) / len(shown))), len(shown))


def _batch(
    network: Network, wanted: Sequence[str], conditions: Mapping[str, NDArray[np.bool_]], rng: np.random.Generator
) -> dict[str, Index]:
    """Draw one batch; lesions that break a condition are dropped as soon as the variable is drawn."""
    drawn: dict[str, Index] = {}
    size = BATCH
    for name in wanted:
        values = _draw(network.tables[name], drawn, size, rng)
        drawn[name] = values
        if name in conditions:
            good = conditions[name][values]
            drawn = {other: found[good] for other, found in drawn.items()}
            size = int(good.sum())
    return drawn


def _draw(table: Table, drawn: Draws, size: int, rng: np.random.Generator) -> Index:
    rows = table.values[tuple(drawn[parent] for parent in table.parents)]
    edges = np.cumsum(np.broadcast_to(rows, (size, table.values.shape[-1])), axis=1)
    return np.asarray((rng.random((size, 1)) >= edges[:, :-1]).sum(axis=1), dtype=np.int64)


def _positions(network: Network, name: str, states: Sequence[str]) -> list[int]:
    return [network.states[name].index(state) for state in states]


def _allowed(network: Network, name: str, states: Sequence[str]) -> NDArray[np.bool_]:
    allowed = np.zeros(len(network.states[name]), dtype=np.bool_)
    allowed[_positions(network, name, states)] = True
    return allowed
