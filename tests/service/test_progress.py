"""A bar where somebody watches, and not a byte where nobody does."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

CASE = b'{"lesions": [{"findings": {"toss": "heads"}}]}'


def command(data: Path) -> list[str]:
    return [sys.executable, "-m", "hepagraph.service.cli", "posterior", "-", "--json", "--ontology", str(data / "coin")]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment without an artifact at hand, so that the toy is fitted."""
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}


def drain(end: int) -> bytes:
    found = b""
    while True:
        try:
            part = os.read(end, 65536)
        except OSError:  # what a terminal gives when its other end has closed
            return found
        if not part:
            return found
        found += part


def test_a_terminal_sees_a_bar_that_fills_and_goes(data: Path, environment: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command(data), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        stdout, _ = process.communicate(CASE, timeout=120)
    shown = drain(ours).decode()
    os.close(ours)
    assert process.returncode == 0
    assert stdout.startswith(b'{"id"') and stdout.count(b"\n") == 1
    counts = [tuple(map(int, pair)) for pair in re.findall(r"reconciling \[[#.]{30}\] (\d+)/(\d+) toss", shown)]
    assert counts == [(done, len(counts)) for done in range(1, len(counts) + 1)]
    assert len(counts) >= 1
    assert f"[{'#' * 30}]" in shown
    assert shown.endswith("\r\033[K")


def test_a_pipe_or_file_sees_none(data: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command(data), input=CASE, capture_output=True, env=environment, check=True, timeout=120)
    assert done.stdout.count(b"\n") == 1
    assert b"reconciling" not in done.stderr and b"\r" not in done.stderr
