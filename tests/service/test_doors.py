"""The doors answer as the functions behind them do, and refuse what they refuse."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hepagraph.inference import Reasoner
from hepagraph.inference.ledger import explain
from hepagraph.ontology import CaseError, ExtremeEvidenceError
from hepagraph.service.doors import Doors


@pytest.fixture
def case(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "examples" / "maino2023_fig7.json").read_text(encoding="utf-8"))
    return found


def test_answers_are_those_of_the_functions(doors: Doors, reasoner: Reasoner, case: dict[str, Any]) -> None:
    assert doors.posterior(case) == reasoner.posterior(case).to_dict()
    ledgers = explain(reasoner, reasoner.read(case))
    found = doors.explain(case)
    assert [{**ledger.to_dict()} for ledger in ledgers] == [
        {key: value for key, value in lesion.items() if key != "explanations"} for lesion in found["lesions"]
    ]
    for answer in (found, doors.next_best(case), doors.recommend(case), doors.vocabulary(), doors.model()):
        assert json.loads(json.dumps(answer, allow_nan=False)) == answer


def test_scenarios(doors: Doors, case: dict[str, Any]) -> None:
    variable = next(iter(case["lesions"][0]["findings"]))
    rows = doors.what_if(case, [{"name": "without", "values": {variable: None}}])["rows"]
    assert {row["scenario"] for row in rows} == {"as it is", "without"}
    for wrong in ({}, {"name": "x", "what": 1}, {"name": "x", "values": []}, {"name": "x", "exam": {}}, "x"):
        with pytest.raises(CaseError):
            doors.what_if(case, [wrong])  # type: ignore[list-item]


def test_own_costs(doors: Doors, reasoner: Reasoner, case: dict[str, Any]) -> None:
    flat = {name: dict.fromkeys(losses, 3) for name, losses in (reasoner.costs or pytest.fail("none")).losses.items()}
    found = doors.next_best(case, costs={"losses": flat})
    assert all(lesion["expected_loss"] == pytest.approx(3) for lesion in found["lesions"])
    with pytest.raises(CaseError):
        doors.next_best(case, costs={"nothing": 1})


def test_vocabulary_names_all_that_a_case_may_state(doors: Doors, reasoner: Reasoner) -> None:
    found = {variable["name"]: variable for variable in doors.vocabulary()["variables"]}
    assert set(reasoner.network.variables("feature")) <= set(found)
    for name, variable in found.items():
        assert [state["name"] for state in variable["states"]] == list(reasoner.reader.variables[name].states)


def test_vocabulary_is_enough_to_make_a_form_of(doors: Doors, reasoner: Reasoner) -> None:
    """Every state, group, boolean and number that it names is one that a case may state."""
    read = 0
    for variable in doors.vocabulary()["variables"]:
        words = [state["name"] for state in variable["states"]] + list(variable["groups"])
        words += [{"true": True, "false": False}[given] for given in variable["booleans"]]
        for word in words:
            finding, problems = reasoner.reader.read_value(variable["name"], word)
            assert finding is not None and not problems
            read += 1
        for band in (variable["measure"] or {"bands": []})["bands"]:
            finding, problems = reasoner.reader.read_value(variable["measure"]["key"], band["low"])
            assert not problems and finding is not None and finding.states
            assert band["state"] == reasoner.reader.variables[variable["name"]].states[finding.states[0]]
    assert read > 200
    entities = {entity["name"]: entity["subtypes"] for entity in doors.vocabulary()["entities"]}
    assert {s: e for e, subtypes in entities.items() for s in subtypes} == dict(reasoner.network.parent_of)


def test_definitions_are_those_of_the_ontology(doors: Doors, reasoner: Reasoner) -> None:
    found = doors.vocabulary(definitions=True)
    for one in (*found["variables"], *found["entities"]):
        assert one["definition"] == reasoner.graph.nodes[one["name"]]["definition"]
    assert sum(bool(one["definition"]) for one in found["variables"]) > len(found["variables"]) // 2
    assert all(one["definition"] for one in found["entities"])
    assert "definition" not in json.dumps(doors.vocabulary())


def test_many_threads_get_the_same_answers(doors: Doors, case: dict[str, Any]) -> None:
    wanted = doors.explain(case), doors.posterior(case, surprise=False)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: (doors.explain(case), doors.posterior(case, surprise=False)), range(24)))
    assert all(answer == wanted for answer in found)


@pytest.mark.parametrize("question", ["explain", "next_best", "sensitivity"])
def test_weights_that_double_precision_cannot_hold_are_refused(doors: Doors, question: str) -> None:
    """Generated requests found this one; the posterior alone has an exact way without scales of its own."""
    first, *others = doors.reasoner.entities()
    prior = {first: 1.0, **dict.fromkeys(others, 5e-324)}
    case = {"lesions": [{"findings": {}}]}
    assert doors.posterior(case, prior=prior)["lesions"][0]["posterior"][first] == 1
    with pytest.raises(ExtremeEvidenceError, match=r"too far apart.*1e-12"):
        getattr(doors, question)(case, prior=prior)
