"""Calibration and abstention: does a stated probability come true, and what is gained by answering only when sure.

Expected calibration error after Naeini 2015 with ten bins of equal width; classwise after Kull 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hepagraph.inference.evaluation.metrics import Array, Index, top_hits

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Lesions whose stated probability lies in [low, high): how many, the mean stated, the share that came true."""

    low: float
    high: float
    count: int
    stated: float
    observed: float


def reliability(stated: Array, came_true: Array, bins: int = BINS) -> tuple[Bin, ...]:
    """Return the occupied bins of a reliability diagram, of equal width over [0, 1]; the last one holds 1 too.

    ``stated`` holds probabilities, shape (n,), and ``came_true`` 0 or 1, shape (n,).

    >>> [(b.low, b.count, b.stated, b.observed) for b in reliability(np.array([0.92, 0.98]), np.array([1.0, 0.0]))]
    [(0.9, 2, 0.95, 0.5)]
    """
    place = np.minimum((stated * bins).astype(np.int64), bins - 1)
    found = []
    for number in range(bins):
        inside = place == number
        if inside.any():
            mean, share = round(float(stated[inside].mean()), 12), float(came_true[inside].mean())
            found.append(Bin(number / bins, (number + 1) / bins, int(inside.sum()), mean, share))
    return tuple(found)


def calibration_error(stated: Array, came_true: Array, bins: int = BINS) -> float:
    """Return the mean over lesions of their bin's distance between stated and observed."""
    place = np.minimum((stated * bins).astype(np.int64), bins - 1)
    gap = np.bincount(place, weights=stated - came_true, minlength=bins)
    return float(np.abs(gap).sum() / len(stated))


def top_label_error(probabilities: Array, truth: Index, bins: int = BINS) -> float:
    """Return the expected calibration error of the leading entity's probability."""
    return calibration_error(probabilities.max(axis=1), top_hits(probabilities, truth), bins)


def classwise_error(probabilities: Array, truth: Index, bins: int = BINS) -> float:
    """Return the mean over entities of the calibration error of each entity's own probability."""
    columns = range(probabilities.shape[1])
    errors = [calibration_error(probabilities[:, c], (truth == c).astype(np.float64), bins) for c in columns]
    return float(np.mean(errors))


def error_if_calibrated(stated: Array, draws: int, seed: int, bins: int = BINS) -> Array:
    """Return calibration errors, shape (draws,), that a model with these probabilities would show were they all true.

    With few lesions even a perfectly calibrated model shows an error; a measured one says something only beside these.
    """
    rng = np.random.default_rng(seed)
    came_true = rng.random((draws, len(stated))) < stated
    return np.array([calibration_error(stated, row.astype(np.float64), bins) for row in came_true])


@dataclass(frozen=True, slots=True)
class AbstentionPoint:
    """Answering only from this confidence up: share of lesions answered, and share of those that are right."""

    threshold: float
    coverage: float
    accuracy: float
    answered: int


def abstention_curve(probabilities: Array, truth: Index) -> tuple[AbstentionPoint, ...]:
    """Return one point a distinct confidence, from answering everything to answering the surest only.

    >>> curve = abstention_curve(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]))
    >>> [(p.coverage, p.accuracy) for p in curve]
    [(1.0, 0.5), (0.5, 1.0)]
    """
    confidence, right = probabilities.max(axis=1), top_hits(probabilities, truth)
    points = []
    for threshold in np.unique(confidence):
        answered = confidence >= threshold
        points.append(
            AbstentionPoint(
                float(threshold), float(answered.mean()), float(right[answered].mean()), int(answered.sum())
            )
        )
    return tuple(points)


def area_under_abstention(points: tuple[AbstentionPoint, ...]) -> float:
    """Return the mean accuracy over coverages, by trapezoids from the smallest coverage on, flat before it."""
    coverage = np.array([0.0, *(p.coverage for p in reversed(points))])
    accuracy = np.array([points[-1].accuracy, *(p.accuracy for p in reversed(points))])
    return float((np.diff(coverage) * (accuracy[1:] + accuracy[:-1]) / 2).sum())
