"""A rule or condition that lacks something is refused, by pyshacl alone and by the quicker way alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from rdflib import Graph

from hepagraph.ontology import find_ontology
from hepagraph.ontology.store import load_ontology
from hepagraph.ontology.validation import validate_graph

DATA = Path(__file__).resolve().parents[1] / "data"
EXAMPLES = sorted((DATA / "rules" / "failing").glob("r*.ttl"))


@pytest.fixture(scope="module")
def sound() -> Graph:
    return load_ontology(DATA / "skin").parse(DATA / "rules" / "skin_rules.ttl")


@pytest.mark.parametrize("engine", ["auto", "pyshacl"])
def test_the_toys_rules_conform(sound: Graph, engine: str) -> None:
    assert validate_graph(sound, find_ontology(DATA / "skin"), engine=engine) == ()


def test_there_are_failing_examples() -> None:
    assert len(EXAMPLES) >= 20


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_failing_example_is_refused_and_says_why(sound: Graph, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    culprit, says = text.splitlines()[0].removeprefix("# ").split(": ", 1)
    broken = sound + Graph().parse(data=text, format="turtle")
    found = validate_graph(broken, find_ontology(DATA / "skin"))
    assert any(v.focus == culprit and says in v.message for v in found), found
    assert {v.focus for v in found} == {culprit}


def test_both_engines_say_the_same_of_all_of_them_together(sound: Graph) -> None:
    broken = sound + Graph()
    for path in EXAMPLES:
        name = path.stem
        broken.parse(data=path.read_text(encoding="utf-8").replace("id:broken", f"id:{name}"), format="turtle")
    files = find_ontology(DATA / "skin")
    auto, slow = (validate_graph(broken, files, engine=engine) for engine in ("auto", "pyshacl"))
    assert {(v.focus, v.message) for v in auto} == {(v.focus, v.message) for v in slow}
