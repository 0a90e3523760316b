"""Links: all that is chosen comes along, and of junk or of another ontology's words the page says what it left out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from hepagraph.service.doors import Doors

Json = dict[str, Any]
Visit = Callable[..., Any]
Answered = Callable[..., Json]
NOTHING: Json = {"lesions": [{"findings": {}}]}
CHOSEN: Json = {"lesions": [{"id": "L1", "values": {}}]}


def fragment(held: Any) -> str:
    """Return what stands after the # of a link that holds a value."""
    letters = base64.urlsafe_b64encode(json.dumps(held).encode()).decode().rstrip("=")
    return f"#case={letters}"


def test_all_of_it_comes_along(visit: Visit, answered: Answered, doors: Doors, start: Json, told: Json) -> None:
    """Differential, lesion, what is weighed, what waits, and kept scenarios with their answers."""
    other = next(n for n in doors.reasoner.network.differentials if n != doors.reasoner.network.default_differential)
    exam = told["other_exam"]
    page = visit().ready()
    page.load(start)
    page.wait_for_answer()
    page.page.locator("#keep-name").fill("as published")
    page.page.locator("#keep-name").press("Enter")
    page.page.locator("#differential").select_option(other)
    page.page.locator(f"#exam-0-{exam['variable']}").select_option(exam["then"])
    page.page.locator("#lesion-choice").get_by_role("radio").nth(1).check()
    page.wait_for_answer()
    entities = doors.reasoner.entities(other)
    page.page.locator("#entity").select_option(entities[2])
    page.page.locator("#against").select_option(entities[0])
    page.wait_for_answer()
    page.page.locator("#share").click()
    link = page.page.locator("#share-link").input_value()
    page.page.keyboard.press("Escape")
    shown = {
        name: page.page.locator(name).inner_text() for name in ("#bars", "#scenarios", "#reasons .odds", "#stated")
    }
    page.close()

    found = visit("#" + link.partition("#")[2]).ready()
    found.wait_for_answer()
    assert found.page.locator("#notes").inner_text() == ""
    assert found.page.locator("#differential").input_value() == other
    assert found.page.locator("#lesion-choice input").nth(1).is_checked()
    assert [found.page.locator(name).input_value() for name in ("#entity", "#against")] == [entities[2], entities[0]]
    for name in told["unseen_there"]:
        assert found.menu(name).input_value() == start["lesions"][1]["findings"].get(name, "")
    before_change = {"#bars"}  # the bars of the first page show what was before its last change, too
    for name, text in shown.items():
        if name not in before_change:
            assert found.page.locator(name).inner_text() == text, name
    found.picture("link")
    found.page.get_by_role("button", name="Go back to as published").click()
    found.wait_for_bars(answered(start)["posterior"])
    found.page.locator("#undo").click()
    found.until(lambda: list(found.bars()) == list(entities))
    found.wait_for_answer()
    found.close()


def test_a_link_of_the_first_version_is_read(visit: Visit, answered: Answered, told: Json) -> None:
    change = told["change"]
    values = {change["variable"]: change["value"]}
    page = visit(fragment({"id": "old", "lesions": [{"id": "L1", "values": values}]})).ready()
    page.wait_for_bars(answered({"lesions": [{"findings": values}]})["posterior"])
    assert page.page.locator("#notes").inner_text() == ""
    page.close()


JUNK = {
    "no base64": "#case=%%%",
    "cut off": fragment({"link": 2, "chosen": CHOSEN})[:-9],
    "no JSON object": fragment([1, 2]),
    "nothing": "#case=",
    "not UTF-8": "#case=_w",
    "no choices": fragment({"link": 2}),
    "an unknown part": fragment({"link": 2, "chosen": CHOSEN, "more": 1}),
    "a version that is no number": fragment({"link": "2", "chosen": CHOSEN}),
    "a lesion that is no number": fragment({"link": 2, "chosen": CHOSEN, "lesion": -1}),
    "a differential that is no text": fragment({"link": 2, "chosen": CHOSEN, "differential": {}}),
    "too many weighed": fragment({"link": 2, "chosen": CHOSEN, "weighed": ["a", "b", "c"]}),
    "too many scenarios": fragment({"link": 2, "chosen": CHOSEN, "kept": [{"name": "a", "chosen": CHOSEN}] * 9}),
    "a scenario that is none": fragment({"link": 2, "chosen": CHOSEN, "kept": [{"name": 1}]}),
    "choices of another form": fragment({"link": 2, "chosen": {"lesions": [{"id": 1, "values": {}}]}}),
    "too many lesions": fragment({"link": 2, "chosen": {"lesions": [{"id": str(n), "values": {}} for n in range(99)]}}),
    "deep": fragment({"link": 2, "chosen": {"lesions": json.loads("[" * 60 + "]" * 60)}}),
}


def test_of_junk_nothing_is_taken_and_the_page_says_why(visit: Visit, answered: Answered) -> None:
    page = visit().ready()
    page.wait_for_answer()
    notes = page.page.locator("#notes")
    for what, junk in JUNK.items():
        page.page.evaluate("document.getElementById('notes').replaceChildren()")
        page.page.evaluate("junk => { location.hash = junk; }", junk)
        page.until(lambda: "The link was not opened." in notes.inner_text(), lambda what=what: what)
        assert len(notes.inner_text()) < 900, what
    for held, said in (
        ({"link": 3, "chosen": CHOSEN}, "of version 3"),
        ({"link": 2, "chosen": {**CHOSEN, "id": "x" * 40_000}}, "longer than"),
    ):
        page.page.evaluate("junk => { location.hash = junk; }", fragment(held))
        page.until(lambda said=said: said in notes.inner_text(), lambda said=said: said)
    page.picture("junk_link")
    assert page.page.locator("#undo").is_disabled()
    page.wait_for_bars(answered(NOTHING)["posterior"])
    page.close("status of 4")


def test_what_another_ontology_knew_is_left_out_and_named(
    visit: Visit, answered: Answered, told: Json, doors: Doors
) -> None:
    change, number = told["change"], told["number"]
    known = {change["variable"]: change["value"]}
    values = {
        **known,
        "<b>no such finding": "x",
        told["other_exam"]["variable"]: "x",
        number["variable"]: number["bad"],
    }
    other = {"lesions": [{"id": "L1", "values": {**known, "gone": 1}}]}
    held = {
        "link": 2,
        "made": {"version": "9.9", "ontology": "f" * 64},
        "chosen": {"exams": [{"no such part": 1}], "lesions": [{"id": "L1", "values": values}]},
        "differential": "no such list",
        "lesion": 7,
        "weighed": ["nobody", None],
        "kept": [{"name": "one", "chosen": other}, {"name": "bad", "chosen": {"lesions": []}}],
    }
    page = visit(fragment(held)).ready()
    page.wait_for_bars(answered({"lesions": [{"findings": known}]})["posterior"])
    notes = page.page.locator("#notes").inner_text()
    page.picture("other_words")
    for said in ("another ontology (ffffffffffff", "<b>no such finding", "no such part", "no such list", "nobody"):
        assert said in notes
    for said in (str(number["bad"]), 'scenario "one": ', "gone", 'scenario "bad": '):
        assert said in notes
    assert page.page.locator("#differential").input_value() == doors.reasoner.network.default_differential
    assert "one" in page.page.locator("#scenarios thead").inner_text()
    page.close("status of 422")


def test_a_link_has_no_room_for_everything(visit: Visit, start: Json) -> None:
    page = visit().ready()
    page.load(start)
    page.wait_for_answer()
    for number in range(10):
        page.page.locator("#keep-name").fill(f"scenario number {number}")
        page.page.locator("#keep-name").press("Enter")
    page.page.locator("#share").click()
    assert "no room for the scenario scenario number 9" in page.page.locator("#share-said").inner_text()
    link = page.page.locator("#share-link").input_value()
    assert 1000 < len(link) < 30_100
    page.page.keyboard.press("Escape")
    page.load({**start, "id": "x" * 40_000})
    page.wait_for_answer()
    page.page.locator("#share").click()
    assert page.page.locator("#share-link").input_value() == ""
    assert "too long for a link" in page.page.locator("#share-said").inner_text()
    assert page.page.locator("#share-copy").is_disabled()
    page.close()


@pytest.mark.parametrize("junk", ["#", "#answer", "#case", "#kase=abc"])
def test_what_is_no_link_is_nothing(visit: Visit, answered: Answered, junk: str) -> None:
    page = visit(junk).ready()
    page.wait_for_bars(answered(NOTHING)["posterior"])
    assert page.page.locator("#notes").inner_text() == ""
    page.close()
