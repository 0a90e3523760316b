"""What is exported can be read back by other tools and says the same."""

from __future__ import annotations

import json
from pathlib import Path

import pyoxigraph
import pytest
from rdflib import Graph
from rdflib.compare import isomorphic
from rdflib.namespace import OWL, SKOS

from hepagraph.ontology import OntologyError, find_ontology
from hepagraph.ontology.exports import GRAPH_IRI, export_ontology
from hepagraph.ontology.namespaces import ID_IRI
from hepagraph.ontology.store import load_ontology
from hepagraph.ontology.version import package_version


@pytest.fixture(scope="module")
def whole(rdf: Graph) -> Graph:
    return rdf


@pytest.mark.parametrize(("name", "parser"), [("turtle", "turtle"), ("nt", "nt"), ("jsonld", "json-ld")])
def test_a_toy_comes_back_the_same(data: Path, name: str, parser: str) -> None:
    files = find_ontology(data / "coin")
    back = Graph().parse(data=export_ontology(files, name), format=parser)
    assert isomorphic(back, load_ontology(files))


def test_nquads_keep_every_file_apart(whole: Graph) -> None:
    files = find_ontology()
    lines = export_ontology(files, "nquads").splitlines()
    assert lines == sorted(lines)
    graphs = {line.rsplit("<", 1)[1].removesuffix("> .") for line in lines}
    names = {path.relative_to(files.directory).with_suffix("").as_posix() for path in files.data}
    assert graphs == {GRAPH_IRI + name for name in names} | {GRAPH_IRI + "mappings"}
    inside = [line for line in lines if not line.endswith(f"<{GRAPH_IRI}mappings> .")]
    assert len({line.rsplit(" <", 1)[0] for line in inside}) == len(whole)


def test_nquads_of_a_toy_can_be_parsed(data: Path) -> None:
    files = find_ontology(data / "coin")
    store = pyoxigraph.Store()
    store.bulk_load(input=export_ontology(files, "nquads").encode(), format=pyoxigraph.RdfFormat.N_QUADS)
    assert len({(quad.subject, quad.predicate, quad.object) for quad in store}) == len(load_ontology(files))


def test_obograph_has_nodes_edges_definitions_and_matches(whole: Graph) -> None:
    (found,) = json.loads(export_ontology(find_ontology(), "obograph"))["graphs"]
    nodes = {node["id"]: node for node in found["nodes"]}
    assert found["meta"]["version"].startswith("https://w3id.org/hepagraph/id/release/")
    assert {"CLASS", "PROPERTY", "INDIVIDUAL"} == {node["type"] for node in nodes.values()}
    assert all(edge["sub"] in nodes and edge["obj"] in nodes for edge in found["edges"])
    labelled = {str(s) for s in whole.subjects(SKOS.prefLabel) if str(s).startswith(ID_IRI)}
    assert labelled <= {name for name, node in nodes.items() if "lbl" in node}
    assert sum("xrefs" in node.get("meta", {}) for node in nodes.values()) > 150
    assert sum("definition" in node.get("meta", {}) for node in nodes.values()) > 800


def test_obograph_of_another_domain_has_its_own_nodes(data: Path) -> None:
    (found,) = json.loads(export_ontology(find_ontology(data / "coin"), "obograph"))["graphs"]
    assert "https://example.org/coin/toss" in {node["id"] for node in found["nodes"]}


def test_an_unknown_format_is_refused(data: Path) -> None:
    with pytest.raises(OntologyError, match="owl: no such format; allowed: turtle"):
        export_ontology(find_ontology(data / "coin"), "owl")


def test_the_release_is_named_and_has_the_packages_version(whole: Graph) -> None:
    for header in set(whole.subjects(OWL.versionIRI)):
        assert str(whole.value(header, OWL.versionIRI)).startswith(str(header) + "/release/")
        assert str(whole.value(header, OWL.versionInfo)) == package_version()
        assert list(whole.objects(header, SKOS.changeNote))
    assert len(set(whole.subjects(OWL.versionIRI))) == 2
