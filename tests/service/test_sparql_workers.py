"""Queries are answered in a process that can be ended: limits of time, rows and memory hold, and nothing gets out."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from hepagraph.ontology import QueryError
from hepagraph.service.sparql_workers import (
    BusyError,
    QueryMemoryError,
    QueryTimeoutError,
    SparqlLimits,
    SparqlWorkers,
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
