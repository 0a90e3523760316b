"""From likelihood vectors to the rows of a kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.elimination import impossible_evidence
from hepagraph.inference.engine.native import Entry, NativeKernel
from hepagraph.inference.engine.program import Program
from hepagraph.inference.engine.rows import Rows, Stack, context_rows, stack_of
from hepagraph.inference.layers import distinct_rows
from hepagraph.ontology.errors import OntologyError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Rows, and the logarithm of what was taken out of their likelihoods, shape (rows,)."""

    rows: Rows
    scale_log: Array


def evidence_rows(program: Program, likelihood: Mapping[str, Array], count: int) -> Evidence:
    """Return the rows of evidence sets.

    Parameters
    ----------
    program
        The compiled network.
    likelihood
        For a variable with evidence P(what was seen | state), shape (rows, states), or (states,) for all rows alike.
    count
        The number of rows.

    Raises
    ------
    OntologyError
        A vector has the wrong shape, or an entry that is negative or not finite.
    """
    position = program.position
    codes = np.full((count, len(program.columns)), -1, dtype=np.int32)
    scale_log = np.zeros(count)
    stacks: dict[int, Stack] = {}
    above: dict[int, Array] = {}
    for name, given in likelihood.items():
        vectors = np.atleast_2d(np.asarray(given, dtype=np.float64))
        states = program.columns[position[name]].states if name in position else _states_above(program, name)
        _check(name, vectors, states, count)
        top = vectors.max(axis=1)
        with np.errstate(divide="ignore"):
            scale_log += np.log(top)
        vectors = vectors / np.where(top > 0, top, 1.0)[:, None]
        if name not in position:
            above[program.above.index(name)] = vectors
            continue
        first, case = distinct_rows(vectors + 0.0)
        distinct = vectors[first]
        known = (distinct != 1).any(axis=1)
        column = position[name]
        stacks[column] = stack_of(program, column, distinct)
        codes[:, column] = np.where(known, np.arange(len(first)), -1).astype(np.int32)[case]
    context, weights = _contexts(program, above, count)
    return Evidence(Rows(codes, context, stacks, weights), scale_log)


@dataclass(frozen=True, slots=True)
class Single:
    """One row for one-row calls: entries of the kernel, the row of its weights or weights of its own, and a scale."""

    entries: Sequence[Entry]
    context: int
    weights: Array | None
    scale_log: float


def single_evidence(kernel: NativeKernel, likelihood: Mapping[str, Array]) -> Single:
    """Return one evidence set; parameters and errors as in ``evidence_rows``, vectors of shape (states,)."""
    program = kernel.program
    entries: list[Entry] = []
    given: list[int | Array] = [-1] * len(program.above)
    scale_log = 0.0
    for name, vector in likelihood.items():
        position = program.position.get(name)
        if position is None:
            given[axis_of(program, name)], log = kernel.cached_context(name, vector, _of_context)
        else:
            entry, log = kernel.cached(position, vector, _checked)
            if entry is not None:
                entries.append(entry)
        scale_log += log
    if all(isinstance(code, int) for code in given):
        row = 0
        for code, size in zip(given, program.weights.shape, strict=False):
            row = row * size + (size - 1 if code == -1 else int(code))
        return Single(entries, row, None, scale_log)
    return Single(entries, 0, soft_weights(program, given), scale_log)


def _checked(program: Program, position: int, vector: Array) -> tuple[Stack | None, float]:
    """Return the stack of one vector, None where it says nothing, and the logarithm of its largest entry."""
    column = program.columns[position]
    vectors = np.atleast_2d(np.asarray(vector, dtype=np.float64))
    _check(column.name, vectors, column.states, 1)
    top = float(vectors.max())
    if top == 0:
        raise impossible_evidence()
    vectors = vectors / top
    return (None if (vectors == 1).all() else stack_of(program, position, vectors)), float(np.log(top))


def _of_context(program: Program, name: str, vector: Array) -> tuple[int | Array, float]:
    """Return the state that a vector leaves, -1 where it says nothing, or the vector; and its largest entry's log."""
    vectors = np.atleast_2d(np.asarray(vector, dtype=np.float64))
    _check(name, vectors, _states_above(program, name), 1)
    top = float(vectors.max())
    if top == 0:
        raise impossible_evidence()
    seen = vectors[0] / top
    if np.count_nonzero(seen) == 1:
        return int(seen.argmax()), float(np.log(top))
    return (-1 if (seen == 1).all() else seen), float(np.log(top))


def axis_of(program: Program, name: str) -> int:
    """Return the axis of a context above the lanes, or refuse the name."""
    if name not in program.above:
        raise OntologyError(f"the network has no variable {name!r}")
    return program.above.index(name)


def _states_above(program: Program, name: str) -> int:
    return int(program.weights.shape[axis_of(program, name)]) - 1


def _check(name: str, vectors: Array, states: int, count: int) -> None:
    if vectors.shape[1] != states or len(vectors) not in (1, count):
        raise OntologyError(
            f"evidence on {name} has shape {vectors.shape}; it needs ({count}, {states}) or ({states},)"
        )
    if not np.isfinite(vectors).all() or (vectors < 0).any():
        raise OntologyError(f"evidence on {name} holds a likelihood that is negative or not finite")


def _contexts(program: Program, above: Mapping[int, Array], count: int) -> tuple[NDArray[np.int64], Array | None]:
    """Return which weights each row reads, and the weights themselves where any context is not known outright."""
    codes, soft = [], False
    for axis in range(len(program.above)):
        vectors = above.get(axis)
        if vectors is None:
            codes.append(np.full(count, -1, dtype=np.int64))
            continue
        states = (vectors > 0).sum(axis=1)
        code = np.where(states == 1, vectors.argmax(axis=1), np.where((vectors == 1).all(axis=1), -1, -2))
        soft |= bool((code == -2).any())
        codes.append(np.broadcast_to(code, (count,)))
    if not soft:
        return context_rows(program, codes, count), None
    table = np.column_stack([np.broadcast_to(v, (count, v.shape[1])) for v in above.values()])
    first, case = distinct_rows(table)
    rows = [
        soft_weights(program, [_of_row(above.get(axis), row, int(code[row])) for axis, code in enumerate(codes)])
        for row in first
    ]
    return case, np.stack(rows)


def _of_row(vectors: Array | None, row: int, code: int) -> int | Array:
    if vectors is None or code != -2:
        return code
    return np.asarray(vectors[row if len(vectors) > 1 else 0])


def soft_weights(program: Program, given: Sequence[int | Array]) -> Array:
    """Return P(evidence above, lane), shape (2^bits, width), for a code or a likelihood vector of each context."""
    index = tuple(code if isinstance(code, int) else slice(None, -1) for code in given)
    found = program.weights[index]
    for vector in given:
        if not isinstance(vector, int):
            found = np.tensordot(vector, found, axes=1)
    return np.asarray(found)


def coded_contexts(
    program: Program,
    codes: Sequence[NDArray[np.int64]],
    meanings: Mapping[str, Array],
    shared: NDArray[np.int64],
    count: int,
) -> tuple[NDArray[np.int64], Array | None]:
    """Return which weights each row reads, shape (rows,), and the weights where they are not the program's.

    Parameters
    ----------
    codes
        For each context above, shape (rows,): a state, or a row of ``meanings``; -1 where not known.
    meanings
        By name, the likelihood vectors that codes stand for, shape (codes, states), largest entry one.
    shared
        The row of the program's weights that holds where a row has no code of its own, shape (1,).
    count
        The number of rows.
    """
    sizes = program.weights.shape[: len(program.above)]
    common = np.unravel_index(int(shared[0]), sizes) if sizes else ()
    vectors = [np.asarray(meanings.get(n, np.empty((0, 0))), dtype=np.float64) for n in program.above]
    plain = [_plain_codes(v, size - 1) for v, size in zip(vectors, sizes, strict=True)]
    codes = [np.where(c < 0, c, p[np.maximum(c, 0)]) for c, p in zip(codes, plain, strict=True)]
    codes = [np.where(c == -1, int(whole), c) for c, whole in zip(codes, common, strict=True)]
    if not any((c < -1).any() for c in codes):
        return context_rows(program, codes, count), None
    first, case = distinct_rows(np.column_stack(codes))
    given = [
        [v[-2 - int(c[row])] if c[row] < -1 else int(c[row]) for c, v in zip(codes, vectors, strict=True)]
        for row in first
    ]
    return case, np.stack([soft_weights(program, one) for one in given])


def _plain_codes(vectors: Array, states: int) -> NDArray[np.int64]:
    """Return for each vector the state it leaves, -1 where it says nothing, else -2 less its position."""
    if not len(vectors):
        return np.arange(states, dtype=np.int64)
    outright = (vectors == 1).any(axis=1) & (np.count_nonzero(vectors, axis=1) == 1)
    soft = np.where((vectors == 1).all(axis=1), -1, -2 - np.arange(len(vectors)))
    return np.where(outright, vectors.argmax(axis=1), soft).astype(np.int64)
