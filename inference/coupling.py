"""Let hidden mechanisms make features depend on each other without moving what the evidence counted.

For one feature and one subtype the evidence gives the feature's distribution and the probability of each
mechanism. Each mechanism multiplies the odds of the states that it causes (and divides those it prevents). The joint
table is the one closest to that tilted product, in Kullback-Leibler divergence, that keeps both given margins;
iterative proportional fitting finds it (Deming and Stephan 1940; Csiszar 1975).
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def couple(
    feature: Array, present: Array, multipliers: Array, *, rounds: int = 10_000, tolerance: float = 1e-10
) -> Array:
    """Return P(feature | subtype, mechanisms) whose margins are the given ones.

    Parameters
    ----------
    feature
        P(feature state | subtype), shape (subtypes, states), strictly positive.
    present
        P(mechanism present | subtype), shape (subtypes, mechanisms), strictly between 0 and 1.
    multipliers
        Odds multiplier of a present mechanism on a state, shape (mechanisms, states); 1 where it does not act.

    Returns
    -------
    Shape (subtypes, 2, ..., 2, states): one axis of (absent, present) for each mechanism.

    Examples
    --------
    >>> table = couple(np.array([[0.5, 0.5]]), np.array([[0.5]]), np.array([[1.0, 9.0]]))
    >>> table[0, :, 1].round(3).tolist()
    [0.25, 0.75]
    """
    subtypes, states = feature.shape
    mechanisms = present.shape[1]
    if mechanisms == 0:
        return feature.copy()
    configurations = np.array(list(itertools.product((0, 1), repeat=mechanisms)))
    weight = np.prod(np.where(configurations[None, :, :] == 1, present[:, None, :], 1 - present[:, None, :]), axis=2)
    tilt = np.exp(configurations @ np.log(multipliers))
    joint = weight[:, :, None] * tilt[None, :, :] * feature[:, None, :]
    for _ in range(rounds):
        joint *= (feature / joint.sum(axis=1))[:, None, :]
        rows = joint.sum(axis=2)
        joint *= (weight / rows)[:, :, None]
        if np.abs(joint.sum(axis=1) - feature).max() < tolerance:
            break
    table = joint / joint.sum(axis=2, keepdims=True)
    return np.asarray(table.reshape((subtypes, *(2,) * mechanisms, states)), dtype=np.float64)
