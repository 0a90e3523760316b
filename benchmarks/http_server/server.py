"""A server of its own for a benchmark: ``hepagraph serve`` in another process, on a free port of loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

TOKEN = "a-token-for-benchmarks-only"  # noqa: S105
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers at ``url`` from process ``pid``."""

    url: str
    pid: int

    def resident_bytes(self) -> int:
        """Return the memory that the server holds, in bytes."""
        import psutil

        own = psutil.Process(self.pid)
        return sum(process.memory_info().rss for process in (own, *own.children(recursive=True)))


@contextlib.contextmanager
def served(*options: str, token: str | None = TOKEN, wait: float = 180.0) -> Iterator[Served]:
    """Start a server with more options of ``hepagraph serve``, wait until it is ready, and stop it at the end."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    command = (sys.executable, "-m", "hepagraph.service.cli", "serve", "--port", str(port), *options)
    environment = {name: value for name, value in os.environ.items() if name != "HEPAGRAPH_TOKEN"}
    environment |= {} if token is None else {"HEPAGRAPH_TOKEN": token}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        url, until = f"http://127.0.0.1:{port}", time.monotonic() + wait
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/ready").status_code == 200:
                    break
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the server did not start: exit status {process.poll()}")
            time.sleep(0.2)
        yield Served(url, process.pid)
    finally:
        process.terminate()
        process.wait(30)
