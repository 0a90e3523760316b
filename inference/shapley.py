"""Shapley values of findings on an entity's log-odds.

A finding's value is the mean, over all orders in which the findings might have come in, of how much it moved the
log-odds when it came (Shapley 1953; Strumbelj and Kononenko 2014). Within any order the moves add up to the whole
shift, so their means do as well. Up to ``EXACT`` findings all subsets are computed; with more, the mean is over random
orders and their reverses, and the sum stays exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.network import ENTITY, Network

Array = NDArray[np.float64]
EXACT = 12
ORDERS = 400


@dataclass(frozen=True, slots=True)
class Values:
    """Shapley values in nats by variable, and the log-odds before and after; they add up."""

    weights: Mapping[str, float]
    before: float
    after: float


def shapley(
    network: Network, start: Mapping[str, Array], players: Mapping[str, Array], row: int, rivals: Sequence[int]
) -> Values:
    """Return what each player adds to the log-odds of one entity against rivals.

    Parameters
    ----------
    start
        Likelihood vectors that hold before any player comes in.
    players
        Likelihood vectors, shape (states,), by variable.
    row
        The position of the entity.
    rivals
        The positions of what it stands against.

    Raises
    ------
    ImpossibleEvidenceError
        All players together have probability zero.
    """
    names = tuple(players)
    count = len(names)
    sets = _all_subsets(count) if count <= EXACT else _prefixes(count)
    odds = _log_odds(network, start, players, sets, row, rivals)
    if count <= EXACT:
        weights = _exact(odds, count)
        before, after = float(odds[0]), float(odds[-1])
    else:
        weights, before, after = _sampled(odds, sets, count)
    return Values(dict(zip(names, map(float, weights), strict=True)), before, after)


def _all_subsets(count: int) -> NDArray[np.bool_]:
    """Return every subset of players, shape (2^count, count), the whole last."""
    numbers = np.arange(2**count)
    return (numbers[:, None] >> np.arange(count) & 1).astype(bool)


def _prefixes(count: int) -> NDArray[np.bool_]:
    """Return the growing subsets of random orders and of their reverses, shape (orders * (count + 1), count)."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(ORDERS // 2):
        order = rng.permutation(count)
        for way in (order, order[::-1]):
            rank = np.empty(count, dtype=np.int64)
            rank[way] = np.arange(count)
            rows.append(rank[None, :] < np.arange(count + 1)[:, None])
    return np.concatenate(rows)


def _log_odds(
    network: Network,
    start: Mapping[str, Array],
    players: Mapping[str, Array],
    sets: NDArray[np.bool_],
    row: int,
    rivals: Sequence[int],
) -> Array:
    packed = np.packbits(np.pad(sets, ((0, 0), (0, 1))), axis=1)  # one column more, for a lesion without findings
    _, first, inverse = np.unique(packed.view(f"V{packed.shape[1]}").ravel(), return_index=True, return_inverse=True)
    different = sets[first]
    likelihood: dict[str, Array] = dict(start)
    for position, (name, vector) in enumerate(players.items()):
        seen = different[:, position]
        likelihood[name] = np.where(seen[:, None], vector, 1.0)
    posterior = network.engine.batch_marginals(likelihood, [ENTITY]).posterior[ENTITY]
    tiny = np.finfo(np.float64).tiny
    odds = np.log(np.maximum(posterior[:, row], tiny)) - np.log(np.maximum(posterior[:, rivals].sum(axis=1), tiny))
    return np.asarray(odds[inverse.reshape(-1)], dtype=np.float64)


def _exact(odds: Array, count: int) -> Array:
    """Return the weights from the log-odds of all subsets, shape (2^count,)."""
    numbers = np.arange(2**count)
    size = np.array([int(n).bit_count() for n in numbers])
    share = np.array([factorial(s) * factorial(count - s - 1) / factorial(count) for s in range(count)])
    weights = np.empty(count)
    for player in range(count):
        without = numbers[(numbers >> player & 1) == 0]
        weights[player] = (share[size[without]] * (odds[without | 1 << player] - odds[without])).sum()
    return weights


def _sampled(odds: Array, sets: NDArray[np.bool_], count: int) -> tuple[Array, float, float]:
    steps = odds.reshape(-1, count + 1)
    moves = np.diff(steps, axis=1)
    came = np.diff(sets.reshape(-1, count + 1, count).astype(np.int8), axis=1).argmax(axis=2)
    weights = np.zeros(count)
    np.add.at(weights, came, moves)
    return weights / len(steps), float(steps[0, 0]), float(steps[0, -1])
