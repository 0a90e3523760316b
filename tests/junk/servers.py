"""The doors of servers: every route of the HTTP server, and every tool of the Model Context Protocol."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import pyarrow as pa
from fastapi.testclient import TestClient
from junk.corpus import WORDS, bytes_of, json_of, mixed, values_of, words_of
from junk.folders import _rows
from junk.formats import _feedback_junk, _request
from junk.table import DATA, Door, World, check_words

from hepagraph.service.doors import Doors
from hepagraph.service.healthcare.cds import about
from hepagraph.service.http import Settings, create_app
from hepagraph.service.http.problems import MEDIA_TYPE
from hepagraph.service.sparql_workers import SparqlLimits, SparqlWorkers

Json = dict[str, Any]
ARROW, NDJSON = "application/vnd.apache.arrow.stream", "application/x-ndjson"
MISTAKES = {400, 404, 405, 406, 412, 413, 415, 422}


class Server:
    """The application with the lesser toy, as a client of its own process meets it."""

    def __init__(self, doors: Doors) -> None:
        self.app = create_app(doors, Settings(seconds=30, lesions=16, scenarios=8))
        self._client = TestClient(self.app, base_url="http://127.0.0.1", raise_server_exceptions=False)
        self.client = self._client.__enter__()

    def close(self) -> None:
        """End it."""
        self._client.__exit__(None, None, None)


def _server(world: World) -> Server:
    found: Server = world.once("server", lambda: Server(world.doors))
    return found


def _answered(response: Any) -> bool:
    """Return whether there was an answer; what is refused is a problem as RFC 9457 has it."""
    if response.status_code < 400:
        return True
    assert response.status_code in MISTAKES, (response.status_code, response.text[:2000])
    assert response.headers["content-type"] == MEDIA_TYPE
    found = response.json()
    check_words(found["detail"])
    for problem in found["problems"]:
        assert len(problem["what"]) > 3 and "Traceback" not in problem["what"]
    return False


def _post(path: str, kind: str, world: World, junk: bytes) -> bool:
    client = _server(world).client
    response = client.post(path, content=junk, headers={"content-type": kind})
    done = _answered(response)
    if done and kind == NDJSON:
        found = [json.loads(line) for line in response.text.splitlines()]
        return any("error" not in one for one in found)
    return done


def _bodies(world: World, name: str) -> list[Json]:
    case, entity = world.case, world.skin.entities()[0]
    scenario = {"name": "other", "values": {"border": "regular", "colours": None}, "exam": [{"method": "dermoscopy"}]}
    entities = world.skin.network.states["entity"]
    costs = {"losses": {"wait": dict.fromkeys(entities, 1)}, "burdens": {"dermoscopy": 1}}
    more: dict[str, Json] = {
        "posterior": {
            "interval": False,
            "prior": dict.fromkeys(world.skin.entities(), 1),
            "reasons": True,
            "surprise": True,
        },
        "explain": {"entity": entity, "against": world.skin.entities()[1]},
        "what-if": {"scenarios": [scenario], "sweep": ["border"], "lesion": "L1"},
        "next-best": {"costs": costs},
    }
    return [{"case": case, "differential": "three", **more.get(name, {})} if name != "response" else {"case": case}]


def _small(world: World) -> Json:
    """Return a case of which an answer takes no time."""
    return {"lesions": [{"id": "L1", "findings": {"border": "regular", "colours": ["one", "two"]}}]}


def _arrow(table: pa.Table) -> bytes:
    made = pa.BufferOutputStream()
    with pa.ipc.new_stream(made, table.schema) as writer:
        writer.write_table(table)
    return bytes(made.getvalue())


def _stream_junk(world: World) -> Iterator[bytes]:
    table = _rows(world)
    table = table.rename_columns(["id", *table.column_names[1:]])
    coded = table.set_column(1, table.column_names[1], table.column(1).dictionary_encode())
    return mixed(bytes_of([_arrow(table)]), bytes_of([_arrow(coded)]))


FORM = "application/x-www-form-urlencoded"
QUERY = "application/sparql-query"


def _query_junk(world: World) -> Iterator[bytes]:
    return bytes_of([b"ASK {}", b"SELECT ?s (COUNT(*) AS ?n) { ?s ?p ?o FILTER(?o > 1) } GROUP BY ?s", b"DESCRIBE <x>"])


def _form_junk(world: World) -> Iterator[bytes]:
    return bytes_of([b"query=ASK%20%7B%7D", b"query=ASK+%7B%7D&x=%c3%a9", b"query=%ff", b"a&" * 3000])


# What is posted where; a path's other parts are filled in.
def _posts() -> Iterator[tuple[str, str, Callable[[World], Iterator[bytes]], int]]:
    for name, share in (("posterior", 100), ("explain", 40), ("what-if", 80), ("next-best", 60), ("sensitivity", 12)):
        yield f"/v1/{name}", "application/json", partial(_json_bodies, name), share
    yield "/v1/recommend", "application/json", partial(_json_bodies, "recommend"), 60
    yield "/v1/response", "application/json", partial(_json_bodies, "response"), 30
    yield "/v1/form/read", "application/json", lambda world: json_of([{"case": world.case}]), 100
    yield "/v1/form/check", "application/json", _chosen, 100
    yield "/v1/form/restore", "application/json", partial(_chosen, differential="three"), 100
    asked = {"lesion": "L1", "differential": "three"}
    yield (
        "/v1/form/reasons",
        "application/json",
        lambda world: json_of([{"case": world.case, **asked, "entity": "nevus"}]),
        40,
    )
    for name in ("next", "text"):
        yield f"/v1/form/{name}", "application/json", lambda world: json_of([{"case": world.case, **asked}]), 40
    yield "/v1/batch", NDJSON, lambda world: json_of([_small(world)]), 120
    yield "/v1/batch", ARROW, _stream_junk, 200
    yield f"/cds-services/{about()['id']}", "application/json", lambda world: json_of([_request(world)]), 60
    yield f"/cds-services/{about()['id']}/feedback", "application/json", _feedback_bodies, 100
    yield "/sparql", QUERY, _query_junk, 60
    yield "/sparql", FORM, _form_junk, 60


def _json_bodies(name: str, world: World) -> Iterator[bytes]:
    return json_of(_bodies(world, name))


def _chosen(world: World, **more: Any) -> Iterator[bytes]:
    chosen = _server(world).client.post("/v1/form/read", json={"case": world.case}).json()
    return json_of([{"chosen": chosen, **more}])


def _feedback_bodies(world: World) -> Iterator[bytes]:
    return json_of([next(_feedback_junk(world))])


def template(path: str) -> str:
    """Return the route of a path."""
    return path.replace(about()["id"], "{service}")


# -- addresses and headers --------------------------------------------------------------------------------------

HEADERS = (
    "accept",
    "content-type",
    "host",
    "authorization",
    "content-length",
    "if-none-match",
    "origin",
    "range",
    "expect",
)
HEADERS += (
    "accept-encoding",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "x-forwarded-host",
    "te",
    "cookie",
)
GOOD = {
    "accept": "text/html, application/json;q=0.9, */*;q=0.1",
    "content-type": "application/json; charset=utf-8",
    "host": "127.0.0.1:8765",
    "if-none-match": '"abc", W/"def"',
}
HOSTS = (
    "[::1",
    "[::1]:x",
    "localhost:99999999",
    "127.0.0.1:",
    "127.0.0.1/a?b#c",
    "127.0.0.1\\@x",
    "localhost:\xff",
    "[",
    "",
)


def _address(path: str, world: World, junk: tuple[str, str, bytes]) -> bool:
    """Ask for a path with an odd query or header; junk is which, its name, and the value."""
    where, name, value = junk
    text = value.decode("latin-1")
    client = _server(world).client
    headers: list[tuple[bytes, bytes]] = [(b"host", b"127.0.0.1")]
    query = {}
    if where == "header":
        headers = [h for h in headers if h[0] != name.encode()] + [(name.encode(), value)]
    elif where == "query":
        query = {name: text}
    else:
        path = f"{path.rstrip('/')}/{text[:200]}".replace("\x00", "%00")
    try:
        request = client.build_request("GET", "http://127.0.0.1" + path, params=query or None, headers=headers)
    except Exception as error:  # what the client itself will not send
        assert "httpx" in type(error).__module__ or isinstance(error, UnicodeError | ValueError)
        return False
    return _answered(client.send(request, follow_redirects=False))


def _address_junk(names: tuple[str, ...], world: World) -> Iterator[tuple[str, str, bytes]]:
    yield "header", "accept", b"*/*"
    values = [word.encode("utf-8", "backslashreplace").replace(b"\n", b"") for word in WORDS]
    values += [host.encode("latin-1") for host in HOSTS]
    wild = words_of([*GOOD.values(), "ASK {}"])
    for turn in range(10**9):
        value = values[turn] if turn < len(values) else next(wild).encode("utf-8", "backslashreplace")[:9000]
        for number, name in enumerate(HEADERS):
            if (turn + number) % 4 == 0 or (name == "host" and turn < len(values)):
                yield "header", name, value
        yield "query", names[turn % len(names)], value
        yield "path", "", value


def gets(world: World) -> list[str]:
    """Return the paths that are asked for without a body."""
    from hepagraph.service.http.page_routes import page_files

    paths = [
        "/v1/model",
        "/v1/vocabulary",
        "/v1/form",
        "/health",
        "/ready",
        "/metrics",
        "/openapi.json",
        "/cds-services",
    ]
    return [*paths, "/sparql", *page_files()]


def server_doors() -> Iterator[Door]:
    """Yield the doors of both servers."""
    for path, kind, junk, share in _posts():
        yield Door(f"POST {path} {kind}", (f"route POST {template(path)}",), junk, partial(_post, path, kind), share)
    for path in gets(World.__new__(World)):
        names = ("query", "differential", "default-graph-uri", "x")
        share = 60 if path == "/sparql" else 12
        junk = partial(_address_junk, names)
        yield Door(f"GET {path}", (f"route GET {path}",), junk, partial(_address, path), share)
    yield Door("headers of a route", (), partial(_address_junk, ("x",)), partial(_address, "/health"), 500)
    yield Door("options of a batch", ("route POST /v1/batch options",), _options_junk, _options, 60)
    for name, arguments, share in _tools():
        covers = tuple(f"tool {name} {argument}" for argument in arguments(_Named()))
        yield Door(f"tool {name}", covers, partial(_arguments_junk, arguments), partial(_call, name), share)
    yield Door("resources of tools", (), lambda world: words_of(["hepagraph://vocabulary"]), _resource, 60)


def _options_junk(world: World) -> Iterator[tuple[str, str]]:
    yield "interval", "false"
    for turn, word in enumerate(words_of(["true"])):
        yield (
            ("differential", "interval", "reasons", "surprise", word)[turn % 5],
            word.encode("utf-8", "replace").decode(),
        )


def _options(world: World, junk: tuple[str, str]) -> bool:
    name, value = (part.encode("utf-8", "backslashreplace").decode()[:4000] for part in junk)
    line = json.dumps(_small(world)).encode()
    response = _server(world).client.post(
        "/v1/batch", params={name: value}, content=line, headers={"content-type": NDJSON}
    )
    return _answered(response)


# -- tools ------------------------------------------------------------------------------------------------------


class _Named:
    """Stands for the world where only the names of arguments are wanted."""

    def __getattr__(self, name: str) -> Any:
        return {} if name == "case" else self

    def __call__(self, *given: Any) -> Any:
        return ("x", "y")

    def __getitem__(self, key: Any) -> Any:
        return "x"


class Assistant:
    """The SDK's own client, connected in memory to the server, with a loop in a thread of its own."""

    def __init__(self, doors: Doors) -> None:
        from hepagraph.service.mcp_server import mcp_server

        limits = SparqlLimits(seconds=10, rows=20, processes=1)
        self.workers = SparqlWorkers(str(DATA / "coin"), limits=limits)
        self.server = mcp_server(doors, self.workers)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._ended = asyncio.Event()
        self._open: threading.Event = threading.Event()
        self._task = asyncio.run_coroutine_threadsafe(self._stay(), self.loop)
        assert self._open.wait(60), self._task.exception()

    async def _stay(self) -> None:
        from mcp.client import Client

        async with Client(self.server) as client:
            self.client = client
            self._open.set()
            await self._ended.wait()

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        """Return what a call of the client returns."""
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(120)

    def close(self) -> None:
        """End the client, the loop and the workers."""
        self.loop.call_soon_threadsafe(self._ended.set)
        self._task.result(30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(30)
        self.loop.close()
        self.workers.close()


def _assistant(world: World) -> Assistant:
    found: Assistant = world.once("assistant", lambda: Assistant(world.doors))
    return found


def _call(name: str, world: World, junk: Any) -> bool:
    from mcp.shared.exceptions import MCPError

    assistant = _assistant(world)
    try:
        result = assistant.run(assistant.client.call_tool(name, junk))
    except ValueError as error:  # the client does not send what is nested so deeply
        assert "serialization depth" in str(error), error
        return False
    except MCPError as error:
        assert error.code in (-32602, -32600), error
        check_words(str(error))
        return False
    text = "".join(getattr(part, "text", "") for part in result.content)
    if result.is_error:
        assert "The server failed" not in text, text
        assert ":" in text or not text.startswith("Error executing tool"), text
        if "validation error" not in text:  # what the SDK itself says of arguments
            check_words(text.encode("ascii", "backslashreplace").decode())
        assert "Internal" not in text
        return False
    return True


def _tools() -> Iterator[tuple[str, Callable[[Any], Json], int]]:
    """Yield each tool, a good call's arguments, and how often it is asked."""

    def with_case(**more: Any) -> Callable[[Any], Json]:
        return lambda world: {"case": world.case, "differential": "three", **more}

    def with_prior(**more: Any) -> Callable[[Any], Json]:
        return lambda world: {**with_case(**more)(world), "prior": dict.fromkeys(world.skin.entities(), 1)}

    scenario = {"name": "other", "values": {"border": "regular"}, "exam": [{"method": "dermoscopy"}]}
    yield "score", with_prior(interval=False), 60
    yield "explain", with_prior(entity="nevus", against="seborrheic_keratosis"), 40
    yield "what_if", with_prior(scenarios=[scenario], sweep=["border"], lesion="L1"), 60
    yield "next_best", with_prior(costs={"losses": {}, "burdens": {}}), 40
    yield "sensitivity", with_prior(), 10
    yield "recommend", with_prior(), 40
    example = {"patient": {"sun_exposure": "low"}, "exam": [{"method": "dermoscopy"}], "differential": "three"}
    yield "archetype", lambda world: {"entity": "nevus", **example}, 60
    yield "vocabulary", lambda world: {"variables": ["border"]}, 60
    yield "named_queries", lambda world: {}, 20
    yield "sparql", lambda world: {"query": "ASK {}", "name": None, "parameters": {}}, 60


def _arguments_junk(arguments: Callable[[World], Json], world: World) -> Iterator[Any]:
    for junk in values_of([arguments(world)]):
        yield json.loads(json.dumps(junk)) if isinstance(junk, dict) else {"x": junk}


def _resource(world: World, junk: str) -> bool:
    from mcp.shared.exceptions import MCPError

    assistant = _assistant(world)
    try:
        assistant.run(assistant.client.read_resource(junk))
    except (MCPError, ValueError) as error:
        assert "Traceback" not in str(error)
        return False
    return True
