"""Queries are answered in a process that can be ended: limits of time, rows and memory hold, and nothing gets out."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hepagraph.ontology import QueryError, content_hash, find_ontology
from hepagraph.service.sparql_limits import SparqlLimits
from hepagraph.service.sparql_workers import (
    BusyError,
    QueryMemoryError,
    QueryTimeoutError,
    SparqlWorkers,
    StaleError,
)

LIMITS = SparqlLimits(seconds=60, rows=5, processes=1)
# Every triple five times over: never ends, and needs hardly any memory.
ENDLESS = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?n1 ?o }"


@pytest.fixture(scope="module", params=["rdflib", "oxigraph"])
def coins(request: pytest.FixtureRequest, data: Path) -> Iterator[SparqlWorkers]:
    workers = SparqlWorkers(str(data / "coin"), engine=request.param, limits=LIMITS)
    yield workers
    workers.close()


def test_rows_and_graphs(coins: SparqlWorkers) -> None:
    asked = coins.ask("ASK { ?s a fl:Source }", rows=("plain",))
    assert (asked.kind, json.loads(asked.body)) == ("rows", {"columns": ["answer"], "rows": [[True]]})
    graph = coins.ask("CONSTRUCT { ?s a fl:Found } WHERE { ?s a fl:Source }", graph=("nt",))
    assert graph.kind == "graph"
    assert all(line.endswith(b"schema#Found> .") for line in graph.body.splitlines())
    assert coins.ask("DESCRIBE ?s WHERE { ?s a fl:Source }").body


def test_too_many_rows_are_cut_and_say_so(coins: SparqlWorkers) -> None:
    assert coins.ask("SELECT * { ?s ?p ?o } LIMIT 5", rows=("csv",)).truncated is False
    for text in ("SELECT * { ?s ?p ?o }", "CONSTRUCT WHERE { ?s ?p ?o }"):
        found = coins.ask(text, rows=("csv",), graph=("nt",))
        assert found.truncated is True
        assert len(found.body.splitlines()) == 5 + (found.kind == "rows")


def test_a_kind_without_a_format_is_refused(coins: SparqlWorkers) -> None:
    assert coins.ask("ASK {}", rows=()).format is None
    assert coins.ask("ASK {}", rows=("csv",)).format is None
    assert coins.ask("ASK {}", rows=("csv", "xml")).format == "xml"
    assert coins.ask("CONSTRUCT WHERE { ?s ?p ?o }", graph=()).format is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT ?s WHERE {",
        "INSERT DATA { <urn:a> <urn:b> <urn:c> }",
        "DELETE WHERE { ?s ?p ?o }",
        "LOAD <http://localhost:1/>",
        "CLEAR ALL",
        "DROP GRAPH <urn:g>",
        "SELECT * WHERE { SERVICE <http://localhost:1/> { ?s ?p ?o } }",
        "SELECT * WHERE { ?s ?p ?o FILTER EXISTS { SERVICE SILENT <http://localhost:1/> { ?s ?p ?o } } }",
        "SELECT * WHERE { { SELECT * WHERE { SERVICE ?where { ?s ?p ?o } } } }",
        r"SELECT * WHERE { \u0053ERVICE <http://localhost:1/> { ?s ?p ?o } }",
        "CONSTRUCT { ?s ?p ?o } FROM <http://localhost:1/x.ttl> WHERE { ?s ?p ?o }",
        "SELECT * FROM NAMED <http://localhost:1/x.ttl> WHERE { GRAPH ?g { ?s ?p ?o } }",
        "ASK { FILTER ( " + "(" * 3000 + "1" + ")" * 3000 + " ) }",
    ],
)
def test_what_is_no_reading_query_is_refused(coins: SparqlWorkers, text: str) -> None:
    with pytest.raises(QueryError):
        coins.ask(text)
    assert json.loads(coins.ask("ASK {}").body)["boolean"] is True


def test_the_word_service_is_no_reason_to_refuse(coins: SparqlWorkers) -> None:
    found = coins.ask('SELECT ?service WHERE { BIND ("SERVICE <http://x/> FROM LOAD" AS ?service) } # SERVICE')
    assert json.loads(found.body)["head"]["vars"] == ["service"]


@pytest.mark.parametrize("engine", ["rdflib", "oxigraph"])
def test_a_query_without_end_is_ended_and_the_next_is_answered(data: Path, engine: str) -> None:
    workers = SparqlWorkers(str(data / "skin"), engine=engine, limits=replace(LIMITS, seconds=1.5))
    try:
        workers.warm()
        started = time.monotonic()
        with pytest.raises(QueryTimeoutError, match=r"longer than 1\.5 seconds"):
            workers.ask(ENDLESS)
        assert time.monotonic() - started < 30
        assert json.loads(workers.ask("ASK {}").body)["boolean"] is True
        with ThreadPoolExecutor(1) as pool:
            busy = pool.submit(workers.ask, ENDLESS)
            time.sleep(0.3)
            with pytest.raises((BusyError, QueryTimeoutError)):
                workers.ask(ENDLESS)
            assert isinstance(busy.exception(), QueryTimeoutError)
    finally:
        workers.close()


@pytest.mark.parametrize("engine", ["rdflib", "oxigraph"])
def test_a_query_that_wants_too_much_memory_harms_nobody(data: Path, engine: str) -> None:
    workers = SparqlWorkers(str(data / "coin"), engine=engine, limits=replace(LIMITS, mebibytes=1500))
    doubled = " ".join(f"BIND (CONCAT(?v{i}, ?v{i}) AS ?v{i + 1})" for i in range(32))
    try:
        with pytest.raises(QueryError, match="memory"):
            workers.ask(f'SELECT (STRLEN(?v32) AS ?n) WHERE {{ BIND ("aa" AS ?v0) {doubled} }}')
        assert json.loads(workers.ask("ASK {}").body)["boolean"] is True
    finally:
        workers.close()


def test_after_closing_nothing_is_started(data: Path) -> None:
    workers = SparqlWorkers(str(data / "coin"), limits=LIMITS)
    workers.warm()
    workers.close()
    with pytest.raises((BusyError, QueryMemoryError)):
        workers.ask("ASK {}")
    with pytest.raises(BusyError):
        workers.ask("ASK {}")


def test_many_threads_share_the_processes(data: Path) -> None:
    workers = SparqlWorkers(str(data / "coin"), limits=replace(LIMITS, processes=2))
    try:
        with ThreadPoolExecutor(8) as pool:
            asked = [f"SELECT ?x WHERE {{ BIND ({number} AS ?x) }}" for number in range(40)]
            found = list(pool.map(lambda text: json.loads(workers.ask(text, rows=("plain",)).body)["rows"], asked))
        assert found == [[[number]] for number in range(40)]
    finally:
        workers.close()


def test_an_answer_that_is_too_large_is_refused(coins: SparqlWorkers, data: Path) -> None:
    workers = SparqlWorkers(str(data / "coin"), limits=replace(LIMITS, answer_bytes=2**20))
    long = " ".join(f"BIND (CONCAT(?v{i}, ?v{i}) AS ?v{i + 1})" for i in range(21))
    try:
        with pytest.raises(QueryError, match="larger than 1048576 bytes"):
            workers.ask(f'SELECT ?v21 WHERE {{ BIND ("a" AS ?v0) {long} }}')
        assert json.loads(workers.ask("ASK {}").body)["boolean"] is True
    finally:
        workers.close()


def test_an_error_is_told_in_a_few_words(coins: SparqlWorkers) -> None:
    with pytest.raises(QueryError) as caught:
        coins.ask("SELECT * WHERE { ?s ?p " + "x" * 50_000 + " ")
    assert len(str(caught.value)) <= 2000


# -- processes --------------------------------------------------------------------------------------------------------


def children_of(pid: int) -> set[int]:
    """Return the living children of a process."""
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found |= set(map(int, (task / "children").read_text().split()))
    return {child for child in found if is_alive(child)}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


on_linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")


@on_linux
def test_a_process_that_is_ended_from_outside_is_replaced(data: Path) -> None:
    """Between two questions nobody notices; within one its client is told, and the next question is answered."""
    before = children_of(os.getpid())
    workers = SparqlWorkers(str(data / "skin"), limits=LIMITS)
    try:
        workers.warm()
        (first,) = children_of(os.getpid()) - before
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: not is_alive(first))
        assert json.loads(workers.ask("ASK {}").body)["boolean"] is True
        (second,) = children_of(os.getpid()) - before
        assert second != first
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(workers.ask, ENDLESS)
            time.sleep(0.5)
            os.kill(second, signal.SIGKILL)
            assert isinstance(asked.exception(60), QueryMemoryError)
        assert json.loads(workers.ask("ASK {}").body)["boolean"] is True
    finally:
        workers.close()
    wait_until(lambda: children_of(os.getpid()) <= before)


@on_linux
def test_closing_ends_a_query_and_leaves_no_process(data: Path) -> None:
    before = children_of(os.getpid())
    workers = SparqlWorkers(str(data / "skin"), limits=replace(LIMITS, processes=2))
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(workers.ask, ENDLESS) for _ in range(4)]
        wait_until(lambda: len(children_of(os.getpid()) - before) == 2)
        time.sleep(1)
        workers.close()
        found = [one.exception(60) for one in asked]
    assert all(isinstance(one, QueryError) for one in found)
    wait_until(lambda: children_of(os.getpid()) <= before)


@on_linux
def test_a_process_ends_when_the_one_that_asks_is_killed(data: Path) -> None:
    script = (
        "import sys, time; from hepagraph.service.sparql_workers import SparqlWorkers; "
        "workers = SparqlWorkers(sys.argv[1]); workers.warm(); print('ready', flush=True); time.sleep(300)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(data / "coin")], stdout=subprocess.PIPE) as asking:
        assert asking.stdout and asking.stdout.readline() == b"ready\n"
        (child,) = children_of(asking.pid)
        asking.kill()
    wait_until(lambda: not is_alive(child))


def test_an_ontology_that_has_changed_is_not_answered_from(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "coin"
    shutil.copytree(data / "coin", folder)
    workers = SparqlWorkers(str(folder), sha256=content_hash(find_ontology(folder)), limits=LIMITS)
    facts = next(path for path in sorted(folder.rglob("*.ttl")) if "schema" not in path.parts)
    try:
        workers.warm()
        facts.write_text(facts.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
        assert workers.ask("ASK {}").body  # it holds what it has read
        with pytest.raises(StaleError, match="start the server anew"):
            workers.ask("SELECT * WHERE { ?s fl:compiledFrom ?o } LIMIT 1")  # it would have to read again
        workers.close()
        later = SparqlWorkers(str(folder), sha256="0" * 64, limits=LIMITS)
        for _ in range(2):
            with pytest.raises(StaleError):
                later.ask("ASK {}")
        later.close()
    finally:
        workers.close()


def test_a_query_does_not_know_the_token(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    start = subprocess.Popen

    def starting(*arguments: Any, **options: Any) -> Any:
        given.append(options["env"])
        return start(*arguments, **options)

    monkeypatch.setenv("HEPAGRAPH_TOKEN", "a-token-for-this-test")
    monkeypatch.setattr(subprocess, "Popen", starting)
    workers = SparqlWorkers(str(data / "coin"), limits=LIMITS)
    try:
        workers.warm()
    finally:
        workers.close()
    assert given and "a-token-for-this-test" not in given[0].values() and "PATH" in given[0]


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of processor time there")
def test_an_endless_query_ends_even_if_nobody_is_left_to_end_it(data: Path) -> None:
    settings = {"ontology": str(data / "skin"), "engine": "oxigraph", "mebibytes": 2048}
    command = [sys.executable, "-m", "hepagraph.service.sparql_worker", json.dumps(settings)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout
        child.stdout.readline()
        asked = {"query": ENDLESS, "most": 5, "seconds": 0.5, "rows": ["json"], "graph": []}
        child.stdin.write(json.dumps(asked).encode() + b"\n")
        child.stdin.flush()
        assert child.wait(timeout=120) != 0
