"""A response network read from Turtle: the toy as it stands, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from hepagraph.kg import build_graph
from hepagraph.kg.response import ResponseModel
from hepagraph.kg.response_reading import read_response
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.files import find_ontology
from hepagraph.ontology.store import load_ontology

GARDEN = Path(__file__).resolve().parents[1] / "data" / "response" / "garden" / "garden.ttl"


def read(folder: Path, text: str) -> ResponseModel | None:
    (folder / "garden.ttl").write_text(text, encoding="utf-8")
    rdf = load_ontology(find_ontology(folder))
    return read_response(rdf, build_graph(rdf))


@pytest.fixture
def garden() -> str:
    return GARDEN.read_text(encoding="utf-8")


def test_the_toy_is_read_as_written(tmp_path: Path, garden: str) -> None:
    model = read(tmp_path, garden)
    assert model is not None
    assert {name: variable.states for name, variable in model.variables.items()} == {
        "water": ("little", "much"),
        "recovery": ("no", "full"),
        "step": ("s0", "s1", "s2"),
        "roots": ("absent", "present"),
        "leaf": ("dry", "green"),
        "bud": ("closed", "open", "fallen"),
    }
    assert model.labels["step"]["s1"] == "first"
    assert model.variables["water"].leaves["plenty"] == ("much",)
    measure = model.variables["water"].measure
    assert measure is not None and (measure.state_of(99.0), measure.state_of(100.0)) == ("little", "much")
    assert model.reads == {
        "leaf": {n: ("dry",) for n in ("hue_rust", "gloss_dull")} | {n: ("green",) for n in ("hue_lime", "gloss_shiny")}
    }
    assert model.rules_out == (("bud", "fallen", "leaf"),)
    assert model.valid_for == ("plant_fern",)


def test_a_number_cites_its_statement_and_a_word_its_scheme(tmp_path: Path, garden: str) -> None:
    model = read(tmp_path, garden)
    assert model is not None
    numbers = {number.grounds.id: number for number in model.numbers}
    counted, worded = numbers["n_full_much"], numbers["n_fallen"]
    assert counted.statement is not None and (counted.statement.k, counted.statement.n) == (12, 20)
    assert [basis.id for basis in counted.grounds.basis] == ["ev_recovered"]
    assert worded.share == pytest.approx(0.08) and worded.size == pytest.approx(4)
    assert counted.given == (("water", ("much",)),)


def test_an_ontology_without_a_response_network_has_none(data: Path) -> None:
    rdf = load_ontology(find_ontology(data / "coin"))
    assert read_response(rdf, build_graph(rdf)) is None


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("fl:value 0.5 ; fl:effectiveSampleSize 10 ; fl:grade fl:GradeD", "fl:grade fl:GradeD", "has no number"),
        ('fl:verbalQuantifier "rarely"', 'fl:verbalQuantifier "raarely"', "no declared frequency word"),
        ('fl:order 0 ; skos:notation "absent"', 'fl:order 2 ; skos:notation "absent"', "absent (false) then present"),
        ("fl:multiplier 4", "fl:multiplier -4", "positive multiplier"),
        ("fl:fromState id:v_roots_present", "fl:fromState id:v_leaf_green", "two variables"),
        ("fl:ofState id:v_step_s1 ;", "fl:ofState id:v_step_s1, id:v_bud_open ;", "states of 2 variables"),
        ("fl:ofState id:v_step_s1 ;", "fl:ofState id:hue_lime ;", "no state of a response variable"),
        ('skos:notation "green"', 'skos:notation "dry"', "at least two states"),
        ('skos:notation "bud"', 'skos:notation "leaf"', "rename one"),
        ("fl:priorSampleSize 0.000000001 .", "fl:order 1 .", "has no priorSampleSize"),
        (
            "fl:grade fl:GradeB ; prov:wasQuotedFrom id:made_up .",
            "fl:grade fl:GradeB .",
            "needs a grade and a declared source",
        ),
        ("fl:warnsOf id:unsure ;", "", "names no pitfall"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, garden: str, before: str, after: str, says: str) -> None:
    assert before in garden
    with pytest.raises(OntologyError, match=says.replace("(", r"\(").replace(")", r"\)")):
        read(tmp_path, garden.replace(before, after))


def test_two_models_are_refused(tmp_path: Path, garden: str) -> None:
    with pytest.raises(OntologyError, match="2 response models"):
        read(tmp_path, garden + "\nid:second a fl:ResponseModel ; fl:priorSampleSize 1 .\n")


def test_what_a_number_derives_from_must_exist(tmp_path: Path, garden: str) -> None:
    text = garden.replace(
        "fl:grade fl:GradeD ; prov:wasQuotedFrom id:made_up .",
        "fl:grade fl:GradeD ; prov:wasDerivedFrom id:nothing ; prov:wasQuotedFrom id:made_up .",
        1,
    )
    with pytest.raises(OntologyError, match="nothing, which nothing declares"):
        read(tmp_path, text)
