"""The interval of a proportion, and what a picture draws of one statement."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hepagraph.kg import Statement

_Z = 1.959964  # the 97.5 % quantile of the standard normal distribution


@dataclass(frozen=True, slots=True)
class Mark:
    """What a picture draws of one statement; proportions in [0, 1].

    ``shape`` is ``counted`` (a proportion with its interval), ``bare`` (a proportion without one), ``upper`` or
    ``lower`` (a bound), ``range`` or ``words``. ``size`` is the number examined, 0 where it is not known.
    """

    statement: Statement
    shape: str
    low: float
    centre: float
    high: float
    size: int = 0


def wilson(k: float, n: float) -> tuple[float, float]:
    """Return the 95 % score interval of ``k`` in ``n``.

    Notes
    -----
    E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal of the American
    Statistical Association 22 (1927) 209-212, doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> [round(end, 3) for end in wilson(8, 10)]
    [0.49, 0.943]
    """
    centre = (k + _Z**2 / 2) / (n + _Z**2)
    reach = _Z / (n + _Z**2) * math.sqrt(k * (n - k) / n + _Z**2 / 4)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def mark(statement: Statement, elicited: tuple[float, float] | None) -> Mark | None:
    """Return what to draw of a statement, or None where it gives no proportion.

    ``elicited`` is the range that the statement's word stands for.
    """
    if statement.k is not None and statement.n:
        low, high = wilson(statement.k, statement.n)
        return Mark(statement, "counted", low, statement.k / statement.n, high, statement.n)
    if statement.value is not None:
        return _mark_of_value(statement, statement.value)
    if statement.range is not None:
        return Mark(statement, "range", statement.range[0], sum(statement.range) / 2, statement.range[1])
    if elicited is not None and statement.word_mean is not None:
        return Mark(statement, "words", elicited[0], statement.word_mean, elicited[1])
    return None


def _mark_of_value(statement: Statement, value: float) -> Mark:
    if statement.bound == "UpperBound":
        return Mark(statement, "upper", 0.0, value, value)
    if statement.bound == "LowerBound":
        return Mark(statement, "lower", value, value, 1.0)
    if statement.ci is not None:
        return Mark(statement, "counted", statement.ci[0], value, statement.ci[1], statement.n or 0)
    if statement.n:
        low, high = wilson(value * statement.n, statement.n)
        return Mark(statement, "counted", low, value, high, statement.n)
    return Mark(statement, "bare", value, value, value)
