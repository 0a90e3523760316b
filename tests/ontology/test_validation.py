from __future__ import annotations

from pathlib import Path

import pytest

from hepagraph.ontology import find_ontology
from hepagraph.ontology.validation import validate_ontology

PREFIXES = """@prefix fl: <https://w3id.org/hepagraph/schema#> .
@prefix id: <https://example.org/coin/> .
@prefix prov: <http://www.w3.org/ns/prov#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
"""
STATEMENT = (
    "id:bad a fl:EvidenceStatement ; fl:quantity fl:ConditionalProbability ; fl:feature id:toss ; fl:state id:toss_heads ; fl:given id:fair ; "
    "fl:bound fl:Exact ; fl:unitOfAnalysis fl:PerStudy ; prov:wasQuotedFrom id:made_up ; {} ."
)
GOOD = "fl:grade fl:GradeA ; fl:k 1 ; fl:n 4 ; fl:value 0.25"

BROKEN = [
    (
        STATEMENT.format("fl:grade fl:GradeA ; fl:k 5 ; fl:n 4 ; fl:value 0.25"),
        "k is a whole number of at least 0 and at most n",
    ),
    (STATEMENT.format("fl:grade fl:GradeA ; fl:k 1 ; fl:n 4 ; fl:value 0.5"), "value differs from k/n"),
    (STATEMENT.format("fl:grade fl:GradeA ; fl:value 25 ; fl:countsMissing true"), "proportion lies in"),
    (STATEMENT.format("fl:grade fl:GradeA ; fl:value 0.25"), "does not say fl:countsMissing"),
    (STATEMENT.format(GOOD + " ; fl:countsMissing true"), "says that counts are missing"),
    (STATEMENT.format("fl:grade fl:GradeD ; fl:value 0.25 ; fl:countsMissing true"), "type it fl:ElicitedStatement"),
    (STATEMENT.format("fl:k 1 ; fl:n 4 ; fl:value 0.25"), "needs exactly one grade"),
    (STATEMENT.format("fl:grade fl:GradeA ; fl:countsMissing true"), "neither a number"),
    (STATEMENT.format(GOOD).replace("id:toss_heads", "id:toss_edge"), "state that nothing declares"),
    (STATEMENT.format(GOOD).replace("id:made_up", "id:hearsay"), "declared as an fl:Source"),
    (STATEMENT.format(GOOD).replace("id:fair", "id:loaded"), "declared entity, subtype or lesion class"),
    (STATEMENT.format(GOOD + " ; fl:disagreesWith id:heads_of_fair"), "from both sides"),
    (
        'id:Edge a fl:FeatureState ; fl:stateOf id:toss ; skos:notation "edge" ; skos:prefLabel "edge" .',
        "local names are",
    ),
    (
        'id:edge a fl:FeatureState ; fl:stateOf id:toss ; skos:notation "heads" ; skos:prefLabel "edge" .',
        "same notation",
    ),
    ('id:edge a fl:FeatureState ; skos:notation "edge" ; skos:prefLabel "edge" .', "belongs to exactly one variable"),
    ('id:any a fl:StateGroup ; fl:stateOf id:toss ; skos:notation "any" ; skos:prefLabel "any" .', "at least one leaf"),
    ("id:coin fl:subtypeOf id:fair .", "is a subtype of itself"),
    ('id:colour a fl:ImagingFeature ; skos:prefLabel "colour" .', "at least two states"),
    ("id:rule a fl:AssessabilityRule ; fl:aboutFeature id:toss .", "one advice to print"),
]


def test_packaged_ontology_conforms() -> None:
    assert validate_ontology(find_ontology()) == ()


@pytest.mark.parametrize("folder", ["coin", "skin"])
def test_toy_conforms(data: Path, folder: str) -> None:
    assert validate_ontology(find_ontology(data / folder)) == ()


@pytest.mark.parametrize(("turtle", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_each_broken_copy_is_reported_readably(data: Path, tmp_path: Path, turtle: str, message: str) -> None:
    good = (data / "coin" / "coin.ttl").read_text()
    (tmp_path / "coin.ttl").write_text(good)
    (tmp_path / "broken.ttl").write_text(f"{PREFIXES}{turtle}\n")
    violations = validate_ontology(find_ontology(tmp_path))
    assert any(message in violation.message for violation in violations), [str(v) for v in violations]
    assert all(violation.focus != "?" for violation in violations)
