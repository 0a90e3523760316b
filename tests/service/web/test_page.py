"""The web page in a real browser, on a real server: what is chosen is what the server answers, and nothing leaves it."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from hepagraph.inference import Reasoner
from hepagraph.inference.result import NOTICE
from hepagraph.service.doors import Doors
from hepagraph.service.explorer import ExplorerState
from hepagraph.service.text import percent

Json = dict[str, Any]
Visit = Callable[..., Any]
Answered = Callable[..., Json]
WEB = Path(__file__).resolve().parents[3] / "service" / "data" / "web"
HOSTILE = '<img src=x onerror="window.hit=1">&amp;\'" </b>'


# -- files, without a browser -----------------------------------------------------------------------------------------


def test_files_are_marked_and_kept(address: str, get: Any) -> None:
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


def test_findings_are_entered_and_answered(
    visit: Visit, answered: Answered, start: Json, told: Json, reasoner: Reasoner
) -> None:
    """A published case through the form alone; another finding, another examination, and back; what cannot be."""
    from playwright.sync_api import expect

    page = visit().ready()
    nothing: Json = {"lesions": [{"findings": {}}]}
    page.wait_for_bars(answered(nothing)["posterior"])
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
    page.wait_for_bars(answered(case)["posterior"])
    before = page.bars()

    # the intervals come a moment later, and the warnings with them
    interval = answered(case, interval=True)["interval"]
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
    page.wait_for_bars(answered(changed)["posterior"])
    said = page.page.locator("#bars .before").all_inner_texts()
    assert [text.replace("\u00a0", " ").rpartition("before ")[2] for text in said] == list(before.values())
    expect(page.page.locator("#scenarios thead")).to_contain_text(HOSTILE)
    expect(page.page.locator("#scenarios thead")).to_contain_text("now")
    page.picture("changed")
    page.page.get_by_role("button", name="Go back to").click()
    page.wait_for_bars(answered(case)["posterior"])

    # another examination: closed with the reason, not counted, and back again
    exam = told["other_exam"]
    menu = page.page.locator(f"#exam-0-{exam['variable']}")
    menu.select_option(exam["then"])
    state = ExplorerState(reasoner, case)
    state.choose_exam(0, exam["variable"], exam["then"])
    page.wait_for_bars(answered(state.counted())["posterior"])
    for name in told["unseen_there"]:
        expect(page.menu(name)).to_be_disabled()
        assert page.menu(name).input_value() == (state.value(name) or "")
        described = page.menu(name).get_attribute("aria-describedby").split()
        texts = [page.page.locator(f"#{one}").inner_text() for one in described]
        assert any(state.closed()[name] in text for text in texts)
    page.picture("other_exam")
    menu.select_option(exam["now"])
    page.wait_for_bars(answered(case)["posterior"])
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


def test_lesions_links_and_files(
    visit: Visit, answered: Answered, address: str, doors: Doors, start: Json, told: Json
) -> None:
    from playwright.sync_api import expect

    number = told["number"]
    first, second = start["lesions"][:2]
    soft = {**second["findings"], **told["soft"]}  # likelihoods, which no menu lists
    case = {**start, "lesions": [{**first, "id": HOSTILE}, {**second, "findings": soft}]}
    page = visit().ready()
    page.load(case)
    page.wait_for_bars(answered(case)["posterior"])
    choice = page.page.locator("#lesion-choice")
    expect(choice.locator("b").first).to_have_text(HOSTILE)
    expect(page.page.locator("#said")).to_contain_text(HOSTILE)
    choice.get_by_role("radio").nth(1).check()
    page.wait_for_bars(answered(case, 1)["posterior"])
    for name in told["soft"]:
        assert page.menu(name).evaluate("menu => menu.selectedOptions[0].text").count("0.") == 2

    # one lesion more, with a number
    page.page.locator("#add-lesion").click()
    page.number(number["variable"]).fill(str(number["good"]).replace(".", ","))
    page.number(number["variable"]).press("Tab")
    shared = {n: v for n, v in first["findings"].items() if n in doors.reasoner.compiled.patient_level}
    third = {"id": "L3", number["key"]: number["good"], "findings": shared}
    three = {**case, "lesions": [*case["lesions"], third]}
    page.wait_for_bars(answered(three, 2)["posterior"])
    assert page.menu(number["variable"]).input_value() != ""

    # the link brings the same case to another browser; the part after # is sent to nobody
    page.page.locator("#share").click()
    link = page.page.locator("#share-link").input_value()
    page.page.keyboard.press("Escape")
    where, _, fragment = link.partition("#")
    assert where == address
    other = visit(f"#{fragment}").ready()
    other.wait_for_bars(answered(three, 2)["posterior"])
    assert other.page.url == link  # until something else is chosen
    other.page.locator("#lesion-choice").get_by_role("radio").nth(0).check()
    other.wait_for_bars(answered(three)["posterior"])
    other.page.locator("#lesion-choice").get_by_role("radio").nth(2).check()
    other.wait_for_bars(answered(three, 2)["posterior"])
    other.page.locator("#remove-lesion").click()
    other.wait_for_bars(answered(case, 1)["posterior"])
    assert other.page.url == address
    assert all(fragment not in request.url for request in other.asked)
    other.close()

    # a file goes out and comes in; what is no case is refused in place
    page.page.locator("#file").click()
    with page.page.expect_download() as caught:
        page.page.locator("#file-save").click()
    saved = Path(caught.value.path())
    read = json.loads(saved.read_text(encoding="utf-8"))
    assert answered(read)["posterior"] == answered(three)["posterior"]
    page.page.locator("#file-text").fill("{")
    page.page.locator("#file-take").click()
    page.page.get_by_role("alert").get_by_text("no JSON").wait_for()
    page.page.locator("#file-text").fill(json.dumps({"lesions": [{"findings": {HOSTILE: 1}}]}))
    page.page.locator("#file-take").click()
    expect(page.page.locator("#file-troubles")).to_contain_text("onerror")
    page.picture("refused")
    page.page.locator("#file-open").set_input_files({"name": "case.json", "mimeType": "", "buffer": saved.read_bytes()})
    expect(page.page.locator("#file-dialog")).to_be_hidden()
    page.wait_for_bars(answered(three)["posterior"])
    assert page.page.evaluate("[window.hit, document.querySelectorAll('img').length]") == [None, 0]
    page.close("status of 422")


def test_the_answer_as_text(visit: Visit, start: Json, doors: Doors, told: Json) -> None:
    """All lesions, with what is weighed in the one that is shown; a value that waits is no part of it."""
    from playwright.sync_api import expect

    page = visit(permissions=["clipboard-read", "clipboard-write"]).ready()
    page.load(start)
    page.page.locator("#differential").select_option(list(doors.reasoner.network.differentials)[-1])
    exam = told["other_exam"]
    page.page.locator(f"#exam-0-{exam['variable']}").select_option(exam["then"])
    page.page.locator(".field.waiting").first.wait_for()
    page.wait_for_answer()
    entities = page.page.locator("#entity option").evaluate_all("all => all.map(one => [one.value, one.text])")
    page.page.locator("#entity").select_option(entities[-1][0])
    page.page.locator("#text").click()
    box = page.page.locator("#text-text")
    page.until(lambda: NOTICE in box.input_value())
    written = box.input_value()
    labels = doors.reasoner.network.labels
    for lesion in start["lesions"]:
        assert written.count(f"Lesion {lesion['id']}") == 4  # what was seen, the answer, its reasons, the next looks
    assert f"Lesion {start['lesions'][0]['id']}: {entities[-1][1]} against all the others" in written
    assert f"among the {len(entities) - 1} of the" in written
    waiting = [label for name in told["unseen_there"] if (label := labels[name])]
    seen = written.partition("THE ANSWER")[0]
    assert seen and not any(label in seen for label in waiting)
    assert "95 % interval" in written and ("doi:" in written or "PMID" in written)
    page.page.locator("#text-copy").click()
    expect(page.page.locator("#text-said")).to_have_text("Copied.")
    assert page.page.evaluate("navigator.clipboard.readText()") == written
    with page.page.expect_download() as caught:
        page.page.locator("#text-save").click()
    assert Path(caught.value.path()).read_text(encoding="utf-8") == written
    assert caught.value.suggested_filename.endswith(".txt")
    page.page.keyboard.press("Escape")
    page.page.locator("#file").click()
    expect(page.page.locator("#file-without")).to_contain_text(waiting[0])
    page.close()


def test_another_differential_never_shows_numbers_of_the_last(
    visit: Visit, answered: Answered, start: Json, doors: Doors, told: Json
) -> None:
    """Among other entities, with choices that cannot be combined, undone, and through a kept scenario."""
    other = next(n for n in doors.reasoner.network.differentials if n != doors.reasoner.network.default_differential)
    page = visit().ready()
    page.load(start)
    page.wait_for_bars(answered(start)["posterior"])
    page.page.locator("#keep button").click()
    read = """() => {
      window.seen = new Set();
      new MutationObserver(() => seen.add(document.getElementById("results").textContent.includes("NaN")))
        .observe(document.getElementById("results"), {subtree: true, childList: true, characterData: true});
    }"""
    page.page.evaluate(read)
    menu = page.page.locator("#differential")
    menu.select_option(other)
    page.wait_for_bars(answered(start, differential=other)["posterior"])
    page.page.get_by_role("button", name="Go back to").click()  # the same choices, but among the first entities
    page.wait_for_bars(answered(start)["posterior"])
    page.page.locator("#undo").click()
    page.wait_for_bars(answered(start, differential=other)["posterior"])
    assert menu.input_value() == other
    for both in told["conflict"]:
        page.choose(both["variable"], both["value"])
    page.page.locator("#troubles .trouble").wait_for()
    menu.select_option(doors.reasoner.network.default_differential)
    page.page.locator("#bars.stale").wait_for()
    assert list(page.bars()) == list(doors.reasoner.entities(other))  # the last answer, in grey
    assert page.page.evaluate("[...seen]") == [False]
    page.close()


def test_papers_are_opened_without_telling_them_who_asks(visit: Visit, address: str, get: Any, start: Json) -> None:
    page = visit().ready()
    page.load(start)
    page.wait_for_answer()
    links = page.page.locator("main a[href^='http']")
    assert links.count() > 0
    for target, rel, href in links.evaluate_all("all => all.map(one => [one.target, one.rel, one.href])"):
        assert (target, set(rel.split())) == ("_blank", {"noopener", "noreferrer"})
        assert href.startswith(("https://doi.org/", "https://pubmed.ncbi.nlm.nih.gov/"))
    assert get(address)[1]["referrer-policy"] == "no-referrer"
    texts = page.page.locator("#reasons .path").all_inner_texts()
    linked = page.page.locator("#reasons .path a").all_inner_texts()
    assert sum(text.count("doi:") + text.count("PMID ") for text in texts) == len(linked)
    page.close()
