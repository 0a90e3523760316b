"""Peak memory of streaming rows through the engine, each run in a process of its own.

``python -m benchmarks.engine.memory TABLES ROWS CHUNK`` prints resident bytes before scoring and at the peak.
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

CHUNKS = (2**14, 2**16, 2**18)
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
    """Return this process's highest resident memory so far in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def stream(subject: Subject, rows: int, chunk: int) -> dict[str, int]:
    """Score rows in chunks and return resident bytes before and at the peak."""
    engine = Engine(subject.tables, subject.latent)
    codes = draw(subject, 2**12)
    engine.score(codes)
    repeats = -(-chunk // 2**12)
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
    """Return what each run took above the loaded engine, in bytes, and the measures."""
    found: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tables.npz"
        save(subject, path)
        for count in rows:
            found[f"{count} rows, chunk {CHUNKS[0]}"] = _run(path, count, CHUNKS[0])
        for chunk in CHUNKS[1:]:
            found[f"{10**6} rows, chunk {chunk}"] = _run(path, 10**6, chunk)
    of_rows = [found[f"{count} rows, chunk {CHUNKS[0]}"] for count in rows]
    of_chunk = [found[f"{10**6} rows, chunk {chunk}"] for chunk in CHUNKS]
    slopes = [(b - a) / (d - c) for a, b, c, d in zip(of_chunk, of_chunk[1:], CHUNKS, CHUNKS[1:], strict=False)]
    growth = Spread.of(size / of_rows[0] for size in of_rows)
    return found, [
        Measure("memory_rows", f"peak memory at {rows[-1]:,} rows against {rows[0]:,}, same chunk",
                Spread(of_rows[-1] / of_rows[0], growth.low, growth.high), 1.2, most=True),
        Measure("memory_chunk", "bytes per row of chunk, large chunks against small",
                Spread(slopes[1] / slopes[0], slopes[1] / slopes[0], slopes[1] / slopes[0]), 1.25, most=True),
        Measure("memory_bytes", "bytes for each row of a chunk", Spread.of(slopes), unit="bytes"),
    ]  # fmt: skip


def _run(path: Path, rows: int, chunk: int) -> int:
    command = [sys.executable, "-m", "benchmarks.engine.memory", str(path), str(rows), str(chunk)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=MOST_SECONDS)
    figures = json.loads(done.stdout)
    return int(figures["peak"]) - int(figures["before"])


if __name__ == "__main__":
    print(json.dumps(stream(load(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3]))))
