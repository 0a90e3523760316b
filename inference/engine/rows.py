"""What a kernel takes and gives: evidence as codes into stacks of likelihood blocks, posteriors, joints."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.engine.program import Program

Array = NDArray[np.float64]
Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Stack:
    """The likelihoods that a column's codes stand for.

    ``blocks`` has shape (codes, 2^bits, lanes). ``fixes`` gives for each code the state that it fixes an inner
    variable to, or -1, shape (codes,). ``mask`` says which bits the blocks hold, where it is not those of the column:
    fewer, if all rows fix the others.
    """

    blocks: NDArray[np.floating]
    fixes: Codes
    mask: int | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Evidence sets.

    Attributes
    ----------
    codes
        Position in the column's stack, or -1 for not seen, shape (rows, columns).
    stacks
        By column position; a column without a stack has the states themselves as codes.
    weights
        P(context, lane), shape (contexts, 2^bits, lanes); None: the program's.
    context
        The row of ``weights`` that each row reads, shape (rows,).
    priors
        By position of an inner variable, tables that replace the program's, shape (sets, 2^bits, lanes).
    sets
        The set that each row reads, shape (rows,); only with ``priors``.
    """

    codes: Codes
    context: NDArray[np.int64]
    stacks: Mapping[int, Stack] = field(default_factory=dict)
    weights: NDArray[np.floating] | None = None
    priors: Mapping[int, NDArray[np.floating]] = field(default_factory=dict)
    sets: NDArray[np.int64] | None = None

    def part(self, chosen: slice | NDArray[np.int64]) -> Rows:
        """Return some of the rows."""
        sets = None if self.sets is None else np.ascontiguousarray(self.sets[chosen])
        return Rows(
            np.ascontiguousarray(self.codes[chosen]),
            np.ascontiguousarray(self.context[chosen]),
            self.stacks,
            self.weights,
            self.priors,
            sets,
        )


@dataclass(frozen=True, slots=True)
class Answers:
    """Posteriors of rows: of the entity, shape (rows, entities), and of the lanes where asked for, (rows, lanes).

    ``flags`` is not zero where the row wants more precision (1) or more room (2); ``products`` counts the blocks
    multiplied.
    """

    entity: Array
    lanes: Array | None
    evidence_log: Array
    flags: NDArray[np.uint8]
    products: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a survey is to tell.

    ``columns``, shape (columns,), are those whose joint is wanted although nothing was seen, ``bits`` the inner
    variables, and ``loose``, shape (columns,), the inner variables of which it is to tell what other evidence than
    theirs would have meant; every one of them makes the survey dearer.
    """

    columns: NDArray[np.uint8]
    bits: int
    loose: NDArray[np.uint8]

    @classmethod
    def everything(cls, program: Program, changes: Collection[str] | None) -> Wanted:
        """Return a wish for all that there is, with the changes of some variables only, or of all (None)."""
        loose = [changes is None or column.name in changes for column in program.columns]
        return cls(
            np.ones(len(program.columns), dtype=np.uint8),
            sum(v.mask for v in program.inner),
            np.array(loose, dtype=np.uint8),
        )

    @classmethod
    def only(cls, program: Program, names: Iterable[str]) -> Wanted:
        """Return a wish for the posteriors of some variables."""
        columns, bits = np.zeros(len(program.columns), dtype=np.uint8), 0
        for name in names:
            position = program.position[name]
            columns[position] = 1
            if program.columns[position].inner >= 0:
                bits |= program.columns[position].mask
        return cls(columns, bits, np.zeros(len(program.columns), dtype=np.uint8))


@dataclass(frozen=True, slots=True)
class JointParts:
    """Where each variable's joint lies among the rows of ``Joints.values``."""

    columns: tuple[slice, ...]
    inner: tuple[slice, ...]
    weights: slice
    rows: int

    @classmethod
    def of(cls, program: Program) -> JointParts:
        """Return the parts for a program: columns, then inner variables, then the weights' blocks."""
        sizes = [c.states for c in program.columns] + [v.states for v in program.inner]
        sizes.append(1 << program.weights_mask.bit_count())
        ends = np.cumsum(sizes).tolist()
        parts = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        count = len(program.columns)
        return cls(tuple(parts[:count]), tuple(parts[count:-1]), parts[-1], ends[-1])


@dataclass(frozen=True, slots=True)
class Joints:
    """Joints of one evidence set with the lanes, in units of P(evidence).

    ``values``, shape (rows, lanes), holds for each column P(state, lane, all evidence but its own), for each inner
    variable P(state, lane, evidence), and P(evidence | interface, lane) in the same unit; ``parts`` says where.
    ``lanes`` is the posterior of the lanes.
    """

    lanes: Array
    values: Array
    parts: JointParts
    evidence_log: float


def context_rows(program: Program, codes: Sequence[NDArray[np.int64]], rows: int) -> NDArray[np.int64]:
    """Return the rows of the program's weights for codes of the contexts above, -1 for not known, (rows,) each."""
    found = np.zeros(rows, dtype=np.int64)
    for code, size in zip(codes, program.weights.shape, strict=False):
        found *= size
        found += np.where(code < 0, size - 1, code)
    return found


def stack_of(program: Program, position: int, vectors: Array) -> Stack:
    """Return the stack of likelihood vectors of a column, shape (codes, states)."""
    column = program.columns[position]
    flat = column.table.reshape(column.states, -1)
    blocks = (vectors @ flat).reshape(len(vectors), *column.table.shape[1:])
    blocks[:, :, len(program.pairs) :] = 1.0
    fixes = np.full(len(vectors), -1, dtype=np.int32)
    if column.inner >= 0:
        outright = (np.count_nonzero(vectors, axis=1) == 1) & (vectors.max(axis=1) == 1)
        fixes[outright] = vectors[outright].argmax(axis=1)
    return Stack(blocks, fixes)


def state_fixes(program: Program, position: int) -> Codes:
    """Return what the states themselves, as codes, fix a column's variable to."""
    column = program.columns[position]
    return (np.arange(column.states) if column.inner >= 0 else np.full(column.states, -1)).astype(np.int32)


def answers_of(
    program: Program,
    value: NDArray[np.floating],
    exponent: NDArray[np.int32],
    flags: NDArray[np.uint8],
    products: int,
    *,
    lanes: bool,
) -> Answers:
    """Return the posteriors from unnormalised lanes, value * 2^exponent, shape (rows, width) each."""
    most = np.where(value > 0, exponent, np.iinfo(np.int32).min).max(axis=1, keepdims=True)
    scaled = np.where(value > 0, np.ldexp(value.astype(np.float64), np.minimum(exponent - most, 0)), 0.0)
    total = scaled.sum(axis=1)
    with np.errstate(divide="ignore"):
        evidence_log = np.log(total) + np.where(total > 0, most[:, 0], 0) * np.log(2)
    posterior = scaled[:, : len(program.pairs)] / np.where(total > 0, total, 1.0)[:, None]
    return Answers(posterior @ program.members[0], posterior if lanes else None, evidence_log, flags, products)
