"""``/sparql``: the SPARQL 1.1 Protocol, for reading only, and the description of the service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from starlette.requests import Request
from starlette.responses import Response

from hepagraph.ontology.answers import GRAPH_FORMATS, ROW_FORMATS
from hepagraph.ontology.errors import Problem, QueryError
from hepagraph.service.http.accepting import acceptable
from hepagraph.service.http.bodies import gone, media_type, raw_body
from hepagraph.service.http.openapi import problems
from hepagraph.service.http.problems import RETRY, RequestError
from hepagraph.service.http.work import Workbench
from hepagraph.service.sparql_limits import SparqlLimits
from hepagraph.service.sparql_worker import LOADING_SECONDS
from hepagraph.service.sparql_workers import (
    BusyError,
    QueryMemoryError,
    QueryTimeoutError,
    SparqlAnswer,
    SparqlWorkers,
    StaleError,
)

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

    from hepagraph.service.doors import Doors
    from hepagraph.service.http.settings import Settings

PATH = "/sparql"
QUERY, FORM = "application/sparql-query", "application/x-www-form-urlencoded"
MOST_ROWS = "X-SPARQL-MaxRows"
MOST_FIELDS = 100
# Media type -> format. Those of a format that others name too come after its own.
ROWS = {
    "application/sparql-results+json": "json",
    "application/sparql-results+xml": "xml",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/json": "json",
    "application/xml": "xml",
    "text/xml": "xml",
}
GRAPH = {
    "text/turtle": "turtle",
    "application/n-triples": "nt",
    "application/ld+json": "json-ld",
    "application/rdf+xml": "xml",
    "application/json": "json-ld",
    "application/xml": "xml",
    "text/xml": "xml",
    "text/plain": "nt",
}
_OWN = {**{kind.partition(";")[0]: kind for kind in (*ROW_FORMATS.values(), *GRAPH_FORMATS.values())}}
_DESCRIPTION = """\
@prefix sd: <http://www.w3.org/ns/sparql-service-description#> .
@prefix formats: <http://www.w3.org/ns/formats/> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .

[] a sd:Service ;
    sd:endpoint <{endpoint}> ;
    sd:supportedLanguage sd:SPARQL11Query ;
    sd:resultFormat formats:SPARQL_Results_JSON, formats:SPARQL_Results_XML, formats:SPARQL_Results_CSV,
        formats:SPARQL_Results_TSV, formats:Turtle, formats:N-Triples, formats:JSON-LD, formats:RDF_XML ;
    sd:defaultDataset [
        a sd:Dataset ;
        sd:defaultGraph [ a sd:Graph ; dcterms:identifier "{sha256}" ]
    ] ;
    rdfs:comment "{notice} Read only: no update, no SERVICE, no FROM. A query gets {rows} rows and {seconds:g} s." .
"""


def sparql_router(doors: Doors, settings: Settings, limits: SparqlLimits | None = None) -> APIRouter:
    """Return the routes of the endpoint; its processes are started by the first query and ended with the server."""
    from fastapi import APIRouter

    limits = limits or limits_of(settings)
    workers = SparqlWorkers(doors.ontology, sha256=doors.reasoner.model["ontology_sha256"], limits=limits)
    # The processes keep the time themselves; this only bounds how many requests wait for them.
    bench = Workbench(limits.processes, settings.queue, 2 * (LOADING_SECONDS + limits.seconds), "sparql")

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        workers.close()
        bench.close()

    router = APIRouter(tags=["knowledge"], lifespan=lifespan)

    async def answered(request: Request, asked: Mapping[str, list[str]]) -> Response:
        rows = acceptable(request.headers.get("accept"), list(ROWS))
        graph = acceptable(request.headers.get("accept"), list(GRAPH))
        if not rows and not graph:
            raise _not_acceptable([*ROWS, *GRAPH])
        query = _query(asked, limits)
        names = _names(rows, ROWS), _names(graph, GRAPH)
        found = await bench.run(lambda: _ask(workers, query, *names), gone=gone(request))
        return _response(found, rows, graph, limits)

    @router.get(
        PATH,
        operation_id="sparql_get",
        summary="Ask the ontology in SPARQL; without a query, the description of the service",
        response_class=Response,
        responses=_answers(),
        openapi_extra={"parameters": [_parameter("query", "A query: SELECT, ASK, CONSTRUCT or DESCRIBE.")]},
    )
    async def get(request: Request) -> Response:
        asked = _fields(request.scope["query_string"])
        if "query" not in asked and "update" not in asked:
            return _described(request, doors, limits)
        return await answered(request, asked)

    @router.post(
        PATH,
        operation_id="sparql_post",
        summary="Ask the ontology in SPARQL",
        response_class=Response,
        responses=_answers(),
        openapi_extra={"requestBody": {"required": True, "content": _BODIES}},
    )
    async def post(request: Request) -> Response:
        kind, asked = media_type(request), _fields(request.scope["query_string"])
        if kind == FORM:
            return await answered(request, _joined(asked, _fields(await raw_body(request))))
        if kind != QUERY:
            what = "is not a query" + ("; updates are not taken" if kind == "application/sparql-update" else "")
            problem = Problem("media_type", "Content-Type", what, (QUERY, FORM))
            raise RequestError(415, "The body must be a query, or a form with one.", [problem])
        return await answered(request, _joined(asked, {"query": [_text(await raw_body(request))]}))

    return router


_BODIES: dict[str, Any] = {
    QUERY: {"schema": {"type": "string"}, "example": "SELECT * WHERE { ?source a fl:Source } LIMIT 10"},
    FORM: {"schema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}},
}


def limits_of(settings: Settings) -> SparqlLimits:
    """Return the limits of queries that a server's settings give."""
    return SparqlLimits(
        seconds=settings.sparql_seconds,
        rows=settings.sparql_rows,
        mebibytes=settings.sparql_mebibytes,
        characters=min(SparqlLimits().characters, settings.body_bytes),
        processes=settings.sparql_processes,
    )


def _fields(raw: bytes) -> dict[str, list[str]]:
    """Return the values of each name in a query string or a form."""
    found: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(_text(raw), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except UnicodeDecodeError:
        raise _not_utf8() from None
    except ValueError:
        raise RequestError(400, f"More than {MOST_FIELDS} parameters were sent.") from None
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _not_utf8() from None


def _not_utf8() -> RequestError:
    return RequestError(400, "What was sent is not UTF-8 text.")


def _joined(a: Mapping[str, list[str]], b: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {name: [*a.get(name, ()), *b.get(name, ())] for name in {*a, *b}}


def _query(asked: Mapping[str, list[str]], limits: SparqlLimits) -> str:
    """Return the one query that is asked."""
    if "update" in asked or "using-graph-uri" in asked or "using-named-graph-uri" in asked:
        raise RequestError(400, "Nothing can be changed here: send a query, not an update.")
    if "default-graph-uri" in asked or "named-graph-uri" in asked:
        raise RequestError(400, "There is one graph here, without a name: leave default-graph-uri and its like out.")
    queries = asked.get("query", [])
    if len(queries) != 1:
        raise RequestError(400, f"One query is answered at a time; {len(queries)} were sent.")
    if len(queries[0]) > limits.characters:
        raise RequestError(413, f"The query has more than {limits.characters} characters.")
    return queries[0]


def _names(accepted: list[str], formats: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys(formats[media] for media in accepted))


def _ask(workers: SparqlWorkers, query: str, rows: list[str], graph: list[str]) -> SparqlAnswer:
    try:
        return workers.ask(query, rows=rows, graph=graph)
    except (QueryTimeoutError, QueryMemoryError, BusyError, StaleError) as error:
        raise RequestError(503, f"{str(error)[:1].upper()}{str(error)[1:]}.", headers=RETRY) from None
    except QueryError as error:
        problem = Problem("query", "query", str(error))
        raise RequestError(400, "The query cannot be answered.", [problem]) from None


def _response(found: SparqlAnswer, rows: list[str], graph: list[str], limits: SparqlLimits) -> Response:
    accepted, formats = (rows, ROWS) if found.kind == "rows" else (graph, GRAPH)
    if found.format is None:
        raise _not_acceptable(list(formats))
    media = next(media for media in accepted if formats[media] == found.format)
    headers = {MOST_ROWS: str(limits.rows)} if found.truncated else {}
    return Response(found.body, media_type=_OWN.get(media, media), headers={**headers, "Vary": "Accept"})


def _not_acceptable(offered: list[str]) -> RequestError:
    problem = Problem("media_type", "Accept", "takes nothing that this answer comes in", tuple(offered))
    return RequestError(406, "The answer does not come in what the request accepts.", [problem])


def _described(request: Request, doors: Doors, limits: SparqlLimits) -> Response:
    from rdflib import Graph

    accepted = acceptable(request.headers.get("accept"), list(GRAPH)) or ["text/turtle"]  # a browser gets it too
    endpoint = quote(str(request.url.replace(query="")), safe=":/?#[]@!$&'()*+,;=%~")
    model = doors.model()
    text = _DESCRIPTION.format(
        endpoint=endpoint,
        sha256=model["ontology_sha256"],
        notice=model["notice"],
        rows=limits.rows,
        seconds=limits.seconds,
    )
    if GRAPH[accepted[0]] != "turtle":
        text = Graph().parse(data=text, format="turtle").serialize(format=GRAPH[accepted[0]])
    return Response(text, media_type=_OWN.get(accepted[0], accepted[0]), headers={"Vary": "Accept"})


def _answers() -> dict[int | str, dict[str, Any]]:
    content: dict[str, Any] = {media: {} for media in (*ROWS, *GRAPH)}
    described = "The answer. At most so many rows or triples; where there are more, the header says how many came."
    header = {
        MOST_ROWS: {"description": "Sent where rows were cut off: how many there are.", "schema": {"type": "integer"}}
    }
    return {
        200: {"description": described, "content": content, "headers": header},
        **problems(400, 406, 408, 413, 415, 503),
    }


def _parameter(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": {"type": "string"}}
