"""Read-only SPARQL over the ontology."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rdflib import Graph, Literal, URIRef
from rdflib.plugins.sparql import prepareQuery
from rdflib.plugins.sparql.parserutils import CompValue

from hepagraph.ontology.errors import QueryError
from hepagraph.ontology.namespaces import DCTERMS, ID, PROV, SCHEMA

PREFIXES = {
    "fl": str(SCHEMA),
    "id": str(ID),
    "prov": str(PROV),
    "dcterms": str(DCTERMS),
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


@dataclass(frozen=True, slots=True)
class Rows:
    """The answer to a query: column names, and one tuple of plain values (or None) a row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | bool | None, ...], ...]


def run_query(graph: Graph, text: str) -> Rows:
    """Answer a SELECT or ASK query; IRIs of known prefixes come back as ``prefix:name``.

    The prefixes fl, id, prov, dcterms, skos, rdf, rdfs and xsd need not be declared.

    Raises
    ------
    QueryError
        The text is not SPARQL, asks for another service, or is neither SELECT nor ASK.
    """
    try:
        query = prepareQuery(text, initNs=PREFIXES)
    except Exception as error:  # pyparsing and rdflib raise several unrelated types
        raise QueryError(f"the query cannot be parsed: {error}; only SELECT and ASK are answered") from None
    if _calls_out(query.algebra):
        raise QueryError("the query uses SERVICE; hepagraph answers from its own ontology only")
    if query.algebra.get("datasetClause"):
        raise QueryError("the query names another graph (FROM); hepagraph answers from its own ontology only")
    try:
        result = graph.query(query)
        if result.type == "ASK":
            return Rows(("answer",), ((bool(result.askAnswer),),))
        if result.type != "SELECT":
            raise QueryError(f"{result.type} queries are not answered; use SELECT or ASK")
        columns = tuple(str(name) for name in result.vars or ())
        rows = tuple(tuple(_plain(value) for value in row) for row in result if isinstance(row, tuple))
    except QueryError:
        raise
    except Exception as error:
        raise QueryError(f"the query cannot be answered: {error}") from None
    return Rows(columns, rows)


def _calls_out(part: Any) -> bool:
    """Return whether a SERVICE clause stands anywhere in the query's algebra."""
    if isinstance(part, CompValue):
        return part.name == "ServiceGraphPattern" or any(_calls_out(value) for value in part.values())
    if isinstance(part, list | tuple):
        return any(_calls_out(value) for value in part)
    return False


def _plain(value: object) -> str | int | float | bool | None:
    """Turn an RDF term into a JSON value."""
    if value is None:
        return None
    if isinstance(value, URIRef):
        text = str(value)
        for prefix, namespace in PREFIXES.items():
            if text.startswith(namespace):
                return f"{prefix}:{text[len(namespace) :]}"
        return text
    if isinstance(value, Literal):
        python = value.toPython()
        if isinstance(python, bool | int | float):
            return python
        try:
            return float(python) if value.datatype and "decimal" in value.datatype else str(value)
        except (TypeError, ValueError):
            return str(value)
    return str(value)
