"""A spreadsheet becomes Turtle: whole or not at all, nothing lost, nothing twice."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import Graph

from hepagraph.inference import Reasoner
from hepagraph.ontology import CaseError, OntologyError, find_ontology
from hepagraph.ontology.importing import Import, plan_import
from hepagraph.ontology.lookup import Lookup
from hepagraph.ontology.namespaces import DCTERMS, ID, PROV, SCHEMA
from hepagraph.ontology.sheet_columns import COLUMNS
from hepagraph.ontology.sheet_writing import write_sheet
from hepagraph.ontology.store import load_ontology
from hepagraph.ontology.validation import validate_import

GOOD = {
    "id": "NEW-1",
    "given": "fair",
    "feature": "toss",
    "state": "heads",
    "k": "6",
    "n": "8",
    "percent": "75",
    "unit": "study",
    "grade": "A",
    "title": "A toss of eight coins",
    "first_author": "Doe J",
    "year": "2020",
}


def sheet(*rows: dict[str, str]) -> str:
    stream = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path: Path, data: Path) -> Path:
    (tmp_path / "coin.ttl").write_text((data / "coin" / "coin.ttl").read_text())
    return tmp_path


def posterior_of(case: object, folder: Path) -> Mapping[str, float]:
    reasoner = Reasoner.load(folder)
    return reasoner.posterior(reasoner.read(case)).lesions[0].posterior


def plan(text: str, folder: Path) -> Import:
    files = find_ontology(folder)
    return plan_import(text, "new.csv", load_ontology(files), files.evidence)


def test_a_row_becomes_a_statement_that_moves_the_posterior(folder: Path) -> None:
    case = {"id": "c", "lesions": [{"findings": {"toss": "heads"}}]}
    before = posterior_of(case, folder)
    made = plan(sheet(GOOD), folder)
    assert validate_import(load_ontology(folder), find_ontology(folder), made) == ()
    made.write()
    path = folder / "evidence" / "doe2020.ttl"
    assert list(made.counts) == [path]
    graph = Graph().parse(path)
    statement = ID.ev_new_1
    assert graph.value(statement, SCHEMA.k).toPython() == 6
    assert graph.value(statement, SCHEMA.value).toPython() == pytest.approx(0.75)
    assert graph.value(statement, SCHEMA.bound) == SCHEMA.Exact
    assert graph.value(statement, PROV.wasQuotedFrom) == ID.src_doe2020
    after = posterior_of(case, folder)
    assert after["fair"] > before["fair"]


def test_a_second_row_of_the_same_paper_joins_its_file_and_leaves_it_as_it_was(folder: Path) -> None:
    plan(sheet(GOOD), folder).write()
    path = folder / "evidence" / "doe2020.ttl"
    path.write_text(path.read_text() + "\n# a remark made by hand\n")
    before = path.read_text()
    again = {**GOOD, "id": "NEW-2", "given": "biased", "title": "a TOSS of eight coins."}
    made = plan(sheet(again), folder)
    assert list(made.counts) == [path]
    assert made.texts[path].startswith(before)
    assert made.texts[path].count("a fl:Source") == 1


def test_another_paper_of_the_same_author_and_year_gets_a_name_of_its_own(folder: Path) -> None:
    plan(sheet(GOOD), folder).write()
    made = plan(sheet({**GOOD, "id": "NEW-2", "given": "biased", "title": "Another matter"}), folder)
    assert [path.name for path in made.counts] == ["doe2020b.ttl"]


def test_a_disagreement_is_written_from_both_sides(folder: Path) -> None:
    plan(sheet(GOOD), folder).write()
    other = {**GOOD, "id": "NEW-2", "title": "Not so", "k": "1", "percent": "12.5", "disagrees_with": "NEW-1"}
    made = plan(sheet(other), folder)
    assert validate_import(load_ontology(folder), find_ontology(folder), made) == ()
    made.write()
    graph = load_ontology(folder)
    assert (ID.ev_new_1, SCHEMA.disagreesWith, ID.ev_new_2) in graph
    assert (ID.ev_new_2, SCHEMA.disagreesWith, ID.ev_new_1) in graph


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"given": "fare"},
            r"line 2 / given: 'fare' is not declared; did you mean fair\?; allowed: biased, coin, fair",
        ),
        ({"feature": "tos"}, r"feature: 'tos' is not declared; did you mean toss"),
        ({"state": "haeds"}, r"state: 'haeds' is not a state of toss; did you mean heads"),
        ({"feature": ""}, "a state needs a declared feature"),
        ({"k": "9"}, r"k: k = 9 is more than n = 8"),
        ({"k": "1.5"}, "is not a whole number"),
        ({"percent": "57"}, r"57 % is not 6/8 = 75\.0 %"),
        ({"percent": "175"}, "not a percentage from 0 to 100"),
        ({"percent": "75 %"}, r"'75 %' is not a number; use a point as decimal mark, no % sign"),
        ({"percent": "NaN"}, "'NaN' is not a number"),
        ({"n": "0", "k": "0", "percent": ""}, "n is not at least 1"),
        ({"n": "", "percent": ""}, "n: is empty though k is given"),
        ({"state": ""}, "state: is empty; name what was seen"),
        ({"k": "2.000"}, "is not a whole number"),
        ({"k": "1e999999999"}, "is not a number"),
        ({"id": "!!!"}, "has no letter or digit"),
        ({"k": "", "n": "", "percent": ""}, "without a number or a word of the scheme"),
        ({"quantity": "sensitivty"}, "quantity: 'sensitivty' is not declared; did you mean sensitivity"),
        ({"grade": "E"}, "grade: 'E' is not known; allowed: A, B, C, D"),
        ({"grade": ""}, "grade: is empty; A counts"),
        ({"title": ""}, "title: is empty"),
        ({"bound": "about"}, "bound: 'about' is not known"),
        ({"ci_low": "60"}, "ci_low and ci_high go together"),
        ({"selected": "no"}, "selected: 'no' is not yes; allowed: yes; leave it empty for no"),
        ({"conditions": "toss"}, "'toss' is not variable=state"),
        ({"disagrees_with": "NEW-9"}, "'new_9' is no statement of the ontology or the sheet"),
        ({"frequency_word": "mostly"}, "'mostly' is not declared; allowed: "),
        ({"grad": "A"}, "unknown column 'grad'; did you mean grade"),
    ],
)
def test_a_bad_field_is_named_with_what_is_right(folder: Path, change: dict[str, str], says: str) -> None:
    with pytest.raises(CaseError, match=says):
        plan(sheet({**GOOD, **change}), folder)
    assert not (folder / "evidence").exists()


def test_every_problem_of_a_sheet_is_reported_at_once(folder: Path) -> None:
    bad = [{**GOOD, "id": "NEW-2", "given": "x"}, {**GOOD, "id": "NEW-3", "k": "99"}, {**GOOD, "id": "NEW-4", "n": "y"}]
    with pytest.raises(CaseError) as caught:
        plan(sheet(GOOD, *bad), folder)
    assert [problem.where.split(" / ")[0] for problem in caught.value.problems] == ["new.csv line 3", "new.csv line 5"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "column 'id' is missing"),
        ("id,given,grade,title\n", "has headings and no row"),
        ("id,given,grade,title\nNEW-1,fair,A,t,more\n", "more fields than headings"),
        ('id,given,grade,title\n"NEW-1,fair,A,t\n', "is not CSV"),
        ("id,id,given,grade,title\nNEW-1,NEW-2,fair,A,t\n", "column 'id' stands twice"),
    ],
)
def test_a_broken_sheet_is_refused(folder: Path, text: str, says: str) -> None:
    with pytest.raises(CaseError, match=says):
        plan(text, folder)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_spreadsheet_programs_write_is_read(folder: Path, separator: str) -> None:
    """A mark at the start, their separator, carriage returns, empty columns and rows at the end."""
    names = ["id", "given", "feature", "state", "k", "n", "grade", "title", "note", "", ""]
    cells = ["NEW-1", "fair", "toss", "heads", "6", "8", "A", "A toss", '"two\r\nlines, and more"', "", ""]
    text = "\r\n".join(["\ufeff" + separator.join(names), separator.join(cells), separator * 10, ""])
    if separator == ",":
        text = text.replace("A toss", '"A toss"')
    (block,) = plan(text, folder).texts.values()
    graph = Graph().parse(data=block, format="turtle")
    assert "two" in str(graph.value(ID.ev_new_1, SCHEMA.note))
    assert graph.value(ID.ev_new_1, SCHEMA.k).toPython() == 6


def test_duplicates_are_refused(folder: Path) -> None:
    with pytest.raises(CaseError, match=r"'NEW-1' stands at new\.csv line 2 already"):
        plan(sheet(GOOD, GOOD), folder)
    with pytest.raises(
        CaseError, match=r"says the same as new\.csv line 2; drop one, or name the other in duplicate_of"
    ):
        plan(sheet(GOOD, {**GOOD, "id": "NEW-2"}), folder)
    with pytest.raises(CaseError, match="says the same as"):
        plan(sheet(GOOD, {**GOOD, "id": "NEW-2", "percent": ""}), folder)
    with pytest.raises(CaseError, match="'new_2' is marked as a duplicate itself"):
        plan(sheet({**GOOD, "duplicate_of": "NEW-2"}, {**GOOD, "id": "NEW-2", "duplicate_of": "NEW-1"}), folder)
    plan(sheet(GOOD, {**GOOD, "id": "NEW-2", "duplicate_of": "NEW-1"}), folder)
    plan(sheet(GOOD, {**GOOD, "id": "NEW-2", "quantity": "specificity"}), folder)
    plan(sheet(GOOD), folder).write()
    with pytest.raises(CaseError, match="'NEW-1' is in the ontology already"):
        plan(sheet(GOOD), folder)
    with pytest.raises(CaseError, match="says the same as ev_new_1"):
        plan(sheet({**GOOD, "id": "NEW-5"}), folder)


def test_what_the_shapes_refuse_is_refused_before_writing(folder: Path) -> None:
    made = plan(sheet({**GOOD, "k": "", "n": "", "bound": "upper"}), folder)
    found = validate_import(load_ontology(folder), find_ontology(folder), made)
    assert ["words" in violation.message for violation in found] == [True]


def test_a_publication_of_the_same_title_and_another_doi_is_another(folder: Path) -> None:
    plan(sheet({**GOOD, "doi": "10.1000/one"}), folder).write()
    made = plan(sheet({**GOOD, "id": "NEW-2", "doi": "10.1000/two"}), folder)
    assert [path.name for path in made.counts] == ["doe2020b.ttl"]
    same = plan(sheet({**GOOD, "id": "NEW-3", "given": "biased"}), folder)
    assert [path.name for path in same.counts] == ["doe2020.ttl"]


def test_a_file_with_other_prefixes_is_extended_rightly(folder: Path) -> None:
    plan(sheet(GOOD), folder).write()
    path = folder / "evidence" / "doe2020.ttl"
    theirs = path.read_text().replace("fl:", "schema:")
    path.write_text(theirs)
    plan(sheet({**GOOD, "id": "NEW-2", "given": "biased"}), folder).write()
    graph = load_ontology(folder)
    assert (ID.ev_new_1, SCHEMA.k, None) in graph
    assert (ID.ev_new_2, SCHEMA.k, None) in graph


def test_when_moving_fails_midway_everything_is_put_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan(sheet(GOOD), folder).write()
    old = (folder / "evidence" / "doe2020.ttl").read_text()
    more = {**GOOD, "id": "NEW-2", "given": "biased"}
    made = plan(sheet(more, {**more, "id": "NEW-3", "title": "Else"}), folder)
    real, calls = Path.replace, []

    def failing(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(28, "No space left on device", str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OntologyError, match="nothing was written"):
        made.write()
    assert [path.name for path in (folder / "evidence").iterdir()] == ["doe2020.ttl"]
    assert (folder / "evidence" / "doe2020.ttl").read_text() == old


def test_a_row_that_names_itself_is_refused(folder: Path) -> None:
    with pytest.raises(CaseError, match="names its own row"):
        plan(sheet({**GOOD, "disagrees_with": "NEW-1"}), folder)


def test_a_folder_that_cannot_be_written_leaves_nothing(folder: Path) -> None:
    made = plan(sheet(GOOD), folder)
    (folder / "evidence").write_text("a file where the folder should be")
    with pytest.raises(OntologyError, match="cannot be written"):
        made.write()
    assert sorted(path.name for path in folder.iterdir()) == ["coin.ttl", "evidence"]


def test_all_of_ours_survives_the_way_out_and_back(rdf: Graph, tmp_path: Path) -> None:
    """Every statement, exported as a sheet and imported into an ontology without evidence, is the same again."""
    whole, files = rdf, find_ontology()
    bare = Graph()
    for path in files.data:
        if "evidence" not in path.parts:
            bare.parse(path)
    made = plan_import(write_sheet(whole, Lookup(whole)), "all.csv", bare, tmp_path)
    back = Graph()
    for text in made.texts.values():
        back.parse(data=text, format="turtle")
    statements = {s for s in whole.subjects(SCHEMA.rowId) if str(s).startswith(str(ID.ev_))}
    assert len(statements) == sum(made.counts.values()) > 1600
    for statement in statements:
        wanted = {(p, o) for p, o in whole.predicate_objects(statement) if p != PROV.wasQuotedFrom}
        assert {(p, o) for p, o in back.predicate_objects(statement) if p != PROV.wasQuotedFrom} == wanted


FIELD = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"), min_size=1).map(str.strip)


@settings(deadline=None, max_examples=60)
@given(note=FIELD, title=FIELD.filter(bool))
def test_any_text_survives(note: str, title: str) -> None:
    graph = load_ontology(Path(__file__).resolve().parents[1] / "data" / "coin")
    made = plan_import(sheet({**GOOD, "note": note, "title": title}), "x.csv", graph, Path("nowhere"))
    (text,) = made.texts.values()
    back = Graph().parse(data=text, format="turtle")
    assert str(back.value(ID.ev_new_1, SCHEMA.note) or "") == note
    assert str(back.value(back.value(ID.ev_new_1, PROV.wasQuotedFrom), DCTERMS.title)) == title


def test_columns_are_documented(root: Path) -> None:
    guide = (root / "docs" / "ontology" / "adding_evidence.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in guide for name in COLUMNS)
