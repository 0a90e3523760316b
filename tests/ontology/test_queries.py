from __future__ import annotations

from typing import Any

import pytest
from rdflib import Graph

from hepagraph.ontology import QueryError, find_ontology
from hepagraph.ontology.sparql import run_query
from hepagraph.ontology.store import load_ontology


@pytest.fixture(scope="module")
def graph() -> Graph:
    return load_ontology()


def test_competency_questions_have_their_expected_rows(graph: Graph, expected: dict[str, Any]) -> None:
    files = {path.stem: path for path in find_ontology().queries}
    for name, wanted in expected["queries"].items():
        rows = run_query(graph, files[name].read_text())
        column = rows.columns.index(wanted["column"])
        assert sorted(row[column] for row in rows.rows) == wanted["values"], name


def test_every_packaged_query_runs(graph: Graph) -> None:
    queries = find_ontology().queries
    assert len(queries) >= 15
    for path in queries:
        assert run_query(graph, path.read_text()).columns, path.name


def test_ask_and_plain_values(graph: Graph) -> None:
    assert run_query(graph, "ASK { ?s a fl:Source }").rows == ((True,),)
    assert run_query(graph, "ASK { ?s a fl:NoSuchThing }").rows == ((False,),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT ?s WHERE {", "cannot be parsed"),
        ("DELETE WHERE { ?s ?p ?o }", "only SELECT and ASK"),
        ("CONSTRUCT WHERE { ?s ?p ?o }", "use SELECT or ASK"),
        ("SELECT * WHERE { SERVICE <http://localhost:1/> { ?s ?p ?o } }", "uses SERVICE"),
        ("SELECT * WHERE { { SELECT * WHERE { SERVICE <http://localhost:1/> { ?s ?p ?o } } } }", "uses SERVICE"),
        ("", "cannot be parsed"),
    ],
)
def test_bad_queries_say_why(graph: Graph, text: str, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        run_query(graph, text)


def test_from_clause_cannot_load(graph: Graph) -> None:
    with pytest.raises(QueryError, match="FROM"):
        run_query(graph, "SELECT * FROM <http://localhost:1/x.ttl> WHERE { ?s ?p ?o }")
