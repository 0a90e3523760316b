"""Each of the fifteen constraints refuses its failing example; pyshacl alone and the quicker way say the same.

``tests/data/constraints/cNN_*.ttl`` breaks one constraint and nothing else; its first line says what must be said.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rdflib import Graph

from hepagraph.inference.provenance import compiled_lines
from hepagraph.kg import build_graph
from hepagraph.ontology import OntologyError, find_ontology
from hepagraph.ontology.store import load_ontology
from hepagraph.ontology.validation import validate_graph

DATA = Path(__file__).resolve().parents[1] / "data"
EXAMPLES = sorted((DATA / "constraints").glob("c*.ttl"))


@pytest.fixture(scope="module")
def sound() -> Graph:
    """The skin toy, with its compiled layer: conforms."""
    graph = load_ontology(DATA / "skin")
    graph.parse(data="".join(compiled_lines(build_graph(graph))), format="nt")
    return graph


def test_there_are_fifteen() -> None:
    assert {path.name[:3] for path in EXAMPLES} == {f"c{i:02}" for i in range(1, 16)}


@pytest.mark.parametrize("engine", ["auto", "pyshacl"])
def test_the_sound_toy_conforms(sound: Graph, engine: str) -> None:
    assert validate_graph(sound, find_ontology(DATA / "skin"), engine=engine) == ()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_failing_example_is_refused_and_says_why(sound: Graph, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    culprit, says = text.splitlines()[0].removeprefix("# ").split(": ", 1)
    files = find_ontology(DATA / "skin")
    found = validate_graph(sound + Graph().parse(data=text, format="turtle"), files)
    assert any(v.focus == culprit and says in v.message for v in found), found
    assert {v.focus for v in found} == {culprit}


def test_both_engines_say_the_same_of_all_of_them_together(sound: Graph) -> None:
    """pyshacl alone takes over a second, so it reads all examples at once; their own names keep them apart."""
    broken = sound + Graph()
    for path in EXAMPLES:
        text = re.sub(r"\bid:bad(?=\w*\b)", f"id:{path.stem}", path.read_text(encoding="utf-8"))
        broken.parse(data=text, format="turtle")
    files = find_ontology(DATA / "skin")
    auto, slow = (validate_graph(broken, files, engine=engine) for engine in ("auto", "pyshacl"))
    assert {(v.focus, v.message) for v in auto} == {(v.focus, v.message) for v in slow}
    assert len({v.focus for v in auto}) >= 15


def test_shapes_that_cannot_be_evaluated_are_named(tmp_path: Path) -> None:
    (tmp_path / "shapes").mkdir()
    (tmp_path / "facts.ttl").write_text((DATA / "coin" / "coin.ttl").read_text())
    (tmp_path / "shapes" / "bad.ttl").write_text(
        "@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix fl: <https://w3id.org/hepagraph/schema#> .\n"
        'fl:Bad a sh:NodeShape ; sh:targetClass fl:Source ; sh:sparql [ sh:select "SELECT" ] .\n'
    )
    with pytest.raises(OntologyError, match="shapes cannot be evaluated"):
        validate_graph(load_ontology(tmp_path), find_ontology(tmp_path))
