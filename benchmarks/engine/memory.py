"""Peak memory of streaming rows through the engine, each run in a process of its own.

``python -m benchmarks.engine.memory TABLES ROWS CHUNK`` prints resident bytes once loaded and at the peak.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine.networks import Subject, draw
from benchmarks.engine.timing import Measure, Spread
from hepagraph.inference.engine import Engine
from hepagraph.inference.network import Table

CHUNKS = (2**15, 2**17, 2**18)
DRAWN = 256
ROWS = (10**5, 10**6, 10**7)
MOST_SECONDS = 120.0


def save(subject: Subject, path: Path) -> None:
    """Keep a network's tables, so that another process need not read the ontology."""
    scopes = [[name, *table.parents] for name, table in subject.tables.items()]
    text = json.dumps({"scopes": scopes, "latent": subject.latent, "seen": subject.seen})
    np.savez(path, about=np.array(text), **{f"table_{name}": t.values for name, t in subject.tables.items()})


def load(path: Path) -> Subject:
    """Return the network that ``save`` kept."""
    with np.load(path) as kept:
        about = json.loads(str(kept["about"]))
        tables = {name: Table(name, tuple(parents), kept[f"table_{name}"]) for name, *parents in about["scopes"]}
    return Subject("kept", tables, tuple(about["latent"]), tuple(about["seen"]))


def peak() -> int:
    """Return this process's highest resident memory so far in bytes.

    Linux hands what ``getrusage`` says down from the process that started this one, so its own count is read there.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def stream(subject: Subject, rows: int, chunk: int) -> dict[str, int]:
    """Score rows in chunks and return resident bytes before and at the peak."""
    engine = Engine(subject.tables, subject.latent)
    codes = draw(subject, DRAWN)
    engine.score(codes)
    repeats = -(-chunk // DRAWN)
    codes = {name: np.tile(values, repeats)[:chunk] for name, values in codes.items()}
    before, done = peak(), 0

    def chunks() -> Iterator[dict[str, NDArray[np.int8]]]:
        for start in range(0, rows, chunk):
            yield {name: values[: rows - start] for name, values in codes.items()}

    for posterior, _ in engine.score_chunks(chunks()):
        done += len(posterior)
    assert done == rows
    return {"before": before, "peak": peak()}


def measure(subject: Subject, *, rows: tuple[int, ...] = ROWS) -> tuple[dict[str, int], list[Measure]]:
    """Return each run's peak in bytes, and the measures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tables.npz"
        save(subject, path)
        of_rows = {count: _run(path, count, CHUNKS[0]) for count in rows}
        of_chunk = {chunk: of_rows[10**6] if chunk == CHUNKS[0] else _run(path, 10**6, chunk) for chunk in CHUNKS}
    small, middle, large = (of_chunk[chunk] for chunk in CHUNKS)
    slopes = [(middle - small) / (CHUNKS[1] - CHUNKS[0]), (large - middle) / (CHUNKS[2] - CHUNKS[1])]
    many, few = rows[-1], rows[-2]  # in the first chunks memory is still being taken
    found = {f"{count} rows, chunk {CHUNKS[0]}": size for count, size in of_rows.items()}
    found |= {f"{10**6} rows, chunk {chunk}": size for chunk, size in of_chunk.items()}
    return found, [
        Measure("memory_rows", f"peak memory of {many:,} rows against {few:,}, chunks of {CHUNKS[0]:,}",
                Spread.of([of_rows[many] / of_rows[few]]), 1.1, most=True),
        Measure("memory_chunk", "bytes per row of chunk, large chunks against small",
                Spread.of([slopes[1] / slopes[0]]), 1.25, most=True),
        Measure("memory_bytes", "bytes for each row of a chunk", Spread.of(slopes), unit="bytes"),
        Measure("memory_peak", f"peak of the process, chunks of {CHUNKS[0]:,}",
                Spread.of([size / 2**20 for size in of_rows.values()]), unit="MiB"),
    ]  # fmt: skip


def _run(path: Path, rows: int, chunk: int) -> int:
    command = [sys.executable, "-m", "benchmarks.engine.memory", str(path), str(rows), str(chunk)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=MOST_SECONDS)
    return int(json.loads(done.stdout)["peak"])


if __name__ == "__main__":
    print(json.dumps(stream(load(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3]))))
