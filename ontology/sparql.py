"""Read-only SPARQL: what may be asked, and the plain values that answers come in."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from rdflib import Graph, Literal, URIRef
from rdflib.plugins.sparql import prepareQuery
from rdflib.plugins.sparql.parserutils import CompValue
from rdflib.plugins.sparql.sparql import Query

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
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
Plain = str | int | float | bool | None
_XSD = PREFIXES["xsd"]
_INTEGERS = frozenset(
    _XSD + name for name in ("integer", "int", "long", "short", "nonNegativeInteger", "positiveInteger")
)
_REALS = frozenset(_XSD + name for name in ("decimal", "double", "float"))


@dataclass(frozen=True, slots=True)
class Rows:
    """The answer to a query: column names, and one tuple of plain values (or None) a row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Plain, ...], ...]


READING = ("SelectQuery", "AskQuery")
DESCRIBING = ("ConstructQuery", "DescribeQuery")


def check_query(text: str, allowed: Collection[str] = READING) -> Query:
    """Return the parsed query, or refuse it.

    Raises
    ------
    QueryError
        The text is not SPARQL, asks for another service, or is of a kind that is not ``allowed``.
    """
    kinds = [kind.removesuffix("Query").upper() for kind in allowed]
    words = f"{', '.join(kinds[:-1])} and {kinds[-1]}"
    try:
        query = prepareQuery(text, initNs=PREFIXES)
    except RecursionError:
        raise QueryError("the query is nested too deeply") from None
    except Exception as error:  # pyparsing and rdflib raise several unrelated types
        raise QueryError(f"the query cannot be parsed: {error}; only {words} are answered") from None
    if query.algebra.name not in allowed:
        raise QueryError(f"{query.algebra.name} is not answered; use {words.replace(' and ', ' or ')}")
    if _calls_out(query.algebra):
        raise QueryError("the query uses SERVICE; hepagraph answers from its own ontology only")
    if query.algebra.get("datasetClause"):
        raise QueryError("the query names another graph (FROM); hepagraph answers from its own ontology only")
    return query


def run_query(graph: Graph, text: str) -> Rows:
    """Answer a SELECT or ASK query; IRIs of known prefixes come back as ``prefix:name``.

    The prefixes fl, id, prov, dcterms, skos, rdf, rdfs, owl and xsd need not be declared.

    Raises
    ------
    QueryError
        The query cannot be parsed or answered, or asks for what is not allowed (see `check_query`).
    """
    query = check_query(text)
    try:
        result = graph.query(query)
        if result.type == "ASK":
            return Rows(("answer",), ((bool(result.askAnswer),),))
        columns = tuple(str(name) for name in result.vars or ())
        rows = tuple(tuple(_plain(value) for value in row) for row in result if isinstance(row, tuple))
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


def _plain(value: object) -> Plain:
    """Turn an rdflib term into a JSON value."""
    if value is None:
        return None
    if isinstance(value, URIRef):
        return plain_iri(str(value))
    if isinstance(value, Literal):
        return plain_literal(str(value), str(value.datatype or ""))
    return str(value)


def plain_iri(text: str) -> str:
    """Shorten an IRI by the known prefixes.

    >>> plain_iri("https://w3id.org/hepagraph/schema#k")
    'fl:k'
    """
    for prefix, namespace in PREFIXES.items():
        if text.startswith(namespace):
            return f"{prefix}:{text[len(namespace) :]}"
    return text


def plain_literal(text: str, datatype: str) -> Plain:
    """Turn a literal into a JSON value by its datatype; reals are rounded to 12 significant digits.

    What is no number of the datatype that it is said to have stays text.

    >>> plain_literal("0.50", "http://www.w3.org/2001/XMLSchema#decimal"), plain_literal("a", "")
    (0.5, 'a')
    """
    try:
        if datatype in _INTEGERS:
            return int(text)
        if datatype in _REALS:
            value = float(f"{float(text):.12g}")
            return value if math.isfinite(value) else text
    except ValueError:
        return text
    if datatype == _XSD + "boolean":
        return text in ("true", "1")
    return text
