"""The same elimination as kernel.c in NumPy: rows whose factors have the same bits go through a step together.

Within a step, rows that read the same blocks of every factor are computed once. Arrays have the configuration of the
bits first and rows and lanes last, so that what NumPy loops over is long.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.engine.program import Program
from hepagraph.inference.engine.rows import Answers, Joints, Rows, answers_of, state_fixes
from hepagraph.inference.layers import distinct_rows

Array = NDArray[np.floating[Any]]
Index = NDArray[np.int64]
CHUNK_ROWS = 16384
ENOUGH_ROWS = 32  # of one pattern, to be taken by themselves
CHUNK_CELLS = 2**20
MAXIMUM_STEP_BITS = 20
SMALL = {np.float32: (2.0**-40, 40), np.float64: (2.0**-400, 400)}


def extract(value: Any, mask: int) -> Any:
    """Return the bits of ``value``, a number or an array, that ``mask`` picks, moved together (pext)."""
    found, rank = value * 0, 0
    for bit in _bits(mask):
        found = found | ((value >> bit & 1) << rank)
        rank += 1
    return found


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _configurations(mask: int) -> Index:
    """Return every assignment of the bits of a mask, in order, shape (2^bits,)."""
    found = np.zeros(1, dtype=np.int64)
    for bit in _bits(mask):
        found = np.concatenate([found, found | 1 << bit])
    return found


class NumpyKernel:
    """A program's tables in one element type. Thread-safe: it keeps no state between calls."""

    def __init__(self, program: Program, dtype: type[np.floating[Any]]) -> None:
        """Lay out the tables."""
        self.program, self.dtype = program, dtype
        self._tables = [self._store(column.table) for column in program.columns]
        self._priors = [None if v.table is None else self._store(v.table) for v in program.inner]
        self._weights = self._store(program.weights)
        self._fixes = [state_fixes(program, position) for position in range(len(program.columns))]

    def _store(self, blocks: Array) -> Array:
        """Return blocks one after the other, shape (blocks + 1, lanes), and after them a block of ones."""
        flat = blocks.reshape(-1, self.program.width)
        return np.concatenate([flat, np.ones((1, self.program.width))]).astype(self.dtype)

    def run(self, rows: Rows, *, lanes: bool = False) -> Answers:
        """Return the posteriors of all rows."""
        pool: dict[int, Array] = {}
        parts = [
            _Chunk(self, rows.part(slice(start, start + CHUNK_ROWS)), pool).run()
            for start in range(0, len(rows.codes), CHUNK_ROWS)
        ]
        value, exponent, flags = (np.concatenate([part[i] for part in parts]) for i in range(3))
        return answers_of(self.program, value, exponent, flags, sum(part[3] for part in parts), lanes=lanes)

    def factors(self, rows: Rows) -> tuple[list[Array], list[int], Index, Index, Index]:
        """Return all factors: blocks, bits, and for each row offsets or -1; then fixed assignments and hidden bits."""
        program, count = self.program, len(rows.codes)
        known, fixed, needed = (np.zeros(count, dtype=np.int64) for _ in range(3))
        stores, masks, offsets = [], [], []
        for c, column in enumerate(program.columns):
            stack = rows.stacks.get(c)
            fixes = self._fixes[c] if stack is None else stack.fixes
            code = rows.codes[:, c].astype(np.int64)
            state = np.where(code >= 0, fixes[np.maximum(code, 0)], -1)
            outright = state >= 0
            if column.inner >= 0:
                fixed |= np.where(outright, state << program.inner[column.inner].shift, 0)
                known |= np.where(outright, column.mask, 0)
            needed |= np.where(code >= 0, column.mask if stack is None or stack.mask is None else stack.mask, 0)
            mask = column.mask if stack is None or stack.mask is None else stack.mask
            stores.append(self._tables[c] if stack is None else self._store(stack.blocks))
            masks.append(mask)
            offsets.append(np.where((code >= 0) & ~outright, code << mask.bit_count(), -1))
        for v in reversed(program.topological):
            variable, table = program.inner[v], self._priors[v]
            if table is None:
                continue
            matters = needed & variable.mask != 0
            needed |= np.where(matters, variable.scope, 0)
            own, sets = rows.priors.get(v), 0 if rows.sets is None else rows.sets
            at = 0 if own is None else sets << variable.scope.bit_count()
            stores.append(table if own is None else self._store(own))
            masks.append(variable.scope)
            offsets.append(np.where(matters, at, -1))
        stores.append(self._weights if rows.weights is None else self._store(rows.weights))
        masks.append(program.weights_mask)
        offsets.append(rows.context << program.weights_mask.bit_count())
        hidden = (needed | program.weights_mask) & ~known
        placed = [np.where(o >= 0, o + extract(fixed, m), -1) for o, m in zip(offsets, masks, strict=True)]
        return stores, masks, np.stack(placed, axis=1), fixed, hidden

    def survey(self, rows: Rows) -> tuple[Joints | None, int]:
        """Return the joints of one row, and its flag."""
        from hepagraph.inference.engine.survey import survey

        return survey(self, rows)


def _groups(bits: Index, hidden: Index) -> list[Index]:
    """Return the rows to take together: alike in what is hidden, and in all factors where many enough are."""
    _, coarse = np.unique(hidden, return_inverse=True)
    first, fine = distinct_rows(np.column_stack([bits, hidden]))
    size = np.bincount(fine, minlength=len(first))
    key = np.where(size[fine] >= ENOUGH_ROWS, fine, len(first) + coarse)
    order = np.argsort(key, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(key[order])) + 1)


class _Chunk:
    """The elimination of some thousand rows. Messages lie in ``pool``, which one chunk leaves to the next."""

    def __init__(self, kernel: NumpyKernel, rows: Rows, pool: dict[int, Array]) -> None:
        self.pool = pool
        self.program, self.dtype = kernel.program, kernel.dtype
        self.stores, masks, offsets, _, self.hidden = kernel.factors(rows)
        count, messages = len(offsets), len(kernel.program.inner)
        self.masks = np.concatenate(
            [np.tile(np.array(masks, dtype=np.int64), (count, 1)), np.zeros((count, messages), dtype=np.int64)], axis=1
        )
        self.offsets = np.concatenate([offsets, np.full((count, messages), -1, dtype=np.int64)], axis=1)
        self.first_message = len(masks)
        self.one = np.ones((1, kernel.program.width), dtype=kernel.dtype)
        self.stores += [self.one] * messages
        self.exponent = np.zeros((count, kernel.program.width), dtype=np.int32)
        self.flags = np.zeros(count, dtype=np.uint8)
        self.products = 0

    def run(self) -> tuple[Array, NDArray[np.int32], NDArray[np.uint8], int]:
        """Return values, exponents, flags and products; the posterior of a lane goes as value * 2^exponent."""
        for step, variable in enumerate(self.program.inner):
            self._eliminate(step, variable.mask)
        value = np.ones(self.exponent.shape, dtype=self.dtype)
        possible = np.ones(self.exponent.shape, dtype=bool)
        for column, store in enumerate(self.stores):
            rows = np.flatnonzero(self.offsets[:, column] >= 0)
            if len(rows):
                blocks = np.take(store, self.offsets[rows, column], axis=0)
                possible[rows] &= blocks > 0
                value[rows] *= blocks
                self._raise(value, rows)
        self.flags |= (possible & ~(value > 0)).any(axis=1)
        return value, self.exponent, self.flags, self.products

    def _raise(self, value: Array, rows: Index) -> None:
        limit, exponent = SMALL[self.dtype]
        part = value[rows]
        small = (part < limit) & (part > 0)
        if small.any():
            value[rows] = np.where(small, part / limit, part)
            self.exponent[rows] -= (small * exponent).astype(np.int32)

    def _eliminate(self, step: int, variable: int) -> None:
        inside = (self.offsets >= 0) & (self.masks & (variable & self.hidden)[:, None] != 0)
        rows = np.flatnonzero(inside.any(axis=1))
        if not len(rows):
            return
        columns = np.flatnonzero(inside.any(axis=0))
        bits = np.where(inside[np.ix_(rows, columns)], self.masks[np.ix_(rows, columns)], 0)
        hidden = self.hidden[rows] & int(np.bitwise_or.reduce(bits, axis=None))
        reads = np.where(bits != 0, self.offsets[np.ix_(rows, columns)], -1)
        self.offsets[np.ix_(rows, columns)] = np.where(bits != 0, -1, self.offsets[np.ix_(rows, columns)])
        target, blocks = self.first_message + step, 0
        for members in _groups(bits, hidden):
            for part in self._parts(rows, members, bits, int(hidden[members[0]])):
                message, case, separator = self._send(
                    rows[part], columns, bits[part], reads[part], int(hidden[part[0]]), variable
                )
                self.masks[rows[part], target] = separator
                self.offsets[rows[part], target] = blocks + case * message.shape[0]
                self._keep(target, blocks, message)
                blocks += message.shape[1] * message.shape[0]
        self._keep(target, blocks, self.one[:, None])
        self.stores[target] = self.pool[target][: blocks + 1]

    def _keep(self, target: int, start: int, message: Array) -> None:
        """Copy messages, shape (configurations, messages, lanes), into a column's store."""
        configurations, messages, width = message.shape
        end = start + configurations * messages
        old = self.pool.get(target)
        if old is None or len(old) < end + 1:
            grown = np.empty((2 * end + 1, width), dtype=self.dtype)
            if old is not None:
                grown[:start] = old[:start]
            self.pool[target] = grown
        self.pool[target][start:end].reshape(messages, configurations, width)[...] = np.moveaxis(message, 0, 1)

    def _parts(self, rows: Index, members: Index, bits: Index, hidden: int) -> list[Index]:
        """Return members in parts whose arrays stay within ``CHUNK_CELLS``; rows beyond all bounds are flagged."""
        union = int(np.bitwise_or.reduce(bits[members], axis=None)) & hidden
        if union.bit_count() > MAXIMUM_STEP_BITS:
            self.flags[rows[members]] |= 2
            return []
        cells = self.program.width << union.bit_count()
        return np.array_split(members, -(-len(members) * cells // CHUNK_CELLS))

    def _send(
        self, rows: Index, columns: Index, bits: Index, reads: Index, hidden: int, variable: int
    ) -> tuple[Array, Index, int]:
        """Return the messages, shape (configurations of the separator, messages, lanes), each row's, and the separator.

        ``bits`` and ``reads``, shape (rows, columns), say which bits each row's factors hold and where they start; a
        factor that a row lacks holds none and is one.
        """
        first, case = distinct_rows(np.ascontiguousarray(reads))
        factors = []
        for column, masks, starts in zip(columns, bits[first].T, reads[first].T, strict=True):
            scope = int(np.bitwise_or.reduce(masks)) & hidden
            if not scope:
                continue
            configurations = _configurations(scope)
            different, which = np.unique(masks, return_inverse=True)
            within = np.stack([extract(configurations, int(mask)) for mask in different], axis=1)
            store = self.stores[column]
            index = within[:, which] + np.where(starts < 0, len(store) - 1, starts)
            factors.append((scope, np.take(store, index, axis=0)))
        values, union = self._product(factors, variable & hidden)
        limit, exponent = SMALL[self.dtype]
        top = values.max(axis=0)
        small = (top < limit) & (top > 0)
        if small.any():
            values = np.where(small, values / limit, values)
            self.exponent[rows] -= (small * exponent).astype(np.int32)[case]
        return values, case, union & ~variable

    def _product(self, factors: list[tuple[int, Array]], summed: int) -> tuple[Array, int]:
        """Return the product over the union of all bits, summed over ``summed``, and the union.

        Factors of few bits are multiplied first.
        """
        left = list(factors)
        while len(left) > 1:
            pairs = [(i, j) for j in range(len(left)) for i in range(j)]
            i, j = min(pairs, key=lambda pair: ((left[pair[0]][0] | left[pair[1]][0]).bit_count(), pair))
            union = left[i][0] | left[j][0]
            product = _expanded(*left[i], union) * _expanded(*left[j], union)
            self.products += (product.shape[-2] << union.bit_count()) * 2
            left = [f for n, f in enumerate(left) if n not in (i, j)]
            left.append((union, product.reshape(1 << union.bit_count(), *product.shape[-2:])))
        union, values = left[0]
        for _ in range((summed & union).bit_count()):  # they are the lowest bits, since all lower ones are gone
            halves = values.reshape(-1, 2, *values.shape[-2:])
            values = halves[:, 0] + halves[:, 1]
        return values, union


def _expanded(mask: int, values: Array, union: int) -> Array:
    """Return an array over the bits of ``mask`` with an axis for every bit of ``union``, the highest first."""
    shape = [2 if mask >> bit & 1 else 1 for bit in sorted(_bits(union), reverse=True)]
    return values.reshape(*shape, *values.shape[-2:])
