"""Percentile bootstrap intervals (Efron 1979) that draw patients, so that lesions of one patient stay together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hepagraph.inference.evaluation.metrics import Array, Index

Statistic = Callable[[Index], Array]
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure with its 95 % percentile interval; all None where it is not defined, the ends also without draws."""

    value: float | None
    low: float | None = None
    high: float | None = None


def bootstrap(statistic: Statistic, patients: Sequence[str], draws: int, seed: int) -> tuple[Estimate, ...]:
    """Return the statistic's components on all lesions, each with its percentile interval.

    Parameters
    ----------
    statistic
        Gives the measures, shape (m,), of the lesions at some positions; NaN where one is not defined there.
        Resamples in which a measure is not defined are left out for it.
    patients
        The patient of each lesion.
    draws, seed
        How many resamples of patients, and the seed that makes them the same every time.

    Examples
    --------
    >>> ones = np.ones(4)
    >>> bootstrap(lambda rows: np.array([ones[rows].mean()]), ["a", "a", "b", "c"], draws=20, seed=0)
    (Estimate(value=1.0, low=1.0, high=1.0),)
    """
    names = sorted(set(patients))
    rows_of = [np.flatnonzero(np.array(patients) == name) for name in names]
    values = statistic(np.arange(len(patients)))
    if draws < 1:
        return tuple(Estimate(_defined(value)) for value in values)
    rng = np.random.default_rng(seed)
    resamples = np.stack([statistic(_resample(rows_of, rng)) for _ in range(draws)])
    return tuple(_estimate(value, resamples[:, column]) for column, value in enumerate(values))


def _resample(rows_of: Sequence[Index], rng: np.random.Generator) -> Index:
    chosen = rng.integers(0, len(rows_of), size=len(rows_of))
    return np.concatenate([rows_of[i] for i in chosen])


def _estimate(value: float, column: Array) -> Estimate:
    kept = column[np.isfinite(column)]
    if not np.isfinite(value) or not len(kept):
        return Estimate(_defined(value))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(kept, [tail, 1 - tail])
    return Estimate(float(value), float(low), float(high))


def _defined(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
