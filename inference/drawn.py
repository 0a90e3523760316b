"""Parameter draws as rows of the engine: for each draw its likelihood blocks, mechanisms and weights of the lanes.

No loop runs over the draws: every array has them as an axis. What the case knows outright is cut out of every table
first, so that the work is that of what is left open.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.compiling import Skeleton, marginal_reader
from hepagraph.inference.drawing import PARTS, draw_tables
from hepagraph.inference.elimination import impossible_evidence
from hepagraph.inference.engine.program import Program
from hepagraph.inference.engine.rows import Rows, Stack, stack_of
from hepagraph.inference.network import ENTITY, SUBTYPE, Network
from hepagraph.inference.priors import entity_table, subtype_table
from hepagraph.inference.stopping import stop_if_over
from hepagraph.ontology.locks import ForkSafeLock

Array = NDArray[np.float64]
TOGETHER = 50  # draws whose weights are worked on at a time
KEPT_SETS = 4  # of draws: all uncertainty, and each part alone
Kept = Mapping[str, NDArray[np.int64]]
_DRAWING = ForkSafeLock()  # two threads that miss the same draws would both make them


def drawn_rows(
    skeleton: Skeleton,
    network: Network,
    program: Program,
    likelihood: Mapping[str, Array],
    *,
    seed: int,
    draws: int,
    parts: Collection[str] = PARTS,
    only: Collection[str] | None = None,
) -> Rows:
    """Return one row for each draw of the tables that the evidence touches.

    ``only`` draws the tables of some variables and leaves the others as fitted; None draws all.

    Raises
    ------
    ImpossibleEvidenceError
        A likelihood vector is zero everywhere.
    """
    vectors = {name: np.asarray(vector, dtype=np.float64) for name, vector in likelihood.items()}
    vectors = {name: vector / vector.max() if vector.max() > 0 else vector for name, vector in vectors.items()}
    kept = {name: np.flatnonzero(vector > 0) for name, vector in vectors.items()}
    if any(not len(states) for states in kept.values()):
        raise impossible_evidence()
    observed = [name for name in vectors if network.layers[name] in ("feature", "mechanism")]
    causes = sorted({cause for name in observed for cause in skeleton.causes_of.get(name, ())})
    hidden = sorted({c for name in observed for c in skeleton.conditions(name) if network.layers[c] == "feature"})
    touched = sorted({*observed, *causes, *hidden})
    drawn = _drawn_tables(skeleton, (*skeleton.contexts, *touched), seed, draws, parts)
    if only is not None:
        fitted = skeleton.values
        drawn = {n: t if n in only else np.broadcast_to(fitted[n], t.shape) for n, t in drawn.items()}
    position, every = program.position, np.arange(draws)
    codes = np.full((draws, len(program.columns)), -1, dtype=np.int32)
    stacks, priors = {}, {}
    inner = {variable.name: place for place, variable in enumerate(program.inner)}
    for name, vector in vectors.items():
        stop_if_over()
        if name not in position:
            continue
        column = position[name]
        if name in skeleton.features and name not in inner:
            ratio = drawn[name][:, :-1] / skeleton.values[name][:-1]
            stacks[column] = _drawn_stack(network, program, name, vector, ratio, kept)
            codes[:, column] = every
        else:
            stacks[column] = stack_of(program, column, vector[None])
            codes[:, column] = 0
    for name in touched:
        stop_if_over()
        if name in inner:
            floored = np.maximum(drawn[name][:, :-1], skeleton.policy.table_floor)
            tables = floored / floored.sum(axis=-1, keepdims=True)
            scope = (SUBTYPE, *skeleton.conditions(name), name)
            priors[inner[name]] = _laid_out(program, tables, scope, program.inner[inner[name]].scope)
    stop_if_over()
    above = {name for node in (ENTITY, SUBTYPE) for name in network.tables[node].parents}
    if only is None or above.intersection(only):
        weights, context = _drawn_weights(skeleton, network, program, drawn, vectors, kept, draws), every
    else:  # none of what the weights are made of is drawn: once is enough
        fixed = {name: table[:1] for name, table in drawn.items()}
        weights, context = _drawn_weights(skeleton, network, program, fixed, vectors, kept, 1), np.zeros_like(every)
    return Rows(codes, context, stacks, weights, priors, every)


def _drawn_tables(
    skeleton: Skeleton, names: Sequence[str], seed: int, draws: int, parts: Collection[str]
) -> Mapping[str, Array]:
    """Return draws of tables, shape (draws, *table); they don't depend on the case, so the last few sets are kept."""
    key = (seed, draws, frozenset(parts))
    while len(skeleton.draws) >= KEPT_SETS and key not in skeleton.draws:
        skeleton.draws.pop(next(iter(skeleton.draws)), None)
    found = skeleton.draws.setdefault(key, {})
    if not all(name in found for name in names):
        with _DRAWING:
            missing = [name for name in names if name not in found]
            made = draw_tables(skeleton.reconciliation, missing, seed, draws, parts, skeleton.policy.interval_widening)
            for name, table in made.items():
                if name in skeleton.contexts:  # the make-up of the patients is given, not estimated
                    table[:, -1] = skeleton.values[name][-1]
                found[name] = table
    return {name: found[name] for name in names}


def _drawn_stack(network: Network, program: Program, name: str, vector: Array, ratio: Array, kept: Kept) -> Stack:
    """Return the likelihood of a finding under each draw, over the parents that the case leaves open.

    ``ratio`` is that of drawn to fitted shares, shape (draws, subtypes, *condition cardinalities, states).
    """
    table = network.tables[name]
    values, conditions = table.values, table.parents[1 : ratio.ndim - 2]
    fixed = {c: int(kept[c][0]) for c in table.parents[1:] if c in kept and len(kept[c]) == 1}
    for axis in range(len(table.parents) - 1, 0, -1):
        parent = table.parents[axis]
        if parent in fixed:
            values = np.take(values, fixed[parent], axis=axis)
            if parent in conditions:
                ratio = np.take(ratio, fixed[parent], axis=axis + 1)
    open_parents = [p for p in table.parents[1:] if p not in fixed]
    cells = ratio.shape[1:-1]  # subtypes and open conditions; the causes come after them
    flat = values.reshape(*cells, -1, values.shape[-1])
    by_draw = np.moveaxis(ratio, 0, -1)  # (subtypes, conditions, states, draws)
    found = ((flat * vector) @ by_draw) / (flat @ by_draw)
    shaped = np.moveaxis(found, -1, 0).reshape(len(ratio), *values.shape[:-1])
    mask = sum(v.mask for v in program.inner if v.name in open_parents)
    blocks = _laid_out(program, shaped, (SUBTYPE, *open_parents), mask)
    return Stack(blocks, np.full(len(ratio), -1, dtype=np.int32), mask)


def _laid_out(program: Program, values: Array, scope: Sequence[str], mask: int) -> Array:
    """Return arrays over (draws, *scope) as blocks, shape (draws, 2^bits of ``mask``, width), padded with ones."""
    inner = {v.name: v for v in program.inner}
    names = sorted((v for v in scope if v in inner), key=lambda v: -inner[v].shift)
    moved = np.transpose(values, [0, *(scope.index(v) + 1 for v in names), scope.index(SUBTYPE) + 1])
    moved = moved[..., program.pairs[:, 1]]
    padded = np.zeros((len(values), *(1 << inner[v].bits for v in names), program.width))
    padded[..., len(program.pairs) :] = 1
    padded[(slice(None), *(slice(None, n) for n in moved.shape[1:-1]), slice(None, len(program.pairs)))] = moved
    return padded.reshape(len(values), 1 << mask.bit_count(), program.width)


def _drawn_weights(
    skeleton: Skeleton,
    network: Network,
    program: Program,
    drawn: Mapping[str, Array],
    vectors: Mapping[str, Array],
    kept: Kept,
    draws: int,
) -> Array:
    """Return P(evidence on contexts, interface, lane) under each draw, shape (draws, 2^bits, width).

    Where little is known of the patient the tables of all draws are large, so a few draws are worked on at a time.
    """
    found = []
    for start in range(0, draws, TOGETHER):
        stop_if_over()
        some = {name: tables[start : start + TOGETHER] for name, tables in drawn.items()}
        count = min(TOGETHER, draws - start)
        found.append(_weights_of_some(skeleton, network, program, some, vectors, kept, count))
    return found[0] if len(found) == 1 else np.concatenate(found)


def _weights_of_some(
    skeleton: Skeleton,
    network: Network,
    program: Program,
    drawn: Mapping[str, Array],
    vectors: Mapping[str, Array],
    kept: Kept,
    draws: int,
) -> Array:
    theta, floor = marginal_reader(skeleton, drawn), skeleton.policy.table_floor
    interface = sorted((v for v in program.inner if v.table is None), key=lambda v: -v.shift)
    axes = [*program.above, *(v.name for v in interface)]
    letter = dict(zip(axes, string.ascii_letters, strict=False))
    states = {name: kept.get(name, np.arange(len(network.states[name]))) for name in axes}
    operands: list[Any] = []
    subscripts: list[str] = []
    for name in axes:
        table = network.tables[name]
        cut = table.values[np.ix_(*(states[v] for v in table.scope))]
        if name in program.above and name in vectors:
            cut = cut * vectors[name][states[name]]
        operands.append(cut)
        subscripts.append("".join(letter[v] for v in table.scope))
    for node, built, lanes in ((ENTITY, entity_table, (0,)), (SUBTYPE, subtype_table, (0, 1))):
        parents, values = built(skeleton, theta, {n: s for n, s in states.items() if len(s) < len(network.states[n])})
        possible = values > 0
        values = np.maximum(values, floor) * possible
        values /= values.sum(axis=-1, keepdims=True)
        scope = (*parents, node)
        if values.ndim == len(scope):
            values = np.broadcast_to(values, (draws, *values.shape))
        order = [v for v in parents if v != ENTITY]
        pivots = [(ENTITY, SUBTYPE)[lane] for lane in lanes]
        moved = np.transpose(values, [0, *(scope.index(v) + 1 for v in (*order, *pivots))])
        index: tuple[Any, ...] = (..., *(program.pairs[:, lane] for lane in lanes))
        operands.append(moved[index])
        subscripts.append("D" + "".join(letter[v] for v in order) + "L")
    out = "D" + "".join(letter[v.name] for v in interface) + "L"
    joint = np.einsum(f"{','.join(subscripts)}->{out}", *operands, optimize="greedy")
    padded = np.zeros((draws, *(1 << v.bits for v in interface), program.width))
    places = [states[v.name] for v in interface]
    padded[np.ix_(np.arange(draws), *places, np.arange(len(program.pairs)))] = joint
    return padded.reshape(draws, -1, program.width)
