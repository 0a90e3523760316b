"""Factors with one more axis, the case, kept short: one layer for each distinct combination of evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layered:
    """A factor of shape (layers, *cards) over a sorted scope; case i reads layer ``case[i]``."""

    scope: tuple[int, ...]
    values: Array
    scale_log: Array
    case: Index


def distinct_rows(rows: NDArray[np.generic]) -> tuple[Index, Index]:
    """Return where each distinct row first stands, and which of them every row equals."""
    flat = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, inverse = np.unique(flat, return_index=True, return_inverse=True)
    return first.astype(np.int64), inverse.reshape(-1).astype(np.int64)


def of_cases(factor: Layered, part: slice) -> Layered:
    """Return the factor for a part of the cases, with only the layers that they read."""
    if len(factor.values) == 1:
        return Layered(factor.scope, factor.values, factor.scale_log, factor.case[part])
    kept, case = np.unique(factor.case[part], return_inverse=True)
    return Layered(factor.scope, factor.values[kept], factor.scale_log[kept], case.reshape(-1))


def joined(cases: Sequence[Index]) -> tuple[Index, int]:
    """Return which layer of their product each case reads, and how many layers it has."""
    case, layers = cases[0], int(cases[0].max()) + 1
    for other in cases[1:]:
        if (count := int(other.max()) + 1) > 1:
            found, case = np.unique(case * count + other, return_inverse=True)
            case, layers = case.reshape(-1), len(found)
    return case, layers


def summed(factors: Sequence[Layered], cards: Sequence[int], scope: tuple[int, ...]) -> Layered:
    """Return the product of the factors summed to ``scope``, each layer scaled to a maximum of one."""
    product, *rest = sorted(factors, key=lambda factor: factor.values.size)
    for factor in rest:
        product = _product(product, factor, cards)
    missing = tuple(v for v in scope if v not in product.scope)
    axes = tuple(axis + 1 for axis, variable in enumerate(product.scope) if variable not in scope)
    values = product.values.sum(axis=axes)
    kept = tuple(v for v in product.scope if v in scope)
    if missing:
        shape = [cards[v] if v in kept else 1 for v in scope]
        values = np.broadcast_to(values.reshape(-1, *shape), (len(values), *(cards[v] for v in scope)))
    return _scaled(scope, values, product.scale_log, product.case)


def _product(a: Layered, b: Layered, cards: Sequence[int]) -> Layered:
    scope = tuple(sorted({*a.scope, *b.scope}))
    many = len(b.values)
    if many == 1:
        case, rows, columns = a.case, slice(None), slice(None)
    elif len(a.values) == 1:
        case, rows, columns = b.case, slice(None), slice(None)
    else:
        found, case = np.unique(a.case * many + b.case, return_inverse=True)
        case, rows, columns = case.reshape(-1), found // many, found % many
    values = _spread(a, rows, scope, cards) * _spread(b, columns, scope, cards)
    return _scaled(scope, values, a.scale_log[rows] + b.scale_log[columns], case)


def _spread(factor: Layered, layers: slice | Index, scope: tuple[int, ...], cards: Sequence[int]) -> Array:
    inside = set(factor.scope)
    values = factor.values[layers]
    return values.reshape(len(values), *(cards[v] if v in inside else 1 for v in scope))


def _scaled(scope: tuple[int, ...], values: Array, scale_log: Array, case: Index) -> Layered:
    top = values.reshape(len(values), -1).max(axis=1)
    top = np.where(top > 0, top, 1.0)
    return Layered(scope, values / top.reshape(-1, *([1] * (values.ndim - 1))), scale_log + np.log(top), case)
