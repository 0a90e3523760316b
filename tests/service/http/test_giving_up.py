"""What nobody waits for is not worked out: its place is free soon after the time is up, or the client has gone."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import StringIO
from typing import Any

import httpx
import pytest

from hepagraph.service.doors import Doors
from hepagraph.service.http import Settings, create_app
from hepagraph.service.http.batch_lines import MEDIA_TYPES

Running = Callable[..., AbstractContextManager[httpx.Client]]
Logged = Callable[[], AbstractContextManager[StringIO]]
EMPTY = {"case": {"lesions": [{"findings": {}}]}}
SOON = 4.0  # seconds; some tenths of one where nothing else runs


@pytest.fixture(scope="module")
def long(doors: Doors) -> dict[str, Any]:
    """A question that takes half a minute of a core."""
    reader = doors.reasoner.reader
    excluded = {name for first, _, second, _ in reader.exclusions for name in (first, second)}
    findings = {
        name: {state: 1.0 / (1 + place) for place, state in enumerate(variable.states)}
        for name, variable in reader.inputs("findings").items()
        if variable.section == "findings" and name not in excluded
    }
    return {"case": {"lesions": [{"findings": findings}] * 20}, "interval": True}


def wait_until(true: Callable[[], bool], seconds: float = 30.0) -> float:
    """Return how long it took."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < seconds
        time.sleep(0.005)
    return time.monotonic() - started


def posted(
    client: httpx.Client, path: str, body: bytes, *, length: int | None = None, kind: str = "application/json"
) -> socket.socket:
    """Return a connection on which a request was sent; ``length`` announces more than comes."""
    connection = socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=60)
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {kind}"]
    lines.append(f"Content-Length: {length or len(body)}")
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    return connection


def test_the_place_of_a_request_that_is_out_of_time_is_soon_free(
    doors: Doors, running: Running, long: dict[str, Any]
) -> None:
    app = create_app(doors, Settings(threads=1, queue=0, seconds=1))
    with running(app) as client:
        found = client.post("/v1/posterior", json=long)
        freed = wait_until(lambda: app.state.workbench.open == 0)
        assert (found.status_code, found.headers["retry-after"]) == (503, "1")
        assert freed < SOON
        assert client.post("/v1/posterior", json={**EMPTY, "surprise": False}).status_code == 200


@pytest.mark.parametrize("question", ["explain", "sensitivity"])
def test_so_with_other_long_questions(doors: Doors, running: Running, long: dict[str, Any], question: str) -> None:
    app = create_app(doors, Settings(threads=1, queue=0, seconds=1))
    case = {"case": {"lesions": long["case"]["lesions"][:5]}}
    with running(app) as client:
        assert client.post(f"/v1/{question}", json=case).status_code == 503
        assert wait_until(lambda: app.state.workbench.open == 0) < SOON


def test_work_ends_when_its_client_hangs_up(
    doors: Doors, running: Running, logged: Logged, long: dict[str, Any]
) -> None:
    app = create_app(doors, Settings(threads=1, queue=0, seconds=60))
    with running(app) as client, logged() as log:
        with posted(client, "/v1/posterior", json.dumps(long).encode()):
            wait_until(lambda: app.state.workbench.open == 1)
        assert wait_until(lambda: app.state.workbench.open == 0) < SOON
        wait_until(lambda: "499" in log.getvalue())
        assert client.post("/v1/posterior", json=EMPTY).status_code == 200
        assert 'route="/v1/posterior",status="499"} 1.0' in client.get("/metrics").text
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {line["event"] for line in lines} == {"request"}


def test_a_client_that_hangs_up_within_its_body_is_no_failure_of_ours(client: httpx.Client, logged: Logged) -> None:
    with logged(client) as log:
        posted(client, "/v1/posterior", b'{"case"', length=100).close()
        posted(client, "/v1/batch", b'{"case"', length=100, kind=MEDIA_TYPES[0]).close()
        wait_until(lambda: log.getvalue().count("499") == 2)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["event"], line["status"]) for line in lines] == [("request", 499)] * 2


def test_a_line_that_takes_too_long_is_told_and_the_next_are_answered(
    doors: Doors, running: Running, long: dict[str, Any]
) -> None:
    short = EMPTY["case"]
    lines = [short, long["case"], short, long["case"], short]
    doors.posterior(short, interval=True)  # what is drawn once is drawn
    with running(create_app(doors, Settings(seconds=6, batches=1))) as client:
        found = client.post(
            "/v1/batch?interval=true&surprise=false",
            content="\n".join(map(json.dumps, lines)),
            headers={"Content-Type": MEDIA_TYPES[0]},
        )
    answers = [json.loads(line) for line in found.text.splitlines()]
    assert ["error" in answer for answer in answers] == [False, True, False, True, False]
    assert [(a["error"]["line"], a["error"]["status"]) for a in answers if "error" in a] == [(2, 503), (4, 503)]
    assert answers[0] == answers[2] == answers[4] == doors.posterior(short, interval=True, surprise=False)


def test_a_server_that_closes_does_not_wait_for_long_answers(
    doors: Doors, running: Running, long: dict[str, Any]
) -> None:
    app = create_app(doors, Settings(threads=1, seconds=300))
    with running(app) as client:
        connection = posted(client, "/v1/posterior", json.dumps({**long, "surprise": False}).encode())
        wait_until(lambda: app.state.workbench.open == 1)
        closing = time.monotonic()
    assert time.monotonic() - closing < 20  # uvicorn gives requests 10 seconds, and then cancels them
    assert wait_until(lambda: app.state.workbench.open == 0) < SOON
    connection.close()
