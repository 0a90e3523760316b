"""Read statements as shares, and pool shares of sets of states: the machinery of the naive Bayes baseline.

A statement becomes a few pseudo-observations, "count c fell in this set of states", capped by its grade.
The distribution is the fixed point of the EM steps for a Dirichlet prior with such coarsened counts
(Dempster, Laird and Rubin 1977): each step shares a set's count among its states in proportion to the current
estimate, adds the prior's pseudo-counts and normalises. The network itself is reconciled (see ``reconciling``) and
uses the reading alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hepagraph.kg import Policy, Statement, Variable
from hepagraph.ontology.errors import OntologyError

Array = NDArray[np.float64]
MAXIMUM_STEPS = 1_000_000
Observation = tuple[tuple[tuple[int, ...], float], ...]


def pool(observations: Sequence[Observation], prior: Array, *, tolerance: float = 1e-10) -> Array:
    """Return the Dirichlet pseudo-counts, shape (states,), of coarsened observations under a prior.

    ``prior`` holds strictly positive pseudo-counts, shape (states,). Raises ``OntologyError`` when the steps
    do not settle.

    >>> pool([(((0,), 8.0), ((1,), 2.0))], np.array([1.0, 1.0])).round(6).tolist()
    [9.0, 3.0]
    """
    totals: dict[tuple[int, ...], float] = {}
    for states, count in (part for observation in observations for part in observation if part[1] > 0):
        totals[states] = totals.get(states, 0.0) + count
    member = np.zeros((len(totals), len(prior)))
    for row, states in enumerate(totals):
        member[row, list(states)] = 1.0
    seen = np.array(list(totals.values()))
    counts: Array = prior.astype(np.float64)
    for _ in range(MAXIMUM_STEPS):
        mean = counts / counts.sum()
        updated: Array = prior + mean * (member.T @ (seen / (member @ mean)))
        change = float(np.abs(updated - counts).max())
        counts = np.asarray(updated, dtype=np.float64)
        if change < tolerance:
            return counts
    raise OntologyError(
        f"pooling did not settle within {MAXIMUM_STEPS} steps; give the cell a larger prior sample size"
    )


def observe(statement: Statement, variable: Variable, policy: Policy) -> Observation | None:
    """Return a statement as capped pseudo-observations, or None when it holds no usable number.

    A statement that a cell was not measured is an empty observation: it stands behind the cell and adds nothing.
    """
    if statement.quantity == "NotMeasured":
        return ()
    index = {state: position for position, state in enumerate(variable.states)}
    cap = policy.grade_caps.get(statement.grade, 0.0)
    if statement.quantity == "MeanAndSd":
        return _observe_measure(statement, variable, index, min(cap, policy.mean_sample_size))
    inside = sorted({index[leaf] for node in statement.states for leaf in _leaves(variable, node)})
    if not inside or len(inside) == len(index):
        return None
    proportion, size = proportion_of(statement, policy)
    if proportion is None:
        return None
    size = min(size, cap)
    outside = tuple(sorted(set(index.values()) - set(inside)))
    return ((tuple(inside), proportion * size), (outside, (1 - proportion) * size))


def _leaves(variable: Variable, node: str) -> tuple[str, ...]:
    notation = next((notation for notation, found in variable.nodes.items() if found == node), None)
    return variable.leaves[notation] if notation else ()


def proportion_of(statement: Statement, policy: Policy) -> tuple[float | None, float]:
    """Return the proportion that a statement stands for and the sample size it may claim."""
    if statement.k is not None and statement.n:
        return statement.k / statement.n, float(statement.n)
    if statement.value is not None and statement.bound in ("UpperBound", "LowerBound"):
        upper = statement.bound == "UpperBound"
        edge = statement.value if upper else 1 - statement.value
        mean = bound_mean(edge, policy.bound_quantile, policy.bound_sample_size)
        return (mean if upper else 1 - mean), policy.bound_sample_size
    if statement.value is not None:
        return statement.value, _size_of_value(statement, policy)
    if statement.range is not None:
        return sum(statement.range) / 2, policy.bound_sample_size
    return statement.word_mean, statement.word_size or 0.0


def _size_of_value(statement: Statement, policy: Policy) -> float:
    if statement.n:
        return float(statement.n)
    if statement.ci is not None and statement.ci[1] > statement.ci[0]:
        p = min(max(statement.value or 0.0, 0.02), 0.98)
        return p * (1 - p) * (2 * 1.96 / (statement.ci[1] - statement.ci[0])) ** 2
    if statement.grade == "D":
        return policy.judgement_sample_size
    return policy.default_sample_size


@lru_cache(maxsize=256)
def bound_mean(edge: float, quantile: float, size: float) -> float:
    """Return the mean of the Beta distribution of the given size whose quantile lies at ``edge``.

    Found by bisection on the numerically integrated density (midpoints, 4,000 steps).
    """
    if not 0 < edge < 1:
        return edge
    x = (np.arange(4000) + 0.5) / 4000
    low, high = 1e-4, 1 - 1e-4
    for _ in range(50):
        mean = (low + high) / 2
        density_log = (mean * size - 1) * np.log(x) + ((1 - mean) * size - 1) * np.log1p(-x)
        density = np.exp(density_log - density_log.max())
        below = float(density[x <= edge].sum() / density.sum())
        low, high = (mean, high) if below > quantile else (low, mean)
    return (low + high) / 2


def _observe_measure(
    statement: Statement, variable: Variable, index: Mapping[str, int], cap: float
) -> Observation | None:
    shares = measured_shares(statement, variable)
    if shares is None:
        return None
    size = min(cap, float(statement.n or cap))
    return tuple(((index[state],), size * share) for state, share in shares.items())


def measured_shares(statement: Statement, variable: Variable) -> dict[str, float] | None:
    """Return the share of each band that mean and SD imply under a normal distribution, or None without both."""
    if variable.measure is None or statement.mean is None or not statement.sd:
        return None
    shares = {
        band.state: _normal_cdf(band.high, statement.mean, statement.sd)
        - (_normal_cdf(band.low, statement.mean, statement.sd) if band.low > 0 else 0.0)
        for band in variable.measure.bands
    }
    total = sum(shares.values())
    return {state: share / total for state, share in shares.items()}


def _normal_cdf(x: float, mean: float, sd: float) -> float:
    return 0.5 * (1 + math.erf((x - mean) / (sd * math.sqrt(2))))
