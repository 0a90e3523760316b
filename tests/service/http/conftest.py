"""Real servers in threads of the test process, and what they log."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from hepagraph.service.doors import Doors
from hepagraph.service.http import Settings, create_app
from hepagraph.service.http.logs import LOG, JsonLines
from hepagraph.service.http.serving import uvicorn_options

Running = Callable[..., contextlib.AbstractContextManager[httpx.Client]]
Logged = Callable[..., contextlib.AbstractContextManager[io.StringIO]]


@pytest.fixture(scope="session")
def running() -> Running:
    """Runs an application under uvicorn as ``hepagraph serve`` does, on a free port, and yields a client for it."""
    return _running


@contextlib.contextmanager
def _running(app: FastAPI, settings: Settings | None = None) -> Iterator[httpx.Client]:
    options = {**uvicorn_options(settings or Settings()), "port": 0, "log_config": None, "lifespan": "on"}
    server = uvicorn.Server(uvicorn.Config(app, **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 120
    while not server.started:
        assert thread.is_alive() and time.monotonic() < until
        time.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        with httpx.Client(base_url=url, timeout=60) as client:
            while client.get("/ready").status_code != 200:
                assert time.monotonic() < until
                time.sleep(0.05)
            yield client
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def client(doors: Doors) -> Iterator[httpx.Client]:
    """A client of a server with the settings that a user gets."""
    with _running(create_app(doors)) as found:
        yield found


@pytest.fixture(scope="session")
def logged() -> Logged:
    """Collects what is logged meanwhile, by the server and by uvicorn, as it stands on standard error.

    A line follows its answer: with a client, what its server still has to say of earlier requests is awaited first.
    """
    return _logged


@contextlib.contextmanager
def _logged(client: httpx.Client | None = None) -> Iterator[io.StringIO]:
    if client is not None:
        with _logged() as before:
            client.request("SETTLE", "/metrics")
            until = time.monotonic() + 10
            while '"other", "route": "/metrics"' not in before.getvalue():
                assert time.monotonic() < until, before.getvalue()
                time.sleep(0.01)
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonLines())
    loggers = [LOG, *(logging.getLogger(name) for name in ("uvicorn.error", "asyncio", "fastapi"))]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


@pytest.fixture(scope="session")
def cases(root: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((root / "examples").glob("*.json"))]
