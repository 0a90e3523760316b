"""Exact posteriors by bucket elimination with a backward pass.

One forward pass eliminates the variables in min-fill order; the backward pass gives every cluster's joint
(Dechter 1999; Kask et al. 2005), so all marginals cost about two eliminations. Evidence is a likelihood vector for a
variable: hard, grouped, set-valued and soft findings are one case, and a missing finding has none. Every message is
scaled by its maximum and the logarithms are kept, so long products neither underflow nor lose log P(evidence).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.network import Table
from hepagraph.inference.stopping import stop_if_over
from hepagraph.ontology.errors import ExtremeEvidenceError, ImpossibleEvidenceError, OntologyError, Problem

Array = NDArray[np.float64]
MAXIMUM_CELLS = 2**26


@dataclass(frozen=True, slots=True)
class Factor:
    """A non-negative array over a sorted scope, with the logarithm of its scale taken out."""

    scope: tuple[int, ...]
    values: Array
    scale_log: float = 0.0


@dataclass(frozen=True, slots=True)
class Marginals:
    """P(variable | evidence) for each asked variable, and the natural logarithm of P(evidence)."""

    posterior: Mapping[str, Array]
    evidence_log: float


def marginals(tables: Mapping[str, Table], likelihood: Mapping[str, Array], targets: Iterable[str]) -> Marginals:
    """Return the exact posterior of every target.

    Parameters
    ----------
    tables
        The network's tables by child, in topological order.
    likelihood
        One non-negative vector P(what was seen | state), shape (states,), a variable with evidence.
    targets
        The variables whose posteriors are wanted.

    Raises
    ------
    ImpossibleEvidenceError
        The evidence has probability zero.
    OntologyError
        A cluster would need more than ``MAXIMUM_CELLS`` numbers.
    """
    stop_if_over()
    wanted = tuple(dict.fromkeys(targets))
    names = relevant(tables, [*likelihood, *wanted])
    index = {name: position for position, name in enumerate(names)}
    factors, cards, kept = reduced_factors(tables, names, likelihood)
    order = min_fill_order(tuple(factor.scope for factor in factors), len(names))
    beliefs, evidence_log = _propagate(factors, order, cards)
    posterior = {}
    for name in wanted:
        values = beliefs[index[name]]
        whole = np.zeros(tables[name].values.shape[-1])
        whole[kept.get(name, slice(None))] = values / values.sum()
        posterior[name] = whole
    return Marginals(posterior, evidence_log)


def reduced_factors(
    tables: Mapping[str, Table], names: Sequence[str], likelihood: Mapping[str, Array]
) -> tuple[list[Factor], list[int], dict[str, NDArray[np.int64]]]:
    """Return the tables and the evidence as factors, numbered as ``names``, without the states that are ruled out.

    Also the cardinalities that are left, and the states left of each variable with evidence.

    Raises
    ------
    ImpossibleEvidenceError
        A likelihood vector is zero everywhere.
    """
    index = {name: position for position, name in enumerate(names)}
    kept = _possible(likelihood)
    factors = [_factor(tables[name], index, kept) for name in names]
    factors += [Factor((index[name],), vector[kept[name]]) for name, vector in _vectors(likelihood).items()]
    cards = [len(kept[name]) if name in kept else tables[name].values.shape[-1] for name in names]
    return factors, cards, kept


def _vectors(likelihood: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.asarray(vector, dtype=np.float64) for name, vector in likelihood.items()}


def _possible(likelihood: Mapping[str, Array]) -> dict[str, NDArray[np.int64]]:
    """Return the states that the evidence leaves; the others are cut out of every table before multiplying."""
    kept = {name: np.flatnonzero(vector > 0) for name, vector in _vectors(likelihood).items()}
    if any(not len(states) for states in kept.values()):
        raise impossible_evidence()
    return kept


def relevant(tables: Mapping[str, Table], seeds: Iterable[str]) -> list[str]:
    """Return the seeds and their ancestors, in the tables' order; everything else is barren."""
    keep: set[str] = set()
    stack = list(seeds)
    while stack:
        name = stack.pop()
        if name not in keep:
            keep.add(name)
            stack.extend(tables[name].parents)
    return [name for name in tables if name in keep]


def _factor(table: Table, index: Mapping[str, int], kept: Mapping[str, NDArray[np.int64]]) -> Factor:
    axes = [index[name] for name in table.scope]
    order = np.argsort(axes)
    values = table.values
    for axis, name in enumerate(table.scope):
        if name in kept and len(kept[name]) < values.shape[axis]:
            values = np.take(values, kept[name], axis=axis)
    return Factor(tuple(sorted(axes)), np.transpose(values, order))


@lru_cache(maxsize=4096)
def min_fill_order(
    scopes: tuple[tuple[int, ...], ...], count: int, last: frozenset[int] = frozenset()
) -> tuple[int, ...]:
    """Return an elimination order that greedily adds the fewest edges; ties go to the smaller neighbourhood.

    Variables in ``last`` come after all others.
    """
    near: list[set[int]] = [set() for _ in range(count)]
    for scope in scopes:
        for variable in scope:
            near[variable].update(scope)
    for variable in range(count):
        near[variable].discard(variable)
    left, order = set(range(count)), []
    while left:
        best = min(left - last or left, key=lambda v: (_fill(near, v), len(near[v]), v))
        for a in near[best]:
            near[a].update(near[best] - {a})
            near[a].discard(best)
        left.discard(best)
        order.append(best)
    return tuple(order)


def _fill(near: Sequence[set[int]], variable: int) -> int:
    around = near[variable]
    return sum(len(around - near[a]) - 1 for a in around)


def _propagate(factors: Sequence[Factor], order: Sequence[int], cards: Sequence[int]) -> tuple[dict[int, Array], float]:
    """Return every variable's unnormalised belief and log P(evidence)."""
    position = {variable: place for place, variable in enumerate(order)}
    own: list[list[Factor]] = [[] for _ in order]
    for factor in factors:
        own[min(position[v] for v in factor.scope)].append(factor)
    up: list[tuple[int, Factor] | None] = [None] * len(order)
    children: list[list[int]] = [[] for _ in order]
    evidence_log = 0.0
    for place, variable in enumerate(order):
        cluster = multiply([*own[place], *(sent[1] for child in children[place] if (sent := up[child]))], cards)
        message = sum_to(cluster, tuple(v for v in cluster.scope if v != variable))
        if not message.scope:
            evidence_log += _finish(message)
            continue
        parent = min(position[v] for v in message.scope)
        up[place] = (parent, message)
        children[parent].append(place)
    down: dict[int, Factor] = {}
    beliefs: dict[int, Array] = {}
    for place in range(len(order) - 1, -1, -1):
        from_parent = [down[place]] if place in down else []
        received = {child: sent[1] for child in children[place] if (sent := up[child])}
        belief = multiply([*own[place], *received.values(), *from_parent], cards)
        beliefs[order[place]] = sum_to(belief, (order[place],)).values
        for child, message in received.items():
            others = [m for c, m in received.items() if c != child]
            down[child] = sum_to(multiply([*own[place], *others, *from_parent], cards, message.scope), message.scope)
    return beliefs, evidence_log


def multiply(factors: Sequence[Factor], cards: Sequence[int], extra: tuple[int, ...] = ()) -> Factor:
    """Return the product of factors over their scopes and ``extra`` variables; ``cards`` are all cardinalities.

    Raises
    ------
    OntologyError
        It would have more than ``MAXIMUM_CELLS`` numbers.
    """
    scope = tuple(sorted({v for factor in factors for v in factor.scope} | set(extra)))
    shape = [cards[v] for v in scope]
    cells = float(np.prod(shape, dtype=np.float64))
    if cells > MAXIMUM_CELLS:
        raise OntologyError(
            f"the network needs a joint table of {cells:.2g} cells over {len(scope)} variables; "
            "give features fewer causes, or keep many-state context variables from acting on them"
        )
    values, scale_log = np.ones(shape), 0.0
    for factor in sorted(factors, key=lambda f: len(f.scope)):
        inside = set(factor.scope)
        values *= factor.values.reshape([cards[v] if v in inside else 1 for v in scope])
        scale_log += factor.scale_log
        top = float(values.max(initial=0.0))
        if top > 0:
            values /= top
            scale_log += float(np.log(top))
    return Factor(scope, values, scale_log)


def sum_to(factor: Factor, scope: tuple[int, ...]) -> Factor:
    """Return a factor with every variable outside the scope summed out."""
    axes = tuple(axis for axis, variable in enumerate(factor.scope) if variable not in scope)
    return Factor(scope, factor.values.sum(axis=axes), factor.scale_log)


def _finish(message: Factor) -> float:
    total = float(message.values)
    if not total > 0:
        raise impossible_evidence()
    return float(np.log(total)) + message.scale_log


def extreme_evidence() -> ExtremeEvidenceError:
    """Return the error for likelihoods, or a prior, that are too far apart for double precision."""
    problem = Problem(
        "extreme",
        "findings",
        "their likelihoods, or the weights of the prior, are too far apart to be computed with",
        advice="say what is as good as impossible with 1e-12 of the largest, or leave it out",
    )
    return ExtremeEvidenceError([problem])


def impossible_evidence() -> ImpossibleEvidenceError:
    """Return the error for findings of probability zero."""
    problem = Problem(
        "impossible",
        "findings",
        "their probability is zero under the model",
        advice="withdraw or soften one of them: no state is left that all of them allow",
    )
    return ImpossibleEvidenceError([problem])
