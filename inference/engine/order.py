"""Find an elimination order that is cheap whatever is missing.

The order is one for all rows, since a bit belongs to one variable; which factors a row has is known only then. So the
order is sought that is cheapest on average over random missing findings: min-weight first, then moves of one
variable, kept when the mean number of block products falls. Deterministic.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

SAMPLES = 64
MOVES = 600
MISSING = 0.4


def elimination_order(
    bits: Mapping[str, int],
    leaves: Sequence[Collection[str]],
    priors: Mapping[str, Collection[str]],
    joint: Collection[str],
    latent: Collection[str],
) -> tuple[str, ...]:
    """Return the variables in the order in which to eliminate them.

    Parameters
    ----------
    bits
        The bits of each variable.
    leaves
        The variables that each leaf depends on.
    priors
        For each variable with a table of its own that table's variables.
    joint
        The variables that the weights of the lanes depend on.
    latent
        The variables that are hardly ever observed.
    """
    names = list(bits)
    if not names:
        return ()
    index = {name: position for position, name in enumerate(names)}
    rng = np.random.default_rng(0)

    def mask(scope: Collection[str]) -> int:
        return sum(1 << index[name] for name in scope)

    own = {index[name]: mask(scope) for name, scope in priors.items()}
    shared = mask(joint)
    widths = np.array(list(bits.values()))
    observed = [index[name] for name in names if name not in latent]
    sample = _sample([mask(scope) for scope in leaves], own, shared, observed, len(names), rng)
    best = _min_weight([mask(scope) for scope in (*leaves, *priors.values(), joint)], widths)
    cost = _cost(sample, best, widths)
    for _ in range(MOVES if len(names) > 2 else 0):
        moved = list(best)
        variable = moved.pop(int(rng.integers(len(names))))
        moved.insert(int(rng.integers(len(names))), variable)
        found = _cost(sample, moved, widths)
        if found <= cost:
            best, cost = moved, found
    return tuple(names[position] for position in best)


def _sample(
    leaves: Sequence[int],
    own: Mapping[int, int],
    shared: int,
    observed: Sequence[int],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return the factors of random rows as masks of hidden variables, zero where absent, shape (rows, factors)."""
    rows = []
    for _ in range(SAMPLES):
        seen = [leaf if rng.random() >= MISSING else 0 for leaf in leaves]
        fixed = sum(1 << v for v in observed if rng.random() >= MISSING)
        needed = 0
        for leaf in seen:
            needed |= leaf
        for _ in range(count):
            for v, scope in own.items():
                needed |= scope if needed >> v & 1 else 0
        priors = [own[v] if v in own and needed >> v & 1 else 0 for v in range(count)]
        rows.append([m & ~fixed for m in (*seen, *priors, shared)])
    return np.array(rows, dtype=np.int64)


def _min_weight(scopes: Sequence[int], widths: NDArray[np.int64]) -> list[int]:
    left, order = list(scopes), []
    remaining = set(range(len(widths)))
    while remaining:
        sizes = {v: _union(left, v) for v in remaining}
        best = min(remaining, key=lambda v: (_weight(sizes[v], widths), v))
        left = [m for m in left if not m >> best & 1] + [sizes[best] & ~(1 << best)]
        remaining.discard(best)
        order.append(best)
    return order


def _union(masks: Sequence[int], variable: int) -> int:
    found = 1 << variable
    for mask in masks:
        if mask >> variable & 1:
            found |= mask
    return found


def _weight(mask: int, widths: NDArray[np.int64]) -> int:
    return int(sum(w for v, w in enumerate(widths) if mask >> v & 1))


def _cost(sample: NDArray[np.int64], order: Sequence[int], widths: NDArray[np.int64]) -> float:
    """Return the mean number of block products and stores over the sampled rows."""
    left = np.concatenate([sample, np.zeros((len(sample), len(order)), dtype=np.int64)], axis=1)
    count, variables, total = sample.shape[1], np.arange(len(widths)), 0.0
    for step, variable in enumerate(order):
        inside = (left >> variable & 1).astype(bool)
        union = np.bitwise_or.reduce(np.where(inside, left, 0), axis=1)
        size = np.exp2((union[:, None] >> variables & 1) @ widths)
        factors = inside.sum(axis=1)
        total += float((size * (factors + 0.5))[factors > 0].sum())
        left[inside] = 0
        left[:, count + step] = union & ~(1 << variable)
    return total / len(sample)
