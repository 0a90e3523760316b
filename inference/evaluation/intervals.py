"""Confidence intervals of published proportions."""

from __future__ import annotations

import math

from hepagraph.kg import Statement

_Z = 1.959963984540054


def wilson(proportion: float, n: float) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion (Wilson 1927).

    >>> tuple(round(end, 3) for end in wilson(0.5, 10))
    (0.237, 0.763)
    """
    centre = (proportion + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(proportion * (1 - proportion) / n + _Z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def published_interval(statement: Statement) -> tuple[float | None, tuple[float, float] | None]:
    """Return a statement's proportion and its 95 % interval: printed, else by Wilson from n, else None.

    A bound ("up to") is an interval from or to the bound; a range is taken as it stands.
    """
    if statement.k is not None and statement.n:
        value = statement.k / statement.n
        return value, statement.ci or wilson(value, statement.n)
    if statement.value is None:
        return None, statement.range
    if statement.bound == "UpperBound":
        return statement.value, (0.0, statement.value)
    if statement.bound == "LowerBound":
        return statement.value, (statement.value, 1.0)
    sampled = wilson(statement.value, statement.n) if statement.n else None
    return statement.value, statement.ci or statement.range or sampled
