"""A strict reader of the pages that hepagraph writes, a report for it to read, a browser, and a case to play with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from hepagraph.inference import Reasoner
from hepagraph.inference.rules_circumstances import read_rule_case
from hepagraph.kg.rules_reading import read_rules
from hepagraph.service.doors import Doors
from hepagraph.service.report_gathering import gather
from hepagraph.service.report_page import report_page

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-component-update --disable-sync".split()
VOID = {"meta", "br", "line", "circle", "rect", "polyline"}
PHRASING = {"a", "b", "br", "code", "i", "small", "span"}
CHILDREN = {  # what may stand directly within
    "ul": {"li"},
    "ol": {"li"},
    "table": {"caption", "thead", "tbody"},
    "thead": {"tr"},
    "tbody": {"tr"},
    "tr": {"th", "td"},
    "dl": {"div"},
}
INLINE = {"p", "h1", "h2", "h3", "h4", "summary", "caption", "dt", "span", "a", "b", "small"}
KNOWN = (
    PHRASING
    | set(CHILDREN)
    | INLINE
    | {
        "html",
        "head",
        "body",
        "meta",
        "title",
        "style",
        "header",
        "main",
        "section",
        "div",
        "details",
        "li",
        "th",
        "td",
    }
    | {"dd"}
)


class StrictPage(HTMLParser):
    """Reads a page and holds its text, style sheets, elements with attributes, and every breach of what HTML allows."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.styles: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.problems: list[str] = []
        assert source.startswith("<!DOCTYPE html>\n")
        self.feed(source)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        parent = self.open[-1] if self.open else ""
        if tag not in KNOWN:
            self.problems.append(f"{tag} is not expected at all")
        if parent in CHILDREN and tag not in CHILDREN[parent]:
            self.problems.append(f"{tag} within {parent}")
        if parent in INLINE and tag not in PHRASING:
            self.problems.append(f"{tag} within {parent}")
        if len({name for name, _ in attrs}) < len(attrs):
            self.problems.append(f"{tag} has an attribute twice")
        self.problems += [f"{tag} has {name}" for name, _ in attrs if name.startswith("on") or name == "src"]
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        last = self.open.pop()
        if last != tag:
            self.problems.append(f"{last} is closed by {tag}")

    def handle_data(self, data: str) -> None:
        (self.styles if self.open and self.open[-1] == "style" else self.words).append(data)

    @property
    def text(self) -> str:
        """The text of the page, with blanks as they are shown."""
        return " ".join("".join(self.words).replace("\xa0", " ").split())

    def having(self, attribute: str) -> list[str]:
        """Return the values of an attribute in the order of the page."""
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


@pytest.fixture(scope="session")
def read_page() -> type[StrictPage]:
    """What reads a page strictly."""
    return StrictPage


@pytest.fixture(scope="session")
def doors(reasoner: Reasoner) -> Doors:
    """The doors of the packaged ontology, with all loaded that a first question would load."""
    found = Doors(reasoner)
    found.warm()
    return found


@pytest.fixture(scope="session")
def examples(root: Path) -> list[Path]:
    return sorted((root / "examples").glob("*.json"))


@pytest.fixture(scope="session")
def several(examples: list[Path]) -> Path:
    """A patient with more than one lesion."""
    return next(path for path in examples if len(json.loads(path.read_text(encoding="utf-8"))["lesions"]) > 1)


@pytest.fixture(scope="session")
def page(several: Path, reasoner: Reasoner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data, book = json.loads(several.read_text(encoding="utf-8")), read_rules(reasoner.graph)
    found = gather(reasoner, book, data, read_rule_case(book, reasoner.reader, data))
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(report_page(found, reasoner, book), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def told(data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((data / "explorer.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="session")
def start(told: dict[str, Any], root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "examples" / told["start"]).read_text(encoding="utf-8"))
    return found
