from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from rdflib import Graph
from rdflib.compare import isomorphic

from hepagraph import kg
from hepagraph.inference import Reasoner
from hepagraph.ontology import OntologyError
from hepagraph.ontology.exports import to_jsonld
from hepagraph.ontology.store import load_ontology

PREFIXES = """@prefix fl: <https://w3id.org/hepagraph/schema#> .
@prefix id: <https://example.org/coin/> .
@prefix prov: <http://www.w3.org/ns/prov#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
"""


def test_every_node_and_edge_keeps_iri_kind_and_evidence(reasoner: Reasoner) -> None:
    graph = reasoner.graph
    assert isinstance(graph, nx.MultiDiGraph)
    assert all(
        data["iri"].startswith("https://") and data["kind"] and data["label"] for _, data in graph.nodes(data=True)
    )
    for _, _, key, data in graph.edges(keys=True, data=True):
        assert data["iri"].startswith("http")
        assert data["kind"] == key
        assert isinstance(data["evidence"], tuple)


def test_evidence_hangs_on_its_edge_with_source(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    wanted = expected["evidence"]
    found = kg.evidence_between(reasoner.graph, wanted["given"], wanted["state"])
    assert found
    assert all(statement.given == wanted["given"] and wanted["state"] in statement.states for statement in found)
    assert all(statement.source.title for statement in found)
    assert any(statement.k is not None and statement.n for statement in found)


def test_path_runs_from_primary_through_mechanism_to_finding(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    wanted = expected["path"]
    paths = kg.explanation_paths(reasoner.graph, wanted["start"], wanted["end"])
    assert (wanted["start"], *wanted["through"]) in paths
    assert paths == sorted(paths, key=lambda path: (len(path), path))


def test_causal_view_has_no_cycle(reasoner: Reasoner) -> None:
    assert nx.is_directed_acyclic_graph(kg.causal_view(reasoner.graph))


def test_mimics_name_shared_states(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    found = kg.mimics(reasoner.graph, expected["mimic"]["of"])
    shared = found[expected["mimic"]["includes"]]
    assert shared
    assert set(shared) <= kg.typical_states(reasoner.graph, expected["mimic"]["includes"])


def test_unknown_node_names_the_nearest(skin: Reasoner) -> None:
    with pytest.raises(OntologyError, match="did you mean nevus"):
        kg.explanation_paths(skin.graph, "nevos", "border")


def test_vocabulary_is_complete(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    variables = kg.read_vocabulary(reasoner.graph)
    for name, states in expected["vocabulary"].items():
        assert list(variables[name].states) == states
    for name in expected["binary"]:
        assert variables[name].states == ("absent", "present")
        assert variables[name].booleans == {False: "absent", True: "present"}
    for name, groups in expected["groups"].items():
        assert {group: list(leaves) for group, leaves in variables[name].groups.items()} == groups
    alias = expected["alias"]
    assert variables[alias["finding"]].leaves[alias["alias"]] == (alias["state"],)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("id:fair fl:mimics id:nobody .", "nobody, which nothing declares"),
        ("id:heads_of_fair fl:context id:nothing .", "speaks of nothing"),
        ("<https://example.org/other/fair> a fl:LesionEntity .", "share this local name"),
        ("id:more a fl:EvidenceStatement ; fl:given id:fair .", "has no quantity"),
        (
            "id:more a fl:EvidenceStatement ; fl:given id:fair ; fl:quantity fl:Prevalence ; fl:grade fl:GradeA ; fl:k 3 ; fl:n 2 ; "
            "prov:wasQuotedFrom id:made_up .",
            "k = 3 is not between 0 and n = 2",
        ),
        (
            "id:more a fl:EvidenceStatement ; fl:given id:fair ; fl:quantity fl:Prevalence ; fl:grade fl:GradeA ; fl:value 40 ; "
            "prov:wasQuotedFrom id:made_up .",
            "not a proportion",
        ),
        (
            "id:more a fl:EvidenceStatement ; fl:given id:fair ; fl:quantity fl:Prevalence ; fl:grade fl:GradeA ; prov:wasQuotedFrom id:rumour .",
            "source rumour is not declared",
        ),
    ],
)
def test_bad_facts_are_refused_by_name(data: Path, tmp_path: Path, extra: str, says: str) -> None:
    (tmp_path / "coin.ttl").write_text((data / "coin" / "coin.ttl").read_text())
    (tmp_path / "extra.ttl").write_text(PREFIXES + extra)
    with pytest.raises(OntologyError, match=says):
        kg.build_graph(load_ontology(tmp_path))


def test_graphml_reads_back(skin: Reasoner) -> None:
    text = kg.to_graphml(skin.graph)
    again = nx.parse_graphml(text, force_multigraph=True)
    assert set(again.nodes) == set(skin.graph.nodes)
    assert again.number_of_edges() == skin.graph.number_of_edges()
    ElementTree.fromstring(text)  # noqa: S314 - our own output


def test_jsonld_reads_back_to_the_same_facts(data: Path) -> None:
    rdf = load_ontology(data / "skin")
    again = Graph().parse(data=to_jsonld(rdf), format="json-ld")
    assert isomorphic(rdf, again)


def test_dot_and_mermaid_name_every_node_of_a_part(skin: Reasoner) -> None:
    part = kg.neighbourhood(skin.graph, "radial_growth")
    assert set(part.nodes) < set(skin.graph.nodes)
    dot, mermaid = kg.to_dot(part), kg.to_mermaid(part)
    for _, label in part.nodes(data="label"):
        assert f'label="{label}"' in dot
        assert f'["{label}"]' in mermaid
    assert dot.count("->") == mermaid.count("-->") == part.number_of_edges()
