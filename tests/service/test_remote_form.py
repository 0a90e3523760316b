"""Form, choices and what follows from them as JSON, without a server: it agrees with the explorer for notebooks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hepagraph.inference import Reasoner
from hepagraph.inference.result import NOTICE
from hepagraph.ontology.errors import CaseError
from hepagraph.service.explorer import ExplorerState
from hepagraph.service.explorer.remote import RemoteForm, moved_styles
from hepagraph.service.explorer.restoring import MOST
from hepagraph.service.explorer.writing import answer_text
from hepagraph.service.html_parts import ledger_html

Json = dict[str, Any]


@pytest.fixture(scope="module")
def form(reasoner: Reasoner) -> RemoteForm:
    return RemoteForm.of(reasoner)


def test_the_form_is_that_of_the_explorer(form: RemoteForm, reasoner: Reasoner) -> None:
    shown, state = form.to_dict(), ExplorerState(reasoner)
    listed = [*shown["patient"], *shown["lesion"], *(field for group in shown["groups"] for field in group["fields"])]
    assert [field["name"] for field in listed] == [field.name for field in state.form.fields()]
    for field in listed:
        own = state.fields[field["name"]]
        assert [(o["value"], o["label"], o["depth"]) for o in field["options"]] == [
            (o.notation, o.label, o.depth) for o in own.options
        ]
        assert (field["measure"] is None) == (own.measure is None)
    assert shown["differentials"][shown["default_differential"]] == list(state.entities)
    assert set(shown["labels"]) >= {*reasoner.network.states["entity"], *reasoner.network.states["subtype"]}
    json.dumps(shown)


def test_every_example_is_read_and_counts_as_it_is(form: RemoteForm, reasoner: Reasoner, examples: list[Path]) -> None:
    for path in examples:
        case = json.loads(path.read_text(encoding="utf-8"))
        checked = form.check(form.read(case))
        state = ExplorerState(reasoner, case)
        assert checked["case"] == state.counted()
        assert checked["troubles"] == []
        assert checked["closed"] == state.closed()
        assert checked["waiting"] == [{} for _ in case["lesions"]]
        assert reasoner.posterior(checked["case"]).to_dict() == reasoner.posterior(case).to_dict()
        kinds = [part["kind"] for part in checked["stated"]]
        assert kinds == ["patient", "exam", *("lesion" for _ in case["lesions"])]


def test_another_examination_lets_values_wait(form: RemoteForm, reasoner: Reasoner, start: Json, told: Json) -> None:
    chosen, exam = form.read(start), told["other_exam"]
    chosen["exams"][0][exam["variable"]] = exam["then"]
    checked = form.check(chosen)
    state = ExplorerState(reasoner, start)
    state.choose_exam(0, exam["variable"], exam["then"])
    assert checked["case"] == state.counted()
    assert checked["waiting"][0] == state.waiting()
    assert set(told["unseen_there"]) <= set(checked["waiting"][0])
    assert told["agent"] not in checked["exams"][0]  # it does not go with the other modality
    assert chosen["exams"][0][told["agent"]] not in checked["options"][0][told["agent"]]
    chosen["exams"][0][exam["variable"]] = exam["now"]
    assert form.check(chosen)["case"] == form.check(form.read(start))["case"]


def test_troubles_name_their_fields(form: RemoteForm, told: Json) -> None:
    values = {one["variable"]: one["value"] for one in told["conflict"]}
    number = told["number"]
    chosen = {"lesions": [{"id": "a", "values": {**values, number["variable"]: number["bad"]}}]}
    checked = form.check(chosen)
    named = {name for trouble in checked["troubles"] for name in trouble["variables"]}
    assert named == {*values, number["variable"]}
    assert checked["stated"] == []
    good = form.check({"lesions": [{"id": "a", "values": {number["variable"]: number["good"]}}]})
    assert list(good["bands"]["lesions"][0]) == [number["variable"]]
    assert good["case"]["lesions"][0][number["key"]] == number["good"]


JUNK: list[Any] = [
    *(None, 1, "x", [], {}, {"lesions": []}, {"lesions": {}}, {"lesions": [1]}, {"lesions": [{}]}, {"what": 1}),
    {"lesions": [{"id": 1, "values": {}}]},
    {"lesions": [{"id": "a", "values": []}]},
    {"lesions": [{"id": "a", "values": {"no such thing": 1}}]},
    {"lesions": [{"id": "a", "values": {}, "more": 1}]},
    {"lesions": [{"id": "a", "values": {}}], "id": 3},
    {"lesions": [{"id": "a", "values": {}}], "patient": 3},
    {"lesions": [{"id": "a", "values": {}}], "exams": {}},
    {"lesions": [{"id": "a", "values": {}}], "exams": [{"no such thing": "x"}]},
]


@pytest.mark.parametrize("chosen", JUNK, ids=lambda chosen: json.dumps(chosen)[:40])
def test_what_is_no_choice_is_refused(form: RemoteForm, chosen: Any) -> None:
    with pytest.raises(CaseError):
        form.check(chosen)


def test_no_value_of_any_field_breaks_it(form: RemoteForm, reasoner: Reasoner, told: Json) -> None:
    """Values are for the reader of cases to judge: what it refuses is a trouble, never an exception."""
    junk = [True, 1, -3, 1e300, "x", "", "NOT_ASSESSABLE", [], [[]], [1], {}, {"a": "x"}, {"a": 1}, {"a": {}}]
    exams = [{told["other_exam"]["variable"]: told["other_exam"]["then"]}]
    own = {field.name for field in form.form.patient if not field.shared}
    for field in form.form.fields():
        first = field.options[0].notation
        for value in [*junk, [first], {first: 1}, {first: "x"}, {first: -1}, first.upper(), [first, "x"]]:
            patient, values = ({field.name: value}, {}) if field.name in own else ({}, {field.name: value})
            checked = form.check({"patient": patient, "exams": exams, "lesions": [{"id": "a", "values": values}]})
            assert checked["troubles"] or checked["stated"]


def test_states_of_examinations_must_be_known(form: RemoteForm, told: Json) -> None:
    for value in ("x", 1, [told["other_exam"]["now"]], {}):
        with pytest.raises(CaseError):
            form.check({"exams": [{told["other_exam"]["variable"]: value}], "lesions": [{"id": "a", "values": {}}]})


def test_fragments_lose_their_inline_styles_and_nothing_else(reasoner: Reasoner, start: Json) -> None:
    from hepagraph.inference.ledger import explain

    html = ledger_html(explain(reasoner, reasoner.read(start))[0], reasoner.network.labels)
    moved = moved_styles(html)
    assert ' style="' in html
    assert ' style="' not in moved
    assert moved.replace(' data-style="', ' style="') == html


def test_what_was_chosen_here_is_restored_whole(form: RemoteForm, examples: list[Path], told: Json) -> None:
    for path in examples:
        chosen = form.read(json.loads(path.read_text(encoding="utf-8")))
        for name in form.reasoner.network.differentials:
            assert form.restore(chosen, name) == {"chosen": chosen, "differential": name, "left_out": []}
    soft = {"exams": [{}], "lesions": [{"id": "a", "values": told["soft"]}], "patient": {}, "id": "case"}
    assert form.restore(soft)["chosen"] == soft


def test_what_was_chosen_elsewhere_is_restored_as_far_as_it_is_known(
    form: RemoteForm, skin: Reasoner, start: Json, told: Json
) -> None:
    change, exam = told["change"], told["other_exam"]
    values = {change["variable"]: change["value"], "gone": 1, "\x1b[31m": "x", told["number"]["variable"]: "x"}
    chosen = {
        "patient": {"gone": "x"},
        "exams": [{exam["variable"]: exam["now"], "gone": "x"}, {exam["variable"]: "gone"}],
        "lesions": [{"id": "a", "values": values}],
    }
    found = form.restore(chosen, "gone")
    kept = {change["variable"]: change["value"]}
    assert found["chosen"]["lesions"] == [{"id": "a", "values": kept}]
    assert found["chosen"]["exams"] == [{exam["variable"]: exam["now"]}]
    assert found["chosen"]["patient"] == {}
    assert found["differential"] == form.reasoner.network.default_differential
    assert len(found["left_out"]) == 7
    assert all(text.isprintable() for text in found["left_out"])
    assert form.check(found["chosen"])["troubles"] == []

    elsewhere = RemoteForm.of(skin)
    found = elsewhere.restore(form.read(start))
    assert [lesion["id"] for lesion in found["chosen"]["lesions"]] == [one["id"] for one in start["lesions"]]
    assert elsewhere.check(found["chosen"])["troubles"] == []
    many = {"lesions": [{"id": "a", "values": {f"gone {n}": 1 for n in range(500)}}]}
    told_of = elsewhere.restore(many)["left_out"]
    assert len(told_of) == MOST + 1 and told_of[-1] == f"and {500 - MOST} more"


@pytest.mark.parametrize("chosen", [one for one in JUNK if "no such thing" not in json.dumps(one)], ids=json.dumps)
def test_what_is_no_choice_is_not_restored(form: RemoteForm, chosen: Any) -> None:
    with pytest.raises(CaseError):
        form.restore(chosen)


def test_the_text_says_what_was_seen_and_answered(form: RemoteForm, reasoner: Reasoner, start: Json) -> None:
    entities = reasoner.entities(None)
    first, second = (lesion["id"] for lesion in start["lesions"])
    names = {"lesion": first, "entity": entities[0], "against": entities[1]}
    text = answer_text(reasoner, form.form, start, **names)
    labels = reasoner.network.labels
    assert f"Lesion {first}: {labels[entities[0]]} against {labels[entities[1]]}" in text
    result = reasoner.posterior(start)
    assert f"Lesion {second}: {labels[result.lesions[1].leading]} against all the others" in text
    for part in form.check(form.read(start))["stated"]:
        for label, value in part["values"].items():
            assert f"  {label}: {value}\n" in text
    assert text.endswith(f"{NOTICE}\n")
    assert "_" not in text.replace(first, "").replace(second, "")  # nothing as a case spells it
    hostile = {**start, "id": "a\x1b[31m", "lesions": [{"findings": {}, "id": "b\n\x07"}]}
    written = answer_text(reasoner, form.form, hostile)
    assert all(line.isprintable() for line in written.splitlines())
    with pytest.raises(CaseError):
        answer_text(reasoner, form.form, start, differential="gone")
