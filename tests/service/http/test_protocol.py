"""What HTTP asks of a server beside the questions: methods, framing, hosts, other pages, mounting; and who asks much."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from hepagraph.ontology.errors import HepagraphError
from hepagraph.service.doors import Doors
from hepagraph.service.http import Settings, create_app
from hepagraph.service.http.guard import HEADERS

Running = Callable[..., AbstractContextManager[httpx.Client]]
Logged = Callable[[], AbstractContextManager[StringIO]]
TOKEN = "0123456789abcdef-token"  # noqa: S105
JSON = {"Content-Type": "application/json"}
EMPTY = {"case": {"lesions": [{"findings": {}}]}}


def said(client: httpx.Client, request: str | bytes) -> bytes:
    """Return all that is answered to the bytes of a request."""
    raw = request if isinstance(request, bytes) else request.replace("\n", "\r\n").encode()
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=30) as connection:
        connection.sendall(raw)
        return b"".join(iter(lambda: connection.recv(2**16), b""))


# -- methods ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/v1/model", "/v1/vocabulary", "/openapi.json", "/"])
def test_what_is_said_to_get_is_said_to_head_without_the_body(client: httpx.Client, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    if path != "/metrics":
        assert head.headers["content-length"] == get.headers["content-length"]


def test_head_has_nothing_where_get_has_nothing(client: httpx.Client) -> None:
    assert client.head("/v1/posterior").status_code == 405
    assert client.head("/nothing").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/posterior", "POST"),
        ("OPTIONS", "/v1/posterior", "POST"),
        ("DELETE", "/sparql", "GET, HEAD, POST"),
        ("POST", "/health", "GET, HEAD"),
        ("TRACE", "/v1/model", "GET, HEAD"),
    ],
)
def test_another_method_is_told_which_there_are(client: httpx.Client, method: str, path: str, allowed: str) -> None:
    found = client.request(method, path)
    assert (found.status_code, found.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "path", ["/v1/model/", "//v1/model", "/v1//model", "/V1/model", "/v1/model%2f", "/web/../v1/model"]
)
def test_an_address_has_one_spelling(client: httpx.Client, path: str) -> None:
    assert said(client, f"GET {path} HTTP/1.1\nHost: localhost\nConnection: close\n\n").startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    "path", ["/web/../../settings.py", "/web/%2e%2e/%2e%2e/settings.py", "/web/..%5c..%5csettings.py"]
)
def test_no_path_leads_out_of_the_pages_files(client: httpx.Client, path: str) -> None:
    assert said(client, f"GET {path} HTTP/1.1\nHost: localhost\nConnection: close\n\n").startswith(b"HTTP/1.1 404 ")


# -- framing ----------------------------------------------------------------------------------------------------------


def test_two_lengths_are_refused(client: httpx.Client, logged: Logged) -> None:
    """A proxy before us might believe the other one, and take the rest for a request of its own."""
    body = 'e\n{"case": 12345}\n0\n\n'
    head = "POST /v1/posterior HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
    found = said(client, f"{head}Transfer-Encoding: chunked\nContent-Length: 4\n\n{body}")
    assert found.startswith(b"HTTP/1.1 400 ") and b"connection: close" in found.lower()
    assert found.count(b"HTTP/1.1") == 1
    for lengths in ("Content-Length: 4\nContent-Length: 5", f"Content-Length: {'9' * 5000}", "Content-Length: +4"):
        assert said(client, f"{head}{lengths}\n\n{{}}  ").startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 "))


def test_bodies_in_pieces_are_read(client: httpx.Client, doors: Doors) -> None:
    raw = json.dumps(EMPTY).encode()

    def pieces() -> Iterator[bytes]:
        for position in range(0, len(raw), 3):
            yield raw[position : position + 3]

    found = client.post("/v1/posterior", content=pieces(), headers=JSON)
    assert found.json() == doors.posterior(EMPTY["case"])


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "GZIP"])
@pytest.mark.parametrize("path", ["/v1/posterior", "/v1/batch", "/sparql"])
def test_compressed_bodies_are_refused_and_it_is_said_why(client: httpx.Client, path: str, coding: str) -> None:
    body = gzip.compress(json.dumps(EMPTY).encode())
    found = client.post(path, content=body, headers={**JSON, "Content-Encoding": coding})
    assert (found.status_code, found.headers["accept-encoding"]) == (415, "identity")
    assert found.json()["problems"][0]["where"] == "Content-Encoding"
    plain = client.post("/v1/posterior", json=EMPTY, headers={"Content-Encoding": "identity"})
    assert plain.status_code == 200


def test_http_1_0_is_answered(client: httpx.Client, doors: Doors) -> None:
    raw = json.dumps(EMPTY)
    head = f"HTTP/1.0\nHost: localhost\nContent-Length: {len(raw)}\nContent-Type: "
    found = said(client, f"POST /v1/posterior {head}application/json\n\n{raw}")
    assert b" 200 " in found.splitlines()[0]
    assert json.loads(found.partition(b"\r\n\r\n")[2]) == json.loads(json.dumps(doors.posterior(EMPTY["case"])))
    line = json.dumps(EMPTY["case"])
    head = f"HTTP/1.0\nHost: localhost\nContent-Length: {len(line)}\nContent-Type: "
    batch = said(client, f"POST /v1/batch {head}application/x-ndjson\n\n{line}")
    assert json.loads(batch.partition(b"\r\n\r\n")[2])["lesions"]  # ends where the connection does
    assert b" 400 " in said(client, "GET /v1/model HTTP/1.0\n\n").splitlines()[0]  # names no host


@pytest.mark.parametrize(
    "host", ["[::1].a.example", "[::1", "::1", "127.0.0.1:80:80", "localhost@a.example", "localhost:x"]
)
def test_a_host_that_only_begins_like_this_machine_is_another(client: httpx.Client, host: str) -> None:
    found = said(client, f"GET /v1/model HTTP/1.1\nHost: {host}\nConnection: close\n\n")
    assert found.startswith(b"HTTP/1.1 400 ")


def test_no_line_of_the_log_can_be_forged(client: httpx.Client, logged: Logged) -> None:
    forged = '%0A{"event": "request", "status": 200}%0D%0A'
    with logged(client) as log:
        client.get(f"/{forged}")
        client.get(f"/v1/model?{forged}", headers={"X-Forged": '"}\t{"event": "x"'})
        client.request("FOO", "/health")
        while log.getvalue().count("\n") < 3:
            pass
    assert [set(json.loads(line)) for line in log.getvalue().splitlines()] == [
        {"time", "level", "event", "method", "route", "status", "ms"}
    ] * 3


# -- other pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_other_origins_cannot_make_us_work(client: httpx.Client, site: str) -> None:
    """A form, a picture or a script of another page needs no CORS to be sent; the browser says where it is from."""
    asked = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert client.get("/sparql?query=ASK%20%7B%7D", headers=asked).status_code == 403
    assert client.get("/v1/vocabulary", headers=asked).status_code == 403
    form = {**asked, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    assert client.post("/sparql", data={"query": "ASK {}"}, headers=form).status_code == 403
    link = {**asked, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.get("/", headers=link).status_code == 200
    for own in ("same-origin", "none"):
        assert client.get("/v1/model", headers={**asked, "Sec-Fetch-Site": own}).status_code == 200


def test_a_listed_origin_may_ask_and_read_what_it_needs(doors: Doors, running: Running) -> None:
    origin = {"Origin": "https://a.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    with running(create_app(doors, Settings(origins=("https://A.example/",)))) as client:
        found = client.get("/v1/model", headers=origin)
        assert (found.status_code, found.headers["access-control-allow-origin"]) == (200, "https://a.example")
        assert "retry-after" in found.headers["access-control-expose-headers"].lower()
        assert client.get("/v1/model", headers={**origin, "Origin": "https://b.example"}).status_code == 403


# -- who asks much ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Waiting(Doors):
    """Doors that answer only when they are let."""

    go: threading.Event = field(default_factory=threading.Event)

    def warm(self) -> None: ...

    def posterior(self, case: Any, **options: Any) -> dict[str, Any]:
        assert self.go.wait(30)
        return super().posterior(case, **options)


def test_one_address_cannot_take_all_places(doors: Doors, running: Running) -> None:
    waiting = Waiting(doors.reasoner)
    app = create_app(waiting, Settings(per_client=2, threads=4))
    found: list[httpx.Response] = []
    with running(app) as client:

        def ask() -> None:
            found.append(httpx.post(f"{client.base_url}/v1/posterior", json=EMPTY, timeout=60))

        asking = [threading.Thread(target=ask) for _ in range(2)]
        for thread in asking:
            thread.start()
        while app.state.workbench.open < 2:
            pass
        refused = client.get("/v1/model")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.headers["content-type"] == "application/problem+json"
        assert client.get("/health").status_code == client.get("/").status_code == 200  # as these need no token
        waiting.go.set()
        for thread in asking:
            thread.join(60)
        assert [one.status_code for one in found] == [200, 200]
        for _ in range(5):
            assert client.get("/v1/model").status_code == 200
        operations = client.get("/openapi.json").json()["paths"]
        assert "429" in operations["/v1/posterior"]["post"]["responses"]
        assert "429" not in operations["/health"]["get"]["responses"]


def test_any_number_is_let_in_unless_it_is_set(client: httpx.Client) -> None:
    assert Settings().per_client == 0
    assert "429" not in json.dumps(client.get("/openapi.json").json()["paths"])


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": float("inf")},
        {"seconds": float("nan")},
        {"per_client": -1},
        {"sparql_seconds": 0},
        {"sparql_rows": 0},
        {"sparql_processes": 0},
        {"sparql_mebibytes": 0},
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(HepagraphError, match=next(iter(change))):
        Settings(**change).check()


# -- within another application ---------------------------------------------------------------------------------------


def test_it_may_be_mounted_in_another_application(doors: Doors, running: Running) -> None:
    inner = create_app(doors, Settings(token=TOKEN, body_bytes=1000))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with inner.router.lifespan_context(inner):
            yield

    outer = FastAPI(lifespan=lifespan)

    @outer.get("/ready")
    async def ready() -> dict[str, bool]:
        return {"outer": True}

    outer.router.routes.append(Mount("/within", app=inner))
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with running(outer) as client:
        assert client.get("/within/health").status_code == 200  # public, as it is by itself
        assert client.get("/within/v1/model").status_code == 401
        found = client.post("/within/v1/posterior", json=EMPTY, headers=bearer)
        assert found.status_code == 200 and found.headers["x-frame-options"] == HEADERS["x-frame-options"]
        lines = json.dumps(EMPTY["case"]) + "\n"
        batch = {**bearer, "Content-Type": "application/x-ndjson"}
        many = client.post("/within/v1/batch?reasons=false&surprise=false", content=lines * 50, headers=batch)
        assert len(many.text.splitlines()) == 50  # more than a body may have, as a batch may be
