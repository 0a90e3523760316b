"""Exact posteriors of many evidence sets at once: bucket elimination with one more axis, the case.

The case axis is never summed out. It is kept short: a factor holds one layer for every distinct combination of the
evidence below it, and an index that says which layer each case reads, so sets that share a finding share the work.
Every layer is scaled by its own maximum, so that cases of very different probability do not underflow. Variables
without evidence or target below them are left out, and a batch too large for ``CHUNK_CELLS`` is split in two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hepagraph.inference.elimination import MAXIMUM_CELLS, min_fill_order, relevant
from hepagraph.inference.layers import Array, Index, Layered, distinct_rows, joined, of_cases, summed
from hepagraph.inference.network import Table
from hepagraph.ontology.errors import ImpossibleEvidenceError, OntologyError, Problem

CHUNK_CELLS = 2**22


@dataclass(frozen=True, slots=True)
class BatchMarginals:
    """Posteriors of shape (batch, states) for each asked variable, and log P(evidence), shape (batch,)."""

    posterior: Mapping[str, Array]
    evidence_log: Array


@dataclass(frozen=True, slots=True)
class Plan:
    """An elimination: who is eliminated where, which factors start where, and where each message goes."""

    order: tuple[int, ...]
    own: tuple[tuple[int, ...], ...]
    parent: tuple[int, ...]
    children: tuple[tuple[int, ...], ...]
    scopes: tuple[tuple[int, ...], ...]


def batch_marginals(
    tables: Mapping[str, Table],
    likelihood: Mapping[str, Array],
    targets: Iterable[str],
    *,
    allow_impossible: bool = False,
) -> BatchMarginals:
    """Return the exact posterior of every target for every evidence set.

    Parameters
    ----------
    tables
        The network's tables by child, in topological order.
    likelihood
        For a variable with evidence, an array of shape (batch, states): one non-negative vector
        P(what was seen | state) per evidence set. All ones means not seen; shape (states,) is shared by all sets.
    targets
        The variables whose posteriors are wanted; none, if only log P(evidence) is.
    allow_impossible
        Give a set of probability zero the evidence_log -inf and posteriors of all zeros, instead of raising.

    Raises
    ------
    ImpossibleEvidenceError
        Evidence sets have probability zero; one problem for each, with its position.
    OntologyError
        The evidence arrays differ in length, or a cluster would need more than ``MAXIMUM_CELLS`` numbers.
    """
    wanted = tuple(dict.fromkeys(targets))
    size = batch_size(likelihood)
    if size == 0:
        return BatchMarginals({name: np.zeros((0, tables[name].values.shape[-1])) for name in wanted}, np.zeros(0))
    names = relevant(tables, (*likelihood, *wanted))
    index = {name: position for position, name in enumerate(names)}
    vectors = {name: np.atleast_2d(np.asarray(rows, dtype=np.float64)) for name, rows in likelihood.items()}
    kept = {name: _allowed(rows) for name, rows in vectors.items()}
    cards = [len(kept[name]) if name in kept else tables[name].values.shape[-1] for name in names]
    factors = [_table_factor(tables[name], index, kept, size) for name in names]
    factors += [_evidence_factor(index[name], rows[:, kept[name]], size) for name, rows in vectors.items()]
    plan = _plan(tuple(factor.scope for factor in factors), len(names))
    _check_cells(plan, cards)
    beliefs, evidence_log = _run(plan, factors, cards, [index[name] for name in wanted])
    if not allow_impossible:
        refuse_impossible(evidence_log)
    posterior = {}
    for name in wanted:
        posterior[name] = np.zeros((size, tables[name].values.shape[-1]))
        posterior[name][:, kept.get(name, slice(None))] = _normalised(beliefs[index[name]])
    return BatchMarginals(posterior, evidence_log)


def batch_size(likelihood: Mapping[str, Array]) -> int:
    """Return the number of evidence sets; one, if every vector is shared."""
    sizes = {len(vectors) for vectors in likelihood.values() if np.ndim(vectors) == 2}
    if len(sizes) > 1:
        raise OntologyError(f"the evidence arrays hold {sorted(sizes)} sets; give each variable one row a set")
    return sizes.pop() if sizes else 1


def _allowed(rows: Array) -> Index:
    """Return the states that some evidence set allows, all if none does; the others are cut out of every table."""
    allowed = (rows > 0).any(axis=0)
    return np.flatnonzero(allowed if allowed.any() else ~allowed)


def _table_factor(table: Table, index: Mapping[str, int], kept: Mapping[str, Index], size: int) -> Layered:
    values = table.values
    for axis, name in enumerate(table.scope):
        if name in kept and len(kept[name]) < values.shape[axis]:
            values = np.take(values, kept[name], axis=axis)
    axes = [index[name] for name in table.scope]
    values = np.transpose(values, np.argsort(axes))[None]
    return Layered(tuple(sorted(axes)), values, np.zeros(1), np.zeros(size, dtype=np.int64))


def _evidence_factor(variable: int, rows: Array, size: int) -> Layered:
    if len(rows) == 1:
        return Layered((variable,), rows, np.zeros(1), np.zeros(size, dtype=np.int64))
    first, case = distinct_rows(rows + 0.0)  # no negative zeros, so that equal rows have equal bytes
    return Layered((variable,), rows[first], np.zeros(len(first)), case)


def _plan(scopes: tuple[tuple[int, ...], ...], count: int) -> Plan:
    order = min_fill_order(scopes, count)
    position = {variable: place for place, variable in enumerate(order)}
    own: list[list[int]] = [[] for _ in order]
    for number, scope in enumerate(scopes):
        own[min(position[v] for v in scope)].append(number)
    children: list[list[int]] = [[] for _ in order]
    clusters: list[tuple[int, ...]] = []
    parent = [-1] * count
    for place, variable in enumerate(order):
        cluster = {variable}.union(
            *(scopes[n] for n in own[place]), *(set(clusters[c]) - {order[c]} for c in children[place])
        )
        clusters.append(tuple(sorted(cluster)))
        if len(cluster) > 1:
            parent[place] = min(position[v] for v in cluster if v != variable)
            children[parent[place]].append(place)
    return Plan(tuple(order), tuple(map(tuple, own)), tuple(parent), tuple(map(tuple, children)), tuple(clusters))


def _check_cells(plan: Plan, cards: Sequence[int]) -> None:
    for scope in plan.scopes:
        cells = float(np.prod([cards[v] for v in scope], dtype=np.float64))
        if cells > MAXIMUM_CELLS:
            raise OntologyError(
                f"the network needs a joint table of {cells:.2g} cells over {len(scope)} variables; "
                "give features fewer causes, or keep many-state context variables from acting on them"
            )


def _run(
    plan: Plan, factors: Sequence[Layered], cards: Sequence[int], wanted: Sequence[int]
) -> tuple[dict[int, Array], Array]:
    """Return the wanted beliefs, shape (batch, states), and log P(evidence), a half of the batch at a time."""
    size = len(factors[0].case) if factors else 1
    needed = _needed(plan, wanted)
    if size > 1 and _largest(plan, factors, cards, needed) > CHUNK_CELLS:
        half = size // 2
        parts = [
            _run(plan, [of_cases(factor, part) for factor in factors], cards, wanted)
            for part in (slice(None, half), slice(half, None))
        ]
        beliefs = {v: np.concatenate([found[v] for found, _ in parts]) for v in wanted}
        return beliefs, np.concatenate([log for _, log in parts])
    up, evidence_log = _forward(plan, factors, cards)
    return _backward(plan, factors, cards, up, wanted, needed), evidence_log


def _needed(plan: Plan, wanted: Sequence[int]) -> set[int]:
    """Return the places that a message must come down through to reach the wanted variables."""
    needed = {plan.order.index(variable) for variable in wanted}
    for place, parent in enumerate(plan.parent):
        if place in needed and parent >= 0:
            needed.add(parent)
    return needed


def _largest(plan: Plan, factors: Sequence[Layered], cards: Sequence[int], needed: set[int]) -> float:
    """Return the most cells that one cluster would need, its layers counted."""
    cases: list[Index] = []
    largest, most = 0.0, joined([factor.case for factor in factors])[1]
    for place, scope in enumerate(plan.scopes):
        below = [factors[n].case for n in plan.own[place]] + [cases[child] for child in plan.children[place]]
        case, layers = joined(below)
        cases.append(case)
        layers = most if place in needed else layers
        largest = max(largest, layers * float(np.prod([cards[v] for v in scope], dtype=np.float64)))
    return largest


def _forward(plan: Plan, factors: Sequence[Layered], cards: Sequence[int]) -> tuple[list[Layered], Array]:
    up: list[Layered] = []
    evidence_log = np.zeros(len(factors[0].case) if factors else 1)
    for place, variable in enumerate(plan.order):
        inside = [factors[n] for n in plan.own[place]] + [up[child] for child in plan.children[place]]
        message = summed(inside, cards, tuple(v for v in plan.scopes[place] if v != variable))
        up.append(message)
        if not message.scope:
            with np.errstate(divide="ignore"):
                evidence_log += (np.log(message.values) + message.scale_log)[message.case]
    return up, evidence_log


def _backward(
    plan: Plan,
    factors: Sequence[Layered],
    cards: Sequence[int],
    up: Sequence[Layered],
    wanted: Sequence[int],
    needed: set[int],
) -> dict[int, Array]:
    """Return the beliefs of the wanted variables; messages go down only to where they are needed."""
    places = {plan.order.index(variable): variable for variable in wanted}
    down: dict[int, Layered] = {}
    beliefs: dict[int, Array] = {}
    for place in sorted(needed, reverse=True):
        inside = [factors[n] for n in plan.own[place]] + ([down[place]] if place in down else [])
        if place in places:
            belief = summed([*inside, *(up[c] for c in plan.children[place])], cards, (plan.order[place],))
            beliefs[places[place]] = belief.values[belief.case]
        for child in needed.intersection(plan.children[place]):
            others = [up[c] for c in plan.children[place] if c != child]
            nothing = Layered((), np.ones(1), np.zeros(1), np.zeros_like(up[child].case))
            down[child] = summed([nothing, *inside, *others], cards, up[child].scope)
    return beliefs


def _normalised(belief: Array) -> Array:
    total = belief.sum(axis=1, keepdims=True)
    return np.asarray(belief / np.where(total > 0, total, 1.0), dtype=np.float64)


def refuse_impossible(evidence_log: Array) -> None:
    """Raise an ``ImpossibleEvidenceError`` with one problem for each evidence set whose log probability is -inf."""
    problems = [
        Problem(
            "impossible",
            f"evidence set {position}",
            "its probability is zero under the model",
            advice="withdraw or soften one of its findings: no state is left that all of them allow",
        )
        for position in np.flatnonzero(np.isneginf(evidence_log))
    ]
    if problems:
        raise ImpossibleEvidenceError(problems)
