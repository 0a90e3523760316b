"""Real servers, and a real browser that watches what the page does.

HEPAGRAPH_SCREENSHOTS names a folder for pictures of what the tests saw.
"""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hepagraph.service.doors import Doors
from hepagraph.service.http import Settings, create_app
from hepagraph.service.http.serving import uvicorn_options
from hepagraph.service.text import percent

Json = dict[str, Any]
Got = tuple[int, Any, bytes]
PICTURES = os.environ.get("HEPAGRAPH_SCREENSHOTS")


@contextmanager
def _served(doors: Doors, settings: Settings) -> Iterator[str]:
    """Run the application as ``hepagraph serve`` does, on a free port; yield its address."""
    import uvicorn

    options = uvicorn_options(replace(settings, port=0)) | {"log_config": None, "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(create_app(doors, settings), **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        for _ in range(600):
            if server.started:
                break
            time.sleep(0.05)
        assert server.started
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(timeout=30)


@pytest.fixture(scope="session")
def served() -> Callable[[Doors, Settings], AbstractContextManager[str]]:
    """Runs the application as ``hepagraph serve`` does, on a free port, and yields its address."""
    return _served


@pytest.fixture(scope="session")
def get() -> Callable[..., Got]:
    """Asks an address with headers, and returns status, headers and content."""
    return _get


@pytest.fixture(scope="session")
def address(doors: Doors) -> Iterator[str]:
    with _served(doors, Settings()) as found:
        while _get(f"{found}ready")[0] != 200:
            time.sleep(0.1)
        yield found


@pytest.fixture
def visit(browser: Any, address: str) -> Callable[..., Page]:
    """Opens the page at the shared server or at another ``address``, in a browser that knows nothing."""

    def visited(fragment: str = "", address: str = address, **options: Any) -> Page:
        return Page(browser, address, fragment, **options)

    return visited


@pytest.fixture(scope="session")
def answered(doors: Doors) -> Callable[..., Json]:
    """Returns the answer to a case, as a server has it, of the lesion at a position."""

    def found(case: Json, position: int = 0, **options: Any) -> Json:
        lesion: Json = doors.posterior(case, reasons=False, surprise=False, **options)["lesions"][position]
        return lesion

    return found


def _get(address: str, **headers: str) -> Got:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as found:  # noqa: S310
            return found.status, found.headers, found.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


class Page:
    """What a person does with the page, and sees of it; what the browser complained of and whom it asked."""

    def __init__(self, browser: Any, address: str, fragment: str = "", **options: Any) -> None:
        self.address = address
        self.servers = {urlsplit(address).netloc}  # those that it may ask
        self.context = browser.new_context(**{"viewport": {"width": 1400, "height": 950}, **options})
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.complaints: list[str] = []
        self.asked: list[Any] = []
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request))
        self.page.goto(address + fragment)

    def ready(self) -> Page:
        self.page.locator("#bars li").first.wait_for()
        return self

    def wait_for_answer(self) -> None:
        """Wait until everything is answered: intervals, reasons, and what to look at next."""
        whole = """() => document.getElementById("answer").getAttribute("aria-busy") === "false"
          && [...document.querySelectorAll("#bars .interval")].every(one => one.textContent)
          && !document.querySelector(".part.stale")"""
        self.until(lambda: bool(self.page.evaluate(whole)), lambda: "it is not answered in time")

    def menu(self, name: str) -> Any:
        return self.page.locator(f'[data-variable="{name}"] select')

    def number(self, name: str) -> Any:
        return self.page.locator(f'[data-variable="{name}"] input')

    def choose(self, name: str, value: str | None) -> None:
        self.menu(name).select_option(value or "")

    def load(self, case: Json) -> None:
        self.page.locator("#file").click()
        self.page.locator("#file-text").fill(json.dumps(case))
        self.page.locator("#file-take").click()

    def bars(self) -> dict[str, str]:
        read = "rows => rows.map(row => [row.dataset.entity, row.querySelector('b').textContent])"
        found = self.page.locator("#bars li").evaluate_all(read)
        return {entity: said.replace("\u00a0", " ") for entity, said in found}

    def wait_for_bars(self, posterior: Json) -> None:
        """Wait until every bar and its length say what the server's numbers are."""
        wanted = {entity: percent(value) for entity, value in posterior.items()}
        self.until(lambda: self.bars() == wanted, lambda: f"{self.bars()} is not {wanted}")
        read = "bars => bars.map(bar => parseFloat(bar.style.width))"
        widths = self.page.locator("#bars .track .now").evaluate_all(read)
        assert widths == pytest.approx([100 * posterior[entity] for entity in self.bars()], abs=0.01)

    def until(self, true: Callable[[], bool], complaint: Callable[[], str] = lambda: "") -> None:
        for _ in range(1200):
            if true():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(complaint())

    def picture(self, name: str) -> None:
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(PICTURES) / f"page_{name}.png"))

    def close(self, *expected: str) -> None:
        """Close the page; it asked nobody but its servers, told no address more than the path, and kept nothing."""
        stored = "[localStorage.length, sessionStorage.length, document.cookie]"
        assert self.page.evaluate(stored) == [0, 0, ""]
        assert {urlsplit(request.url).netloc for request in self.asked} == self.servers
        assert not any(urlsplit(request.url).query for request in self.asked)
        self.context.close()
        assert [one for one in self.complaints if not any(word in one for word in expected)] == []
