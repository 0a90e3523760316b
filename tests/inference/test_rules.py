"""Rules fire on what a case states and on its posterior, in three values, and say why in the ontology's words."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hepagraph.inference import Reasoner
from hepagraph.inference.rules import about_patient, recommend
from hepagraph.inference.rules_circumstances import read_rule_case
from hepagraph.inference.rules_facts import Facts, Seen, lesion_facts, patient_facts
from hepagraph.inference.rules_logic import _KINDS, conjunction, disjunction, evaluate
from hepagraph.inference.rules_result import Advised, CaseRecommendations
from hepagraph.kg.rules import CONDITION_KINDS, Condition, Rule, RuleBook
from hepagraph.kg.rules_reading import read_rules
from hepagraph.ontology.errors import CaseError

Case = dict[str, Any]
SPOT = {"border": "irregular", "colours": "two"}


@pytest.fixture(scope="module")
def toy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reasoner:
    """The skin toy with rules of its own."""
    data, folder = Path(request.config.rootpath) / "tests" / "data", tmp_path_factory.mktemp("toy")
    for path in (data / "skin" / "skin.ttl", data / "rules" / "skin_rules.ttl"):
        shutil.copy(path, folder)
    return Reasoner.load(folder)


@pytest.fixture(scope="module")
def book(toy: Reasoner) -> RuleBook:
    return read_rules(toy.graph)


@pytest.fixture(scope="module")
def whole(reasoner: Reasoner) -> RuleBook:
    return read_rules(reasoner.graph)


def case(*, patient: Case | None = None, **lesion: Any) -> Case:
    return {"patient": patient or {}, "lesions": [{"findings": {}, **lesion}]}


def only(found: CaseRecommendations) -> Advised:
    return found.lesions[0].advised


def fired(found: Advised) -> list[str]:
    return [r.rule.id for r in found.recommendations]


def test_every_kind_of_condition_has_its_evaluation() -> None:
    assert set(_KINDS) == CONDITION_KINDS


def test_three_values() -> None:
    values = (True, None, False)
    assert [[conjunction((a, b)) for b in values] for a in values] == [
        [True, None, False],
        [None, None, False],
        [False] * 3,
    ]
    assert [[disjunction((a, b)) for b in values] for a in values] == [
        [True] * 3,
        [True, None, None],
        [True, None, False],
    ]


@pytest.mark.parametrize(
    ("seen", "inside", "holds"),
    [
        ((), "a", None),
        (("a",), "a", True),
        (("b",), "a", False),
        (("ab",), "a", None),
        (("ab",), "abc", True),
        (("b", "a"), "a", True),
        (("b", "ab"), "a", None),
    ],
)
def test_a_state_condition_needs_all_that_is_possible(
    book: RuleBook, seen: tuple[str, ...], inside: str, holds: bool | None
) -> None:
    facts = Facts({"border": tuple(Seen(frozenset(nodes)) for nodes in seen)} if seen else {})
    condition = Condition("c", "c", "StateCondition", inside={"border": frozenset(inside)})
    other = Condition("c", "c", "StateCondition", outside={"border": frozenset(inside)})
    assert evaluate(condition, facts, book).holds is holds
    assert evaluate(other, facts, book).holds is (None if holds is None else not holds)


@pytest.mark.parametrize(
    ("given", "low", "high", "holds"),
    [
        ({"diameter_mm": 6}, None, 6, True),
        ({"diameter_mm": 6}, 6, None, False),
        ({"diameter_mm": 6.1}, 6, None, True),
        ({"findings": {"diameter": "small"}}, None, 6, True),
        ({"findings": {"diameter": "small"}}, 6, None, False),
        ({"findings": {"diameter": "small"}}, None, 3, None),
        ({"findings": {"diameter": "large"}}, 6, 20, None),
        ({}, 6, None, None),
    ],
)
def test_a_measurement_is_held_against_the_range_itself(
    toy: Reasoner, book: RuleBook, given: Case, low: float | None, high: float | None, holds: bool | None
) -> None:
    read = toy.read(case(**given))
    answer = toy.posterior(read).lesions[0]
    patient = patient_facts(read, book, toy.reader.assessability, {})
    facts = lesion_facts(patient, read.lesions[0], answer, book.variables, {})
    condition = Condition("c", "c", "MeasureCondition", variables=("diameter",), low=low, high=high)
    assert evaluate(condition, facts, book).holds is holds


def test_a_rule_fires_and_says_why(toy: Reasoner) -> None:
    (found,) = only(recommend(toy, case(diameter_mm=8, findings=SPOT))).recommendations
    assert found.rule.id == "advise_cut" and found.cutoff_grade == "D"
    *first, posterior = found.why
    assert first == ["colours: two", "border: irregular", "diameter 8 mm (over 6 mm)"]
    assert posterior.endswith("% (over 20 %)")


def test_a_rule_that_fires_silences_what_it_overrides(toy: Reasoner, book: RuleBook) -> None:
    loose = replace(book, rules=tuple(replace(rule, overrides=frozenset()) for rule in book.rules))
    asked = case(diameter_mm=8, findings={**SPOT, "colours": "two"})
    assert fired(only(recommend(toy, asked, book=loose)))[0] == "advise_cut"
    assert "advise_look" not in fired(only(recommend(toy, asked)))


def test_one_unstated_item_is_worth_asking_for(toy: Reasoner) -> None:
    found = only(recommend(toy, case(findings=SPOT)))
    assert "advise_cut" not in fired(found)
    ((rule, missing, wanted),) = ((b.rule.id, set(b.missing), b.wanted) for b in found.blocked)
    assert (rule, missing, wanted) == ("advise_cut", {"diameter", "change"}, "large or changed")
    assert only(recommend(toy, case(findings={"border": "irregular"}))).blocked == ()


def test_a_circumstance_settles_what_the_network_does_not_read(toy: Reasoner) -> None:
    asked = case(findings=SPOT, change=True)
    assert fired(only(recommend(toy, asked))) == ["advise_cut"]
    with pytest.raises(CaseError, match="unknown key 'change'"):
        toy.read(asked)


def test_a_state_entails_a_circumstance_unless_the_case_states_another(toy: Reasoner) -> None:
    sunny: Case = {"patient": {"sun_exposure": "high"}}
    assert fired(only(recommend(toy, case(findings=SPOT, **sunny)))) == ["advise_cut"]
    assert fired(only(recommend(toy, case(findings=SPOT, change=False, **sunny)))) == []


def test_what_is_hidden_is_not_what_is_unstated(toy: Reasoner) -> None:
    found = only(recommend(toy, case(findings={"pigment_network": "not_assessable"})))
    assert fired(found) == ["advise_again"] and found.recommendations[0].why == ("pigment network: not assessable",)
    assert fired(only(recommend(toy, case()))) == []


def test_a_rule_about_the_patient_is_given_once(toy: Reasoner, book: RuleBook) -> None:
    assert [rule.id for rule in book.rules if about_patient(rule, book)] == ["advise_shade"]
    found = recommend(toy, {"patient": {"sun_exposure": "high"}, "lesions": [{"findings": {}}, {"findings": {}}]})
    assert fired(found.patient) == ["advise_shade"]
    assert all(fired(lesion.advised) == [] for lesion in found.lesions)


def test_the_words_may_hold_an_interval(toy: Reasoner) -> None:
    (found,) = only(recommend(toy, case(diameter_mm=8, findings=SPOT), interval=True)).recommendations
    assert found.to_dict()["why"] == list(found.why)


def test_a_case_already_read_is_answered_too(toy: Reasoner) -> None:
    asked = case(diameter_mm=8, findings=SPOT)
    assert only(recommend(toy, toy.read(asked))) == only(recommend(toy, asked))


def test_ontologies_without_rules_recommend_nothing(coin: Reasoner, skin: Reasoner) -> None:
    for reasoner in (coin, skin):
        found = recommend(reasoner, {"lesions": [{"findings": {}}]})
        assert found.patient == Advised() and only(found) == Advised()
        assert found.to_dict()["lesions"][0]["recommendations"] == []


def test_all_problems_come_together(reasoner: Reasoner, whole: RuleBook, rule_cases: Case) -> None:
    with pytest.raises(CaseError) as caught:
        recommend(reasoner, rule_cases["bad"], book=whole)
    assert all(word in str(caught.value) for word in rule_cases["bad_says"])
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    "data", [None, [], {"lesions": 3}, {"lesions": [3]}, {"patient": [], "lesions": [{"findings": {}}]}]
)
def test_what_is_no_case_is_refused_as_ever(reasoner: Reasoner, whole: RuleBook, data: Any) -> None:
    with pytest.raises(CaseError):
        read_rule_case(whole, reasoner.reader, data)


def test_an_agent_not_stated_may_be_any_that_the_examination_allows(
    reasoner: Reasoner, whole: RuleBook, rule_cases: Case
) -> None:
    name, nodes = rule_cases["agent"]
    read = reasoner.read(rule_cases["unstated_agent"])
    (seen,) = patient_facts(read, whole, reasoner.reader.assessability, {}).seen[name]
    assert seen.nodes == frozenset(nodes)


def test_a_published_case(reasoner: Reasoner, whole: RuleBook, rule_cases: Case) -> None:
    expected = rule_cases["seen"]
    found = recommend(reasoner, expected["case"], book=whole)
    assert fired(found.patient) == [expected["patient"]]
    small, fresh = (lesion.advised for lesion in found.lesions)
    assert fired(small)[0] == expected["first"]
    first = small.recommendations[0]
    assert expected["why"] in first.why and expected["primary"] in first.why
    assert expected["source"] in [source.short() for source in first.rule.sources]
    assert fired(fresh)[0] == expected["second"]
    assert any(source.short().endswith(expected["count"]) for source in fresh.recommendations[0].rule.sources)
    rule, item = expected["blocked"]
    assert (rule, (item,)) in [(b.rule.id, b.missing) for b in small.blocked]


def test_every_source_names_a_publication_or_our_judgement(reasoner: Reasoner, whole: RuleBook) -> None:
    titles = {source.short() for source in reasoner.graph.graph["sources"].values()}
    for rule in whole.rules:
        assert rule.sources and {source.title for source in rule.sources} <= titles, rule.id
        assert rule.grade in "ABD"


def test_there_are_rules_of_every_kind(whole: RuleBook) -> None:
    assert len(whole.rules) >= 45
    assert {rule.kind for rule in whole.rules} == {"workup", "follow_up", "reading", "protocol", "pitfall"}


# -- every rule can fire: a case is made from its conditions, on top of one of a few pictures -----------------------


def demanded(book: RuleBook, condition: Condition, wish: Case) -> None:
    """Write into a case what a condition asks for, choosing the first state or alternative that does."""
    if condition.kind == "AnyCondition":
        plain = [a for a in condition.alternatives if a.kind not in ("UnstatedCondition", "HiddenCondition")]
        demanded(book, (plain or list(condition.alternatives))[0], wish)
    elif condition.kind == "UnstatedCondition":
        wish["silent"] |= set(condition.variables)
    elif condition.kind == "HiddenCondition":
        wish["findings"] |= dict.fromkeys(condition.variables, "not_assessable")
    elif condition.kind == "MeasureCondition":
        measure = book.variables[condition.variables[0]].measure
        assert measure is not None
        wish["lesion"][measure.key] = condition.high if condition.high is not None else (condition.low or 0) + 1
    elif not condition.asks_posterior:
        for name, nodes in list({**(condition.inside or {}), **(condition.outside or {})}.items())[:1]:
            place(book, name, nodes, condition.inside is not None, wish)


def place(book: RuleBook, name: str, nodes: frozenset[str], inside: bool, wish: Case) -> None:
    variable = book.variables[name]
    spelt = [s for s in variable.nodes if s in variable.states and (variable.nodes[s] in nodes) is inside]
    section = variable.section if variable.section in ("patient", "exam") else "findings"
    section = "lesion" if variable.kind == "Circumstance" and variable.section == "lesion" else section
    wish[section].setdefault(name, spelt[0])


def attempts(book: RuleBook, rule: Rule, seeds: list[Case]) -> Iterator[Case]:
    wish: Case = {"patient": {}, "exam": {}, "findings": {}, "lesion": {}, "silent": set()}
    for condition in rule.conditions:
        demanded(book, condition, wish)
    for seed in seeds:
        findings = {k: v for k, v in seed.get("findings", {}).items() if k not in wish["silent"]}
        lesion = {**wish["lesion"], "findings": findings | wish["findings"]}
        made: Case = {"patient": {**seed.get("patient", {}), **wish["patient"]}, "lesions": [lesion]}
        yield {**made, "exam": [wish["exam"]]} if wish["exam"] else made


def test_every_rule_can_fire(reasoner: Reasoner, whole: RuleBook, rule_cases: Case) -> None:
    loose = [replace(rule, overrides=frozenset()) for rule in whole.rules]
    never = []
    for rule in loose:
        alone = replace(whole, rules=(rule,))
        for made in attempts(whole, rule, rule_cases["seeds"]):
            try:
                found = recommend(reasoner, made, book=alone)
            except CaseError:
                continue
            if fired(found.patient) + fired(only(found)):
                break
        else:
            never.append(rule.id)
    assert never == []
