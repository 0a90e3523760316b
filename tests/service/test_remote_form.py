"""Form, choices and what follows from them as JSON, without a server: it agrees with the explorer for notebooks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hepagraph.inference import Reasoner
from hepagraph.ontology.errors import CaseError
from hepagraph.service.explorer import ExplorerState
from hepagraph.service.explorer.remote import RemoteForm, moved_styles
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
