"""The native kernel, loaded where it was built; see kernel.c. Without it the NumPy kernel does the same, slower."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.engine.program import PANELS, Program, TooWideError
from hepagraph.inference.engine.rows import Answers, Codes, JointParts, Joints, Rows, Stack, Wanted, state_fixes

Array = NDArray[np.float64]
DISABLE = "HEPAGRAPH_NATIVE"
SCRATCH_BYTES = 16 * 2**20
CACHE_ENTRIES = 1024
LEVELS = ("plain", "avx2", "avx512")
MAXIMUM_COLUMNS, MAXIMUM_INNER = 1024, 62


class _Program(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int32) for name in ("lanes", "columns", "inner", "groups")),
        *((name, ctypes.c_void_p) for name in ("column_inner", "column_states", "column_shift", "column_mask")),
        *((name, ctypes.c_void_p) for name in ("column_table", "table_panel", "inner_mask", "prior_mask")),
        *((name, ctypes.c_void_p) for name in ("topological", "inner_states")),
        ("weights_mask", ctypes.c_uint64),
        *((name, ctypes.c_void_p) for name in ("group", "ones")),
    ]


class _Batch(ctypes.Structure):
    _fields_ = [
        ("rows", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("codes", "column_first", "entry_at", "entry_state")),
        *((name, ctypes.c_void_p) for name in ("column_panel", "column_mask")),
        *((name, ctypes.c_void_p) for name in ("prior_at", "prior_panel", "prior_stride")),
        *((name, ctypes.c_void_p) for name in ("prior_set", "weights", "weights_at")),
        ("weights_panel", ctypes.c_int64),
        ("wanted", ctypes.c_void_p),
        ("wanted_bits", ctypes.c_uint64),
        *((name, ctypes.c_void_p) for name in ("loose", "scratch")),
        ("scratch_bytes", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("value", "exponent", "flags", "posterior", "lane_posterior")),
        *((name, ctypes.c_void_p) for name in ("evidence_log", "steps", "joints")),
        ("work", ctypes.c_int64),
    ]


@cache
def library() -> ctypes.CDLL | None:
    """Return the compiled kernel, or None where there is none or the environment variable HEPAGRAPH_NATIVE is 0.

    That there is none is said once, as a warning of the logger ``hepagraph.inference.engine``.
    """
    found = None if os.environ.get(DISABLE) == "0" else _built()
    if found is None:
        import logging

        logging.getLogger("hepagraph.inference.engine").warning(
            "the native kernel is missing or switched off: NumPy answers instead, many times slower for batches"
        )
    return found


def _built() -> ctypes.CDLL | None:
    for path in sorted(Path(__file__).parent.glob("_kernel*")):
        if path.suffix in (".so", ".pyd", ".dylib"):
            try:
                found = ctypes.CDLL(str(path))
            except OSError:  # built for another machine
                continue
            found.hg_step_bytes.restype = ctypes.c_int64
            return found
    return None


def level() -> int:
    """Return the instruction set in use, a position in ``LEVELS``."""
    found = library()
    return int(found.hg_level()) if found is not None else 0


def aligned(shape: Sequence[int], dtype: Any) -> NDArray[Any]:
    """Return an uninitialised array that starts on a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    whole = np.empty(size + 64, dtype=np.uint8)
    start = -whole.ctypes.data % 64
    found: NDArray[Any] = whole[start : start + size].view(dtype).reshape(shape)
    return found


def panels(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return an array of shape (..., lanes) as one of shape (panels, ..., lanes of a panel), on a cache line.

    One that lies so already, as tables with one panel do in the file of a compiled model, is not copied.
    """
    width = PANELS[0] if values.shape[-1] <= PANELS[0] else PANELS[1]
    split = values.reshape(*values.shape[:-1], -1, width)
    moved = np.moveaxis(split, -2, 0)
    if moved.dtype == dtype and moved.flags.c_contiguous and moved.ctypes.data % 64 == 0:
        return moved
    found = aligned(moved.shape, dtype)
    np.copyto(found, moved, casting="same_kind")
    return found


@dataclass(frozen=True, slots=True)
class Entry:
    """One likelihood vector of a column, laid out for one-row calls; ``blocks`` keeps the memory alive."""

    column: int
    at: int
    fixes: int
    panel: int
    blocks: NDArray[Any]


class _Call(threading.local):
    """What a thread needs for one-row calls, made once."""

    def __init__(self, kernel: NativeKernel) -> None:
        columns, width = len(kernel.program.columns), kernel.program.width
        self.codes = np.full((1, columns), -1, dtype=np.int32)
        self.at = np.zeros(columns, dtype=np.int64)
        self.fixes = np.full(columns, -1, dtype=np.int32)
        self.panel = np.zeros(columns, dtype=np.int64)
        self.first = np.arange(columns, dtype=np.int32)
        self.context = np.zeros(1, dtype=np.int64)
        self.entity, self.lanes = np.empty(kernel.program.entities), np.empty(width)
        self.value, self.exponent = np.empty(width), np.empty(width, dtype=np.int32)
        self.flags, self.evidence_log = np.zeros(1, dtype=np.uint8), np.empty(1)
        self.scratch = np.empty(SCRATCH_BYTES, dtype=np.uint8)
        self.steps = aligned((kernel.step_bytes,), np.uint8)
        self.wanted, self.loose = np.zeros(columns, dtype=np.uint8), np.zeros(columns, dtype=np.uint8)
        self.batch = kernel.one_row(self)


@dataclass(frozen=True, slots=True)
class Entries:
    """Where each column's entries start, the address of each, the state that each fixes, and elements per panel."""

    first: Codes
    at: NDArray[np.int64]
    fixes: Codes
    panel: NDArray[np.int64]


class NativeKernel:
    """A program's tables in one element type, and the calls into the library. Thread-safe: calls share only reads."""

    def __init__(self, program: Program, dtype: type[np.floating[Any]], instructions: int | None = None) -> None:
        """Lay out the tables; ``instructions`` forces a lesser instruction set (see ``LEVELS``)."""
        found = library()
        if found is None:
            raise RuntimeError("the native kernel was not built")
        if len(program.columns) > MAXIMUM_COLUMNS or len(program.inner) > MAXIMUM_INNER:
            raise TooWideError("the network has more variables than the native kernel takes")
        self.program, self.dtype, self._library = program, dtype, found
        self.level = level() if instructions is None else min(instructions, level())
        self.tables = [panels(column.table, dtype) for column in program.columns]
        self.priors = [None if v.table is None else panels(v.table, dtype) for v in program.inner]
        self.weights = panels(program.weights, dtype)
        self._fixes = [state_fixes(program, position) for position in range(len(program.columns))]
        self._arrays = self._structure()
        self._prior_at = np.array([0 if p is None else p.ctypes.data for p in self.priors], dtype=np.int64)
        self._prior_panel = np.array([0 if p is None else p[0].size for p in self.priors], dtype=np.int64)
        self._prior_stride = np.zeros(len(self.priors), dtype=np.int64)
        self._entries = self._state_entries()
        self.step_bytes = int(found.hg_step_bytes())
        self._program_at = ctypes.byref(self._program)
        self._context_stride = self.weights.shape[-2] * self.weights.shape[-1]
        self._parts = JointParts.of(program)
        self._cache: dict[tuple[int, bytes], tuple[Entry | None, float]] = {}
        self._contexts: dict[tuple[str, bytes], tuple[int | Array, float]] = {}
        self._call = _Call(self)

    def _structure(self) -> dict[str, NDArray[Any]]:
        program, columns = self.program, self.program.columns
        shifts = [program.inner[c.inner].shift if c.inner >= 0 else 0 for c in columns]
        group = np.full(program.width, -1, dtype=np.int32)
        group[: len(program.pairs)] = program.pairs[:, 0]
        arrays: dict[str, NDArray[Any]] = {
            "column_inner": np.array([c.inner >= 0 for c in columns], dtype=np.int32),
            "column_states": np.array([c.states for c in columns], dtype=np.int32),
            "column_shift": np.array(shifts, dtype=np.int32),
            "column_mask": np.array([c.mask for c in columns], dtype=np.uint64),
            "column_table": np.array([t.ctypes.data for t in self.tables], dtype=np.int64),
            "table_panel": np.array([t[0].size for t in self.tables], dtype=np.int64),
            "inner_mask": np.array([v.mask for v in program.inner], dtype=np.uint64),
            "prior_mask": np.array([v.scope for v in program.inner], dtype=np.uint64),
            "topological": np.array(program.topological, dtype=np.int32),
            "inner_states": np.array([v.states for v in program.inner], dtype=np.int32),
            "group": group,
            "ones": panels(np.ones(program.width), self.dtype),
        }
        self._program = _Program(
            program.width,
            len(columns),
            len(program.inner),
            program.entities,
            weights_mask=program.weights_mask,
            **{name: array.ctypes.data for name, array in arrays.items()},
        )
        return arrays

    def _state_entries(self) -> Entries:
        """Return the entries of states as codes."""
        return self._entries_of([(t, f) for t, f in zip(self.tables, self._fixes, strict=True)])

    @staticmethod
    def _entries_of(stacks: Sequence[tuple[NDArray[Any], Codes]]) -> Entries:
        counts = [len(fixes) for _, fixes in stacks]
        first = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int32)
        at = [b.ctypes.data + np.arange(b.shape[1], dtype=np.int64) * b[0, 0].nbytes for b, _ in stacks]
        panel = np.array([b[0].size for b, _ in stacks], dtype=np.int64)
        return Entries(first, np.concatenate(at), np.concatenate([fixes for _, fixes in stacks]), panel)

    def run(self, rows: Rows, *, lanes: bool = False) -> Answers:
        """Return the posteriors of all rows."""
        count, width = len(rows.codes), self.program.width
        batch, keep = self._batch(rows)
        at_once = min(count, self._library.hg_rows_at_once())
        value = np.empty((at_once, width))
        exponent = np.empty((at_once, width), dtype=np.int32)
        flags = np.zeros(count, dtype=np.uint8)
        entity = np.empty((count, self.program.entities))
        lane_posterior = np.empty((count, width)) if lanes else None
        evidence_log = np.empty(count)
        batch.value, batch.exponent, batch.flags = value.ctypes.data, exponent.ctypes.data, flags.ctypes.data
        batch.posterior, batch.evidence_log = entity.ctypes.data, evidence_log.ctypes.data
        batch.lane_posterior = None if lane_posterior is None else lane_posterior.ctypes.data
        self._library.hg_run(self.level, int(self.dtype is np.float64), self._program_at, ctypes.byref(batch))
        del keep
        found = None if lane_posterior is None else lane_posterior[:, : len(self.program.pairs)]
        return Answers(entity, found, evidence_log, flags, int(batch.work))

    def _batch(self, rows: Rows) -> tuple[_Batch, list[Any]]:
        """Return the structure of a call, and what must outlive it."""
        entries, masks = self._entries, self._arrays["column_mask"]
        keep: list[Any] = []
        if rows.stacks:
            stacks = list(zip(self.tables, self._fixes, strict=True))
            masks = masks.copy()
            for position, stack in rows.stacks.items():
                masks[position] = masks[position] if stack.mask is None else stack.mask
                blocks = panels(stack.blocks, self.dtype)
                keep.append(blocks)
                stacks[position] = (blocks, stack.fixes)
            entries = self._entries_of(stacks)
        codes = np.ascontiguousarray(rows.codes)
        prior_at, prior_panel, prior_stride = self._prior_at, self._prior_panel, self._prior_stride
        if rows.priors:
            prior_at, prior_panel, prior_stride = prior_at.copy(), prior_panel.copy(), prior_stride.copy()
            for position, tables in rows.priors.items():
                copied = panels(tables, self.dtype)
                keep.append(copied)
                prior_at[position], prior_panel[position] = copied.ctypes.data, copied[0].size
                prior_stride[position] = copied[0, 0].size
        weights = self.weights if rows.weights is None else panels(rows.weights, self.dtype)
        weights_at = rows.context * (weights.shape[-2] * weights.shape[-1])
        scratch = np.empty(SCRATCH_BYTES, dtype=np.uint8)
        keep += [entries, masks, codes, prior_at, prior_panel, prior_stride, weights, weights_at, scratch, rows]
        return (
            _Batch(
                rows=len(codes),
                codes=codes.ctypes.data,
                column_first=entries.first.ctypes.data,
                entry_at=entries.at.ctypes.data,
                entry_state=entries.fixes.ctypes.data,
                column_panel=entries.panel.ctypes.data,
                column_mask=masks.ctypes.data,
                prior_at=prior_at.ctypes.data,
                prior_panel=prior_panel.ctypes.data,
                prior_stride=prior_stride.ctypes.data,
                prior_set=None if rows.sets is None else rows.sets.ctypes.data,
                weights=weights.ctypes.data,
                weights_at=weights_at.ctypes.data,
                weights_panel=weights[0].size,
                scratch=scratch.ctypes.data,
                scratch_bytes=SCRATCH_BYTES,
            ),
            keep,
        )

    def one_row(self, call: _Call) -> _Batch:
        """Return the structure of one-row calls, for the arrays of ``call``."""
        names: dict[str, NDArray[Any]] = {}
        names |= {"codes": call.codes, "column_first": call.first, "entry_at": call.at, "entry_state": call.fixes}
        names |= {"column_panel": call.panel, "prior_at": self._prior_at, "prior_panel": self._prior_panel}
        names |= {"prior_stride": self._prior_stride, "weights_at": call.context, "scratch": call.scratch}
        names |= {"value": call.value, "exponent": call.exponent, "flags": call.flags, "posterior": call.entity}
        names |= {"lane_posterior": call.lanes, "evidence_log": call.evidence_log, "steps": call.steps}
        names |= {"wanted": call.wanted, "column_mask": self._arrays["column_mask"]}
        pointers = {name: array.ctypes.data for name, array in names.items()}
        return _Batch(
            rows=1, weights=self.weights.ctypes.data, weights_panel=self.weights[0].size,
            scratch_bytes=SCRATCH_BYTES, **pointers,
        )  # fmt: skip

    def entry(self, column: int, stack: Stack) -> Entry:
        """Lay out the first vector of a stack for one-row calls."""
        blocks = panels(stack.blocks[:1], self.dtype)
        return Entry(column, blocks.ctypes.data, int(stack.fixes[0]), blocks[0].size, blocks)

    def cached(
        self, column: int, vector: Array, lay_out: Callable[[Program, int, Array], tuple[Stack | None, float]]
    ) -> tuple[Entry | None, float]:
        """Return the entry of a likelihood vector and its scale, from the ones seen before where possible.

        The cache is emptied when it holds ``CACHE_ENTRIES``; soft findings may have any vector.
        """
        key = (column, vector.tobytes())
        found = self._cache.get(key)
        if found is None:
            stack, log = lay_out(self.program, column, vector)
            found = (None if stack is None else self.entry(column, stack), log)
            if len(self._cache) >= CACHE_ENTRIES:
                self._cache.clear()
            self._cache[key] = found
        return found

    def cached_context(
        self, name: str, vector: Array, read: Callable[[Program, str, Array], tuple[int | Array, float]]
    ) -> tuple[int | Array, float]:
        """Return what ``read`` makes of a context's likelihood vector, from the ones seen before where possible."""
        key = (name, vector.tobytes())
        found = self._contexts.get(key)
        if found is None:
            found = read(self.program, name, vector)
            if len(self._contexts) >= CACHE_ENTRIES:
                self._contexts.clear()
            self._contexts[key] = found
        return found

    def run_one(self, entries: Iterable[Entry], context: int, weights: Array | None) -> tuple[Array, Array, float, int]:
        """Return posteriors of the entity and of the lanes, log P(evidence), and the flag, of one row."""
        call = self._fill(entries, context, weights)
        self._library.hg_run(self.level, int(self.dtype is np.float64), self._program_at, ctypes.byref(call.batch))
        lanes = call.lanes[: len(self.program.pairs)].copy()
        return call.entity.copy(), lanes, float(call.evidence_log[0]), int(call.flags[0])

    def _fill(self, entries: Iterable[Entry], context: int, weights: Array | None) -> _Call:
        call = self._call
        call.codes.fill(-1)
        call.flags[0] = 0
        for entry in entries:
            column = entry.column
            call.codes[0, column] = 0
            call.at[column], call.fixes[column], call.panel[column] = entry.at, entry.fixes, entry.panel
        if weights is None:
            call.kept = self.weights
            call.context[0] = context * self._context_stride
        else:
            call.kept = panels(weights[None], self.dtype)
            call.context[0] = 0
        call.batch.weights, call.batch.weights_panel = call.kept.ctypes.data, call.kept[0].size
        return call

    def survey_one(
        self, entries: Iterable[Entry], context: int, weights: Array | None, wanted: Wanted
    ) -> tuple[Joints, int]:
        """Return the joints of one row, and its flag; only in double precision."""
        call = self._fill(entries, context, weights)
        joints = np.zeros((self._parts.rows, self.program.width))
        call.wanted[:] = wanted.columns
        call.loose[:] = wanted.loose
        call.batch.wanted_bits, call.batch.loose = wanted.bits, call.loose.ctypes.data
        call.batch.joints = joints.ctypes.data
        call.exponent.fill(0)
        self._library.hg_survey(self.level, self._program_at, ctypes.byref(call.batch))
        call.batch.wanted_bits, call.batch.loose = 0, None
        found = self._joints(joints, call.value, call.exponent, call.lanes, float(call.evidence_log[0]))
        return found, int(call.flags[0])

    def _joints(
        self, joints: Array, value: Array, exponent: NDArray[np.int32], lanes: Array, evidence_log: float
    ) -> Joints:
        """Return the joints in units of P(evidence); every lane has an exponent of its own, seen or as kept."""
        scale = np.exp2(exponent) / np.exp(evidence_log) if np.isfinite(evidence_log) else np.zeros(len(value))
        unit = np.divide(lanes, value, out=scale, where=value > 0)
        count = len(self.program.pairs)
        return Joints(lanes[:count].copy(), (joints * unit)[:, :count], self._parts, evidence_log)
