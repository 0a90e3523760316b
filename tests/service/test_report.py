"""``hepagraph report``: the page says what the results say, holds no script, loads nothing, and prints."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hepagraph.inference import Reasoner
from hepagraph.inference.costs import burden_names, changed_costs
from hepagraph.inference.ledger import Entry, Ledger, explain
from hepagraph.inference.most_probable import most_probable
from hepagraph.inference.network import ENTITY
from hepagraph.inference.next_best import next_best
from hepagraph.inference.result import NOTICE
from hepagraph.inference.rules import recommend
from hepagraph.inference.sensitivity import sensitivity
from hepagraph.inference.withdrawal import Withdrawal, Withdrawals, withdrawals
from hepagraph.kg.model import Source, Statement
from hepagraph.kg.rules_reading import read_rules
from hepagraph.ontology.errors import HepagraphError
from hepagraph.service.cli import main
from hepagraph.service.html_basics import chance, chances, factor, odds, said, spoken, style
from hepagraph.service.html_parts import ledger_html, source_html, withdrawals_html
from hepagraph.service.report_command import file_names, write_pages
from hepagraph.service.text import percent

SPOT = {
    "id": "spot",
    "patient": {"sun_exposure": "high"},
    "lesions": [
        {"id": "back", "findings": {"border": "irregular", "colours": {"many": 0.8, "two": 0.2}}},
        {"id": "arm", "findings": {"border": ["regular", "irregular"], "pigment_network": "not_assessable"}},
    ],
}


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch: pytest.MonkeyPatch, reasoner: Reasoner) -> None:
    load = Reasoner.load
    monkeypatch.setattr(Reasoner, "load", lambda folder=None, **more: load(folder, **more) if folder else reasoner)


def run(*arguments: object, given: str | None = None) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)], input=given)


@pytest.fixture(scope="module")
def spot(data: Path, read_page: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("spot")
    (folder / "case.json").write_text(json.dumps(SPOT), encoding="utf-8")
    done = run(folder / "case.json", "-o", folder / "page.html", "--ontology", data / "skin")
    assert done.exit_code == 0, done.output
    return read_page((folder / "page.html").read_text(encoding="utf-8"))


def shown(text: str) -> str:
    """Return HTML text as a reader sees it."""
    return html.unescape(text).replace("\xa0", " ")


def test_every_number_is_that_of_the_results(read_page: Any, page: Path, several: Path, reasoner: Reasoner) -> None:
    text, data = read_page(page.read_text(encoding="utf-8")).text, json.loads(several.read_text(encoding="utf-8"))
    case, labels = reasoner.read(data), spoken(reasoner)
    result = reasoner.posterior(case, interval=True)
    for lesion in result.lesions:
        assert f"Lesion {lesion.id}: {labels[lesion.leading]} {percent(lesion.posterior[lesion.leading])}" in text
        for entity, probability in lesion.posterior.items():
            low, high = lesion.interval[entity] if lesion.interval else (0.0, 0.0)
            assert f"{labels[entity]}{percent(probability)}{percent(low)} to {percent(high)}" in text
        assert lesion.surprise is not None and f"p-value {lesion.surprise.p_value:.3f}" in text
        assert all(warning.message in text for warning in lesion.warnings)
    for ledger in explain(reasoner, case):
        assert f"odds {shown(odds(ledger.before))} before any of this, {shown(odds(ledger.after))}" in text
        for entry in ledger.entries:
            if abs(entry.weight) >= 0.05:
                given = f": {said(entry.variable, entry.given, labels)}" if entry.given else ""
                assert f"{factor(entry.weight)} {entry.label}{given}" in text
            for flip in entry.flips:
                assert f"{labels[flip.entity]}{percent(flip.probability)}" in text
    for found in next_best(reasoner, case):
        assert f"{found.uncertainty:.2f} bits" in text
        for look in found.looks[:5]:
            saved = "" if look.saving is None else f"{look.saving:.3g}"
            row = f"{look.label}{look.information:.2f}{saved}{percent(look.chance_of_change)}"
            assert found.enough or row in text
        for one in found.protocols[:5]:
            row = f"{one.information:.2f}{one.saving:.3g}{one.burden:.3g}{'yes' if one.net > 0 else 'no'}"
            assert found.enough or row in text
    for stories in most_probable(reasoner, case):
        assert all(f"{labels[one.subtype]}{', '.join(labels[c] for c in one.present)}" in text for one in stories[:3])
        assert all(percent(one.probability) in text for one in stories[:3])
    for hangs in sensitivity(reasoner, case):
        for one in hangs.ranges[:6]:
            assert f"{one.label}{percent(one.low)} to {percent(one.high)}" in text
        for turn in hangs.turns[:6]:
            assert f"{percent(turn.now)}{percent(turn.needed)}{labels[turn.entity]}" in text
    advice = recommend(reasoner, data)
    for advised in (advice.patient, *(lesion.advised for lesion in advice.lesions)):
        for rule in advised.recommendations:
            assert " ".join(rule.rule.advice.split()) in text and "; ".join(rule.why) in text
        assert all(blocked.wanted in text for blocked in advised.blocked[:5])
    assert text.count(NOTICE) == 1
    assert result.model["ontology_sha256"] in text and result.model["version"] in text


def test_withdrawn_findings_answer_as_the_case_without_them(
    read_page: Any, page: Path, several: Path, reasoner: Reasoner
) -> None:
    text, labels = read_page(page.read_text(encoding="utf-8")).text, reasoner.network.labels
    data = json.loads(several.read_text(encoding="utf-8"))
    for position, lesion in enumerate(data["lesions"]):
        for name in lesion["findings"]:
            less = json.loads(json.dumps(data))
            del less["lesions"][position]["findings"][name]
            answer = reasoner.posterior(less, surprise=False, reasons=False).lesions[position].posterior
            top = max(answer.values())
            rows = re.findall(re.escape(f"without {labels[name]}") + r"([▲<>0-9.% ]+)", text)
            assert any(f"▲ {percent(top)}" in row for row in rows), name


def test_every_source_is_listed_once_and_every_listed_one_is_cited(
    read_page: Any, page: Path, reasoner: Reasoner
) -> None:
    found = read_page(page.read_text(encoding="utf-8"))
    listed = [name for name in found.having("id") if name.startswith("ref-")]
    cited = [link.removeprefix("#") for link in found.having("href") if link.startswith("#ref-")]
    assert listed == [f"ref-{number}" for number in range(1, len(listed) + 1)]
    assert list(dict.fromkeys(cited)) == listed
    outside = [link for link in found.having("href") if not link.startswith("#")]
    assert outside
    dois = {f"https://doi.org/{source.doi}" for source in reasoner.graph.graph["sources"].values() if source.doi}
    pmids = {f"https://pubmed.ncbi.nlm.nih.gov/{s.pmid}/" for s in reasoner.graph.graph["sources"].values() if s.pmid}
    assert set(outside) <= dois | pmids and len(set(outside)) == len(outside)


@pytest.mark.parametrize("name", ["page", "spot"])
def test_page_is_valid_and_loads_nothing(read_page: Any, name: str, request: pytest.FixtureRequest) -> None:
    given = request.getfixturevalue(name)
    found = read_page(given.read_text(encoding="utf-8")) if isinstance(given, Path) else given
    assert found.problems == []
    ids = found.having("id")
    assert len(set(ids)) == len(ids)
    assert {link[1:] for link in found.having("href") if link.startswith("#")} <= set(ids)
    tags = [tag for tag, _ in found.elements]
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(tags)
    assert tags.count("table") == tags.count("caption") > 3 and tags.count("h1") == tags.count("main") == 1
    assert all(attributes.get("scope") in ("row", "col") for tag, attributes in found.elements if tag == "th")
    assert all(attributes["aria-valuetext"] for _, attributes in found.elements if attributes.get("role") == "meter")
    headings = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(headings))
    (sheet,) = found.styles
    assert "url(" not in sheet and "@import" not in sheet and sheet.count("{") == sheet.count("}")
    assert "default-src 'none'; style-src 'unsafe-inline'" in found.having("content")
    assert "nan" not in re.findall(r"\w+", found.text.lower())


def test_any_ontology_will_do(spot: Any, skin: Reasoner) -> None:
    labels, text = spoken(skin), spot.text
    for name in ("border", "colours", "sun_exposure", "pigment_network"):
        assert labels[name] in text
    for part in (
        "many (0.8), two (0.2)",
        "regular or irregular",
        "not assessable",
        "No rule applies",
        "sun exposurehigh",
    ):
        assert part in text
    back, arm = skin.posterior(SPOT).lesions
    assert f"Lesion back: {labels[back.leading]} {percent(back.posterior[back.leading])}" in text
    assert f"Lesion arm: {labels[arm.leading]} {percent(arm.posterior[arm.leading])}" in text


def test_papers_are_withdrawn_on_request(read_page: Any, data: Path, skin: Reasoner) -> None:
    done = run("-", "--withdraw", "--ontology", data / "skin", given=json.dumps(SPOT))
    assert done.exit_code == 0, done.output
    found, (back, _) = read_page(done.stdout), withdrawals(skin, skin.read(SPOT))
    assert found.problems == [] and back.indispensable
    assert f"there is no answer to compare: {back.indispensable[0].title}" in found.text
    first, second = skin.entities()[:2]
    paper = Withdrawal(Source("s", "Paper", "Doe J", year=2020), 2, {first: 0.25}, -0.5, second)
    shown_alone = withdrawals_html(Withdrawals("l", first, 0.75, (paper,), 7, ()), spoken(skin))
    text = read_page(f"<!DOCTYPE html>\n{shown_alone}").text
    assert "Of 7 papers" in text and f"Doe J 2020225.0 %{spoken(skin)[second]}" in text and "now 75.0 %" in text


def test_without_findings_and_intervals(read_page: Any, data: Path) -> None:
    case = {"lesions": [{"findings": {}}]}
    done = run("-", "--no-interval", "--ontology", data / "skin", given=json.dumps(case))
    assert done.exit_code == 0, done.output
    found = read_page(done.stdout)
    assert found.problems == []
    for part in ("none was reported", "not asked for", "There is nothing to withdraw", "no finding was given"):
        assert part in found.text
    assert "whisker" not in done.stdout.partition("</style>")[2]
    assert "date" not in found.text.partition("The model")[2]


def test_circumstances_that_rules_alone_read_stand_on_the_page(
    read_page: Any, rule_cases: dict[str, Any], reasoner: Reasoner
) -> None:
    case, book = rule_cases["seen"]["case"], read_rules(reasoner.graph)
    done = run("-", "--no-interval", given=json.dumps(case))
    assert done.exit_code == 0, done.output
    text = read_page(done.stdout).text
    stated = {key for part in (case["patient"], *case["lesions"]) for key in part if key in book.circumstances}
    assert stated and all(book.variables[key].label in text for key in stated)
    rules = {rule.id: rule for rule in book.rules}
    for key in ("patient", "first", "second"):
        assert rules[rule_cases["seen"][key]].label in text
    assert rule_cases["seen"]["why"] in text and "192/267 (72 %)" in text


HOSTILE = "<script>alert(1)</script>\"'&<!--\x1b]]>\n"


def test_hostile_names_are_text(read_page: Any, data: Path) -> None:
    case = {**SPOT, "id": HOSTILE, "lesions": [{**SPOT["lesions"][0], "id": '"><img src=x onerror=alert(1)>'}]}  # type: ignore[index]
    done = run("-", "--ontology", data / "skin", given=json.dumps(case))
    assert done.exit_code == 0, done.output
    found = read_page(done.stdout)
    assert found.problems == [] and "\x1b" not in done.stdout
    assert "<script>alert(1)</script>\"'&<!--\\x1b]]>\\n" in found.text
    assert 'Lesion "><img src=x onerror=alert(1)>' in found.text


def test_hostile_ontologies_are_text(read_page: Any) -> None:
    source = Source("s", "<b>t</b>", doi='10.1/x"onmouseover="y', pmid='1"><i>')
    statement = Statement("e", "", "ConditionalProbability", True, "x", source, "<A>", k=1, n=2, row_id="<i>")
    entry = Entry("v", "<u>label</u>", "<s>", 1.0, ("<m>",), (), (statement,))
    ledger = Ledger("l", "<e>", None, -1.0, 0.0, (entry,))
    found = read_page(f"<!DOCTYPE html>\n{ledger_html(ledger, {'<m>': '<script>'})}")
    assert found.problems == []
    assert {tag for tag, _ in found.elements} <= {"div", "p", "b", "span", "h4", "ul", "li", "i", "a"}
    for part in ("<b>t</b>", "<u>label</u>", "<s>", "<script>", "<e>", "grade <A>", "[<i>]"):
        assert part in found.text
    (link,) = found.having("href")
    assert link == "https://doi.org/10.1/x%22onmouseover%3D%22y"
    assert source_html(Source("s", "Title")) == "Title"


def test_a_factor_and_odds_read_well() -> None:
    assert (factor(0.0), factor(1e6), factor(-16)) == ("× 1", "× 1e+304", "÷ 8.89 million")
    assert odds(-800.0).endswith("(&lt; 0.1&nbsp;%)") and chances(0.5, 1) == f"{chance(0.5)} to &gt; 99.9&nbsp;%"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("missing.json", "-o", "PAGE"), "cannot be read"),
        (("CASE", "-o", "FOLDER/none/x.html"), "there is no folder"),
        (("CASE", "CASE"), "2 cases make 2 pages and need a folder"),
        (("CASE", "CASE", "-o", "CASE"), "is a file"),
        (("CASE", "CASE", "-o", "FOLDER/none/pages"), "there is no folder"),
        (("CASE", "--differential", "qq", "-o", "PAGE"), "not known"),
        (("CASE", "--date", "yesterday", "-o", "PAGE"), "does not match the format"),
        (("CASE", "BAD", "-o", "FOLDER/pages"), "is not a state of"),
    ],
)
def test_errors_write_nothing(data: Path, tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "case.json").write_text(json.dumps(SPOT), encoding="utf-8")
    bad = {"lesions": [{"findings": {"border": "qq"}}]}
    (tmp_path / "bad.json").write_text(json.dumps(bad), encoding="utf-8")
    places = {"CASE": "case.json", "BAD": "bad.json", "PAGE": "page.html"}
    given = [str(tmp_path / places[a]) if a in places else a.replace("FOLDER", str(tmp_path)) for a in arguments]
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    done = run(*given, "--ontology", data / "skin")
    assert done.exit_code == 2 and says in done.stderr and done.stdout == ""
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_many_cases_fill_a_folder(read_page: Any, data: Path, tmp_path: Path) -> None:
    lines = [json.dumps({**SPOT, "id": name}) for name in ("../../a b", "ä", "Ä", "")]
    (tmp_path / "cases.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = run(tmp_path / "cases.jsonl", "--no-interval", "-o", tmp_path / "pages", "--ontology", data / "skin")
    assert done.exit_code == 0 and done.stdout == ""
    names = sorted(path.name for path in (tmp_path / "pages").iterdir())
    assert names == sorted(["a_b.html", "ä.html", "Ä-2.html", "case.html"])
    assert "Case ../../a b" in read_page((tmp_path / "pages" / "a_b.html").read_text(encoding="utf-8")).text
    one = run("-", "--no-interval", "-o", tmp_path / "pages", "--ontology", data / "skin", given=json.dumps(SPOT))
    assert one.exit_code == 0 and (tmp_path / "pages" / "spot.html").is_file()


def test_pages_appear_together_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "b.html").mkdir()
    with pytest.raises(HepagraphError, match="it is a folder"):
        write_pages({"a.html": "a", "b.html": "b"}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["b.html"]
    with pytest.raises(Exception, match="cannot be written"):
        write_pages({"a.html": "\ud800"}, tmp_path / "new") if False else write_pages(
            {"x/a.html": "a"}, tmp_path / "new"
        )
    assert not (tmp_path / "new").exists()
    long = file_names(["x" * 300, "x" * 300])
    assert long[0] != long[1] and all(len(name) < 100 for name in long)


def test_the_same_case_gives_the_same_page(data: Path, tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text(json.dumps(SPOT), encoding="utf-8")
    command = [sys.executable, "-m", "hepagraph.service.cli", "report", str(tmp_path / "case.json"), "--ontology"]
    pages = [
        subprocess.run(
            [*command, str(data / "skin")], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert pages[0] == pages[1] and pages[0].startswith(b"<!DOCTYPE html>")
    dated = run(tmp_path / "case.json", "--date", "2026-01-31", "--ontology", data / "skin")
    assert dated.stdout.replace("<div><dt>date</dt><dd>2026-01-31</dd></div>", "") == pages[0].decode()


def test_style_sheets_name_only_what_they_hold() -> None:
    sheet = style("parts", "page", "report")
    assert set(re.findall(r"var\((--[a-z0-9]+)\)", sheet)) <= set(re.findall(r"(--[a-z0-9]+):", sheet))
    assert "prefers-color-scheme: dark" in sheet and "@media print" in sheet and "size: A4" in sheet


def test_own_numbers_are_said_and_counted(several: Path, reasoner: Reasoner, read_page: Any, tmp_path: Path) -> None:
    data, labels = json.loads(several.read_text(encoding="utf-8")), spoken(reasoner)
    prior = {entity: 1.0 + position for position, entity in enumerate(reasoner.entities())}
    assert reasoner.costs is not None
    losses = {
        name: {entity: 2 * points for entity, points in found.items()} for name, found in reasoner.costs.losses.items()
    }
    path = tmp_path / "costs.json"
    path.write_text(json.dumps({"losses": losses}), encoding="utf-8")
    text = ",".join(f"{entity}={weight}" for entity, weight in prior.items())
    done = run(several, "--no-interval", "--prior", text, "--costs", path)
    assert done.exit_code == 0, done.output
    page = read_page(done.stdout).text
    for lesion in reasoner.posterior(data, prior=prior).lesions:
        assert f"Lesion {lesion.id}: {labels[lesion.leading]} {percent(lesion.posterior[lesion.leading])}" in page
    shares = ", ".join(f"{labels[e]} {percent(weight / sum(prior.values()))}" for e, weight in prior.items())
    assert f"prior, in place of the model's{shares}" in page
    assert "losses and burdenssome were given in place of the ontology's" in page
    own = changed_costs(reasoner.costs, {"losses": losses}, reasoner.network.states[ENTITY], burden_names(reasoner))
    for found in next_best(reasoner, reasoner.read(data), prior=prior, costs=own):
        assert f"at an expected loss of {found.expected_loss:.3g} points" in page
    plain = read_page(run(several, "--no-interval").stdout).text
    assert "in place of" not in plain
