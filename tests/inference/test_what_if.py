"""A scenario's answer is the answer to the case written so by hand."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from hepagraph.inference import Reasoner
from hepagraph.inference.what_if import AS_IT_IS, Scenario, changed_case, key_sections, sweep, what_if
from hepagraph.ontology import CaseError


@pytest.fixture(scope="module")
def told(data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((data / "next_best_cases.json").read_text(encoding="utf-8"))["what_if"]
    return found


@pytest.fixture
def case(told: dict[str, Any], root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "examples" / told["file"]).read_text(encoding="utf-8"))
    return found


def answers(reasoner: Reasoner, case: dict[str, Any]) -> dict[str, dict[str, float]]:
    result = reasoner.posterior(case, surprise=False, reasons=False)
    return {lesion.id: dict(lesion.posterior) for lesion in result.lesions}


def test_change_measure_withdraw_and_both(reasoner: Reasoner, case: dict[str, Any], told: dict[str, Any]) -> None:
    kept = copy.deepcopy(case)
    at = [lesion["id"] for lesion in case["lesions"]].index(told["lesion"])
    scenarios = [
        Scenario("changed", told["change"]),
        Scenario("measured", told["measure"]),
        Scenario("withdrawn", {told["withdraw"]: None}),
        Scenario("all", {**told["change"], **told["measure"], told["withdraw"]: None}),
    ]
    by_hand = {AS_IT_IS: copy.deepcopy(case)}
    for name, finding, measure, withdraw in (
        ("changed", True, False, False),
        ("measured", False, True, False),
        ("withdrawn", False, False, True),
        ("all", True, True, True),
    ):
        by_hand[name] = copy.deepcopy(case)
        lesion = by_hand[name]["lesions"][at]
        if finding:
            lesion["findings"] |= told["change"]
        if measure:
            lesion |= told["measure"]
        if withdraw:
            del by_hand[name]["patient"][told["withdraw"]]
    found = what_if(reasoner, case, scenarios, lesion=told["lesion"])
    assert case == kept
    for outcome in found.outcomes:
        assert dict(outcome.posterior) == answers(reasoner, by_hand[outcome.scenario])[outcome.lesion]
        assert outcome.unseen == ()
    rows = list(found.rows())
    assert len(rows) == len(found.outcomes) * len(found.outcomes[0].posterior)
    base = {(r["lesion"], r["entity"]): r["posterior"] for r in rows if r["scenario"] == AS_IT_IS}
    for row in rows:
        assert row["change"] == pytest.approx(row["posterior"] - base[row["lesion"], row["entity"]], abs=1e-15)


def test_other_examinations_withdraw_what_they_cannot_show(
    reasoner: Reasoner, case: dict[str, Any], told: dict[str, Any]
) -> None:
    changed, unseen = changed_case(reasoner, case, Scenario("other", {}, told["exam"]))
    assert set(unseen) == set(told["unseen"])
    assert changed["exam"] == told["exam"]
    assert all(not set(told["unseen"]) & set(lesion["findings"]) for lesion in changed["lesions"])
    outcome = what_if(reasoner, case, [Scenario("other", {}, told["exam"])]).outcomes[-1]
    assert dict(outcome.posterior) == answers(reasoner, changed)[outcome.lesion]


def test_sweeps_and_grids(reasoner: Reasoner, case: dict[str, Any], told: dict[str, Any]) -> None:
    states = reasoner.network.states
    one = sweep(reasoner, told["sweep"])
    assert [scenario.values for scenario in one] == [{told["sweep"]: state} for state in states[told["sweep"]]]
    grid = sweep(reasoner, told["sweep"], told["second"])
    assert len({scenario.name for scenario in grid}) == len(states[told["sweep"]]) * len(states[told["second"]])
    found = what_if(reasoner, case, one, lesion=told["lesion"])
    given = next(lesion for lesion in case["lesions"] if lesion["id"] == told["lesion"])["findings"][told["sweep"]]
    same = next(o for o in found.outcomes if o.scenario == f"{told['sweep']}={given}" and o.lesion == told["lesion"])
    as_it_is = next(o for o in found.outcomes if o.scenario == AS_IT_IS and o.lesion == told["lesion"])
    assert same.posterior == as_it_is.posterior


def values_of(reasoner: Reasoner, key: str) -> list[Any]:
    """Return what a case may say under a key: a state, a group or list, and a number where the key is a measure's."""
    variable = reasoner.reader.inputs("patient", "findings", "lesion")[key]
    if variable.measure is not None and key == variable.measure.key:
        low, high = variable.measure.minimum, variable.measure.maximum
        return [low, min((low + high) / 2, 50.0)]
    return [variable.states[0], list(variable.states[:2]), {variable.states[-1]: 1.0, variable.states[0]: 0.25}]


@pytest.mark.parametrize("name", ["reasoner", "skin", "coin"])
def test_every_key_that_a_case_may_state_can_be_set_and_withdrawn(name: str, request: pytest.FixtureRequest) -> None:
    """A case may hold a key where its reader takes it, a scenario sets it there, and the answers are the same."""
    reasoner: Reasoner = request.getfixturevalue(name)
    bare: dict[str, Any] = {"patient": {}, "lesions": [{"findings": {}}]}
    reader = reasoner.reader
    statable = reader.inputs("patient", "findings", "lesion")
    assert set(key_sections(reasoner)) == set(statable)
    before = answers(reasoner, bare)
    for key in statable:
        for value in values_of(reasoner, key):
            patient = {**bare, "patient": {key: value}}
            own = {**bare, "lesions": [{key: value, "findings": {}}]}
            findings = {**bare, "lesions": [{"findings": {key: value}}]}
            taken = [case for case in (patient, own, findings) if reads(reasoner, case)]
            assert taken, key
            changed, _ = changed_case(reasoner, bare, Scenario("set", {key: value}))
            assert changed in taken
            for case in taken:
                assert answers(reasoner, case) == answers(reasoner, changed)
                withdrawn, _ = changed_case(reasoner, case, Scenario("withdrawn", {key: None}))
                assert answers(reasoner, withdrawn) == before


def reads(reasoner: Reasoner, case: dict[str, Any]) -> bool:
    try:
        reasoner.read(case)
    except CaseError:
        return False
    return True


def test_a_measure_takes_the_place_of_the_state_and_the_other_way_round(reasoner: Reasoner) -> None:
    measured = [v for v in reasoner.reader.variables.values() if v.measure and v.section in ("findings", "lesion")]
    assert {variable.section for variable in measured} == {"findings", "lesion"}
    for variable in measured:
        assert variable.measure is not None
        low, high = variable.measure.bands[0], variable.measure.bands[-1]
        data = {"lesions": [{"findings": {variable.name: high.state}}]}
        changed, _ = changed_case(reasoner, data, Scenario("low", {variable.measure.key: variable.measure.minimum}))
        assert reasoner.read(changed).lesions[0].findings[variable.name].states == (variable.states.index(low.state),)
        again, _ = changed_case(reasoner, changed, Scenario("high", {variable.name: high.state}))
        assert again == data


def test_bad_scenarios_say_where(reasoner: Reasoner, case: dict[str, Any], told: dict[str, Any]) -> None:
    key = told["sweep"]
    scenarios = [Scenario("one", {key: "nothing"}), Scenario("two", {f"{key}x": 1})]
    with pytest.raises(CaseError) as caught:
        what_if(reasoner, case, scenarios)
    assert [problem.where.split(" / ")[0] for problem in caught.value.problems] == ["scenario one", "scenario two"]
    assert caught.value.problems[1].nearest == key
    with pytest.raises(CaseError, match="no lesion has the id"):
        what_if(reasoner, case, [Scenario("one", {})], lesion="none")
    with pytest.raises(CaseError, match="unknown variable"):
        sweep(reasoner, f"{key}x")
