"""The same scoring on a local cluster of processes, one of which is killed while it works."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from distributed import LocalCluster

from hepagraph.inference import Reasoner
from hepagraph.service.cli import main

pytestmark = pytest.mark.filterwarnings("ignore")  # of dask's event loops and of workers that are killed
COMMAND = [sys.executable, "-m", "hepagraph.service.cli", "batch"]
FILES, ROWS = 6, 12_000


@pytest.fixture(scope="module")
def folder(reasoner: Reasoner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cluster")
    excluded = {first for first, *_ in reasoner.reader.exclusions}
    found = {v.name: v.states for v in reasoner.reader.inputs("findings").values() if v.name not in excluded}
    (place / "in").mkdir()
    for number in range(FILES):
        rng, columns = np.random.default_rng(number), {}
        for name, states in found.items():
            codes = pa.array(rng.integers(0, len(states), ROWS), mask=rng.random(ROWS) < 0.5)
            columns[name] = pa.DictionaryArray.from_arrays(codes, pa.array(states)).cast(pa.string())
        columns["row_name"] = pa.array([f"{number}-{row}" for row in range(ROWS)])
        pq.write_table(pa.table(columns), place / "in" / f"{number}.parquet", row_group_size=2000)
    done = CliRunner().invoke(main, ["batch", str(place / "in"), str(place / "here"), *OPTIONS])
    assert done.exit_code == 0, done.stderr
    return place


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as found:
        yield found


OPTIONS = ["--keep", "row_name", "--rows", "500", "--threads", "1"]


def same_results(found: Path, wanted: Path) -> None:
    names = sorted(path.name for path in wanted.iterdir())
    assert sorted(path.name for path in found.iterdir()) == names
    rows = []
    for name in names:
        assert (found / name).read_bytes() == (wanted / name).read_bytes()
        rows += pq.read_table(found / name)["row_name"].to_pylist()
    assert len(rows) == len(set(rows)) == FILES * ROWS


def test_a_worker_killed_mid_run_costs_no_row_and_doubles_none(folder: Path, cluster: LocalCluster) -> None:
    target = folder / "there"
    command = [*COMMAND, str(folder / "in"), str(target), *OPTIONS, "--cluster", cluster.scheduler_address]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    victim = wait_for(lambda: working(target, cluster), process)
    assert victim is not None, process.communicate()[1]
    os.kill(victim, 9)
    parts = len(list(target.glob("*.parts/part-*")))
    error = process.communicate(timeout=120)[1]
    assert process.returncode == 0, error
    assert 0 < parts < FILES * ROWS // 500  # it was killed in the middle
    assert f"{FILES * ROWS:,} rows in {target}" in error
    same_results(target, folder / "here")


def working(target: Path, cluster: LocalCluster) -> int | None:
    """Return the process of a worker once some parts are there and not all files are done."""
    if len(list(target.glob("*.parts/part-*"))) < 5:
        return None
    pids = [worker.pid for worker in cluster.workers.values() if worker.pid]
    return pids[0] if pids else None


def wait_for(found: Callable[[], int | None], process: subprocess.Popen[str]) -> int | None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        if (value := found()) is not None:
            return value
        time.sleep(0.002)
    return None


def test_workers_of_its_own(folder: Path) -> None:
    done = subprocess.run(
        [*COMMAND, str(folder / "in"), str(folder / "own"), *OPTIONS, "--workers", "2"],
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    same_results(folder / "own", folder / "here")


def test_bad_rows_anywhere_stop_all_before_anything_is_written(folder: Path, cluster: LocalCluster) -> None:
    place = folder / "bad"
    place.mkdir()
    table = pq.read_table(folder / "in" / "0.parquet")
    name = table.schema.names[0]
    pq.write_table(table, place / "good.parquet")
    spoilt = table.slice(0, 9).set_column(0, name, pa.array([None] * 8 + ["nothing"], pa.string()))
    pq.write_table(spoilt, place / "wrong.parquet")
    options = [*OPTIONS, "--cluster", cluster.scheduler_address]
    done = subprocess.run([*COMMAND, str(place), str(folder / "no"), *options], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"{place / 'wrong.parquet'}: row 8, column {name}" in done.stderr and "Traceback" not in done.stderr
    assert not (folder / "no").exists()


def test_no_scheduler(folder: Path) -> None:
    command = [*COMMAND, str(folder / "in"), str(folder / "no"), *OPTIONS, "--cluster", "nonsense://nowhere"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "nonsense://nowhere: no scheduler answers" in done.stderr
    assert "Traceback" not in done.stderr
