"""Rules are read from the graph with their conditions and sources; what lacks something is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rdflib import Graph

from hepagraph.inference import Reasoner
from hepagraph.kg import build_graph
from hepagraph.kg.rules import RuleBook
from hepagraph.kg.rules_reading import read_rules
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.store import load_ontology

HEAD = (
    "@prefix fl: <https://w3id.org/hepagraph/schema#> . @prefix id: <https://example.org/skin/> . "
    "@prefix prov: <http://www.w3.org/ns/prov#> . "
)
RULE = 'id:r a fl:RecommendationRule ; fl:advice "x" ; fl:ruleKind "reading" ; fl:when id:when_sun ; '


def with_rules(data: Path, more: str = "") -> Graph:
    graph = load_ontology(data / "skin")
    graph.parse(data / "rules" / "skin_rules.ttl")
    return graph.parse(data=HEAD + more, format="turtle") if more else graph


@pytest.fixture(scope="module")
def book(request: pytest.FixtureRequest) -> RuleBook:
    return read_rules(build_graph(with_rules(Path(request.config.rootpath) / "tests" / "data")))


def test_rules_come_by_priority_with_their_parts(book: RuleBook) -> None:
    assert [rule.id for rule in book.rules] == ["advise_cut", "advise_look", "advise_again", "advise_shade"]
    cut = book.rules[0]
    assert (cut.kind, cut.priority, cut.grade, cut.advice, cut.prompts) == ("workup", 1, "D", "Cut it out.", True)
    assert cut.overrides == {"advise_look"}
    unsure = next(c for c in cut.conditions if c.kind == "AnyCondition")
    assert {a.id for a in unsure.alternatives} == {"when_large", "when_changed"}
    assert set(unsure.reads()) == {"diameter", "change"}


def test_a_behaviour_stands_for_its_entities(book: RuleBook) -> None:
    (bad,) = (c for c in book.rules[0].conditions if c.kind == "PosteriorCondition")
    assert (len(bad.subjects), bad.low, bad.high, bad.grade) == (1, 0.2, None, "D")
    assert book.labels[bad.subjects[0]].endswith(" of the skin")


def test_posterior_conditions_come_last(book: RuleBook) -> None:
    assert all(
        [c.asks_posterior for c in r.conditions] == sorted(c.asks_posterior for c in r.conditions) for r in book.rules
    )


def test_a_cited_statement_brings_its_figure_and_a_relation_its_source(book: RuleBook) -> None:
    sources = {source.id: source for source in book.rules[0].sources}
    assert list(sources) == ["growth_border", "growth_of_nevus", "made_up"]
    assert sources["growth_of_nevus"].figure.endswith("1/40 (2 %)")
    assert sources["growth_border"].title == "made up for the tests"


def test_a_circumstance_is_spelt_like_a_variable(book: RuleBook) -> None:
    change = book.variables["change"]
    assert (book.circumstances, change.section, change.states) == (("change",), "lesion", ("none", "seen"))
    assert change.booleans == {False: "none", True: "seen"}


def test_an_ontology_without_rules_gives_an_empty_book(coin: Reasoner, skin: Reasoner) -> None:
    assert read_rules(coin.graph).rules == read_rules(skin.graph).rules == ()


def test_a_membership_condition_follows_the_ontologys_relations(reasoner: Reasoner, rule_cases: dict[str, Any]) -> None:
    name, states = rule_cases["membership"]
    found = [c for rule in read_rules(reasoner.graph).rules for c in rule.conditions if c.id == name]
    assert {frozenset().union(*(c.inside or {}).values()) for c in found} == {frozenset(states)}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("id:r a fl:RecommendationRule ; fl:when id:when_sun .", "a rule needs fl:advice"),
        (RULE + "prov:wasDerivedFrom id:nothing .", "rests on nothing"),
        (RULE + "fl:when id:made . id:made a fl:RuleCondition .", "RuleCondition is no kind of condition"),
        (RULE + "fl:when id:made . id:made a fl:StateCondition ; fl:inState id:nevus .", "nevus is no state"),
        ("id:lone a fl:Circumstance .", "has 0 states"),
        (
            RULE
            + "fl:when id:made . id:made a fl:MembershipCondition ; fl:about id:sun_exposure ; fl:through fl:implies .",
            "no state of sun_exposure is so related",
        ),
    ],
)
def test_what_lacks_something_is_refused(data: Path, more: str, says: str) -> None:
    with pytest.raises(OntologyError, match=says):
        read_rules(build_graph(with_rules(data, more)))
