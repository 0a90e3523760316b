"""The command as a user meets it: a process of its own, its two output streams and its exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LIBRARIES = ("pgmpy", "pandas", "matplotlib", "scipy", "sklearn", "pyshacl")


def run(*arguments: str, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "hepagraph.service.cli", *arguments]
    environment = {key: value for key, value in os.environ.items() if key != "HEPAGRAPH_ONTOLOGY"}
    return subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, env=environment, check=False, timeout=300)


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_json_writes_one_result_a_line_in_input_order(root: Path) -> None:
    paths = sorted(map(str, (root / "examples").glob("*.json")))
    done = run("posterior", *paths, "--json")
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert [result["id"] for result in results] == [json.loads(Path(path).read_text())["id"] for path in paths]
    for result in results:
        for lesion in result["lesions"]:
            assert sum(lesion["posterior"].values()) == pytest.approx(1, abs=1e-9)


def test_text_never_prints_certainty_and_says_what_it_is_not(root: Path) -> None:
    done = run("posterior", *sorted(map(str, (root / "examples").glob("*.json"))))
    text = done.stdout.decode()
    assert done.returncode == 0
    assert " 100.0 %" not in text
    assert "> 99.9 %" in text
    assert "not a medical device" in text


def test_standard_input_takes_json_lines(data: Path) -> None:
    lines = b"\n".join(encoded({"id": name, "lesions": [{"findings": {"toss": "heads"}}]}) for name in "ab")
    done = run("posterior", "-", "--json", "--ontology", str(data / "coin"), stdin=lines)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["a", "b"]


def test_one_bad_case_among_many_writes_nothing(data: Path) -> None:
    lines = encoded({"lesions": [{"findings": {}}]}) + b"\n" + encoded({"lesions": [{"findings": {"tos": 1}}]})
    done = run("posterior", "-", "--json", "--ontology", str(data / "coin"), stdin=lines)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"standard input line 2: case / lesion L1: unknown finding 'tos'; did you mean toss?" in done.stderr


def test_empty_findings_warn_on_standard_error(data: Path) -> None:
    stdin = encoded({"lesions": [{"findings": {}}]})
    done = run("posterior", "-", "--json", "--ontology", str(data / "coin"), stdin=stdin)
    assert done.returncode == 0
    assert json.loads(done.stdout)["lesions"][0]["warnings"][0]["level"] == "warning"
    assert b"no finding was given" in done.stderr


JUNK = {
    "ten megabytes of bytes": (bytes(range(256)) * 40_000, b"not UTF-8"),
    "ten megabytes of text": (b"lorem ipsum " * 850_000, b"is not JSON"),
    "ten megabytes of brackets": (b"[" * 10_000_000, b"nested too deeply"),
    "nothing": (b"", b"is empty"),
    "a repeated key": (b'{"lesions": [{"findings": {"toss": "heads", "toss": "tails"}}]}', b"'toss' stands twice"),
    "not a number": (b'{"lesions": [{"findings": {"toss": NaN}}]}', b"NaN is not a number"),
    "a huge integer": (b'{"lesions": [{"findings": {"toss": ' + b"9" * 5000 + b"}}]}", b"hepagraph: "),
    "an empty list": (b"[]", b"empty list"),
}


@pytest.mark.parametrize("name", list(JUNK))
def test_junk_is_refused_shortly(data: Path, name: str) -> None:
    stdin, says = JUNK[name]
    done = run("posterior", "-", "--json", "--ontology", str(data / "coin"), stdin=stdin)
    assert (done.returncode, done.stdout) == (2, b"")
    assert says in done.stderr
    assert b"Traceback" not in done.stderr
    assert len(done.stderr) < 2000


def test_missing_file_and_unknown_command(tmp_path: Path) -> None:
    done = run("posterior", "nowhere.json", cwd=tmp_path)
    assert done.returncode == 2
    assert b"nowhere.json: cannot be read" in done.stderr
    assert run("posteriors").returncode == 2


def test_sparql_answers_as_table_json_and_csv(data: Path, tmp_path: Path) -> None:
    query = tmp_path / "q.rq"
    query.write_text("SELECT ?s WHERE { ?s a fl:ImagingFeature }")
    coin = str(data / "coin")
    assert b"(1 row)" in run("sparql", str(query), "--ontology", coin).stdout
    rows = json.loads(run("sparql", "-", "--json", "--ontology", coin, stdin=query.read_bytes()).stdout)
    assert [list(row) for row in rows] == [["s"]]
    assert run("sparql", str(query), "--csv", "--ontology", coin).stdout.splitlines()[0] == b"s"
    bad = run("sparql", "-", "--ontology", coin, stdin=b"SELECT")
    assert bad.returncode == 2
    assert b"cannot be parsed" in bad.stderr


def test_named_queries_and_their_nearest_match(expected: dict[str, Any]) -> None:
    name = next(iter(expected["queries"]))
    assert run("sparql", name).returncode == 0
    done = run("sparql", name[:-1])
    assert done.returncode == 2
    assert f"did you mean {name}?".encode() in done.stderr


def test_a_named_query_takes_parameters_and_names_what_is_wrong(expected: dict[str, Any]) -> None:
    asked = expected["sparql"]
    name, parameter, value = asked["name"], asked["parameter"], asked["value"]
    for store in ("rdflib", "oxigraph"):
        done = run("sparql", name, "--param", f"{parameter}={value}", "--json", "--store", store)
        assert done.returncode == 0, done.stderr
        rows = json.loads(done.stdout)
        assert {row[parameter] for row in rows} == {asked["thing"]}
    for arguments, says in (
        (["--param", f"{parameter}={value[:-1]}"], f"did you mean {value}?"),
        (["--param", f"{parameter[:-1]}={value}"], f"did you mean {parameter}?"),
        (["--param", value], "is not NAME=VALUE"),
        (["--store", "oxigraphh"], "allowed: auto, rdflib, oxigraph"),
    ):
        done = run("sparql", name, *arguments)
        assert (done.returncode, done.stdout) == (2, b""), arguments
        assert says in done.stderr.decode()


def test_the_list_of_queries_says_what_each_answers() -> None:
    rows = json.loads(run("sparql", "--list", "--json").stdout)
    assert len(rows) >= 40
    assert all(row["question"] for row in rows)


def test_a_query_of_the_compiled_layer_sees_the_network(data: Path) -> None:
    text = b"SELECT (COUNT(DISTINCT ?row) AS ?n) (SUM(?p) AS ?sum) WHERE { ?row fl:hasParameter/fl:probability ?p }"
    (row,) = json.loads(run("sparql", "-", "--json", "--ontology", str(data / "coin"), stdin=text).stdout)
    assert row["sum"] == pytest.approx(row["n"])


SHEET = "id,given,feature,state,k,n,grade,title\nNEW-1,fair,toss,heads,6,8,A,A toss\n"


def test_a_sheet_is_imported_exported_and_not_imported_twice(data: Path, tmp_path: Path) -> None:
    (tmp_path / "coin.ttl").write_text((data / "coin" / "coin.ttl").read_text())
    folder = ("--ontology", str(tmp_path))
    dry = run("evidence", "import", "-", "--dry-run", *folder, stdin=SHEET.encode())
    assert (dry.returncode, b"would be written" in dry.stdout) == (0, True)
    assert not (tmp_path / "evidence").exists()
    done = run("evidence", "import", "-", "--json", *folder, stdin=SHEET.encode())
    assert json.loads(done.stdout)["files"][0]["statements"] == 1
    assert b"NEW-1" in run("evidence", "export", *folder).stdout
    again = run("evidence", "import", "-", *folder, stdin=SHEET.encode())
    assert (again.returncode, again.stdout) == (2, b"")
    assert b"is in the ontology already" in again.stderr
    bad = run("evidence", "import", "-", *folder, stdin=SHEET.replace("6,8", "9,8").replace("NEW-1", "N-2").encode())
    assert (bad.returncode, bad.stdout) == (2, b"")
    assert b"standard input line 2 / k: k = 9 is more than n = 8" in bad.stderr
    assert len(list((tmp_path / "evidence").iterdir())) == 1


@pytest.fixture(scope="module")
def stats() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("ontology", "stats", "--json").stdout)
    return found


def test_what_was_left_out_has_its_reason() -> None:
    left_out = json.loads(run("evidence", "report", "--left-out", "--json").stdout)
    assert len(left_out) == 35
    assert all(row["reason"] for row in left_out)


def test_the_use_of_every_statement_is_told(stats: dict[str, Any]) -> None:
    uses = json.loads(run("evidence", "report", "--use", "--json").stdout)
    assert len(uses) == stats["statements"]
    assert sum(row["use"] == "in the network" for row in uses) == stats["statements_in_network"]
    assert all(row["use"] for row in uses)


def test_coverage_is_that_of_the_statistics(data: Path, stats: dict[str, Any]) -> None:
    assert json.loads(run("evidence", "coverage", "--json").stdout) == stats["coverage"]
    printed = run("evidence", "coverage", "--csv", "--ontology", str(data / "coin")).stdout.decode().splitlines()
    assert printed == ["feature,biased,fair", "toss,A 1,A 1"]


@pytest.mark.parametrize("name", ["turtle", "jsonld", "nt", "nquads", "obograph"])
def test_the_ontology_is_exported(data: Path, name: str) -> None:
    done = run("ontology", "export", "--format", name, "--ontology", str(data / "coin"))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) > 1000


def test_validate_passes_on_a_toy_and_fails_readably_on_a_broken_copy(data: Path, tmp_path: Path) -> None:
    """The packaged ontology is validated in tests/ontology/test_validation.py."""
    assert run("ontology", "validate", str(data / "coin")).returncode == 0
    text = (data / "coin" / "coin.ttl").read_text(encoding="utf-8")
    (tmp_path / "coin.ttl").write_text(text.replace("fl:k 30 ; fl:n 40", "fl:k 30 ; fl:n 4"), encoding="utf-8")
    done = run("ontology", "validate", str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"heads_of_biased" in done.stderr
    assert b"k is a whole number of at least 0 and at most n" in done.stderr
    assert b"(from made_up)" in done.stderr


def test_broken_turtle_is_named_by_every_command(data: Path, tmp_path: Path) -> None:
    (tmp_path / "features.ttl").write_text((data / "coin" / "coin.ttl").read_text(encoding="utf-8")[:2000])
    folder = str(tmp_path)
    for arguments in (
        ("ontology", "validate", folder),
        ("ontology", "stats", folder),
        ("posterior", "-", "--ontology", folder),
    ):
        done = run(*arguments, stdin=b'{"lesions": [{"findings": {}}]}')
        assert done.returncode == 2
        assert b"features.ttl: line" in done.stderr
        assert b"Traceback" not in done.stderr


def test_stats_count_what_is_there(stats: dict[str, Any]) -> None:
    found = stats
    assert sum(found["statements_by_grade"].values()) == found["statements"]
    assert sum(found["statements_by_quantity"].values()) == found["statements"]
    assert sum(found["cells_by_best_evidence"].values()) == found["cells"]
    assert found["cells_by_best_evidence"].get("none", 0) == 0
    assert (found["review_concepts"], found["rows_imported"], found["rows_left_out"]) == (487, 1653, 35)
    assert sum(len(features) for features in found["coverage"].values()) == found["cells"]
    assert len(found["matches_by_vocabulary"]) == 22


def test_export_writes_whole_files_or_none(data: Path, tmp_path: Path) -> None:
    coin = str(data / "coin")
    for name in ("graphml", "jsonld", "dot", "mermaid", "xdsl"):
        done = run("export", "--format", name, "-o", str(tmp_path / name), "--ontology", coin)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name).stat().st_size > 100
    done = run("export", "--format", "dot", "-o", str(tmp_path / "no" / "where"), "--ontology", coin)
    assert done.returncode == 2
    assert run("export", "--format", "dot", "--input", "codes", "--ontology", coin).returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dot", "graphml", "jsonld", "mermaid", "xdsl"]
    assert run("export", "--format", "dot", "--around", "tosss", "--ontology", coin).returncode == 2


def test_uai_has_its_names_beside_it(data: Path, tmp_path: Path) -> None:
    written = run("export", "--format", "uai", "-o", str(tmp_path / "coin.uai"), "--ontology", str(data / "coin"))
    assert written.returncode == 0
    names = json.loads((tmp_path / "coin.uai.names.json").read_text(encoding="utf-8"))
    sizes = [len(variable["states"]) for variable in names["variables"]]
    assert (tmp_path / "coin.uai").read_text(encoding="utf-8").splitlines()[2] == " ".join(map(str, sizes))
    assert names["notice"]
    printed = run("export", "--format", "uai", "--ontology", str(data / "coin"))
    assert printed.stdout.startswith(b"BAYES\n")
    assert b"keeps no names" in printed.stderr


def test_onnx_is_written_as_bytes(data: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    command = ("export", "--format", "onnx", "--ontology", str(data / "coin"))
    assert run(*command, "-o", str(tmp_path / "coin.onnx")).returncode == 0
    assert run(*command).stdout == (tmp_path / "coin.onnx").read_bytes()
    assert onnx.load(tmp_path / "coin.onnx").producer_name == "hepagraph"


def test_demo_ends_with_bars_reasons_and_sources() -> None:
    done = run("demo")
    text = done.stdout.decode()
    assert done.returncode == 0
    assert "##########" in text
    assert "95 % interval" in text
    assert re.search(r"doi:10\.|PMID [0-9]+", text)


def test_answering_a_case_imports_no_heavy_library(data: Path) -> None:
    code = (
        "import sys; from hepagraph.inference import Reasoner; "
        f"Reasoner.load({str(data / 'coin')!r}).posterior({{'lesions': [{{'findings': {{'toss': 'heads'}}}}]}}); "
        f"print([name for name in {LIBRARIES!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_starting_the_command_imports_none_of_the_large_libraries() -> None:
    code = (
        "import sys, hepagraph.service.cli; "
        "print([name for name in ('rdflib', 'networkx', 'numpy', 'pgmpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
