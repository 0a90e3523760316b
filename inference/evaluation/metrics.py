"""Measures of a set of predictions: pure functions of probabilities (n, entities) and the index of the truth (n,).

Definitions: Brier 1950 in its original form, the sum over entities; the logarithmic score of Good 1952 in natural
logarithms; macro recall is the unweighted mean of the recalls of the entities that occur.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]
SMALLEST = 1e-12


def ranks_of_truth(probabilities: Array, truth: Index) -> Index:
    """Return how many entities are placed above the true one, shape (n,); of equals the earlier is above.

    >>> ranks_of_truth(np.array([[0.2, 0.5, 0.3]]), np.array([2])).tolist()
    [1]
    """
    own = probabilities[np.arange(len(truth)), truth][:, None]
    earlier = np.arange(probabilities.shape[1])[None, :] < truth[:, None]
    above = (probabilities > own) | ((probabilities == own) & earlier)
    return np.asarray(above.sum(axis=1), dtype=np.int64)


def top_hits(probabilities: Array, truth: Index, k: int = 1) -> Array:
    """Return 1.0 where the truth is among the ``k`` likeliest, else 0.0, shape (n,)."""
    return np.asarray(ranks_of_truth(probabilities, truth) < k, dtype=np.float64)


def log_losses(probabilities: Array, truth: Index) -> Array:
    """Return minus the natural logarithm of the probability of the truth, clipped at 1e-12, shape (n,).

    >>> log_losses(np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([0, 1])).round(3).tolist()
    [0.693, 27.631]
    """
    own = probabilities[np.arange(len(truth)), truth]
    return np.asarray(-np.log(np.maximum(own, SMALLEST)), dtype=np.float64)


def brier_scores(probabilities: Array, truth: Index) -> Array:
    """Return the squared error summed over the entities, between 0 and 2, shape (n,).

    >>> brier_scores(np.array([[0.8, 0.2]]), np.array([1])).round(3).tolist()
    [1.28]
    """
    seen = np.zeros_like(probabilities)
    seen[np.arange(len(truth)), truth] = 1.0
    return np.asarray(((probabilities - seen) ** 2).sum(axis=1), dtype=np.float64)


def entropies(probabilities: Array) -> Array:
    """Return the entropy in bits of each distribution, shape (n,).

    >>> entropies(np.array([[0.5, 0.5], [1.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    safe = np.where(probabilities > 0, probabilities, 1.0)
    return np.asarray(np.abs((probabilities * np.log2(safe)).sum(axis=1)), dtype=np.float64)


def confusion(probabilities: Array, truth: Index) -> Index:
    """Return the counts by true entity (row) and leading entity (column), shape (entities, entities)."""
    size = probabilities.shape[1]
    found = np.zeros((size, size), dtype=np.int64)
    np.add.at(found, (truth, probabilities.argmax(axis=1)), 1)
    return found


def recalls(probabilities: Array, truth: Index) -> Array:
    """Return the share of each entity's lesions that have it on top, shape (entities,); NaN where none occurs."""
    counts = confusion(probabilities, truth)
    totals = counts.sum(axis=1)
    return np.asarray(np.where(totals > 0, np.diag(counts) / np.maximum(totals, 1), np.nan), dtype=np.float64)


def macro_recall(probabilities: Array, truth: Index) -> float:
    """Return the mean recall over the entities that occur.

    >>> macro_recall(np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]]), np.array([0, 0, 1]))
    0.5
    """
    found = recalls(probabilities, truth)
    return float(found[~np.isnan(found)].mean())
