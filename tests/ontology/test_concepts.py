"""Every concept of both reviews is an individual, or is written on the one that means the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF, SKOS

from hepagraph.ontology.namespaces import DCTERMS, PROV, SCHEMA

CONCEPTS = (Path(__file__).resolve().parents[1] / "data" / "review_concepts.txt").read_text(encoding="utf-8").split()


@pytest.fixture(scope="module")
def graph(rdf: Graph) -> Graph:
    return rdf


def test_there_are_487() -> None:
    assert len(set(CONCEPTS)) == len(CONCEPTS) == 487


def test_each_has_kind_label_definition_relation_and_review(graph: Graph) -> None:
    for name in CONCEPTS:
        found = list(graph.subjects(DCTERMS.identifier, Literal(name)))
        assert len(found) == 1, name
        (thing,) = found
        assert (thing, RDF.type, None) in graph, name
        assert len(set(graph.objects(thing, SKOS.prefLabel))) == 1, name
        (definition,) = graph.objects(thing, SKOS.definition)
        assert len(str(definition).split()) >= 5, name
        assert (thing, PROV.wasQuotedFrom, None) in graph, name
        assert (thing, SCHEMA.locator, None) in graph, name
        out = [o for p, o in graph.predicate_objects(thing) if str(p).startswith(str(SCHEMA)) and isinstance(o, URIRef)]
        assert out or list(graph.subjects(None, thing)), name


def test_nothing_is_left_out_unlisted(root: Path, graph: Graph) -> None:
    listed = (root / "docs" / "ontology" / "left_out.md").read_text(encoding="utf-8")
    assert "None of the 487" in listed
    assert {str(o) for o in graph.objects(None, DCTERMS.identifier)} == set(CONCEPTS)


def test_every_figure_says_what_it_measures_and_where_it_stands(graph: Graph) -> None:
    figures = set(graph.subjects(RDF.type, SCHEMA.Figure))
    assert len(figures) > 150
    for figure in figures:
        assert graph.value(figure, SCHEMA.figureOf) is not None
        assert graph.value(figure, SKOS.prefLabel) is not None
        numbers = [v for p in ("magnitude", "magnitudeLow", "magnitudeHigh") for v in graph.objects(figure, SCHEMA[p])]
        assert numbers and all(isinstance(float(str(v)), float) for v in numbers)
