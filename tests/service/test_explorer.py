"""The explorer without a browser: what clicks make of a case, what is counted, and what the widgets show of it."""

from __future__ import annotations

import asyncio
import builtins
import json
from html import escape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepagraph.inference import Reasoner
from hepagraph.inference.case import NOT_ASSESSABLE
from hepagraph.inference.result import NOTICE
from hepagraph.ontology.errors import CaseError, MissingExtraError
from hepagraph.service.explorer import Explorer, ExplorerState
from hepagraph.service.explorer.fields import ANY
from hepagraph.service.explorer.html import bars_html, group_note, scenarios_html, snapshot_html
from hepagraph.service.explorer.outlook import Job, Worker
from hepagraph.service.text import percent


@pytest.fixture
def state(reasoner: Reasoner, start: dict[str, Any]) -> ExplorerState:
    return ExplorerState(reasoner, start)


def posteriors(reasoner: Reasoner, case: dict[str, Any]) -> list[dict[str, float]]:
    return [dict(lesion.posterior) for lesion in reasoner.posterior(case, surprise=False, reasons=False).lesions]


def answered(state: ExplorerState) -> list[dict[str, float]]:
    result = state.answer().result
    assert result is not None
    return [dict(lesion.posterior) for lesion in result.lesions]


# -- the form -----------------------------------------------------------------------------------------------------


def test_every_level_of_the_hierarchy_can_be_chosen(reasoner: Reasoner, told: dict[str, Any]) -> None:
    form = ExplorerState(reasoner).form
    fields = {field.name: field for field in form.fields()}
    features = {n for n, v in reasoner.reader.variables.items() if v.kind == "ImagingFeature"}
    assert features <= set(fields)
    for name, field in fields.items():
        assert {option.notation for option in field.options} == set(reasoner.reader.variables[name].nodes)
    levels = {option.notation: option.depth for option in fields[told["nested"]["variable"]].options}
    assert told["nested"]["levels"].items() <= levels.items()


def test_fields_are_grouped_by_what_shows_them(reasoner: Reasoner, told: dict[str, Any]) -> None:
    groups = {group.title: [field.name for field in group.fields] for group in ExplorerState(reasoner).form.groups}
    for names in told["shown_together"]:
        assert names in groups.values()
    assert list(groups)[-1] == ANY
    labels = set(reasoner.network.labels.values())
    for title in set(groups) - {ANY}:
        assert set(title.removeprefix("with ").split(" or ")) <= labels


def test_a_toy_of_another_field_has_a_form_of_its_own(skin: Reasoner) -> None:
    state = ExplorerState(skin)
    assert {g.title: [f.name for f in g.fields] for g in state.form.groups} == {
        "dermoscopy": ["pigment_network"],
        ANY: ["border", "colours"],
    }
    assert [f.name for f in state.form.lesion] == ["diameter"]
    assert [f.name for f in state.form.patient] == ["sun_exposure"]
    state.add_exam()
    assert set(state.closed()) == {"pigment_network"}
    state.choose("pigment_network", "present")
    assert "pigment_network" not in state.counted()["lesions"][0]["findings"]
    state.add_exam()
    assert not state.closed()
    assert state.counted()["lesions"][0]["findings"] == {"pigment_network": "present"}
    state.choose("diameter", 7.5)
    state.choose("sun_exposure", "high")
    case = {
        "patient": {"sun_exposure": "high"},
        "exam": [{"method": "naked_eye"}, {"method": "dermoscopy"}],
        "lesions": [{"id": "L1", "diameter_mm": 7.5, "findings": {"pigment_network": "present"}}],
    }
    assert state.counted() == {"id": "case", **case}
    assert answered(state) == posteriors(skin, case)


# -- loading ------------------------------------------------------------------------------------------------------


def test_every_published_case_is_answered_as_it_is(reasoner: Reasoner, root: Path) -> None:
    cases = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((root / "examples").glob("*.json"))]
    lines = (root / "examples" / "development" / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    for case in [*cases, *map(json.loads, lines[:20])]:
        state = ExplorerState(reasoner, case)
        for mine, own in zip(answered(state), posteriors(reasoner, case), strict=True):
            assert mine == pytest.approx(own, abs=1e-12)
        again = ExplorerState(reasoner, state.counted())
        assert again.selections == state.selections


def test_what_no_menu_lists_is_kept_as_it_is(reasoner: Reasoner, start: dict[str, Any], told: dict[str, Any]) -> None:
    start = json.loads(json.dumps(start))
    start["lesions"][0]["findings"] |= told["soft"]
    explorer = Explorer(reasoner, start)
    ((name, value),) = told["soft"].items()
    menu = explorer._controls[name].menu
    assert json.loads(menu.value) == value
    assert explorer.case()["lesions"][0]["findings"][name] == value
    given = menu.value
    menu.value = told["change"]["value"]
    assert explorer.case()["lesions"][0]["findings"][name] == told["change"]["value"]
    menu.value = given
    assert explorer.case()["lesions"][0]["findings"][name] == value


def test_a_text_that_is_no_case_changes_nothing(state: ExplorerState) -> None:
    before = state.selections
    for text in ("{", "[]", '{"lesions": []}', '{"lesions": [{"findings": {"no_such_thing": 1}}]}'):
        with pytest.raises(CaseError):
            state.load(text)
        assert state.selections == before
    state.load('{"lesions": [{"id": "a", "findings": {}}, {"findings": {}}]}')
    assert [lesion.id for lesion in state.selections.lesions] == ["a", "L2"]
    state.add_lesion()
    state.reset()
    assert len(state.selections.lesions) == 2


# -- clicks -------------------------------------------------------------------------------------------------------


def test_the_answer_before_stays_beside_the_answer(
    reasoner: Reasoner, state: ExplorerState, told: dict[str, Any]
) -> None:
    (first, *_) = answered(state)
    assert state.previous() is None
    state.choose(told["change"]["variable"], told["change"]["value"])
    previous = state.previous()
    assert previous is not None and previous.posterior == first
    assert answered(state) == posteriors(reasoner, state.counted())
    shown = bars_html(state)
    for entity, value in answered(state)[0].items():
        assert percent(value).replace(" ", "&nbsp;").replace("<", "&lt;") in shown
        assert reasoner.network.labels[entity] in shown
    state.choose(told["change"]["variable"], told["change"]["value"])
    assert state.previous() == previous


def test_another_protocol_keeps_what_it_cannot_show(state: ExplorerState, told: dict[str, Any]) -> None:
    exam, agent = told["other_exam"], told["agent"]
    all_of_it, first = state.counted(), answered(state)
    used = all_of_it["exam"][0][agent]
    state.choose_exam(0, exam["variable"], exam["then"])
    assert agent not in state.counted()["exam"][0]
    assert set(told["unseen_there"]) == set(state.waiting()) <= set(state.closed())
    assert not set(told["unseen_there"]) & set(state.counted()["lesions"][0]["findings"])
    notes = "".join(group_note(group, state, state.closed(), state.waiting()) for group in state.form.groups)
    for name in told["unseen_there"]:
        assert state.fields[name].said(state.value(name)) in notes
    field = next(field for field in state.form.exam if field.name == agent)
    variable = state.reasoner.reader.variables[agent]
    assert used not in state.visibility.states_beside(variable, state.selections.exams[0])
    assert {option.notation for option in field.options} > set(
        state.visibility.states_beside(variable, state.selections.exams[0])
    )
    state.choose_exam(0, exam["variable"], exam["now"])
    assert state.counted() == all_of_it
    assert answered(state) == first


def test_a_second_examination_shows_what_the_first_does_not(state: ExplorerState, told: dict[str, Any]) -> None:
    exam = told["other_exam"]
    state.choose_exam(0, exam["variable"], exam["then"])
    state.add_exam()
    listed = [done[exam["variable"]] for done in state.selections.exams]
    assert len(set(listed)) == 2
    state.choose_exam(1, exam["variable"], exam["now"])
    assert not set(told["unseen_there"][:3]) & set(state.waiting())
    state.remove_exam(1)
    assert set(told["unseen_there"]) == set(state.waiting())


def test_a_state_that_the_agent_does_not_show_waits_alone(reasoner: Reasoner, told: dict[str, Any]) -> None:
    unseen = told["unseen_state"]
    state = ExplorerState(reasoner, {"exam": unseen["exam"], "lesions": [{"findings": {}}]})
    state.choose(unseen["variable"], unseen["value"])
    assert set(state.waiting()) == {unseen["variable"]}
    assert unseen["variable"] not in state.closed()
    assert state.counted()["lesions"][0]["findings"] == {}
    state.choose(unseen["variable"], unseen["visible"])
    assert not state.waiting()


def test_contradictions_are_said_and_nothing_is_lost(
    reasoner: Reasoner, start: dict[str, Any], told: dict[str, Any]
) -> None:
    explorer = Explorer(reasoner, start)
    state, (first, second) = explorer.state, told["conflict"]
    last = answered(state)
    for one in (first, second):
        explorer.choose(one["variable"], one["value"])
    assert state.answer().result is None
    (trouble,) = state.answer().troubles
    assert set(trouble.variables) == {first["variable"], second["variable"]}
    for one in (first, second):
        assert state.fields[one["variable"]].label in trouble.text
        assert state.value(one["variable"]) == one["value"]
        assert "hepagraph-wrong" in explorer._controls[one["variable"]].box._dom_classes
    assert escape(trouble.text) in explorer._trouble.value and "the last answer" in explorer._bars.value
    explorer.keep("no answer")
    assert not state.scenarios
    explorer.choose(second["variable"], None)
    assert answered(state) == last
    assert explorer._trouble.value == ""
    assert "hepagraph-wrong" not in explorer._controls[first["variable"]].box._dom_classes


def test_numbers(reasoner: Reasoner, start: dict[str, Any], told: dict[str, Any]) -> None:
    explorer = Explorer(reasoner, start)
    number, inside = told["number"], told["in_findings"]
    control = explorer._controls[number["variable"]]
    control.number.value = f" {number['good']},0 "
    assert explorer.case()["lesions"][0][number["key"]] == number["good"]
    measure = reasoner.reader.variables[number["variable"]].measure
    assert measure is not None and control.menu.value == measure.state_of(number["good"])
    explorer.choose(inside["variable"], inside["good"])
    assert explorer.case()["lesions"][0]["findings"][inside["key"]] == inside["good"]
    for wrong in (str(number["bad"]), "wide"):
        control.number.value = wrong
        (trouble,) = explorer.state.answer().troubles
        assert trouble.variables == (number["variable"],) and control.field.label in trouble.text
        assert control.number.value == wrong
    control.number.value = ""
    assert number["key"] not in explorer.case()["lesions"][0]
    assert explorer.state.answer().result is not None


def test_lesions_inform_each_other(reasoner: Reasoner, state: ExplorerState, told: dict[str, Any]) -> None:
    shared = next(field.name for field in state.form.fields() if field.shared)
    alone = {**state.counted(), "lesions": state.counted()["lesions"][:1]}
    assert answered(state)[0] != pytest.approx(posteriors(reasoner, alone)[0], abs=1e-6)
    state.add_lesion()
    assert state.position == 2 and state.lesion.values == {shared: state.value(shared)}
    state.choose(told["change"]["variable"], told["change"]["value"])
    state.choose(shared, None)
    assert all(shared not in lesion["findings"] for lesion in state.counted()["lesions"])
    assert answered(state) == posteriors(reasoner, state.counted())
    state.show_lesion(0)
    assert state.value(told["change"]["variable"]) != told["change"]["value"]
    state.remove_lesion()
    state.remove_lesion()
    state.remove_lesion()
    assert len(state.selections.lesions) == 1
    assert state.lesion.values == {told["change"]["variable"]: told["change"]["value"]}


def test_scenarios_are_kept_compared_and_come_back(
    reasoner: Reasoner, start: dict[str, Any], told: dict[str, Any]
) -> None:
    explorer = Explorer(reasoner, start)
    state, change = explorer.state, told["change"]
    explorer.keep("as it was")
    explorer.choose(change["variable"], change["value"])
    explorer.keep("as it was")
    assert [kept.name for kept in state.scenarios] == ["as it was", "as it was (2)"]
    table = scenarios_html(state)
    assert ">now<" not in table
    assert state.fields[change["variable"]].said(change["value"]) in table
    explorer.choose(told["context"]["variable"], told["context"]["value"])
    assert ">now<" in scenarios_html(state)
    explorer._back.value = "as it was"
    assert state.counted() == ExplorerState(reasoner, start).counted()
    assert explorer._back.value == ""
    state.clear_scenarios()
    assert not state.scenarios


def test_a_differential_of_ones_own(reasoner: Reasoner, start: dict[str, Any]) -> None:
    name = next(n for n in reasoner.network.differentials if n != reasoner.network.default_differential)
    state = ExplorerState(reasoner, start, differential=name)
    assert set(answered(state)[0]) == set(reasoner.entities(name))
    with pytest.raises(CaseError):
        ExplorerState(reasoner, start, differential="no such list")


# -- any sequence of clicks ---------------------------------------------------------------------------------------

CLICKS = st.lists(st.tuples(st.sampled_from(range(8)), st.integers(0, 10**6), st.integers(0, 10**6)), max_size=14)


class Model:
    """What a notebook of the clicks says should be chosen, kept apart from the state."""

    def __init__(self, state: ExplorerState) -> None:
        self.state = state
        self.patient = dict(state.selections.patient)
        self.exams = [dict(exam) for exam in state.selections.exams]
        self.lesions = [dict(lesion.values) for lesion in state.selections.lesions]
        self.at = 0

    def click(self, kind: int, one: int, two: int) -> None:
        fields, state = list(self.state.fields.values()), self.state
        field = fields[one % len(fields)]
        if kind <= 2:
            values = [None, *(option.notation for option in field.options), *([NOT_ASSESSABLE] * field.hideable)]
            value = values[two % len(values)]
            state.choose(field.name, value)
            held = [self.patient] if state.reasoner.reader.variables[field.name].section == "patient" else self.lesions
            for holder in held if field.shared or len(held) == 1 else [self.lesions[self.at]]:
                holder.pop(field.name, None)
                if value is not None:
                    holder[field.name] = value
        elif kind <= 4 and self.exams:
            variable = state.form.exam[one % len(state.form.exam)]
            position = two % len(self.exams)
            states = state.reasoner.reader.variables[variable.name]
            options = [None, *state.visibility.states_beside(states, self.exams[position])]
            option = options[one % len(options)]
            state.choose_exam(position, variable.name, option)
            self.exams[position].pop(variable.name, None)
            if option is not None:
                self.exams[position][variable.name] = option
        elif kind == 5 and two % 3 and len(self.exams) < 3:
            state.add_exam()
            self.exams.append(dict(state.selections.exams[-1]))
        elif kind == 5 and self.exams:
            state.remove_exam(one % len(self.exams))
            del self.exams[one % len(self.exams)]
        elif kind == 6 and len(self.lesions) < 3:
            shared = {n: v for n, v in self.lesions[self.at].items() if state.fields[n].shared}
            state.add_lesion()
            self.lesions.append(shared)
            self.at = len(self.lesions) - 1
        elif kind == 6:
            state.remove_lesion()
            del self.lesions[self.at]
            self.at = min(self.at, len(self.lesions) - 1)
        else:
            self.at = two % len(self.lesions)
            state.show_lesion(self.at)

    def check(self) -> None:
        state, chosen = self.state, self.state.selections
        assert dict(chosen.patient) == self.patient
        assert [dict(exam) for exam in chosen.exams] == self.exams
        assert [dict(lesion.values) for lesion in chosen.lesions] == self.lesions
        assert state.position == self.at
        case = state.counted()
        for lesion in case["lesions"]:
            assert all(value == NOT_ASSESSABLE for n, value in lesion["findings"].items() if n in state.closed())
        if state.answer().result is None:
            assert state.answer().troubles
            with pytest.raises(CaseError):
                state.reasoner.posterior(case, surprise=False, reasons=False)
        else:
            assert answered(state) == posteriors(state.reasoner, case)


def test_any_clicks_on_the_toy(skin: Reasoner) -> None:
    @settings(max_examples=60, deadline=None)
    @given(CLICKS)
    def any_clicks(clicks: list[tuple[int, int, int]]) -> None:
        play(ExplorerState(skin), clicks)

    any_clicks()


def test_any_clicks(reasoner: Reasoner, start: dict[str, Any]) -> None:
    @settings(max_examples=25, deadline=None)
    @given(CLICKS)
    def any_clicks(clicks: list[tuple[int, int, int]]) -> None:
        play(ExplorerState(reasoner, start), clicks)

    any_clicks()


def play(state: ExplorerState, clicks: list[tuple[int, int, int]]) -> None:
    model = Model(state)
    for click in clicks:
        model.click(*click)
        model.check()
    assert NOTICE in snapshot_html(state)


# -- widgets ------------------------------------------------------------------------------------------------------


def test_the_widgets_say_what_the_state_says(reasoner: Reasoner, start: dict[str, Any], told: dict[str, Any]) -> None:
    explorer = Explorer(reasoner, start)
    change, exam = told["change"], told["other_exam"]
    control = explorer._controls[change["variable"]]
    control.menu.value = change["value"]
    assert explorer._bars.value == bars_html(explorer.state)
    assert "Speaks for it" in explorer._ledger.value and "bits" in explorer._next.value
    assert explorer.state.reasoner.network.labels[change["variable"]] in explorer._ledger.value
    explorer._exams.menus[0][exam["variable"]].value = exam["then"]
    assert control.menu.disabled and control.menu.value == change["value"]
    assert escape(explorer.state.closed()[change["variable"]]) in control.why.value
    assert "hepagraph-waiting" in control.box._dom_classes
    explorer._exams.menus[0][exam["variable"]].value = exam["now"]
    assert not control.menu.disabled and control.why.value == "" and "hepagraph-waiting" not in control.box._dom_classes
    explorer._exams.add.click()
    assert len(explorer._exams.menus) == 2
    explorer._lesions.choice.value = 1
    assert explorer.state.position == 1 and start["lesions"][1]["id"] in explorer._bars.value
    explorer._lesions.add.click()
    explorer._lesions.remove.click()
    assert [label for label, _ in explorer._lesions.choice.options] == [lesion["id"] for lesion in start["lesions"]]


def test_what_is_folded_away_is_not_computed(
    reasoner: Reasoner, start: dict[str, Any], told: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import hepagraph.service.explorer.outlook as outlook

    explorer = Explorer(reasoner, start)
    asked: list[str] = []
    explain, next_best = outlook.explain, outlook.next_best
    monkeypatch.setattr(outlook, "explain", lambda *a, **k: (asked.append("ledger"), explain(*a, **k))[1])
    monkeypatch.setattr(outlook, "next_best", lambda *a, **k: (asked.append("next"), next_best(*a, **k))[1])
    folds = list(explorer._folds.values())
    folds[0].selected_index = folds[1].selected_index = None
    explorer.choose(told["change"]["variable"], told["change"]["value"])
    assert not asked
    folds[0].selected_index = 0
    assert asked == ["ledger"]
    folds[3].selected_index = 0
    assert told["change"]["value"] in explorer._json.value


def test_a_notebook_without_a_kernel_shows_a_still_picture(reasoner: Reasoner, start: dict[str, Any]) -> None:
    explorer = Explorer(reasoner, start)
    bundle = explorer._repr_mimebundle_()
    assert bundle["text/html"] == explorer.snapshot()._repr_html_()
    assert any("widget-view" in kind for kind in bundle)
    for part in ("<table", "█", NOTICE, *(lesion["id"] for lesion in start["lesions"])):
        assert part in bundle["text/html"]


def test_without_ipywidgets_the_error_says_what_to_install(reasoner: Reasoner, monkeypatch: pytest.MonkeyPatch) -> None:
    import_module = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name == "ipywidgets":
            raise ImportError(name)
        return import_module(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'hepagraph\[notebook\]'"):
        Explorer(reasoner)


def test_newer_jobs_overtake_older_ones() -> None:
    shown: list[str] = []
    worker = Worker()

    async def clicks() -> None:
        for number in range(5):
            worker.run([Job(lambda n=number: f"{n}", shown.append), Job(lambda n=number: f"{n} more", shown.append)])
        while "4 more" not in shown:
            await asyncio.sleep(0.01)

    asyncio.run(clicks())
    assert shown == ["4", "4 more"]
    worker.run([Job(lambda: "at once", shown.append)])
    assert shown[-1] == "at once"
