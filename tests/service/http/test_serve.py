"""``hepagraph serve`` as a process: how it is started, what it refuses, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
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


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready").status_code == 200
    except httpx.TransportError:
        return False
