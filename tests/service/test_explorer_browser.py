"""The explorer in a real JupyterLab, in a real browser: what is clicked is what Python answers.

HEPAGRAPH_SCREENSHOTS names a folder for pictures of what the test saw.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from hepagraph.inference import Reasoner
from hepagraph.service.explorer import ExplorerState
from hepagraph.service.text import percent

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-component-update --disable-sync".split()
SHOWN = ".jp-OutputArea-output .hepagraph-explorer"
PICTURES = os.environ.get("HEPAGRAPH_SCREENSHOTS")
UNDER_THE_POINTER = """menu => {
  const at = menu.getBoundingClientRect();
  return document.elementFromPoint(at.x + at.width / 2, at.y + at.height / 2).title;
}"""
CODE = """
import json
from pathlib import Path
from hepagraph.inference import Reasoner
from hepagraph.service.explorer import Explorer
explorer = Explorer(Reasoner.load(), json.loads(Path("case.json").read_text()))
explorer
""".strip()

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: where it listens, and the token that it wants."""

    address: str
    token: str


@pytest.fixture(scope="module")
def lab(start: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Start JupyterLab on loopback, with folders, port and token of its own, and end what was started."""
    folder = tmp_path_factory.mktemp("lab")
    work = folder / "work"
    work.mkdir()
    (work / "case.json").write_text(json.dumps(start), encoding="utf-8")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)], metadata=kernel), work / "case.ipynb"
    )
    own = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    environment = {**os.environ, **{f"JUPYTER_{name}": str(folder / name) for name in own}}
    environment |= {f"JUPYTERLAB_{name}_DIR": str(folder / name) for name in ("SETTINGS", "WORKSPACES")}
    environment["IPYTHONDIR"] = str(folder / "ipython")
    quiet = folder / "SETTINGS" / "@jupyterlab" / "apputils-extension"
    quiet.mkdir(parents=True)
    (quiet / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={work}"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/api/status?token={token}", server, folder / "log")
            yield Lab(address, token)
        finally:
            server.terminate()
            server.wait(timeout=30)


def wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()  # noqa: S310
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()}")


class Page:
    """What a person does with the explorer, and sees of it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.root = page.locator(SHOWN)

    def menu(self, label: str) -> Any:
        exactly = re.compile(f"^{re.escape(label)}$")
        field = self.root.locator(".widget-dropdown").filter(has=self.page.locator(".widget-label", has_text=exactly))
        return field.locator("select")

    def press(self, label: str) -> None:
        self.root.locator("button").filter(has_text=re.compile(f"^\\s*{label}\\s*$")).click()

    def bars(self) -> dict[str, str]:
        rows = self.root.locator(".twin li")
        shown = rows.evaluate_all("rows => rows.map(r => [r.dataset.entity, r.querySelector('b').innerText])")
        return {entity: said.replace("\u00a0", " ") for entity, said in shown}

    def wait_for_bars(self, state: ExplorerState) -> None:
        result = state.answer().lesion(state.lesion.id)
        assert result is not None
        wanted = {entity: percent(value) for entity, value in result.posterior.items()}
        for _ in range(150):
            if self.bars() == wanted:
                return
            self.page.wait_for_timeout(50)
        assert self.bars() == wanted

    def picture(self, name: str) -> None:
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            self.page.wait_for_timeout(1500)
            self.root.screenshot(path=str(Path(PICTURES) / f"explorer_{name}.png"))


@pytest.fixture(scope="module")
def page(lab: Lab) -> Iterator[Page]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        tab = browser.new_page(viewport={"width": 1500, "height": 1150})
        tab.set_default_timeout(30_000)
        tab.goto(f"{lab.address}/lab/tree/case.ipynb?token={lab.token}&reset")
        tab.locator(".jp-Notebook .jp-InputArea-editor").first.click()
        tab.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for()
        tab.keyboard.press("Control+Enter")
        tab.locator(f"{SHOWN} .twin li").first.wait_for(timeout=60_000)
        yield Page(tab)
        browser.close()


def test_clicks_in_jupyterlab(page: Page, reasoner: Reasoner, start: dict[str, Any], told: dict[str, Any]) -> None:
    from playwright.sync_api import expect

    state, change, exam = ExplorerState(reasoner, start), told["change"], told["other_exam"]
    label = {name: field.label for name, field in state.fields.items()}
    label |= {field.name: field.label for field in state.form.exam}
    page.wait_for_bars(state)
    page.picture("start")

    # another finding: the bars are Python's, the answer before stands beside them
    before = page.bars()
    page.menu(label[change["variable"]]).select_option(label=state.fields[change["variable"]].said(change["value"]))
    state.choose(change["variable"], change["value"])
    page.wait_for_bars(state)
    assert page.bars() != before
    shown = page.root.locator(".twin .before").all_inner_texts()
    assert [text.replace("\u00a0", " ") for text in shown] == list(before.values())
    page.root.locator(".ledger").get_by_text(f"{label[change['variable']]}: ").first.wait_for()

    # a scenario is kept as a column
    page.root.get_by_placeholder("name of the scenario").fill("changed")
    page.press("keep")
    page.root.locator(".kept thead", has_text="changed").wait_for()
    page.picture("changed")

    # another protocol: greyed out with the reason, the choice kept, and it comes back
    field = next(field for field in state.form.exam if field.name == exam["variable"])
    page.menu(label[exam["variable"]]).select_option(label=field.said(exam["then"]))
    state.choose_exam(0, exam["variable"], exam["then"])
    page.wait_for_bars(state)
    for name in told["unseen_there"]:
        menu = page.menu(label[name])
        expect(menu).to_be_disabled()
        chosen = menu.evaluate("menu => menu.options[menu.selectedIndex].text.trim()")
        assert chosen.replace("\u00a0", " ") == state.fields[name].said(state.value(name))
        reason = state.closed()[name]
        menu.scroll_into_view_if_needed()
        assert reason in menu.evaluate(UNDER_THE_POINTER)
        expect(page.root.locator(".note", has_text=reason).first).to_be_visible()
    page.picture("other_exam")
    page.menu(label[exam["variable"]]).select_option(label=field.said(exam["now"]))
    state.choose_exam(0, exam["variable"], exam["now"])
    page.wait_for_bars(state)
    for name in told["unseen_there"]:
        expect(page.menu(label[name])).to_be_enabled()

    # what cannot be is said where it is, and nothing is lost
    for one in told["conflict"]:
        page.menu(label[one["variable"]]).select_option(label=state.fields[one["variable"]].said(one["value"]))
        state.choose(one["variable"], one["value"])
    (trouble,) = state.answer().troubles
    page.root.get_by_role("alert").get_by_text(trouble.text).wait_for()
    page.picture("conflict")
    page.menu(label[told["conflict"][1]["variable"]]).select_option(label="not stated")
    state.choose(told["conflict"][1]["variable"], None)
    page.wait_for_bars(state)

    # the other lesion
    page.press(start["lesions"][1]["id"])
    state.show_lesion(1)
    page.wait_for_bars(state)

    # a case as JSON comes in and goes out
    page.root.get_by_text("The case as JSON").click()
    page.root.locator(".json pre").wait_for()
    assert json.loads(page.root.locator(".json pre").inner_text()) == state.counted()
    page.root.get_by_placeholder("paste a case as JSON here").fill(json.dumps({"lesions": [{"findings": {}}]}))
    page.press("load")
    page.wait_for_bars(ExplorerState(reasoner))
    page.page.keyboard.press("Control+b")
    page.page.set_viewport_size({"width": 620, "height": 1150})
    page.picture("narrow")
    assert page.root.evaluate("root => root.scrollWidth <= root.clientWidth + 1")
