from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hepagraph.ontology as errors
from hepagraph.inference import Case, Reasoner
from hepagraph.ontology import CaseError

BAD = json.loads((Path(__file__).parents[1] / "data" / "expected.json").read_text(encoding="utf-8"))["bad"]


@pytest.mark.parametrize("row", BAD, ids=[row["name"] for row in BAD])
def test_bad_input_says_what_where_and_what_is_allowed(reasoner: Reasoner, row: dict[str, Any]) -> None:
    with pytest.raises(CaseError) as caught:
        reasoner.read(row["case"])
    assert type(caught.value) is getattr(errors, row["error"])
    for text in row["says"]:
        assert text in str(caught.value)


def test_case_becomes_findings(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    case = reasoner.read(expected["case"])
    assert isinstance(case, Case)
    lesion = case.lesions[0]
    given_ = expected["case"]["lesions"][0]["findings"]
    assert len(lesion.findings) == len(given_)  # the size is added, what is not assessable is not a finding
    assert len(lesion.not_assessable) == 1
    group = expected["group"]
    finding = lesion.findings[group["finding"]]
    states = reasoner.network.states[group["finding"]]
    assert [states[position] for position in finding.states] == group["leaves"]


def test_boolean_and_alias_and_measure_are_states(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    flag, alias = expected["boolean"], expected["alias"]
    case = reasoner.read(
        {"lesions": [{"findings": {flag["finding"]: flag["value"], alias["finding"]: alias["alias"]}}]}
    )
    for name, state in ((flag["finding"], flag["state"]), (alias["finding"], alias["state"])):
        positions = case.lesions[0].findings[name].states
        assert [reasoner.network.states[name][p] for p in positions] == [state]


def test_control_characters_of_the_input_are_shown_not_sent(skin: Reasoner) -> None:
    with pytest.raises(CaseError) as caught:
        skin.read({"id": "a\n\x1b[31m", "lesions": [{"findings": {"border": "x\x07"}}]})
    assert str(caught.value).isprintable()


def test_two_findings_of_one_variable_narrow_each_other(skin: Reasoner) -> None:
    case = skin.read({"lesions": [{"diameter_mm": 9, "findings": {"diameter": ["small", "large"]}}]})
    assert case.lesions[0].findings["diameter"].likelihood == (0.0, 1.0)


def test_assessability_table(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    for row in expected["assessability"]:
        case = {"exam": row["exam"], "lesions": [{"findings": {row["finding"]: row["state"]}}]}
        if row["able"]:
            reasoner.read(case)
        else:
            with pytest.raises(errors.NotAssessableError):
                reasoner.read(case)


def test_state_list_equals_group_and_soft_ones(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    group = expected["group"]
    spellings: list[Any] = [group["group"], group["leaves"], dict.fromkeys(group["leaves"], 1), {group["group"]: 0.3}]
    answers = [
        reasoner.posterior({"lesions": [{"findings": {group["finding"]: s}}]}).lesions[0].posterior for s in spellings
    ]
    for answer in answers[1:]:
        assert answer == pytest.approx(answers[0], abs=1e-12)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_junk_is_refused_and_never_crashes(skin: Reasoner, junk: Any) -> None:
    for case in (
        junk,
        {"lesions": junk},
        {"lesions": [{"findings": junk}]},
        {"patient": junk, "exam": junk, "lesions": [{"findings": {"border": junk, "diameter_mm": junk}}]},
    ):
        try:
            skin.read(case)
        except CaseError as error:
            assert str(error)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_good_findings_give_a_distribution(reasoner: Reasoner, drawn: st.DataObject) -> None:
    features = drawn.draw(st.lists(st.sampled_from(reasoner.network.variables("feature")), unique=True, max_size=10))
    findings = {f: {s: drawn.draw(st.floats(0.01, 1)) for s in reasoner.network.states[f]} for f in features}
    case = reasoner.reader
    try:
        read = case.read({"lesions": [{"findings": findings}]})
    except CaseError as error:
        assert {problem.kind for problem in error.problems} == {"contradiction"}
        return
    answer = reasoner.posterior(read).lesions[0]
    values = np.array(list(answer.posterior.values()))
    assert np.all((values > 0) & (values < 1))
    assert values.sum() == pytest.approx(1, abs=1e-12)
