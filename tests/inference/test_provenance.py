"""Every row of the compiled network leads to statements and papers, and the RDF holds the network's own numbers."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rdflib import Graph, URIRef

from hepagraph.inference import compile_network
from hepagraph.inference.provenance import (
    asks_for_compiled,
    asks_for_parameters,
    compiled_lines,
    unreachable_rows,
)
from hepagraph.kg import build_graph
from hepagraph.ontology import find_ontology
from hepagraph.ontology.named_queries import bind, read_query
from hepagraph.ontology.namespaces import PROV, SCHEMA
from hepagraph.ontology.store import load_ontology
from hepagraph.ontology.stores import open_store

if TYPE_CHECKING:
    import networkx as nx

ROW = "https://w3id.org/hepagraph/id/compiled/row__"


@pytest.mark.parametrize("folder", ["coin", "skin"])
def test_the_layer_holds_every_number_of_the_network(data: Path, folder: str) -> None:
    kg = build_graph(load_ontology(data / folder))
    network = compile_network(kg)
    graph = Graph().parse(data="".join(compiled_lines(kg)), format="nt")
    rows = set(graph.subjects(SCHEMA.rowFrom))
    assert len(rows) == sum(int(np.prod(table.values.shape[:-1])) for table in network.tables.values())
    for name, table in network.tables.items():
        parents = [network.states[parent] for parent in table.parents]
        for index in itertools.product(*(range(len(states)) for states in parents)):
            picked = (states[i] for states, i in zip(parents, index, strict=True))
            row = URIRef(ROW + "__".join([name, *picked]))
            entries = sorted(graph.objects(row, SCHEMA.hasParameter), key=lambda e: int(str(e).rsplit("p", 1)[1]))
            found = [graph.value(entry, SCHEMA.probability).toPython() for entry in entries]
            assert found == table.values[index].tolist()
            assert len(list(graph.objects(row, SCHEMA.underCondition))) == len(
                {*zip(table.parents, index, strict=True)}
            )


def test_every_number_of_ours_is_reached_from_a_statement_or_relation(kg: nx.MultiDiGraph[str]) -> None:
    assert unreachable_rows(kg) == []


def test_a_row_that_nothing_supports_is_found(data: Path) -> None:
    kg = build_graph(load_ontology(data / "coin"))
    for _, _, edge in kg.edges(data=True):
        if edge["kind"] == "shows":
            edge["evidence"] = ()
    assert unreachable_rows(kg) == [f"{ROW}toss__biased", f"{ROW}toss__fair"]


def test_everything_behind_the_network_has_a_source(rdf: Graph, kg: nx.MultiDiGraph[str]) -> None:
    lines = compiled_lines(kg, parameters=False)
    ends = {line.split()[2].strip("<>") for line in lines if "#compiledFrom>" in line or "#rowFrom>" in line}
    facts = {URIRef(end) for end in ends if "/compiled/" not in end}
    assert len(facts) > 1000
    assert [fact for fact in facts if (fact, PROV.wasQuotedFrom, None) not in rdf] == []


def test_one_query_lists_the_statements_of_any_row(kg: nx.MultiDiGraph[str]) -> None:
    """For every subtype and feature, through the packaged query: the statements that the network itself names."""
    files = find_ontology()
    network = compile_network(kg)
    store = open_store(files, "oxigraph")
    query = next(q for q in map(read_query, files.queries) if q.name == "evidence_behind_row")
    features, subtypes = network.variables("feature"), list(network.parent_of)
    pairs = list(itertools.product(features, subtypes))[::23]
    texts = {pair: bind(query, {"variable": pair[0], "given": pair[1]}, store) for pair in pairs}
    store.add(compiled_lines(kg, parameters=False))
    assert any(network.statements(*pair) for pair in pairs)
    for (feature, subtype), text in texts.items():
        rows = store.query(text)
        found = {str(row[rows.columns.index("statement")]).removeprefix("id:") for row in rows.rows}
        wanted = {statement.id for statement in network.statements(feature, subtype)}
        assert wanted <= found, (feature, subtype)
        assert found, (feature, subtype)
        assert all(row[rows.columns.index("title")] for row in rows.rows)


def test_only_queries_that_need_the_layer_ask_for_it() -> None:
    assert asks_for_compiled("SELECT ?e WHERE { ?row fl:rowFrom ?e }")
    assert asks_for_compiled("SELECT ?e WHERE { ?c <https://w3id.org/hepagraph/schema#compiledFrom> ?e }")
    assert not asks_for_compiled("SELECT ?e WHERE { ?e fl:given ?g }")
    assert not asks_for_compiled("SELECT ?e WHERE { ?e fl:rowId ?g }")
    assert asks_for_parameters("SELECT ?p WHERE { ?e fl:probability ?p }")
    assert not asks_for_parameters("SELECT ?e WHERE { ?row fl:rowFrom ?e }")
