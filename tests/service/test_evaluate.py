"""``hepagraph evaluate`` as a user meets it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hepagraph.service.cli import main


@pytest.fixture(scope="module")
def folder(data: Path) -> Path:
    return data / "evaluation"


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["evaluate", *arguments, "--ontology", str(folder / "dice")])


def test_text_shows_both_models_and_what_is_apart(folder: Path) -> None:
    done = run(folder, str(folder / "proven.jsonl"), "--bootstrap", "20", "--without-primary")
    assert done.exit_code == 0, done.output
    assert "9 lesions of 8 patients" in done.output and "1 lesion of other diagnoses apart" in done.output
    assert done.output.count("full model, by group") == 2  # as given, and without the primary
    for part in ("naive Bayes", "log loss", "calibration error", "not a medical device", "loaded die given up"):
        assert part in done.output


def test_truth_from_a_table_gives_the_same(folder: Path) -> None:
    wrapped = run(folder, str(folder / "proven.jsonl"), "--bootstrap", "5", "--json", "-")
    table = run(
        folder, str(folder / "bare.jsonl"), "--truth", str(folder / "truth.tsv"), "--bootstrap", "5", "--json", "-"
    )
    assert wrapped.exit_code == table.exit_code == 0
    assert json.loads(wrapped.stdout) == json.loads(table.stdout)


def test_json_is_complete_and_repeatable(folder: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.json", "b.json")]
    for file in files:
        done = run(
            folder, str(folder / "proven.jsonl"), "--simulate", "--seed", "5", "--bootstrap", "20", "--json", str(file)
        )
        assert done.exit_code == 0, done.output
    assert files[0].read_text() == files[1].read_text()
    value = json.loads(files[0].read_text())
    assert value["format"] == "hepagraph-evaluation/1" and value["settings"] == {"seed": 5, "bootstrap": 20}
    model = value["evaluations"][0]["models"][0]
    assert set(model["measures"]["top_1"]) == {"value", "low", "high"}
    assert len(model["answers"]) == len(value["evaluations"][0]["lesions"]) == 9
    assert len(value["operating_characteristics"]) == 5
    assert "NaN" not in files[0].read_text()


def test_schema_in_the_docs_names_every_key(folder: Path, root: Path) -> None:
    done = run(folder, str(folder / "proven.jsonl"), "--simulate", "--bootstrap", "0", "--json", "-")
    value = json.loads(done.stdout)
    docs = (root / "docs" / "evaluation.md").read_text(encoding="utf-8")
    evaluation, comparison = value["evaluations"][0], value["operating_characteristics"][0]
    keys = {*value, *evaluation, *evaluation["models"][0], *evaluation["models"][0]["measures"], *comparison}
    assert not {key for key in keys if f"`{key}`" not in docs}


class Page(HTMLParser):
    """Checks that tags nest and collects what a page would load."""

    VOID = ("meta", "line", "circle", "rect", "polyline", "br", "img", "link")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [str(value) for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID or tag == "circle":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_whole_and_loads_nothing(folder: Path, tmp_path: Path) -> None:
    done = run(
        folder,
        str(folder / "proven.jsonl"),
        "--simulate",
        "--without-primary",
        "--bootstrap",
        "5",
        "--html",
        str(tmp_path / "p.html"),
    )
    assert done.exit_code == 0, done.output
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == [] and page.loads == []
    assert "url(" not in text and "@import" not in text and "<script" not in text
    assert text.count("<svg") >= 8 and "prefers-color-scheme: dark" in text and not re.search(r"\bnan\b", text)
    assert "width=device-width" in text and "not a medical device" in text


def test_names_from_the_cases_are_escaped(folder: Path, tmp_path: Path) -> None:
    case = {"case": {"id": "<b>x</b>", "lesions": [{"findings": {}}]}, "truth": {"entity": "loaded", "subgroup": "<i>"}}
    (tmp_path / "c.jsonl").write_text(json.dumps(case), encoding="utf-8")
    done = run(folder, str(tmp_path / "c.jsonl"), "--bootstrap", "0", "--html", str(tmp_path / "p.html"))
    assert done.exit_code == 0, done.output
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "<b>x</b>" not in text and "<i>," not in text and "&lt;b&gt;x" in text


def test_simulation_needs_no_cases(folder: Path) -> None:
    done = run(folder, "--simulate")
    assert done.exit_code == 0 and "inside the published interval" in done.output
    rows = [line for line in done.output.splitlines() if "a six and off balance" in line]
    assert len(rows) == 1 and re.search(r"65\.0 \(26/40", rows[0])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "no cases were given"),
        (("missing.jsonl",), "cannot be read"),
        (("{proven}", "--differential", "al_dice"), "did you mean all_dice?"),
        (("{proven}", "--json", "no/such/folder/x.json"), "there is no folder"),
        (("{bare}",), "has no truth"),
        (("{bare}", "--truth", "{proven}"), "there is no column case_id"),
    ],
)
def test_bad_input_is_refused_and_nothing_written(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    places = {"{proven}": str(folder / "proven.jsonl"), "{bare}": str(folder / "bare.jsonl")}
    given = [places.get(argument, argument) for argument in arguments]
    done = run(folder, *given, "--html", str(tmp_path / "p.html"))
    assert done.exit_code == 2 and says in done.stderr
    assert done.stdout == "" and not (tmp_path / "p.html").exists()


def test_a_ragged_table_says_where(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("case_id\tentity\nd1\tloaded\td1\n", encoding="utf-8")
    done = run(folder, str(folder / "bare.jsonl"), "--truth", str(tmp_path / "t.tsv"))
    assert done.exit_code == 2 and "line 2: has 3 cells, and the head has 2" in done.stderr
