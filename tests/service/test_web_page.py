"""The web page in a real browser, on a real server: what is chosen is what the server answers, and nothing leaves it.

HEPAGRAPH_SCREENSHOTS names a folder for pictures of what the tests saw.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hepagraph.inference import Reasoner
from hepagraph.inference.result import NOTICE
from hepagraph.service.doors import Doors
from hepagraph.service.explorer import ExplorerState
from hepagraph.service.http import Settings, create_app
from hepagraph.service.http.serving import uvicorn_options
from hepagraph.service.text import percent

Json = dict[str, Any]
WEB = Path(__file__).resolve().parents[2] / "service" / "data" / "web"
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-component-update --disable-sync".split()
PICTURES = os.environ.get("HEPAGRAPH_SCREENSHOTS")
HOSTILE = '<img src=x onerror="window.hit=1">&amp;\'" </b>'
browsers = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")


# -- a server, and a browser that watches what it does ----------------------------------------------------------------


@contextmanager
def served(doors: Doors, settings: Settings) -> Iterator[str]:
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


@pytest.fixture(scope="module")
def doors(reasoner: Reasoner) -> Doors:
    return Doors(reasoner)


@pytest.fixture(scope="module")
def address(doors: Doors) -> Iterator[str]:
    with served(doors, Settings()) as found:
        while get(f"{found}ready")[0] != 200:
            time.sleep(0.1)
        yield found


@pytest.fixture(scope="module")
def told(data: Path) -> Json:
    found: Json = json.loads((data / "explorer.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def start(told: Json, root: Path) -> Json:
    found: Json = json.loads((root / "examples" / told["start"]).read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield found
        found.close()


class Page:
    """What a person does with the page, and sees of it; what the browser complained of and whom it asked."""

    def __init__(self, browser: Any, address: str, fragment: str = "", **options: Any) -> None:
        self.address = address
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
        """Close the page; it asked nobody but its server, told no address more than the path, and kept nothing."""
        stored = "[localStorage.length, sessionStorage.length, document.cookie]"
        assert self.page.evaluate(stored) == [0, 0, ""]
        assert {urlsplit(request.url).netloc for request in self.asked} == {urlsplit(self.address).netloc}
        assert not any(urlsplit(request.url).query for request in self.asked)
        self.context.close()
        assert [one for one in self.complaints if not any(word in one for word in expected)] == []


def answer(doors: Doors, case: Json, position: int = 0, **options: Any) -> Json:
    found: Json = doors.posterior(case, reasons=False, surprise=False, **options)["lesions"][position]
    return found


# -- files, without a browser -----------------------------------------------------------------------------------------


def get(address: str, **headers: str) -> tuple[int, Any, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as found:  # noqa: S310
            return found.status, found.headers, found.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_files_are_marked_and_kept(address: str) -> None:
    from hepagraph.service.http.page_routes import page_files

    kinds = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    for path, name in page_files().items():
        status, headers, content = get(address + path.lstrip("/"))
        assert status == 200 and content
        assert headers["content-type"].partition(";")[0] == kinds[Path(name).suffix]
        assert headers["x-content-type-options"] == "nosniff"
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'self'"
        assert {policy[name] for name in ("object-src", "base-uri", "form-action", "frame-ancestors")} == {"'none'"}
        assert not any("unsafe" in value for value in policy.values())
        assert headers["cache-control"] == "no-cache"
        again, headers, content = get(address + path.lstrip("/"), **{"If-None-Match": headers["etag"]})
        assert (again, content) == (304, b"")
    assert get(address + "web/../page.css")[0] == 404
    assert get(address + "web/nothing.js")[0] == 404


class Names(HTMLParser):
    """Holds every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_holds_nothing_inline_and_nothing_from_elsewhere() -> None:
    text = (WEB / "index.html").read_text(encoding="utf-8")
    assert text.count(NOTICE) == 1
    for tag, attributes in Names(text).tags:
        assert tag != "style" and (tag != "script" or attributes.get("src"))
        assert not any(name == "style" or name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert not (attributes.get(name) or "").startswith(("http", "//", "data:", "javascript:"))
    for path in WEB.iterdir():
        words = path.read_text(encoding="utf-8")
        assert not re.search(r"\b(eval|innerHTML|outerHTML|insertAdjacentHTML|localStorage|sessionStorage)\b", words)
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)[a-z]|url\(|@import", words)


def test_no_word_of_an_ontology_stands_in_the_page(root: Path, data: Path) -> None:
    """Labels come from the server; what is an ontology's word here is a name of the browser's."""
    spec = importlib.util.spec_from_file_location("check_terms", root / ".ci" / "check_terms.py")
    assert spec is not None and spec.loader is not None
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    own = set(json.loads((data / "web_page.json").read_text(encoding="utf-8"))["words_of_browsers"])
    terms = check.ontology_terms(sorted((root / "ontology").rglob("*.ttl"))) - own
    for path in (path for path in WEB.iterdir() if path.suffix in (".js", ".html")):
        assert set(check.words(path.read_text(encoding="utf-8"))) & terms == set(), path.name


# -- the page ---------------------------------------------------------------------------------------------------------


@browsers
def test_findings_are_entered_and_answered(
    browser: Any, address: str, doors: Doors, start: Json, told: Json, reasoner: Reasoner
) -> None:
    """A published case through the form alone; another finding, another examination, and back; what cannot be."""
    from playwright.sync_api import expect

    page = Page(browser, address).ready()
    nothing: Json = {"lesions": [{"findings": {}}]}
    page.wait_for_bars(answer(doors, nothing)["posterior"])
    state = ExplorerState(reasoner, start)
    one = replace(state.selections, lesions=state.selections.lesions[:1])
    for name, value in {**one.patient, **one.lesions[0].values}.items():
        if isinstance(value, str):
            page.choose(name, value)
        else:
            page.number(name).fill(str(value))
            page.number(name).press("Enter")
    page.page.locator("#add-exam").click()
    for name, value in one.exams[0].items():
        page.page.locator(f"#exam-0-{name}").select_option(value)
    case = {**start, "lesions": [{**start["lesions"][0], "id": "L1"}]}
    page.wait_for_bars(answer(doors, case)["posterior"])
    before = page.bars()

    # the intervals come a moment later, and the warnings with them
    interval = answer(doors, case, interval=True)["interval"]
    ends = [f"{percent(low)} to {percent(high)}" for low, high in interval.values()]
    page.until(lambda: page.page.locator("#bars .interval").count() == len(ends))
    expect(page.page.locator("#bars .interval").first).to_contain_text(ends[0].replace(" %", "\u00a0%"))
    texts = [text.replace("\u00a0", " ") for text in page.page.locator("#bars .interval").all_inner_texts()]
    assert all(text.endswith(end) for text, end in zip(texts, ends, strict=True))
    page.page.locator("#reasons .ledger a[href^='https://']").first.wait_for()
    page.page.locator("#next .next-best table").first.wait_for()

    # another finding: the answer before stands beside the new one, and what is kept beside both
    page.page.locator("#keep-name").fill(HOSTILE)
    page.page.locator("#keep-name").press("Enter")
    change = told["change"]
    page.choose(change["variable"], change["value"])
    findings = {**case["lesions"][0]["findings"], change["variable"]: change["value"]}
    changed = {**case, "lesions": [{"id": "L1", "findings": findings}]}
    page.wait_for_bars(answer(doors, changed)["posterior"])
    said = page.page.locator("#bars .before").all_inner_texts()
    assert [text.replace("\u00a0", " ").rpartition("before ")[2] for text in said] == list(before.values())
    expect(page.page.locator("#scenarios thead")).to_contain_text(HOSTILE)
    expect(page.page.locator("#scenarios thead")).to_contain_text("now")
    page.picture("changed")
    page.page.get_by_role("button", name="Go back to").click()
    page.wait_for_bars(answer(doors, case)["posterior"])

    # another examination: closed with the reason, not counted, and back again
    exam = told["other_exam"]
    menu = page.page.locator(f"#exam-0-{exam['variable']}")
    menu.select_option(exam["then"])
    state = ExplorerState(reasoner, case)
    state.choose_exam(0, exam["variable"], exam["then"])
    page.wait_for_bars(answer(doors, state.counted())["posterior"])
    for name in told["unseen_there"]:
        expect(page.menu(name)).to_be_disabled()
        assert page.menu(name).input_value() == (state.value(name) or "")
        described = page.menu(name).get_attribute("aria-describedby").split()
        texts = [page.page.locator(f"#{one}").inner_text() for one in described]
        assert any(state.closed()[name] in text for text in texts)
    page.picture("other_exam")
    menu.select_option(exam["now"])
    page.wait_for_bars(answer(doors, case)["posterior"])
    for name in told["unseen_there"]:
        expect(page.menu(name)).to_be_enabled()

    # what cannot be together is said, and where
    for both in told["conflict"]:
        page.choose(both["variable"], both["value"])
    page.page.get_by_role("alert").get_by_text("cannot be combined").wait_for()
    for both in told["conflict"]:
        expect(page.menu(both["variable"])).to_have_attribute("aria-invalid", "true")
    page.picture("conflict")
    page.page.locator("#undo").click()
    page.page.locator("#troubles .trouble").wait_for(state="detached")
    assert page.page.evaluate("window.hit") is None
    page.close()


@browsers
def test_lesions_links_and_files(browser: Any, address: str, doors: Doors, start: Json, told: Json) -> None:
    from playwright.sync_api import expect

    number = told["number"]
    first, second = start["lesions"][:2]
    soft = {**second["findings"], **told["soft"]}  # likelihoods, which no menu lists
    case = {**start, "lesions": [{**first, "id": HOSTILE}, {**second, "findings": soft}]}
    page = Page(browser, address).ready()
    page.load(case)
    page.wait_for_bars(answer(doors, case)["posterior"])
    choice = page.page.locator("#lesion-choice")
    expect(choice.locator("b").first).to_have_text(HOSTILE)
    expect(page.page.locator("#said")).to_contain_text(HOSTILE)
    choice.get_by_role("radio").nth(1).check()
    page.wait_for_bars(answer(doors, case, 1)["posterior"])
    for name in told["soft"]:
        assert page.menu(name).evaluate("menu => menu.selectedOptions[0].text").count("0.") == 2

    # one lesion more, with a number
    page.page.locator("#add-lesion").click()
    page.number(number["variable"]).fill(str(number["good"]).replace(".", ","))
    page.number(number["variable"]).press("Tab")
    shared = {n: v for n, v in first["findings"].items() if n in doors.reasoner.compiled.patient_level}
    third = {"id": "L3", number["key"]: number["good"], "findings": shared}
    three = {**case, "lesions": [*case["lesions"], third]}
    page.wait_for_bars(answer(doors, three, 2)["posterior"])
    assert page.menu(number["variable"]).input_value() != ""

    # the link brings the same case to another browser; the part after # is sent to nobody
    page.page.locator("#share").click()
    link = page.page.locator("#share-link").input_value()
    page.page.keyboard.press("Escape")
    where, _, fragment = link.partition("#")
    assert where == address
    other = Page(browser, address, f"#{fragment}").ready()
    other.wait_for_bars(answer(doors, three)["posterior"])
    assert other.page.url == link  # until something else is chosen
    other.page.locator("#lesion-choice").get_by_role("radio").nth(2).check()
    other.wait_for_bars(answer(doors, three, 2)["posterior"])
    other.page.locator("#remove-lesion").click()
    other.wait_for_bars(answer(doors, case, 1)["posterior"])
    assert other.page.url == address
    assert all(fragment not in request.url for request in other.asked)
    other.close()

    # a file goes out and comes in; what is no case is refused in place
    page.page.locator("#file").click()
    with page.page.expect_download() as caught:
        page.page.locator("#file-save").click()
    saved = Path(caught.value.path())
    read = json.loads(saved.read_text(encoding="utf-8"))
    assert answer(doors, read)["posterior"] == answer(doors, three)["posterior"]
    page.page.locator("#file-text").fill("{")
    page.page.locator("#file-take").click()
    page.page.get_by_role("alert").get_by_text("no JSON").wait_for()
    page.page.locator("#file-text").fill(json.dumps({"lesions": [{"findings": {HOSTILE: 1}}]}))
    page.page.locator("#file-take").click()
    expect(page.page.locator("#file-troubles")).to_contain_text("onerror")
    page.picture("refused")
    page.page.locator("#file-open").set_input_files({"name": "case.json", "mimeType": "", "buffer": saved.read_bytes()})
    expect(page.page.locator("#file-dialog")).to_be_hidden()
    page.wait_for_bars(answer(doors, three)["posterior"])
    assert page.page.evaluate("[window.hit, document.querySelectorAll('img').length]") == [None, 0]
    page.close("status of 422")

    broken = Page(browser, address, f"#{fragment[:-30]}").ready()
    expect(broken.page.locator("#message")).to_contain_text("link holds no case")
    broken.wait_for_bars(answer(doors, {"lesions": [{"findings": {}}]})["posterior"])
    broken.close()


@browsers
def test_the_last_of_several_changes_is_answered(browser: Any, address: str, doors: Doors, told: Json) -> None:
    """Changes one after the other, a server that is gone for a while, and then is there again."""
    change = told["change"]
    page = Page(browser, address).ready()
    for _ in range(3):
        for option in page.menu(change["variable"]).evaluate("menu => [...menu.options].map(o => o.value)"):
            page.choose(change["variable"], option)
    page.choose(change["variable"], change["value"])
    case = {"lesions": [{"findings": {change["variable"]: change["value"]}}]}
    page.wait_for_bars(answer(doors, case)["posterior"])
    page.page.route("**/v1/**", lambda route: route.abort())
    page.choose(change["variable"], None)
    page.page.get_by_role("alert").get_by_text("does not answer").wait_for()
    page.page.unroute("**/v1/**")
    page.page.get_by_role("button", name="Try again").click()
    page.wait_for_bars(answer(doors, {"lesions": [{"findings": {}}]})["posterior"])
    page.page.locator("#troubles .trouble").wait_for(state="detached")
    page.close("ERR_FAILED")


@browsers
def test_a_token_is_asked_for_and_forgotten(browser: Any, doors: Doors) -> None:
    token = "a token would be longer".replace(" ", "-")
    with served(doors, Settings(token=token)) as address:
        page = Page(browser, address)
        word = page.page.get_by_label("token")
        for wrong in ("wrong", token):
            word.wait_for()
            word.fill(wrong)
            word.press("Enter")
        page.ready()
        assert token not in page.page.content()
        page.close("status of 401")


# -- for everybody ----------------------------------------------------------------------------------------------------


@browsers
def test_a_finding_with_the_keyboard_alone(browser: Any, address: str, doors: Doors, told: Json) -> None:
    page = Page(browser, address).ready()
    keys, name = page.page.keyboard, told["change"]["variable"]
    keys.press("Tab")
    assert page.page.evaluate("document.activeElement.className") == "skip"
    assert page.page.evaluate("document.activeElement.getBoundingClientRect().top >= 0")
    keys.press("Enter")
    assert page.page.evaluate("document.activeElement.id") == "choices"
    assert page.page.url == address
    for _ in range(80):
        keys.press("Tab")
        seen = page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert seen != "none"
        if page.page.evaluate("document.activeElement.closest('.field')?.dataset.variable") == name:
            break
    keys.press("ArrowDown")
    value = page.menu(name).input_value()
    assert value
    case = {"lesions": [{"findings": {name: value}}]}
    page.wait_for_bars(answer(doors, case)["posterior"])
    assert page.page.locator("#said").get_attribute("aria-live") == "polite"
    assert "most probable" in page.page.locator("#said").inner_text()
    assert page.page.evaluate("document.activeElement.closest('.field').dataset.variable") == name
    page.close()


NAMED = {"button", "combobox", "textbox", "radio", "link", "checkbox", "group", "region", "dialog"}


@browsers
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_names_landmarks_contrast_and_width(
    browser: Any, address: str, start: Json, doors: Doors, told: Json, data: Path, width: int, scheme: str
) -> None:
    calm = json.loads((data / "web_page.json").read_text(encoding="utf-8"))["calm"]
    options = {"viewport": {"width": width, "height": 850}, "color_scheme": scheme, **calm}
    page = Page(browser, address, **options).ready()
    page.load(start)
    page.wait_for_bars(answer(doors, start)["posterior"])
    page.page.locator("#keep button").click()
    page.page.locator("#next .next-best").wait_for()
    for both in told["conflict"]:
        page.choose(both["variable"], both["value"])
    page.page.locator("#troubles .trouble").wait_for()
    page.page.locator("#stated summary").click()
    page.picture(f"{width}_{scheme}")
    assert page.page.locator("#brief b").text_content() == "These choices cannot be combined"
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.page.evaluate("getComputedStyle(document.querySelector('.now')).transitionDuration") == "0s"

    colours = page.page.evaluate((data / "contrast.js").read_text(encoding="utf-8"))
    assert (colours["page"] == "rgb(20, 24, 31)") == (scheme == "dark")
    weakest = colours["texts"]
    assert len(weakest) > 100
    assert weakest[0][0] >= 4.5, weakest[:5]

    nodes = page.context.new_cdp_session(page.page).send("Accessibility.getFullAXTree")["nodes"]
    seen = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n["ignored"]]
    assert [(role, name) for role, name in seen if role in NAMED and not name.strip()] == []
    roles = [role for role, _ in seen]
    assert [roles.count(role) for role in ("main", "banner", "contentinfo")] == [1, 1, 1]
    levels = page.page.locator("h1:visible, h2:visible, h3:visible, h4:visible")
    found = [int(tag[1]) for tag in levels.evaluate_all("all => all.map(one => one.tagName)")]
    assert found.count(1) == 1 and found[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(found))
    footer = page.page.locator("footer").bounding_box()
    assert footer["y"] + footer["height"] <= 850 + 1
    assert page.page.get_by_text(NOTICE).count() == 1
    page.close()
