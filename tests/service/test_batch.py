"""Parquet to Parquet: equal to the reasoner, all or nothing, bounded memory, and whole again after a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from hepagraph.inference import Reasoner
from hepagraph.inference.columns import Cells, ColumnReader
from hepagraph.service import batch_sources
from hepagraph.service.cli import main
from hepagraph.service.learn import EntityClassifier

KILLED = 9
COMMAND = [sys.executable, "-m", "hepagraph.service.cli", "batch"]


def batch(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["batch", *map(str, arguments)])


@pytest.fixture(scope="session")
def features(reasoner: Reasoner) -> dict[str, tuple[str, ...]]:
    excluded = {first for first, *_ in reasoner.reader.exclusions}
    found = {v.name: v.states for v in reasoner.reader.inputs("findings", "patient").values() if not v.measure}
    return {name: states for name, states in found.items() if name not in excluded}


@pytest.fixture(scope="session")
def table(features: dict[str, tuple[str, ...]]) -> Callable[[int], pa.Table]:
    def make(rows: int, seed: int = 0) -> pa.Table:
        rng = np.random.default_rng(seed)
        columns = {"row_name": pa.array([f"r{seed}-{row}" for row in range(rows)])}
        for name, states in features.items():
            codes = pa.array(rng.integers(0, len(states), rows), mask=rng.random(rows) < 0.5)
            columns[name] = pa.DictionaryArray.from_arrays(codes, pa.array(states)).cast(pa.string())
        return pa.table(columns)

    return make


def test_results_are_the_posteriors_with_what_was_kept(
    reasoner: Reasoner, table: Callable[..., pa.Table], tmp_path: Path
) -> None:
    given = table(500)
    pq.write_table(given, tmp_path / "in.parquet", row_group_size=70)
    done = batch(tmp_path / "in.parquet", tmp_path / "out.parquet", "--keep", "row_name", "--rows", "64")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"hepagraph: 500 rows in {tmp_path / 'out.parquet'}\n"
    found = pq.read_table(tmp_path / "out.parquet")
    entities = reasoner.entities()
    assert found.schema.names == ["row_name", *(f"p_{e}" for e in entities), "log_evidence"]
    assert found["row_name"].equals(given["row_name"])
    frame = given.drop_columns(["row_name"]).to_pandas()
    model = EntityClassifier(reasoner).fit(frame)
    ours = np.column_stack([found[f"p_{e}"] for e in sorted(entities)])
    np.testing.assert_allclose(ours, model.predict_proba(frame), atol=1e-12)
    np.testing.assert_allclose(found["log_evidence"], model.score_samples(frame), atol=1e-9)
    assert (
        json.loads(found.schema.metadata[b"hepagraph"])["model"]["ontology_sha256"]
        == model.reasoner_.model["ontology_sha256"]
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]


def test_cells_of_every_kind_and_the_examination_as_arrow_has_them(
    reasoner: Reasoner, random_rows: Any, as_case: Any, expected: dict[str, Any], tmp_path: Path
) -> None:
    """JSON Lines takes every cell that a case does; a row that no case could say is told apart, with the reason."""
    exam = expected["case"]["exam"][0]
    rows = [{**row, **exam} if i % 2 else row for i, row in enumerate(random_rows(np.random.default_rng(8), 60))]
    lines = "".join(json.dumps({"id": i, **row}) + "\n\n" for i, row in enumerate(rows))
    (tmp_path / "in.jsonl").write_text(lines, encoding="utf-8")
    done = batch(tmp_path / "in.jsonl", tmp_path / "out.parquet", "--keep", "id", "--bad-rows", "null", "--rows", "7")
    assert done.exit_code == 0, done.stderr
    found = pq.read_table(tmp_path / "out.parquet").to_pylist()
    bad = 0
    for position, (row, answer) in enumerate(zip(rows, found, strict=True)):
        assert answer["id"] == str(position)
        try:
            lesion = reasoner.posterior(as_case(row), surprise=False, reasons=False).lesions[0]
        except ValueError:
            bad += 1
            assert answer["problem"] and answer["log_evidence"] is None
            assert all(answer[f"p_{e}"] is None for e in reasoner.entities())
            continue
        assert answer["problem"] is None
        np.testing.assert_allclose(
            [answer[f"p_{e}"] for e in lesion.posterior], list(lesion.posterior.values()), atol=1e-6
        )
    assert 0 < bad < 60
    assert done.stderr.startswith(f"hepagraph: 60 rows in {tmp_path / 'out.parquet'} ({bad} of them bad)")


def test_arrow_types(reasoner: Reasoner, features: dict[str, tuple[str, ...]], tmp_path: Path) -> None:
    (name, states), (other, values), (third, more) = [item for item in features.items() if len(item[1]) > 2][:3]
    measured = next(v.measure for v in reasoner.reader.variables.values() if v.section == "lesion" and v.measure)
    table = pa.table(
        {
            name: pa.array([list(states[:2]), None, list(states[:1])], pa.list_(pa.string())),
            other: pa.array([[(values[0], 0.5), (values[1], 1.0)], None, None], pa.map_(pa.string(), pa.float64())),
            third: pa.array([{more[0]: 1.0, more[1]: 0.25}, None, {more[0]: 1.0, more[1]: None}]),
            measured.key: pa.array([12, None, 40], pa.int16()),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    assert batch(tmp_path / "in.parquet", tmp_path / "out.parquet").exit_code == 0
    found = pq.read_table(tmp_path / "out.parquet").to_pylist()
    cases = [
        {
            name: list(states[:2]),
            other: {values[0]: 0.5, values[1]: 1.0},
            third: {more[0]: 1.0, more[1]: 0.25},
            measured.key: 12,
        },
        {},
        {name: states[0], third: more[0], measured.key: 40},
    ]
    for case, answer in zip(cases, found, strict=True):
        wanted = reasoner.posterior({"lesions": [{"findings": case}]}).lesions[0].posterior
        np.testing.assert_allclose([answer[f"p_{e}"] for e in wanted], list(wanted.values()), atol=1e-6)


def test_bad_rows_are_named_and_nothing_is_written(
    table: Callable[..., pa.Table], features: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    given, name = table(300).to_pandas(), next(iter(features))
    given.loc[[170, 290], name] = features[name][0] + "x"
    given.to_parquet(tmp_path / "in.parquet", row_group_size=50)
    done = batch(tmp_path / "in.parquet", tmp_path / "out.parquet", "--drop", "row_name", "--rows", "40")
    assert done.exit_code == 2 and "Traceback" not in done.output
    for row in (170, 290):
        assert (
            f"row {row}, column {name}: '{features[name][0]}x' is not a state of {name}; did you mean {features[name][0]}"
            in done.stderr
        )
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]
    done = batch(tmp_path / "in.parquet", tmp_path / "o.parquet", "--drop", "row_name", "--bad-rows", "null")
    assert done.exit_code == 0
    problems = pq.read_table(tmp_path / "o.parquet")["problem"].to_pylist()
    assert [row for row, problem in enumerate(problems) if problem] == [170, 290]
    assert f"column {name}" in problems[170]


def test_a_folder_gives_a_folder_and_one_bad_file_stops_all(
    table: Callable[..., pa.Table], features: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    for number, place in enumerate(("a", "deep/b", "c")):
        path = tmp_path / "in" / f"{place}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table(40 + number, seed=number), path)
    bad = table(10).to_pandas()
    bad.loc[3, next(iter(features))] = "nothing"
    bad.to_parquet(tmp_path / "in" / "z.parquet")
    done = batch(tmp_path / "in", tmp_path / "out", "--keep", "row_name")
    assert done.exit_code == 2
    assert f"{tmp_path / 'in' / 'z.parquet'}: row 3, column" in done.stderr
    assert not (tmp_path / "out").exists()
    (tmp_path / "in" / "z.parquet").unlink()
    done = batch(tmp_path / "in", tmp_path / "out", "--keep", "row_name")
    assert done.exit_code == 0 and "123 rows" in done.stderr
    rows = {
        str(path.relative_to(tmp_path / "out")): pq.read_metadata(path).num_rows
        for path in (tmp_path / "out").rglob("*.*")
    }
    assert rows == {"a.parquet": 40, "deep/b.parquet": 41, "c.parquet": 42}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.parquet", "out.parquet"], "missing.parquet: cannot be read"),
        (["broken.parquet", "out.parquet"], "broken.parquet: cannot be read"),
        (["broken.jsonl", "out.parquet"], "broken.jsonl line 2: is not JSON"),
        (["list.jsonl", "out.parquet"], "list.jsonl line 1: is no JSON object"),
        (["in.parquet", "in.parquet"], "is an input too"),
        (["in.parquet", "out.parquet"], "unknown column 'row_name'"),
        (["in.parquet", "out.parquet", "--keep", "row_nam"], "there is no column 'row_nam'; did you mean row_name"),
        (["in.parquet", "out.parquet", "--differential", "x"], "'x' is not known"),
        (["empty", "out"], "holds no file that ends in .parquet"),
        (["in.parquet", "out.parquet", "--workers", "1", "--cluster", "x"], "cannot be given with --cluster"),
        (["in.parquet", "broken.jsonl/out.parquet", "--drop", "row_name"], "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], message: str, table: Callable[..., pa.Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pq.write_table(table(3), "in.parquet")
    Path("empty").mkdir()
    Path("broken.parquet").write_bytes(b"PAR1 nothing PAR1")
    Path("broken.jsonl").write_text('{"row_name": 1}\n{"row_name": \n', encoding="utf-8")
    Path("list.jsonl").write_text("[1]\n", encoding="utf-8")
    before = sorted(Path().rglob("*"))
    done = batch(*arguments)
    assert done.exit_code == 2 and message in done.stderr and "Traceback" not in done.output
    assert sorted(Path().rglob("*")) == before


def test_no_rows_give_no_rows(table: Callable[..., pa.Table], tmp_path: Path) -> None:
    pq.write_table(table(0), tmp_path / "in.parquet")
    assert batch(tmp_path / "in.parquet", tmp_path / "out.parquet", "--keep", "row_name").exit_code == 0
    assert len(pq.read_table(tmp_path / "out.parquet")) == 0


def test_a_result_is_made_again_only_when_something_changed(table: Callable[..., pa.Table], tmp_path: Path) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(table(50), source)
    arguments = (source, target, "--keep", "row_name")
    assert "50 rows" in batch(*arguments).stderr
    assert "is there already" in batch(*arguments).stderr
    assert "50 rows" in batch(*arguments, "--differential", "wide").stderr
    pq.write_table(table(51), source)
    assert "51 rows" in batch(*arguments).stderr


def test_threads_and_chunks_do_not_matter(table: Callable[..., pa.Table], tmp_path: Path) -> None:
    pq.write_table(table(400), tmp_path / "in.parquet", row_group_size=150)
    found = []
    for number, options in enumerate((("--threads", "1"), ("--threads", "4", "--rows", "33"), ("--rows", "1000"))):
        target = tmp_path / f"{number}.parquet"
        assert batch(tmp_path / "in.parquet", target, "--keep", "row_name", *options).exit_code == 0
        found.append(pq.read_table(target))
    for other in found[1:]:
        assert other["row_name"].equals(found[0]["row_name"])
        for name in found[0].schema.names[1:]:
            np.testing.assert_allclose(other[name], found[0][name], atol=1e-6)


@pytest.mark.skipif(os.name != "posix", reason="no kill -9")
def test_after_a_kill_the_next_run_goes_on_and_the_result_is_the_same(
    table: Callable[..., pa.Table], tmp_path: Path
) -> None:
    """Killed while it checks, at the start, in the middle, twice, and at the end: always what an uninterrupted run
    writes, byte for byte; before, the result is not there, or it is whole."""
    pq.write_table(table(40_000), tmp_path / "in.parquet", row_group_size=7_000)
    options = ["--keep", "row_name", "--rows", "1000", "--threads", "2"]
    whole = tmp_path / "whole.parquet"
    subprocess.run([*COMMAND, str(tmp_path / "in.parquet"), str(whole), *options], check=True, capture_output=True)
    assert pq.read_metadata(whole).num_rows == 40_000
    caught = []
    for kills in ([-1], [0], [1], [20], [5, 30], [39]):
        target = tmp_path / f"killed-{'-'.join(map(str, kills))}.parquet"
        command = [*COMMAND, str(tmp_path / "in.parquet"), str(target), *options]
        for parts in kills:
            caught.append(killed_after(command, target, parts))
            assert not target.exists() or target.read_bytes() == whole.read_bytes()
        there = target.exists()
        left = len(list(Path(f"{target}.parts").glob("part-*")))
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        if left and not there:
            assert f"({left} parts were there already)" in done.stderr
        assert target.read_bytes() == whole.read_bytes()
        assert not Path(f"{target}.parts").exists()
    in_time = [found for found in caught if found is not None]
    assert len(in_time) >= 5 and max(in_time) >= 20  # the command was really cut off, in the middle too


def killed_after(command: list[str], target: Path, parts: int) -> int | None:
    """Kill the command when so many parts are there; return how many there were, None where it was done before."""
    folder = Path(f"{target}.parts")
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    started = time.monotonic()
    deadline = started + 60
    while process.poll() is None and time.monotonic() < deadline:
        soon = parts < 0 and time.monotonic() > started + 0.7
        if soon or (folder.exists() and len(list(folder.glob("part-*"))) >= parts >= 0):
            process.kill()
            break
        time.sleep(0.0005)
    process.communicate()
    return len(list(folder.glob("part-*"))) if process.returncode == -KILLED else None


def lines_of(table: pa.Table) -> str:
    rows = ({name: cell for name, cell in row.items() if cell is not None} for row in table.to_pylist())
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize("bad_rows", ["error", "null"])
def test_json_lines_are_read_twice_and_never_more(
    table: Callable[..., pa.Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad_rows: str
) -> None:
    given = table(300)
    (tmp_path / "in.jsonl").write_text(lines_of(given), encoding="utf-8")
    parsed = []
    parse = batch_sources.parse_json
    monkeypatch.setattr(batch_sources, "parse_json", lambda text, where: (parsed.append(where), parse(text, where))[1])
    options = ("--keep", "row_name", "--rows", "40", "--bad-rows", bad_rows)
    assert batch(tmp_path / "in.jsonl", tmp_path / "lines.parquet", *options).exit_code == 0
    assert len(parsed) == 2 * 300 and len(set(parsed)) == 300
    pq.write_table(given, tmp_path / "in.parquet")
    assert batch(tmp_path / "in.parquet", tmp_path / "columns.parquet", *options).exit_code == 0
    assert pq.read_table(tmp_path / "lines.parquet").equals(pq.read_table(tmp_path / "columns.parquet"))
    parsed.clear()
    assert "is there already" in batch(tmp_path / "in.jsonl", tmp_path / "lines.parquet", *options).stderr
    assert not parsed


def test_columns_of_json_lines_are_told_before_rows_however_late_they_come(
    features: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    """All of them at once, and nothing is written; one of them stands in the last line."""
    (name, states), *_ = features.items()
    rows = [{name: "nothing"}] * 200 + [{name: states[0], "first": 1}] + [{}] * 200 + [{"last": 1}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = batch(tmp_path / "in.jsonl", tmp_path / "out.parquet", "--rows", "30")
    assert done.exit_code == 2
    assert "unknown column 'first'" in done.stderr and "unknown column 'last'" in done.stderr
    assert "row " not in done.stderr
    done = batch(tmp_path / "in.jsonl", tmp_path / "out.parquet", "--rows", "30", "--drop", "first,last")
    assert done.exit_code == 2 and f"row 0 (and 29 more rows), column {name}" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.skipif(os.name != "posix", reason="no kill -9")
def test_after_a_kill_json_lines_are_gone_on_with_too(table: Callable[..., pa.Table], tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(lines_of(table(8_000)), encoding="utf-8")
    options = ["--keep", "row_name", "--rows", "200"]
    whole = tmp_path / "whole.parquet"
    subprocess.run([*COMMAND, str(tmp_path / "in.jsonl"), str(whole), *options], check=True, capture_output=True)
    caught = []
    for parts in (-1, 0, 3, 25):
        target = tmp_path / f"killed{parts}.parquet"
        command = [*COMMAND, str(tmp_path / "in.jsonl"), str(target), *options]
        caught.append(killed_after(command, target, parts))
        left = len(list(Path(f"{target}.parts").glob("part-*")))
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert not left or f"({left} parts were there already)" in done.stderr
        assert target.read_bytes() == whole.read_bytes()
        assert not Path(f"{target}.parts").exists()
    assert max(found for found in caught if found is not None) >= 3


def test_time_is_short_for_many_different_mistakes(reasoner: Reasoner, features: dict[str, tuple[str, ...]]) -> None:
    """To find the rows of one bad value must not take a look at all rows."""
    name = next(iter(features))
    count = 30_000
    column = Cells([f"no state {number}" for number in range(count)], np.arange(count)[::-1].copy())
    started = time.monotonic()
    found = ColumnReader(reasoner.reader).read({name: column})
    assert time.monotonic() - started < 60
    assert len(found.faults) == count
    assert [fault.rows.tolist() for fault in found.faults[:2]] == [[count - 1], [count - 2]]


def test_parts_of_another_run_are_not_used(table: Callable[..., pa.Table], tmp_path: Path) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(table(3000), source)
    command = [*COMMAND, str(source), str(target), "--rows", "100", "--keep", "row_name"]
    if killed_after(command, target, 5) is None:
        pytest.skip("the command was too quick to be killed")
    pq.write_table(table(3000, seed=1), source)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "parts were there" not in done.stderr
    assert pq.read_table(target)["row_name"].equals(table(3000, seed=1)["row_name"])


def test_memory_is_that_of_chunks_and_not_of_rows(table: Callable[..., pa.Table], tmp_path: Path) -> None:
    """Ten times the rows, in one row group, take about the same memory."""
    script = (
        "import resource, sys\n"
        "from hepagraph.service.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    peaks = []
    for rows in (15_000, 150_000):
        source = tmp_path / f"{rows}.parquet"
        pq.write_table(table(rows).drop_columns(["row_name"]), source, row_group_size=rows)
        command = [
            sys.executable,
            "-c",
            script,
            "batch",
            str(source),
            f"{source}.out",
            "--rows",
            "5000",
            "--threads",
            "1",
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks.append(int(done.stdout))
    assert peaks[1] < peaks[0] + 60, peaks


def test_a_bar_is_drawn_on_a_terminal(
    table: Callable[..., pa.Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    pq.write_table(table(90), tmp_path / "in.parquet")
    arguments = [
        "batch",
        str(tmp_path / "in.parquet"),
        str(tmp_path / "out.parquet"),
        "--rows",
        "30",
        "--drop",
        "row_name",
    ]
    main(arguments, standalone_mode=False)
    drawn = capsys.readouterr().err
    assert "checking [" in drawn and "scoring [####################..........] 60/90" in drawn


def test_a_missing_library_is_said_with_the_command(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "in.parquet")
    code = f"import sys; sys.modules['pyarrow'] = None; from hepagraph.service.cli import main; main(['batch', {str(tmp_path / 'in.parquet')!r}, 'x'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and "pip install 'hepagraph[batch]'" in done.stderr
