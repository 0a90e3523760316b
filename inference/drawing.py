"""Draws of the fitted tables from their uncertainty, its three parts apart.

Sampling: the information of published counts, I_c, and of judgement and priors, I_j, add up to the precision of
the fit, so its covariance splits exactly into S I_c S + S I_j S with S the inverse of their sum: what would change if
other lesions had been counted, and what would change if we had judged otherwise. Between-study: the population
that a patient comes from differs from the mean over studies by normal deviates of the log-odds, as large as those
that the published counts showed, alike for all subtypes of an entity and under every condition.

Draws lie about the fitted log-odds, so the fitted shares are their medians more nearly than their means: evidence that
is uncertain on the log scale can fall further short of a strong answer than it can exceed it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.estimating import probabilities
from hepagraph.inference.reconciling import Estimate, Reconciliation
from hepagraph.inference.stopping import stop_if_over

Array = NDArray[np.float64]
PARAMETER_PARTS = ("sampling", "judgement")
PARTS = ("sampling", "between_study", "judgement")


def draw_tables(
    reconciliation: Reconciliation,
    names: Sequence[str],
    seed: int,
    draws: int,
    parts: Collection[str] = PARTS,
    widening: float = 1.0,
) -> dict[str, Array]:
    """Return draws of each variable's table, shape (draws, rows, *condition cardinalities, states).

    Every variable has a random stream of its own, made of the seed and its name, so that its draws are the same
    whatever else is asked for. ``widening`` multiplies every deviate on the log scale.
    """
    frame, found = reconciliation.frame, {}
    groups = np.array([*(frame.entities.index(e) for e in frame.parent_of.values()), len(frame.entities)])
    for name in names:
        stop_if_over()
        own = np.random.default_rng([seed, *name.encode()])
        found[name] = draw_estimate(
            reconciliation.estimates[name], groups, reconciliation.tau, own, draws, parts, widening
        )
    return found


def draw_estimate(
    estimate: Estimate,
    groups: NDArray[np.int64],
    tau: float,
    rng: np.random.Generator,
    draws: int,
    parts: Collection[str] = PARTS,
    widening: float = 1.0,
) -> Array:
    """Return draws of one table; ``groups`` numbers the rows that move together between populations."""
    moved = widening * _deviates(estimate, rng, draws, parts)
    tables = _tables(estimate, moved)
    spread = _population(groups, estimate.design.shape, widening * tau, rng, draws)
    if "between_study" in parts:
        tables = tables * spread
        tables /= tables.sum(axis=-1, keepdims=True)
    return tables


def _deviates(estimate: Estimate, rng: np.random.Generator, draws: int, parts: Collection[str]) -> Array:
    """Return deviates of the parameters, shape (draws, parameters), of the parts sampling and judgement."""
    moved = np.zeros((draws, estimate.parameters.size))
    if not set(parts) & set(PARAMETER_PARTS):
        return moved
    for part, spread in estimate.precision.spread.items():
        normal = rng.standard_normal((draws, spread.shape[1]))
        if part in parts:
            moved += normal @ spread.T
    return moved


def _tables(estimate: Estimate, moved: Array) -> Array:
    shape = estimate.parameters.shape
    found = probabilities(estimate.design, estimate.parameters + moved.reshape(-1, *shape))
    return found.reshape(len(moved), *estimate.design.shape)


def _population(
    groups: NDArray[np.int64], shape: tuple[int, ...], tau: float, rng: np.random.Generator, draws: int
) -> Array:
    """Return multipliers of shares, shape (draws, rows, 1, ..., 1, states): the log-odds of two states vary by tau."""
    deviates = rng.standard_normal((draws, int(groups.max()) + 1, shape[-1])) * tau / np.sqrt(2)
    ratio = np.exp(deviates[:, groups])
    return np.asarray(ratio.reshape(draws, len(groups), *(1,) * (len(shape) - 2), shape[-1]), dtype=np.float64)
