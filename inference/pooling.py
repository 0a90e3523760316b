"""From evidence statements to the distribution of one variable in one entity or subtype.

A statement becomes a few pseudo-observations, "count c fell in this set of states", capped by its grade.
The distribution is the fixed point of the EM steps for a Dirichlet prior with such coarsened counts
(Dempster, Laird and Rubin 1977): each step shares a set's count among its states in proportion to the current
estimate, adds the prior's pseudo-counts and normalises. Entities borrow from the mean of all entities, subtypes
from their entity; a cell nobody measured is therefore the mean, and its likelihood ratio one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepagraph.kg import Policy, Statement, Variable
from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    import networkx as nx

Array = NDArray[np.float64]
MAXIMUM_STEPS = 1_000_000
Observation = tuple[tuple[tuple[int, ...], float], ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One variable in one entity: Dirichlet pseudo-counts, shape (states,), and the statements behind them."""

    counts: Array
    statements: tuple[Statement, ...]

    @property
    def mean(self) -> Array:
        """The distribution, shape (states,)."""
        return np.asarray(self.counts / self.counts.sum(), dtype=np.float64)


def admissible(graph: nx.MultiDiGraph[str], variable: Variable, statement: Statement) -> bool:
    """Return whether a statement may enter the variable's table.

    Its quantity must be allowed to, it must not be kept apart, come from a selected subset or repeat another, its
    modality must be one the variable is pooled from, and each condition must be a reference state or belong to
    a variable that is pooled over.
    """
    if not statement.poolable:
        return False
    pooled_from = {end for _, end, key in graph.out_edges(variable.name, keys=True) if key == "pooledFrom"}
    if pooled_from and statement.modalities and not pooled_from & set(statement.modalities):
        return False
    return all(_is_reference(graph, state) for state in statement.context)


def _is_reference(graph: nx.MultiDiGraph[str], state: str) -> bool:
    if graph.nodes[state]["literals"].get("referenceState"):
        return True
    owners = [end for _, end, key in graph.out_edges(state, keys=True) if key == "stateOf"]
    return any(graph.nodes[owner]["literals"].get("pooledOver") for owner in owners)


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


def pool_variable(
    graph: nx.MultiDiGraph[str],
    variable: Variable,
    policy: Policy,
    entities: Sequence[str],
    parent_of: Mapping[str, str],
    root: str,
) -> dict[str, Cell]:
    """Return the variable's cell for the root, every entity and every subtype.

    ``parent_of`` maps subtypes (and childless entities, to themselves) to their entity.
    """
    size = len(variable.states)
    uniform = np.full(size, policy.root_sample_size / size)
    found = {given: _usable(graph, variable, given, policy) for given in {root, *entities, *parent_of}}
    observed = {given: [o for o, _ in rows if o] for given, rows in found.items()}
    if observed[root]:
        root_counts = _pool_shares(observed[root], size)
    else:
        means = [pool(observed[e], uniform) for e in entities if observed[e]]
        root_counts = np.mean([c / c.sum() for c in means], axis=0) if means else uniform / uniform.sum()
    cells = {root: Cell(root_counts, tuple(s for _, s in found[root]))}
    root_mean = cells[root].mean
    for entity in entities:
        counts = pool(observed[entity], root_mean * policy.root_sample_size)
        cells[entity] = Cell(counts, tuple(s for _, s in found[entity]))
    for subtype, entity in parent_of.items():
        if subtype != entity:
            counts = pool(observed[subtype], cells[entity].mean * policy.parent_sample_size)
            cells[subtype] = Cell(counts, tuple(s for _, s in found[subtype]))
    return cells


def _pool_shares(observations: Sequence[Observation], size: int) -> Array:
    """Pool statements about the root, which usually give each state its own share: no prior but a trace."""
    return pool(observations, np.full(size, 1e-3))


def _usable(
    graph: nx.MultiDiGraph[str], variable: Variable, given: str, policy: Policy
) -> list[tuple[Observation, Statement]]:
    seen: dict[str, Statement] = {}
    for _, end, data in graph.out_edges(given, data=True):
        if data["kind"] in ("shows", "measures") and (end == variable.name or end in variable.nodes.values()):
            seen.update({statement.id: statement for statement in data["evidence"]})
    rows = []
    for statement in (seen[name] for name in sorted(seen)):
        if statement.feature in ("", variable.name) and admissible(graph, variable, statement):
            observation = observe(statement, variable, policy)
            if observation is not None:
                rows.append((observation, statement))
    return rows
