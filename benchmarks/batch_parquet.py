"""Rows a second from Parquet to Parquet, against scoring alone, and memory by the number of rows.

    python benchmarks/batch_parquet.py                        # 1,000,000 and 3,000,000 rows
    python benchmarks/batch_parquet.py --rows 100000 300000

Every finding and what is known of the patient, each missing in 40 % of rows. The command runs as a process of its own,
its start and its check of every row counted in; scoring alone has its codes in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hepagraph.inference import Reasoner

CHUNK, MISSING = 2**17, 0.4
RUN = """
import json, resource, sys, time
from hepagraph.service.cli import main
started = time.perf_counter()
main(sys.argv[1:], standalone_mode=False)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": time.perf_counter() - started, "peak_mib": peak}))
"""


def features(reasoner: Reasoner) -> dict[str, tuple[str, ...]]:
    """Return the columns with their states, less those of a pair that exclude each other."""
    excluded = {first for first, *_ in reasoner.reader.exclusions}
    keys = reasoner.reader.inputs("patient", "findings", "lesion")
    return {v.name: v.states for v in keys.values() if v.name not in excluded}


def write_rows(path: Path, columns: dict[str, tuple[str, ...]], rows: int) -> None:
    rng = np.random.default_rng(0)
    schema = pa.schema([("row", pa.int64()), *((name, pa.string()) for name in columns)])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, CHUNK):
            count = min(CHUNK, rows - start)
            arrays = [pa.array(np.arange(start, start + count))]
            for states in columns.values():
                codes = pa.array(rng.integers(0, len(states), count), mask=rng.random(count) < MISSING)
                arrays.append(pa.DictionaryArray.from_arrays(codes, pa.array(states)).cast(pa.string()))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=count)


def scoring_alone(reasoner: Reasoner, columns: dict[str, tuple[str, ...]], threads: int, rounds: int) -> float:
    """Return rows a second, the fastest of some rounds."""
    rng = np.random.default_rng(0)
    codes = {}
    for name, states in columns.items():
        code = rng.integers(0, len(states), CHUNK)
        codes[name] = np.where(rng.random(CHUNK) < MISSING, -1, code).astype(np.int32)
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        reasoner.score(codes, threads=threads)
        found.append(CHUNK / (time.perf_counter() - start))
    return max(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 3_000_000])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    reasoner = Reasoner.load()
    columns = features(reasoner)
    print(f"{len(columns)} columns, load average {os.getloadavg()[0]:.1f}")
    alone = {threads: scoring_alone(reasoner, columns, threads, given.rounds) for threads in given.threads}
    for threads, rate in alone.items():
        print(f"scoring alone, {threads} threads: {rate:,.0f} rows/s")
    with tempfile.TemporaryDirectory() as folder:
        for rows in given.rows:
            source = Path(folder) / f"{rows}.parquet"
            write_rows(source, columns, rows)
            for threads in given.threads:
                target = Path(folder) / f"{rows}-{threads}.parquet"
                command = [sys.executable, "-c", RUN, "batch", str(source), str(target)]
                command += ["--keep", "row", "--threads", str(threads)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                found = json.loads(done.stdout)
                rate = rows / found["seconds"]
                print(
                    f"{rows:,} rows, {threads} threads: {rate:,.0f} rows/s, {100 * rate / alone[threads]:.0f} % of "
                    f"scoring alone, peak {found['peak_mib']:.0f} MiB"
                )
                target.unlink()
            source.unlink()


if __name__ == "__main__":
    main()
