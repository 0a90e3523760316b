"""``/sparql`` as its clients use it: SPARQLWrapper, curl and httpx against a real server."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from rdflib import Graph, URIRef
from rdflib.compare import isomorphic

from hepagraph.inference.provenance import asks_for_compiled, compiled_lines
from hepagraph.ontology import find_ontology
from hepagraph.ontology.named_queries import bind, read_query
from hepagraph.ontology.stores import Store, open_store
from hepagraph.service.doors import Doors
from hepagraph.service.http import Settings, create_app
from hepagraph.service.http.sparql_routes import sparql_router
from hepagraph.service.http.status_routes import status_router
from hepagraph.service.sparql_limits import SparqlLimits

SD = "http://www.w3.org/ns/sparql-service-description#"
SELECT = "SELECT ?s ?label WHERE { ?s a fl:Source ; dcterms:title ?label } ORDER BY ?s LIMIT 3"
CONSTRUCT = "CONSTRUCT { ?s a fl:Found } WHERE { ?s a fl:Source } ORDER BY ?s LIMIT 3"
ENDLESS = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
QUERIES = [read_query(path) for path in find_ontology().queries if path.stem.startswith("cq")]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
QUERY = {"Content-Type": "application/sparql-query"}


class Ready(Doors):
    """Doors that are open at once: nothing here asks the other questions, and the toy cannot answer all of them."""

    def warm(self) -> None:
        pass


def application(doors: Doors, **limits: Any) -> FastAPI:
    """Return an application with this endpoint and nothing to wait for."""
    own = SparqlLimits(**{"seconds": 60.0, "processes": 1, **limits})
    return create_app(doors, Settings(), [lambda d, s: sparql_router(d, s, own), status_router])


@pytest.fixture(scope="module")
def client(doors: Doors, running: Any) -> Iterator[httpx.Client]:
    with running(application(doors)) as found:
        yield found


@pytest.fixture(scope="module")
def small(data: Path, running: Any, coin: Any) -> Iterator[httpx.Client]:
    """Another domain, and limits that are soon reached."""
    with running(application(Ready(coin, str(data / "coin")), seconds=1.5, rows=4, characters=2000)) as found:
        yield found


# -- clients that others wrote ----------------------------------------------------------------------------------------


def test_sparqlwrapper_reads_every_kind_of_answer(client: httpx.Client) -> None:
    with warnings.catch_warnings(action="ignore"):
        from SPARQLWrapper import JSON, JSONLD, POST, RDFXML, TURTLE, URLENCODED, XML, SPARQLWrapper

        wrapper = SPARQLWrapper(str(client.base_url) + "/sparql")
        for method in ("GET", POST):
            wrapper.setMethod(method)
            wrapper.setRequestMethod(URLENCODED)
            wrapper.setQuery(SELECT)
            wrapper.setReturnFormat(JSON)
            rows = wrapper.queryAndConvert()["results"]["bindings"]
            assert len(rows) == 3
            assert all(row["s"]["type"] == "uri" and row["label"]["value"] for row in rows)
            wrapper.setReturnFormat(XML)
            assert len(wrapper.queryAndConvert().getElementsByTagName("result")) == 3
            wrapper.setQuery("ASK { ?s a fl:Source }")
            wrapper.setReturnFormat(JSON)
            assert wrapper.queryAndConvert()["boolean"] is True
            wrapper.setQuery(CONSTRUCT)
            for form in (RDFXML, JSONLD):
                wrapper.setReturnFormat(form)
                assert len(wrapper.queryAndConvert()) == 3
            wrapper.setReturnFormat(TURTLE)
            assert len(Graph().parse(data=wrapper.queryAndConvert(), format="turtle")) == 3


def test_curl_gets_csv_and_posts_a_file(client: httpx.Client, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    (tmp_path / "q.rq").write_text(SELECT, encoding="utf-8")
    url = f"{client.base_url}/sparql"
    base = [curl, "--silent", "--show-error", "--fail", "--noproxy", "*", "-H", "Accept: text/csv"]
    asked = [
        [*base, "--get", "--data-urlencode", f"query={SELECT}", url],
        [*base, "--data-urlencode", f"query={SELECT}", url],
        [*base, "-H", "Content-Type: application/sparql-query", "--data-binary", f"@{tmp_path / 'q.rq'}", url],
    ]
    answers = [subprocess.run(command, capture_output=True, check=True).stdout for command in asked]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0].startswith(b"s,label\r\n")
    assert len(list(csv.reader(io.StringIO(answers[0].decode())))) == 4


# -- the same answers as the command ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store() -> Store:
    return open_store(find_ontology())


@pytest.fixture(scope="module")
def compiled(kg: Any) -> Store:
    """The ontology with the compiled layer, as the command makes it for queries that name it."""
    found = open_store(find_ontology())
    found.add(compiled_lines(kg, parameters=False))
    return found


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_competency_questions_have_the_commands_answers(
    client: httpx.Client, store: Store, query: Any, request: pytest.FixtureRequest
) -> None:
    """The command prints what the store answers; here are its plain values, from the terms that come over HTTP."""
    from hepagraph.ontology.answers import Term

    text = bind(query, {}, store)
    wanted = (request.getfixturevalue("compiled") if asks_for_compiled(text) else store).query(text)
    found = client.post("/sparql", content=text.encode(), headers=QUERY).raise_for_status()
    assert "X-SPARQL-MaxRows" not in found.headers
    answer = found.json()
    assert answer["head"]["vars"] == list(wanted.columns)

    def plain(term: dict[str, str] | None) -> Any:
        if term is None:
            return None
        return Term(term["type"], term["value"], term.get("datatype", ""), term.get("xml:lang", "")).to_plain()

    rows = [tuple(plain(row.get(name)) for name in wanted.columns) for row in answer["results"]["bindings"]]
    assert sorted(rows, key=str) == sorted(wanted.rows, key=str)


def test_the_command_itself_prints_them(client: httpx.Client) -> None:
    query = next(query for query in QUERIES if query.name.startswith("cq02"))
    command = [sys.executable, "-m", "hepagraph.service.cli", "sparql", query.name, "--csv"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    text = bind(query, {}, open_store(find_ontology()))
    found = client.get("/sparql", params={"query": text}, headers={"Accept": "text/csv"})
    assert len(list(csv.reader(io.StringIO(printed.stdout)))) == len(list(csv.reader(io.StringIO(found.text))))


def test_the_compiled_layer_is_there_when_named(small: httpx.Client) -> None:
    text = "SELECT (COUNT(?row) AS ?n) WHERE { ?row a fl:ConditionalDistribution }"
    found = small.get("/sparql", params={"query": text}).raise_for_status().json()
    assert int(found["results"]["bindings"][0]["n"]["value"]) > 0


# -- formats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "kind", "starts"),
    [
        (None, "application/sparql-results+json", "{"),
        ("*/*", "application/sparql-results+json", "{"),
        ("application/json", "application/json", "{"),
        ("application/sparql-results+xml", "application/sparql-results+xml", "<?xml"),
        ("text/csv;q=0.3, text/tab-separated-values;q=0.9", "text/tab-separated-values; charset=utf-8", "?s\t?label"),
        ("text/html, application/xhtml+xml, text/csv;q=0.1", "text/csv; charset=utf-8", "s,label"),
    ],
)
def test_rows_come_as_accepted(client: httpx.Client, accept: str | None, kind: str, starts: str) -> None:
    client.headers.pop("accept", None)
    found = client.get("/sparql", params={"query": SELECT}, headers={"Accept": accept} if accept else {})
    assert found.status_code == 200
    assert found.headers["content-type"] == kind
    assert found.headers["vary"] == "Accept"
    assert found.text.startswith(starts)


@pytest.mark.parametrize(
    ("accept", "parser"),
    [
        ("text/turtle", "turtle"),
        ("application/n-triples", "nt"),
        ("application/ld+json", "json-ld"),
        ("application/rdf+xml", "xml"),
    ],
)
@pytest.mark.parametrize("text", [CONSTRUCT, "DESCRIBE ?s WHERE { ?s a fl:Source ; fl:pmid ?p } ORDER BY ?s LIMIT 1"])
def test_graphs_come_as_accepted(client: httpx.Client, accept: str, parser: str, text: str) -> None:
    found = client.get("/sparql", params={"query": text}, headers={"Accept": accept}).raise_for_status()
    assert found.headers["content-type"].startswith(accept)
    default = client.get("/sparql", params={"query": text}, headers={"Accept": "*/*"}).raise_for_status()
    assert default.headers["content-type"].startswith("text/turtle")
    parsed = Graph().parse(data=found.text, format=parser)
    assert len(parsed) > 0
    assert isomorphic(parsed, Graph().parse(data=default.text, format="turtle"))


def test_ask_comes_in_json_and_xml_only(client: httpx.Client) -> None:
    asked = {"params": {"query": "ASK { ?s a fl:Source }"}}
    assert client.get("/sparql", **asked).json() == {"head": {}, "boolean": True}
    xml = client.get("/sparql", **asked, headers={"Accept": "text/csv, application/sparql-results+xml;q=0.5"})
    assert "<boolean>true</boolean>" in xml.text
    refused(client.get("/sparql", **asked, headers={"Accept": "text/csv"}), 406)


def test_terms_keep_language_datatype_and_odd_characters(small: httpx.Client) -> None:
    values = '"<a & \\"b\\">\\t\\r\\nü"@de 7 "x"^^<urn:t> <urn:i> 1.50'
    query = f"SELECT ?v WHERE {{ VALUES ?v {{ {values.replace(' 1.50', '')} }} }} ORDER BY STR(?v)"
    rows = small.get("/sparql", params={"query": query}).json()["results"]["bindings"]
    terms = {row["v"]["value"]: row["v"] for row in rows}
    assert terms['<a & "b">\t\r\nü']["xml:lang"] == "de"
    assert terms["7"]["datatype"].endswith("#integer")
    assert terms["x"]["datatype"] == "urn:t"
    assert terms["urn:i"]["type"] == "uri"
    from rdflib.query import Result

    for form, parser in (("application/sparql-results+xml", "xml"), ("text/tab-separated-values", "tsv")):
        text = small.get("/sparql", params={"query": query}, headers={"Accept": form}).content
        again = {str(row[0]): row[0] for row in Result.parse(io.BytesIO(text), format=parser)}
        assert again['<a & "b">\t\r\nü'].language == "de"
        assert again["7"].datatype.endswith("#integer")
        assert str(again["x"].datatype) == "urn:t"


# -- what is refused --------------------------------------------------------------------------------------------------


def refused(found: httpx.Response, status: int) -> str:
    assert found.status_code == status, found.text
    assert found.headers["content-type"] == "application/problem+json"
    told = found.json()
    assert "Traceback" not in found.text
    return json.dumps(told)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT ?s WHERE {", "cannot be parsed"),
        ("INSERT DATA { <urn:a> <urn:b> <urn:c> }", "cannot be parsed"),
        ("LOAD <http://localhost:1/>", "cannot be parsed"),
        ("SELECT * WHERE { SERVICE <http://localhost:1/> { ?s ?p ?o } }", "SERVICE"),
        ("SELECT * FROM <http://localhost:1/x> WHERE { ?s ?p ?o }", "FROM"),
    ],
)
def test_what_is_not_for_reading_is_refused(small: httpx.Client, text: str, says: str) -> None:
    assert says in refused(small.get("/sparql", params={"query": text}), 400)
    assert says in refused(small.post("/sparql", content=text.encode(), headers=QUERY), 400)
    assert says in refused(small.post("/sparql", data={"query": text}), 400)


def test_bad_requests_are_told_apart(small: httpx.Client) -> None:
    ask = "ASK {}"
    assert "2 were sent" in refused(small.get("/sparql?query=ASK%7B%7D&query=ASK%7B%7D"), 400)
    assert "0 were sent" in refused(small.post("/sparql", data={"x": "y"}), 400)
    assert "changed" in refused(small.post("/sparql", data={"update": "CLEAR ALL"}), 400)
    assert "changed" in refused(small.get("/sparql", params={"update": "CLEAR ALL"}), 400)
    for name in ("default-graph-uri", "named-graph-uri"):
        assert "one graph" in refused(small.get("/sparql", params={"query": ask, name: "urn:g"}), 400)
        assert "one graph" in refused(small.post("/sparql", data={"query": ask, name: "urn:g"}), 400)
    refused(small.get("/sparql", params={"query": ask}, headers={"Accept": "image/png"}), 406)
    refused(small.get("/sparql", params={"query": "CONSTRUCT WHERE { ?s ?p ?o }"}, headers={"Accept": "text/csv"}), 406)
    refused(small.get("/sparql", params={"query": f"ASK {{}} #{'x' * 2000}"}), 413)
    refused(small.post("/sparql", content=b"x" * (2**20 + 1), headers=QUERY), 413)
    refused(small.post("/sparql", content=b"ASK {}", headers={"Content-Type": "application/sparql-update"}), 415)
    refused(small.post("/sparql", content=b"ASK {}", headers={"Content-Type": "text/plain"}), 415)
    refused(small.post("/sparql", content=b"\xff", headers=QUERY), 400)
    refused(small.get("/sparql?query=%FF"), 400)
    refused(small.post("/sparql", content=b"&".join([b"a=b"] * 200), headers=FORM), 400)
    refused(small.put("/sparql", content=b""), 405)
    assert small.get("/sparql", params={"query": ask}).json()["boolean"] is True


def test_rows_are_cut_and_the_header_says_so(small: httpx.Client) -> None:
    for text, accept in (("SELECT * { ?s ?p ?o }", "text/csv"), ("CONSTRUCT WHERE { ?s ?p ?o }", "text/plain")):
        found = small.get("/sparql", params={"query": text}, headers={"Accept": accept})
        assert found.headers["x-sparql-maxrows"] == "4"
        assert len(found.text.splitlines()) == 4 + (accept == "text/csv")
    assert "x-sparql-maxrows" not in small.get("/sparql", params={"query": "SELECT * { ?s ?p ?o } LIMIT 4"}).headers


def test_a_query_without_end_does_not_hold_up_the_server(small: httpx.Client) -> None:
    small.get("/sparql", params={"query": "ASK {}"}).raise_for_status()
    with ThreadPoolExecutor(1) as pool:
        endless = pool.submit(small.get, "/sparql", params={"query": ENDLESS.replace("?l }", "?l . ?m ?o ?q }")})
        waited = []
        while not endless.done():
            started = time.monotonic()
            assert small.get("/health").status_code == 200
            waited.append(time.monotonic() - started)
            time.sleep(0.05)
    found = endless.result()
    assert "took longer than 1.5 seconds" in refused(found, 503)
    assert found.headers["retry-after"]
    assert len(waited) > 5
    assert sorted(waited)[len(waited) // 2] < 0.5
    assert small.get("/sparql", params={"query": "ASK {}"}).json()["boolean"] is True


# -- the service ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["text/turtle", "application/rdf+xml", "text/html"])
def test_the_service_describes_itself(client: httpx.Client, accept: str) -> None:
    found = client.get("/sparql", headers={"Accept": accept}).raise_for_status()
    form = "xml" if accept == "application/rdf+xml" else "turtle"
    graph = Graph().parse(data=found.text, format=form)
    service = graph.value(predicate=URIRef(f"{SD}endpoint"), object=URIRef(f"{client.base_url}/sparql"))
    assert service is not None
    assert (service, URIRef(f"{SD}supportedLanguage"), URIRef(f"{SD}SPARQL11Query")) in graph
    assert len(list(graph.objects(service, URIRef(f"{SD}resultFormat")))) == 8


def test_a_token_is_asked_for_as_elsewhere(coin: Any, data: Path) -> None:
    from fastapi.testclient import TestClient

    token = "a-token-for-this-test-only"  # noqa: S105
    app = create_app(Ready(coin, str(data / "coin")), Settings(token=token, origins=("https://example.org",)))
    with TestClient(app) as asked:
        assert asked.get("/sparql", params={"query": "ASK {}"}).status_code == 401
        headers = {"Authorization": f"Bearer {token}", "Origin": "https://example.org"}
        found = asked.get("/sparql", params={"query": "ASK {}"}, headers=headers)
        assert found.json()["boolean"] is True
        assert found.headers["access-control-allow-origin"] == "https://example.org"


def test_the_processes_end_with_the_server(coin: Any, data: Path, running: Any) -> None:
    from hepagraph.service.http import sparql_routes

    made = []
    original = sparql_routes.SparqlWorkers

    def remembered(*arguments: Any, **options: Any) -> Any:
        made.append(original(*arguments, **options))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparql_routes, "SparqlWorkers", remembered)
        app = application(Ready(coin, str(data / "coin")))
    with running(app) as asked:
        asked.get("/sparql", params={"query": "ASK {}"}).raise_for_status()
        (process,) = made[0]._running
        assert not process.ended
    assert process.ended


@pytest.mark.filterwarnings("ignore")  # what the generator's own libraries deprecate
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_generated_requests_break_nothing(client: httpx.Client, method: str, mode: str) -> None:
    import hypothesis
    import schemathesis
    from schemathesis.checks import CHECKS

    @schemathesis.serializer("application/sparql-query")
    def as_text(context: schemathesis.SerializationContext, value: Any) -> bytes:
        return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "replace")

    description = client.get("/openapi.json").raise_for_status().json()
    operation = schemathesis.openapi.from_dict(description)["/sparql"][method]
    checks = CHECKS.get_by_names(["not_a_server_error", "status_code_conformance", "content_type_conformance"])
    statuses = set()

    @hypothesis.seed(1)
    @hypothesis.settings(
        max_examples=40,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
    def ask(case: Any) -> None:
        response = case.call(base_url=str(client.base_url), timeout=60)
        statuses.add(response.status_code)
        case.validate_response(response, checks=checks)

    ask()
    assert statuses & {200, 400}
