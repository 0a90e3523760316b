"""How near the kernel comes to what the machine can do: gathered blocks, bytes, multiply-adds, measured in between."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.engine.networks import Subject, draw
from benchmarks.engine.timing import Measure, Rates, Spread, Work, interleave
from hepagraph.inference.engine.native import NativeKernel, aligned
from hepagraph.inference.engine.program import Program, compile_program, fold_private
from hepagraph.inference.engine.rows import Rows, context_rows

BLOCK = 32  # floats: 128 bytes
ROWS = 2**14
GATHERS = 2**17
STREAM = 2**24  # floats


def compiler() -> str | None:
    """Return the C compiler's command, or None where there is none."""
    return shutil.which(os.environ.get("CC", "cc"))


@contextmanager
def limits_library() -> Iterator[ctypes.CDLL | None]:
    """Compile limits.c into a temporary folder; None where there is no compiler."""
    command = compiler()
    if command is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "limits.so"
        source = Path(__file__).with_name("limits.c")
        flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
        subprocess.run([command, *flags, str(source), "-o", str(target)], check=True)
        found = ctypes.CDLL(str(target))
        found.limit_gather.restype = found.limit_flops.restype = ctypes.c_float
        yield found


def folded_program(subject: Subject) -> Program:
    """Return the program that scores the entity."""
    return compile_program(fold_private(subject.tables, subject.latent), subject.latent)


def kernel_rows(subject: Subject, program: Program, count: int) -> Rows:
    """Return rows drawn from the network as the kernel takes them."""
    codes = draw(subject, count)
    table = np.full((count, len(program.columns)), -1, dtype=np.int32)
    for name, values in codes.items():
        if name in program.position:
            table[:, program.position[name]] = values
    context = context_rows(program, [codes[name].astype(np.int64) for name in program.above], count)
    return Rows(table, context)


def table_bytes(kernel: NativeKernel) -> int:
    """Return the size of the tables that the kernel gathers from."""
    return sum(t.nbytes for t in kernel.tables) + sum(p.nbytes for p in kernel.priors if p is not None)


def gathering(found: ctypes.CDLL, size: int, seed: int = 0) -> Work:
    """Return the work of gathering from a table of ``size`` bytes in random order."""
    blocks = max(1, size // (4 * BLOCK))
    table = aligned((blocks * BLOCK,), np.float32)
    table[:] = 1
    offsets = (np.random.default_rng(seed).integers(blocks, size=GATHERS) * BLOCK).astype(np.uint32)
    repeats = 100

    def work(turn: int) -> int:
        found.limit_gather(
            ctypes.c_void_p(table.ctypes.data), ctypes.c_void_p(offsets.ctypes.data),
            ctypes.c_int64(GATHERS), ctypes.c_int64(repeats),
        )  # fmt: skip
        return GATHERS * repeats

    return work


def streaming(found: ctypes.CDLL) -> Work:
    """Return the work of copying far more than any cache holds; the unit is a byte read or written."""
    source, target = aligned((STREAM,), np.float32), aligned((STREAM,), np.float32)
    source[:] = 1

    def work(turn: int) -> int:
        found.limit_stream(
            ctypes.c_void_p(target.ctypes.data), ctypes.c_void_p(source.ctypes.data),
            ctypes.c_int64(STREAM), ctypes.c_int64(4),
        )  # fmt: skip
        return 4 * 2 * source.nbytes

    return work


def multiplying(found: ctypes.CDLL) -> Work:
    """Return the work of multiply-adds; the unit is one operation, two for each multiply-add."""
    turns = 10_000_000

    def work(turn: int) -> int:
        found.limit_flops(ctypes.c_int64(turns))
        return turns * 12 * 16 * 2

    return work


def measure(subject: Subject, *, rounds: int = 9) -> tuple[Rates, list[Measure], dict[str, float]]:
    """Return rates, measures and what they were made from; nothing where there is no compiler."""
    with limits_library() as found:
        if found is None:
            print("no C compiler (set CC): the physical limits are not measured")
            return {}, [], {}
        program = folded_program(subject)
        kernel = NativeKernel(program, np.float32)
        rows = kernel_rows(subject, program, ROWS)
        products = kernel.run(rows).products / ROWS
        contenders = {
            "blocks gathered": gathering(found, table_bytes(kernel)),
            "kernel": lambda turn: len(kernel.run(rows).entity),
            "blocks gathered in L1": gathering(found, 2**14),
            "bytes": streaming(found),
            "operations": multiplying(found),
        }
        rates = interleave(contenders, rounds)
    row_bytes = rows.codes.nbytes / ROWS + 8 * (program.entities + 2)
    uses = {"blocks gathered": products, "blocks gathered in L1": products, "bytes": row_bytes}
    uses["operations"] = products * BLOCK
    share = {
        name: Spread.of(k * use / limit for k, limit in zip(rates["kernel"], rates[name], strict=True))
        for name, use in uses.items()
    }
    unit = "of the limit"
    measures = [
        Measure(
            "limit_gather", "kernel's products against 128-byte gathers from a table of that size",
            share["blocks gathered"], 0.5, unit=unit,
        ),
        Measure("limit_l1", "the same against gathers from L1", share["blocks gathered in L1"], unit=unit),
        Measure("limit_memory", "bytes in and out against memory bandwidth", share["bytes"], unit=unit),
        Measure("limit_flops", "multiplications against multiply-adds at most", share["operations"], unit=unit),
    ]  # fmt: skip
    facts = {"products_per_row": products, "table_bytes": table_bytes(kernel), "bytes_per_row": row_bytes}
    return rates, measures, facts
