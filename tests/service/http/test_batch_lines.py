"""Batches of JSON Lines: answers in order, a line for each, while the rest is still being sent."""

from __future__ import annotations

import json
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest

from hepagraph.service.doors import Doors
from hepagraph.service.http import Settings, create_app
from hepagraph.service.http.batch_lines import MEDIA_TYPES, Lines

Running = Callable[..., AbstractContextManager[httpx.Client]]
NDJSON = {"Content-Type": MEDIA_TYPES[0]}


def lines_of(found: httpx.Response) -> list[dict[str, Any]]:
    assert found.status_code == 200, found.text
    assert found.headers["content-type"] == MEDIA_TYPES[0]
    return [json.loads(line) for line in found.text.splitlines()]


@pytest.mark.parametrize("kind", MEDIA_TYPES)
def test_answers_are_those_of_single_questions(
    client: httpx.Client, doors: Doors, cases: list[dict[str, Any]], kind: str
) -> None:
    content = "\n".join(map(json.dumps, cases))
    found = lines_of(client.post("/v1/batch", content=content, headers={"Content-Type": f"{kind}; charset=utf-8"}))
    assert found == [doors.posterior(case) for case in cases]


def test_options_hold_for_every_line(client: httpx.Client, doors: Doors, cases: list[dict[str, Any]]) -> None:
    name = next(n for n in doors.reasoner.network.differentials if n != doors.reasoner.network.default_differential)
    content = "\n".join(map(json.dumps, cases[:3]))
    address = f"/v1/batch?differential={name}&interval=true&reasons=false&surprise=false"
    found = lines_of(client.post(address, content=content, headers=NDJSON))
    options: dict[str, Any] = {"differential": name, "interval": True, "reasons": False, "surprise": False}
    assert found == [doors.posterior(case, **options) for case in cases[:3]]


def test_a_bad_line_is_told_by_number_and_the_others_are_answered(
    client: httpx.Client, doors: Doors, cases: list[dict[str, Any]]
) -> None:
    good = json.dumps(cases[0]).encode()
    long = b'"' + b"x" * 2**20 + b'"'
    deep = b"[" * 40 + b"]" * 40
    many = json.dumps({"lesions": [{"findings": {}}] * 21}).encode()
    sent = [good, b"{", b"", b'{"lesions": []}', long, b"  ", b'{"a": 1, "a": 2}', b"\xff", deep, many, b"NaN", good]
    found = lines_of(client.post("/v1/batch", content=b"\r\n".join(sent), headers=NDJSON))
    assert found[0] == found[-1] == doors.posterior(cases[0])
    errors = [line["error"] for line in found[1:-1]]
    assert [(error["line"], error["status"]) for error in errors] == [
        (2, 400),
        (4, 422),
        (5, 413),
        (7, 400),
        (8, 400),
        (9, 413),
        (10, 422),
        (11, 400),
    ]
    assert all(error["problems"] for error in errors)


@pytest.mark.parametrize("query", ["x=1", "interval=yes", "differential=none", "prior=1", "reasons="])
def test_bad_options_are_refused_before_anything_is_read(client: httpx.Client, query: str) -> None:
    found = client.post(f"/v1/batch?{query}", content=b"{}", headers=NDJSON)
    assert found.status_code == 422 and found.json()["problems"]


def test_an_empty_batch_has_an_empty_answer(client: httpx.Client) -> None:
    assert lines_of(client.post("/v1/batch", content=b"\n \n", headers=NDJSON)) == []
    assert lines_of(client.post("/v1/batch", content=b"", headers=NDJSON)) == []


def test_another_kind_of_body_is_refused(client: httpx.Client) -> None:
    found = client.post("/v1/batch", content=b"{}", headers={"Content-Type": "application/json"})
    assert found.status_code == 415 and MEDIA_TYPES[0] in found.json()["problems"][0]["allowed"]


def test_answers_come_while_more_is_being_sent(client: httpx.Client, cases: list[dict[str, Any]]) -> None:
    head = "POST /v1/batch?reasons=false&surprise=false HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    line = json.dumps(cases[0]).encode() + b"\n"
    piece = f"{len(line):x}\r\n".encode() + line + b"\r\n"
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=30) as connection:
        stream = connection.makefile("rb")
        connection.sendall(f"{head}Content-Type: {MEDIA_TYPES[0]}\r\n\r\n".encode())
        connection.sendall(piece)
        status = stream.readline()
        while stream.readline() != b"\r\n":
            pass
        answers = [_chunk(stream)]
        for _ in range(3):  # each is read before the next is sent
            connection.sendall(piece)
            answers.append(_chunk(stream))
        connection.sendall(b"0\r\n\r\n")
        assert _chunk(stream) == b""
    assert status.startswith(b"HTTP/1.1 200")
    assert len(set(answers)) == 1 and json.loads(answers[0])["id"] == cases[0]["id"]


def _chunk(stream: Any) -> bytes:
    size = int(stream.readline(), 16)
    found: bytes = stream.read(size)
    assert stream.readline() == b"\r\n"
    return found


def test_a_batch_that_stalls_is_left_with_a_last_line(doors: Doors, running: Running) -> None:
    line = b'{"lesions": [{"findings": {}}]}\n'

    with running(create_app(doors, Settings(seconds=1))) as client:
        with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=30) as connection:
            head = f"POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: {MEDIA_TYPES[0]}\r\nContent-Length: 999\r\n"
            connection.sendall(head.encode() + b"\r\n" + line)
            text = b"".join(iter(lambda: connection.recv(2**16), b""))
    body = [json.loads(one) for one in text.decode().splitlines() if one.startswith("{")]
    assert body[0]["lesions"] and body[-1]["error"]["status"] == 408 and body[-1]["error"]["line"] == 2


def test_too_many_lines_and_too_many_batches_are_refused(doors: Doors, running: Running) -> None:
    line = '{"lesions": [{"findings": {}}]}\n'
    app = create_app(doors, Settings(lines=20, batches=1))
    with running(app) as client:
        found = lines_of(client.post("/v1/batch", content=line * 20, headers=NDJSON))
        assert len(found) == 20
        found = lines_of(client.post("/v1/batch", content=line * 21, headers=NDJSON))
        assert found[-1]["error"]["status"] == 413
        held: list[int] = []

        def slowly() -> Iterator[bytes]:
            yield line.encode()
            until = time.monotonic() + 20
            while app.state.streams.free and time.monotonic() < until:
                time.sleep(0.01)
            held.append(client.post("/v1/batch", content=line, headers=NDJSON).status_code)
            yield line.encode()

        with httpx.Client(base_url=client.base_url, timeout=30) as other:
            assert len(lines_of(other.post("/v1/batch", content=slowly(), headers=NDJSON))) == 2
        assert held[-1] == 503
        assert len(lines_of(client.post("/v1/batch", content=line, headers=NDJSON))) == 1


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_lines_are_cut_the_same_however_they_come(size: int) -> None:
    body = b"one\n\ntwo two\n" + b"x" * 50 + b"\nthree\n" + b"y" * 60
    cutter = Lines(20)
    found = [line for start in range(0, len(body), size) for line in cutter.cut(body[start : start + size])]
    found += cutter.last()
    assert [(line.number, line.text) for line in found] == [
        (1, b"one"),
        (2, b""),
        (3, b"two two"),
        (4, None),
        (5, b"three"),
        (6, None),
    ]


def test_a_line_without_end_is_not_kept() -> None:
    cutter = Lines(1000)
    tracemalloc.start()
    for _ in range(2000):
        assert cutter.cut(b"x" * 10_000) == []
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 200_000
    assert [line.text for line in cutter.cut(b"\n")] == [None]
