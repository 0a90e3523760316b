"""From evidence statements to observations of one variable: what was counted, where, and how much it weighs.

An observation says: under a mixture of rows (subtypes and conditions), these sets of states took these shares. Its
weight is an effective sample size. Counts of one study lose weight to between-study spread: where the log-odds of
studies vary with variance tau^2, a share p of n lesions has log-odds of variance 1 / (n p (1 - p)) + tau^2 (random
effects meta-analysis; DerSimonian and Laird 1986) and so tells as much as n / (1 + n tau^2 p (1 - p)) lesions of
one population. Words weigh what their scheme says; a full judged distribution is a logistic-normal prior on the
cell, whose width the policy gives.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.pooling import measured_shares, proportion_of
from hepagraph.kg import Policy, Statement, Variable

Array = NDArray[np.float64]
SUM_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class Reading:
    """One statement as shares of state sets: ``parts`` pairs the positions of a set with its share of one."""

    statement: Statement
    parts: tuple[tuple[tuple[int, ...], float], ...]
    size: float


@dataclass(frozen=True, slots=True)
class Observation:
    """Shares of disjoint sets of states under a mixture of rows.

    ``rows`` has shape (rows, *condition cardinalities) and sums to one; ``sets`` are positions of states and ``shares``
    sum to one; ``size`` is the effective sample size. ``elicited`` marks a whole judged distribution, whose
    spread is on the log scale and which has no sample size.
    """

    statements: tuple[Statement, ...]
    rows: Array
    sets: tuple[tuple[int, ...], ...]
    shares: tuple[float, ...]
    size: float
    elicited: bool = False
    given: Array | None = None

    @property
    def id(self) -> str:
        """The first statement's id, by which observations are ordered."""
        return self.statements[0].id


def read_statement(statement: Statement, variable: Variable, policy: Policy) -> Reading | None:
    """Return a statement as shares of state sets, or None when it holds no usable number."""
    if statement.quantity == "MeanAndSd":
        shares = measured_shares(statement, variable)
        if shares is None:
            return None
        parts = tuple(((variable.states.index(state),), share) for state, share in shares.items())
        return Reading(statement, parts, min(policy.mean_sample_size, float(statement.n or policy.mean_sample_size)))
    by_node = {node: notation for notation, node in variable.nodes.items()}
    inside = sorted(
        {variable.states.index(leaf) for n in statement.states if n in by_node for leaf in variable.leaves[by_node[n]]}
    )
    proportion, size = proportion_of(statement, policy)
    if proportion is None or not inside or len(inside) == len(variable.states):
        return None
    outside = tuple(position for position in range(len(variable.states)) if position not in inside)
    return Reading(statement, ((tuple(inside), proportion), (outside, 1 - proportion)), size)


def effective_size(size: float, shares: Sequence[float], grade: str, tau: float, policy: Policy) -> float:
    """Return the effective sample size of one study's count of ``size`` lesions, capped by its grade.

    The share in the formula is the one furthest from 0 and 1, moved by half a lesion from the edge.
    """
    smoothed = [(share * size + 0.5) / (size + 1) for share in shares]
    variance = max(p * (1 - p) for p in smoothed)
    return min(size / (1 + size * tau**2 * variance), policy.grade_caps.get(grade, 0.0))


def observe(
    readings: Iterable[tuple[Reading, Array]], variable: Variable, policy: Policy, tau: float
) -> list[Observation]:
    """Return the observations of one variable; what one study counted in the same lesions is one observation.

    ``readings`` pairs each reading with its mixture of rows. Sets that one source counted under the same
    conditions and that do not overlap become one multinomial; judged shares of every state become one distribution.
    """
    grouped: dict[tuple[object, ...], list[tuple[Reading, Array]]] = defaultdict(list)
    for reading, rows in readings:
        grouped[_key(reading)].append((reading, rows))
    found: list[Observation] = []
    for members in grouped.values():
        found += _group(members, len(variable.states), policy, tau)
    return sorted(found, key=lambda observation: observation.id)


def _key(reading: Reading) -> tuple[object, ...]:
    s = reading.statement
    judged = s.grade == "D" and s.value is not None and not s.n
    countable = judged or (len(reading.parts) == 2 and s.n is not None and (s.k is not None or s.value is not None))
    own = "" if countable and s.bound in ("Exact", "Approximate") else s.id
    return (s.source.id, s.given, s.context, s.modalities, s.agents, s.n, s.grade, own)


def _group(members: Sequence[tuple[Reading, Array]], states: int, policy: Policy, tau: float) -> list[Observation]:
    left, found = list(members), []
    while left:
        taken: list[tuple[Reading, Array]] = [left[0]]
        covered, total = set(left[0][0].parts[0][0]), left[0][0].parts[0][1]
        rest = []
        for reading, rows in left[1:]:
            states_of, share = reading.parts[0]
            if covered.isdisjoint(states_of) and total + share <= 1 + SUM_TOLERANCE:
                taken.append((reading, rows))
                covered |= set(states_of)
                total += share
            else:
                rest.append((reading, rows))
        found.append(_merge(taken, states, policy, tau))
        left = rest
    return found


def _merge(taken: Sequence[tuple[Reading, Array]], states: int, policy: Policy, tau: float) -> Observation:
    first, rows = taken[0]
    if len(taken) == 1:
        sets = tuple(part[0] for part in first.parts)
        shares = tuple(part[1] for part in first.parts)
    else:
        sets = tuple(reading.parts[0][0] for reading, _ in taken)
        shares = tuple(reading.parts[0][1] for reading, _ in taken)
        rest = tuple(p for p in range(states) if not any(p in s for s in sets))
        if rest:
            sets, shares = (*sets, rest), (*shares, max(1 - sum(shares), 0.0))
    total = sum(shares)
    statements = tuple(sorted((reading.statement for reading, _ in taken), key=lambda s: s.id))
    grade = first.statement.grade
    judged = grade == "D" and first.statement.value is not None and not first.statement.n
    whole = judged and len(sets) == states
    size = first.size if _words(first.statement) else effective_size(first.size, shares, grade, tau, policy)
    return Observation(statements, rows, sets, tuple(share / total for share in shares), size, elicited=whole)


def _words(statement: Statement) -> bool:
    """Return whether the statement's size is a scheme's or the policy's and not a count of lesions."""
    return statement.n is None and statement.ci is None


def mixture_rows(shares: Mapping[str, float], index: Mapping[str, int], spread: Sequence[Array], count: int) -> Array:
    """Return the weights of a mixture of rows, shape (count, *condition cardinalities).

    ``shares`` weighs the rows by name, ``spread`` holds for each condition the distribution of its states in every
    row, shape (count, states).
    """
    weights = np.zeros(count)
    for name, share in shares.items():
        weights[index[name]] = share
    weights /= weights.sum()
    for distribution in spread:
        weights = weights[..., None] * distribution.reshape(count, *(1,) * (weights.ndim - 1), -1)
    return weights
