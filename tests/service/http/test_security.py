"""Who may ask, how much, and what of it is written down: nothing."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import httpx
import pytest

from hepagraph.ontology.errors import HepagraphError
from hepagraph.service.doors import Doors
from hepagraph.service.http import Settings, create_app
from hepagraph.service.http.guard import HEADERS
from hepagraph.service.http.settings import is_loopback

Running = Callable[..., AbstractContextManager[httpx.Client]]
Logged = Callable[[], AbstractContextManager[StringIO]]
TOKEN = "0123456789abcdef-token"  # noqa: S105
EMPTY = {"case": {"lesions": [{"findings": {}}]}}


@dataclass(frozen=True)
class Waiting(Doors):
    """Doors that answer only when they are let."""

    go: threading.Event = field(default_factory=threading.Event)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def warm(self) -> None: ...

    def posterior(self, case: Any, **options: Any) -> dict[str, Any]:
        self.begun.release()
        assert self.go.wait(30)
        return super().posterior(case, **options)


@dataclass(frozen=True)
class Failing(Doors):
    """Doors with a mistake in them."""

    def warm(self) -> None: ...

    def posterior(self, case: Any, **options: Any) -> dict[str, Any]:
        raise ZeroDivisionError(f"quoting {case}")


@pytest.fixture(scope="module")
def guarded(doors: Doors, running: Running) -> Iterator[httpx.Client]:
    with running(create_app(doors, Settings(token=TOKEN, body_bytes=2000))) as client:
        yield client


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# -- who --------------------------------------------------------------------------------------------------------------


def test_without_the_token_only_life_and_readiness_are_told(guarded: httpx.Client) -> None:
    paths = json.loads(guarded.get("/openapi.json", headers=bearer()).text)["paths"]
    asked = [("GET", "/openapi.json"), ("GET", "/nothing")]
    asked += [(method.upper(), path) for path, ways in paths.items() for method in ways]
    free = {path for path, ways in paths.items() for way in ways.values() if way.get("security") == []}
    assert {"/health", "/ready"} <= free
    assert not any(path.startswith("/v1") or path == "/metrics" for path in free)
    for method, path in asked:
        if path not in free:
            found = guarded.request(method, path)
            assert (found.status_code, found.headers.get("www-authenticate")) == (401, "Bearer"), path
            assert found.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer",
        TOKEN.encode(),
        b"Basic " + TOKEN.encode(),
        b"Bearer " + TOKEN.upper().encode(),
        b"Bearer " + TOKEN[:-1].encode(),
        b"Bearer " + TOKEN.encode() + b"x",
        b"Bearer \xff\xfe",
    ],
)
def test_anything_but_the_token_is_refused(guarded: httpx.Client, header: bytes) -> None:
    assert guarded.get("/v1/model", headers={b"Authorization": header}).status_code == 401  # type: ignore[dict-item]
    assert guarded.get(f"/v1/model?token={TOKEN}").status_code == 401


def test_the_token_opens(guarded: httpx.Client, doors: Doors) -> None:
    assert guarded.get("/v1/model", headers=bearer()).json() == doors.model()
    assert guarded.get("/v1/model", headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200
    assert guarded.get("/v1/model", headers={**bearer(), "Host": "a.example"}).status_code == 200


def test_the_token_is_compared_in_constant_time(guarded: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from hepagraph.service.http import guard

    compared = []

    def compare(given: bytes, wanted: bytes) -> bool:
        compared.append((given, wanted))
        return False

    monkeypatch.setattr(guard.hmac, "compare_digest", compare)
    assert guarded.get("/v1/model", headers=bearer()).status_code == 401
    assert compared == [(TOKEN.encode(), TOKEN.encode())]


@pytest.mark.parametrize("host", ["a.example", "127.0.0.1.a.example", "", "10.0.0.1", "[::2]", "localhost.a.example"])
def test_without_a_token_only_names_of_this_machine_are_answered_to(client: httpx.Client, host: str) -> None:
    assert client.get("/v1/model", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:1", "127.1.2.3", "[::1]", "[::1]:80"])
def test_names_of_this_machine(client: httpx.Client, host: str) -> None:
    assert client.get("/v1/model", headers={"Host": host}).status_code == 200


def test_without_a_token_nothing_listens_to_other_machines() -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org", ""):  # noqa: S104
        assert not is_loopback(host)
        with pytest.raises(HepagraphError, match="token"):
            Settings(host=host).check()
        Settings(host=host, token=TOKEN).check()
    Settings(host="::1").check()


@pytest.mark.parametrize("token", ["", "short", "with a blank in between", "ä" * 20, "line\nbreak-and-more-text"])
def test_weak_tokens_are_refused(token: str) -> None:
    with pytest.raises(HepagraphError, match="token"):
        Settings(token=token).check()


def test_the_token_is_not_shown() -> None:
    settings = Settings(token=TOKEN)
    assert TOKEN not in repr(settings) and TOKEN not in str(settings.to_dict())


@pytest.mark.parametrize("change", [{"threads": 0}, {"seconds": -1}, {"queue": -1}, {"port": 70000}, {"body_bytes": 0}])
def test_impossible_settings_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(HepagraphError):
        Settings(**change).check()


# -- pages of other origins -------------------------------------------------------------------------------------------


def test_no_other_origin_may_ask_unless_it_is_listed(client: httpx.Client, doors: Doors, running: Running) -> None:
    ask = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in client.get("/v1/model", headers=ask).headers
    assert client.options("/v1/posterior", headers=ask).status_code == 405
    with running(create_app(doors, Settings(origins=("https://a.example",), token=TOKEN))) as listed:
        found = listed.options("/v1/posterior", headers={**ask, "Access-Control-Request-Headers": "authorization"})
        assert found.status_code == 200
        assert found.headers["access-control-allow-origin"] == "https://a.example"
        assert "access-control-allow-credentials" not in found.headers
        refused = listed.get("/v1/model", headers={"Origin": "https://a.example"})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://a.example"
        other = listed.get("/v1/model", headers={**bearer(), "Origin": "https://b.example"})
        assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("origin", ["*", "a.example", "https://a.example/path", "null"])
def test_only_origins_can_be_listed(origin: str) -> None:
    with pytest.raises(HepagraphError, match="origin"):
        Settings(origins=(origin,)).check()


def test_every_answer_is_marked(guarded: httpx.Client) -> None:
    found = [
        guarded.get("/health"),
        guarded.get("/v1/model"),
        guarded.get("/v1/model", headers=bearer()),
        guarded.get("/nothing", headers=bearer()),
        guarded.post("/v1/posterior", headers=bearer(), json=EMPTY),
        guarded.post("/v1/posterior", headers=bearer(), content=b"{" * 3000),
    ]
    assert [answer.status_code for answer in found] == [200, 401, 200, 404, 200, 413]
    for answer in found:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert "server" not in answer.headers


# -- how much ---------------------------------------------------------------------------------------------------------


def test_large_bodies_are_refused_whatever_they_announce(guarded: httpx.Client) -> None:
    headers = {**bearer(), "Content-Type": "application/json"}
    assert guarded.post("/v1/posterior", headers=headers, content=b" " * 2001).status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(50):
            yield b" " * 1000

    try:
        assert guarded.post("/v1/posterior", headers=headers, content=pieces()).status_code == 413
    except httpx.WriteError:  # it may hang up while we still send
        pytest.fail("the server hung up before its answer could be read")
    assert guarded.post("/v1/posterior", headers=headers, content=json.dumps(EMPTY)).status_code == 200


def test_deep_and_many_parts_are_refused(client: httpx.Client) -> None:
    def asked(content: str) -> int:
        return client.post("/v1/posterior", content=content, headers={"Content-Type": "application/json"}).status_code

    assert asked('{"case": ' + "[" * 32 + "]" * 32 + "}") == 413
    assert asked('{"case": ' + "[" * 31 + "]" * 31 + "}") == 422
    assert asked('{"case": [' + "0," * 20_000 + "0]}") == 413


def test_time_is_short_for_many_mistakes(client: httpx.Client) -> None:
    """Suggestions, and keys that stand twice, are looked for in all that is sent: their number must not square."""
    keys = ",".join(f'"{i:05}abcdefghijklmnop": 1' for i in range(15_000))
    started = time.monotonic()
    for content in (f'{{"case": {{{keys}}}}}', f'{{"case": {{{keys},"00000abcdefghijklmnop": 1}}}}'):
        found = client.post("/v1/posterior", content=content, headers={"Content-Type": "application/json"})
        assert found.status_code in (400, 422)
    assert time.monotonic() - started < 20


def test_a_body_that_does_not_come_is_not_waited_for(doors: Doors, running: Running) -> None:
    with running(create_app(doors, Settings(seconds=0.5))) as client:
        with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=10) as connection:
            connection.sendall(
                b"POST /v1/posterior HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: 100\r\n\r\n{"
            )
            assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_overload_is_told_and_passes(doors: Doors, running: Running) -> None:
    waiting = Waiting(doors.reasoner)
    with running(create_app(waiting, Settings(threads=1, queue=1))) as client, ThreadPoolExecutor(8) as pool:
        first = pool.submit(client.post, "/v1/posterior", json=EMPTY)
        assert waiting.begun.acquire(timeout=10)
        second = pool.submit(client.post, "/v1/posterior", json=EMPTY)
        until = time.monotonic() + 10
        more = []
        while len([found for found in more if found.status_code == 503]) < 3 and time.monotonic() < until:
            try:
                more.append(client.post("/v1/posterior", json=EMPTY, timeout=1))
            except httpx.ReadTimeout:  # this one took the place in the queue
                continue
        refused = [found for found in more if found.status_code == 503]
        assert len(refused) == 3
        assert all(found.headers["retry-after"] == "1" for found in refused)
        assert all(found.headers["content-type"] == "application/problem+json" for found in refused)
        assert client.get("/health", timeout=2).status_code == 200
        assert client.get("/metrics", timeout=2).status_code == 200
        waiting.go.set()
        assert first.result(30).status_code == 200
        assert second.result(30).status_code in (200, 503)
        for _ in range(5):
            assert client.post("/v1/posterior", json=EMPTY).status_code == 200


def test_what_takes_too_long_is_answered_and_its_place_is_free_when_it_ends(doors: Doors, running: Running) -> None:
    waiting = Waiting(doors.reasoner)
    with running(create_app(waiting, Settings(threads=1, queue=0, seconds=0.5))) as client:
        late = client.post("/v1/posterior", json=EMPTY)
        assert (late.status_code, late.headers["retry-after"]) == (503, "1")
        assert "0.5 seconds" in late.json()["detail"]
        busy = client.post("/v1/posterior", json=EMPTY)
        assert busy.status_code == 503 and "busy" in busy.json()["detail"]
        waiting.go.set()
        until = time.monotonic() + 10
        while client.post("/v1/posterior", json=EMPTY).status_code != 200:
            assert time.monotonic() < until


# -- what is written down ---------------------------------------------------------------------------------------------

MARK = "q7mark3r"


def test_nothing_that_is_sent_is_logged_or_counted(client: httpx.Client, doors: Doors, logged: Logged) -> None:
    finding = next(iter(doors.reasoner.reader.variables))
    bodies: list[Any] = [
        {"case": {"id": MARK, "lesions": [{"id": MARK, "findings": {}}]}},
        {"case": {"id": MARK, "lesions": [{"findings": {finding: MARK, MARK: MARK}}]}},
        {"case": {"id": MARK, "patient": {MARK: MARK}}, MARK: MARK},
        {"case": {"lesions": [{"findings": {}}]}, "differential": MARK, "entity": MARK},
        {"case": {"lesions": [{"findings": {}}]}, "scenarios": [{"name": MARK, "values": {MARK: MARK}}]},
        MARK,
    ]
    with logged() as log:
        statuses = set()
        for body in bodies:
            for path in ("posterior", "explain", "what-if", "next-best", "recommend", MARK):
                statuses.add(client.post(f"/v1/{path}?{MARK}={MARK}", json=body, headers={MARK: MARK}).status_code)
            lines = json.dumps(body).encode() + b"\n" + MARK.encode() + b"\n"
            found = client.post(f"/v1/batch?{MARK}=1", content=lines, headers={"Content-Type": "application/x-ndjson"})
            statuses.add(found.status_code)
            client.post("/v1/batch", content=lines, headers={"Content-Type": "application/x-ndjson"})
        statuses.add(client.post("/v1/posterior", content=MARK, headers={"Content-Type": MARK}).status_code)
        statuses.add(client.request(MARK.upper(), "/v1/posterior").status_code)
        host, port = client.base_url.host, client.base_url.port or 80
        for raw in (f"{MARK}\r\n\r\n", f"GET /{MARK} HTTP/1.1\r\nContent-Length: {MARK}\r\n\r\n"):
            with socket.create_connection((host, port), timeout=10) as connection:
                connection.sendall(raw.encode())
                connection.recv(1000)
    assert statuses == {200, 404, 405, 415, 422}
    text = log.getvalue()
    assert len(text.splitlines()) > 40
    assert MARK not in text.lower()
    assert MARK not in client.get("/metrics").text.lower()
    for path in ("/v1/model", "/v1/vocabulary", "/openapi.json", "/nothing"):
        assert MARK not in client.get(path).text
    assert MARK not in client.post("/v1/posterior", json={"case": {}}).text


def test_a_line_of_the_log_holds_what_it_says(client: httpx.Client, logged: Logged) -> None:
    with logged(client) as log:
        client.post("/v1/posterior?secret=1", json=EMPTY)
        client.get("/a/path/of/a/client")
        client.request("FOO", "/health")
        end = time.monotonic() + 10
        while log.getvalue().count("\n") < 3 and time.monotonic() < end:  # a line follows its answer
            time.sleep(0.01)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["route"], line["status"]) for line in requests] == [
        ("POST", "/v1/posterior", 200),
        ("GET", "unmatched", 404),
        ("other", "/health", 405),
    ]
    for line in requests:
        assert set(line) == {"time", "level", "event", "method", "route", "status", "ms"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", line["time"])


def test_a_mistake_of_ours_tells_where_it_is_and_quotes_nothing(doors: Doors, running: Running, logged: Logged) -> None:
    with running(create_app(Failing(doors.reasoner))) as client, logged() as log:
        found = client.post("/v1/posterior", json={"case": {"id": MARK}})
        assert client.get("/health").status_code == 200
    assert found.status_code == 500
    assert found.headers["content-type"] == "application/problem+json"
    assert MARK not in found.text and "ZeroDivision" not in found.text
    text = log.getvalue()
    assert MARK not in text
    (line,) = [one for one in map(json.loads, text.splitlines()) if one["event"] == "exception"]
    assert line["exception"]["type"] == "ZeroDivisionError"
    assert line["route"] == "/v1/posterior"
    assert any("test_security.py" in place for place in line["exception"]["at"])
