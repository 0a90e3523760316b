"""``hepagraph serve`` as a process: how it is started, what it refuses, what it writes, how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

COMMAND = (sys.executable, "-m", "hepagraph.service.cli", "serve")
TOKEN = "a-token-for-this-test-only"  # noqa: S105
MARK = "q7mark3r"


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("HEPAGRAPH_")} | more


@pytest.mark.parametrize(
    ("arguments", "variables", "says"),
    [
        (("--host", "0.0.0.0"), {}, "can be reached from other machines"),  # noqa: S104
        (("--host", "::"), {}, "can be reached from other machines"),
        ((), {"HEPAGRAPH_TOKEN": ""}, "set but empty"),
        ((), {"HEPAGRAPH_TOKEN": "short"}, "at least 16"),
        (("--token-file", "no/such/file"), {}, "no/such/file"),
        (("--origin", "*"), {}, "is not a web origin"),
        (("--ontology", "no/such/folder"), {}, "no/such/folder"),
    ],
)
def test_what_is_not_safe_is_not_started(arguments: tuple[str, ...], variables: dict[str, str], says: str) -> None:
    done = subprocess.run(
        [*COMMAND, "--port", "0", *arguments], env=environment(**variables), capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("hepagraph: ") and says in done.stderr


def test_two_processes_share_work_and_counts_and_write_down_nothing_of_it(tmp_path: Path, root: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n", encoding="utf-8")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    log = tmp_path / "log"
    command = [*COMMAND, "--port", str(port), "--token-file", str(secret), "--workers", "2"]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=stream)
    url, until, bearer = f"http://127.0.0.1:{port}", time.monotonic() + 300, {"Authorization": f"Bearer {TOKEN}"}
    try:
        while not _is_ready(url):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < until
            time.sleep(0.3)
        case = json.loads(next((root / "examples").glob("*.json")).read_text(encoding="utf-8"))
        case["id"] = MARK
        assert httpx.post(f"{url}/v1/posterior", json={"case": case}, timeout=60).status_code == 401
        for _ in range(12):  # a connection each, so that both processes get some
            found = httpx.post(f"{url}/v1/posterior?{MARK}={MARK}", json={"case": case}, headers=bearer, timeout=60)
            assert found.status_code == 200 and found.json()["id"] == MARK
        counts = httpx.get(f"{url}/metrics", headers=bearer).text
        assert 'hepagraph_http_requests_total{method="POST",route="/v1/posterior",status="200"} 12.0' in counts
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert output == b""
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert sum(line["event"] == "request" and line["route"] == "/v1/posterior" for line in lines) == 12
    assert sum(line["event"] == "ready" for line in lines) == 2
    assert MARK not in log.read_text(encoding="utf-8") and TOKEN not in log.read_text(encoding="utf-8")


def test_a_taken_port_is_told_before_anything_is_loaded() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = str(listening.getsockname()[1])
        for more in ((), ("--workers", "2")):
            done = subprocess.run(
                [*COMMAND, "--port", port, *more], env=environment(), capture_output=True, text=True, timeout=120
            )
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr.startswith(f"hepagraph: 127.0.0.1 port {port}: cannot listen there: ")
            assert "give another --port" in done.stderr and len(done.stderr.splitlines()) == 1


@contextlib.contextmanager
def serving(log: Path, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the command on a port that the system chooses, and give its address as the log tells it."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*COMMAND, "--port", "0", *arguments], env=environment(), stdout=subprocess.PIPE, stderr=stream
        )
    until = time.monotonic() + 300
    try:
        while not (found := [line for line in _lines(log) if line["event"] == "listening"]):
            assert process.poll() is None and time.monotonic() < until, log.read_text(encoding="utf-8")
            time.sleep(0.1)
        url = found[0]["addresses"][0]
        while not _is_ready(url):
            assert process.poll() is None and time.monotonic() < until, log.read_text(encoding="utf-8")
            time.sleep(0.1)
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_limits_of_sparql_are_options(tmp_path: Path, data: Path) -> None:
    limits = ("--sparql-rows", "3", "--sparql-seconds", "1", "--sparql-processes", "1", "--sparql-mebibytes", "1500")
    endless = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?n1 ?o }"
    log = tmp_path / "log"
    with serving(log, "--ontology", str(data / "skin"), *limits) as (url, process):
        few = httpx.get(f"{url}/sparql", params={"query": "SELECT * { ?s ?p ?o }"}, headers={"Accept": "text/csv"})
        assert (len(few.text.splitlines()), few.headers["x-sparql-maxrows"]) == (1 + 3, "3")
        late = httpx.get(f"{url}/sparql", params={"query": endless}, timeout=60)
        assert late.status_code == 503 and "1 seconds" in late.json()["detail"]
        assert "3 rows and 1 s" in httpx.get(f"{url}/sparql").text
        doubled = " ".join(f"BIND (CONCAT(?v{i}, ?v{i}) AS ?v{i + 1})" for i in range(32))
        large = f'SELECT (STRLEN(?v32) AS ?n) WHERE {{ BIND ("aa" AS ?v0) {doubled} }}'
        found = httpx.get(f"{url}/sparql", params={"query": large}, timeout=60)
        assert found.status_code == 503 and found.json()["detail"]  # of time or of memory, whichever ends first
        assert httpx.get(f"{url}/sparql", params={"query": "ASK {}"}, timeout=60).json()["boolean"] is True
    assert process.returncode in (0, -signal.SIGTERM)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")
def test_a_worker_that_is_killed_is_replaced_and_leaves_nothing(tmp_path: Path, data: Path) -> None:
    """Neither its counts of what runs, nor its query's process, nor the folder of the counts; and the port stays."""
    log = tmp_path / "log"
    with serving(log, "--ontology", str(data / "coin"), "--workers", "2") as (url, process):
        for _ in range(20):  # a connection each, so that each worker gets some, and has a process for queries
            assert httpx.get(f"{url}/sparql", params={"query": "ASK {}"}, timeout=60).status_code == 200
        workers = _running(process.pid, "multiprocessing.spawn")
        queries = {query for worker in workers for query in _running(worker, "sparql_worker")}
        assert len(workers) == 2 and queries
        counts = httpx.get(f"{url}/metrics").text
        assert 'hepagraph_http_requests_total{method="GET",route="/sparql",status="200"} 20.0' in counts
        assert "hepagraph_http_requests_running 1.0" in counts.splitlines()
        host, port = url.removeprefix("http://").split(":")
        with contextlib.ExitStack() as held:
            for _ in range(20):  # what the killed ones were doing
                connection = held.enter_context(socket.create_connection((host, int(port))))
                connection.sendall(b"POST /v1/posterior HTTP/1.1\r\nHost: localhost\r\n")
                connection.sendall(b"Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{")
            _wait(lambda: "hepagraph_http_requests_running 21.0" in httpx.get(f"{url}/metrics").text)
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            _wait(lambda: len(_running(process.pid, "multiprocessing.spawn") - workers) == 2)
            _wait(lambda: _is_ready(url))
        _wait(lambda: "hepagraph_http_requests_running 1.0" in httpx.get(f"{url}/metrics").text.splitlines())
        assert 'route="/sparql",status="200"} 20.0' in httpx.get(f"{url}/metrics").text  # what was counted stays
        _wait(lambda: not any(Path(f"/proc/{query}").exists() for query in queries))
        left = {*_running(process.pid, ""), *(q for w in _running(process.pid, "") for q in _running(w, ""))}
        folders = set(Path(tempfile.gettempdir()).glob("hepagraph-metrics-*"))
        assert folders
    assert process.returncode == 0
    _wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))
    assert set(Path(tempfile.gettempdir()).glob("hepagraph-metrics-*")) < folders


def _running(pid: int, name: str) -> set[int]:
    """Return the children of a process whose command has a word in it."""
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            with contextlib.suppress(OSError):
                if name.encode() in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.add(int(child))
    return found


def _wait(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while True:
        with contextlib.suppress(httpx.TransportError, OSError):
            if true():
                return
        assert time.monotonic() < until
        time.sleep(0.1)


def _lines(log: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a log so far."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines(keepends=True) if line[-1] == "\n"]


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready").status_code == 200
    except httpx.TransportError:
        return False
