"""One way to ask an ontology SPARQL, over two stores that give the same answers.

rdflib is always there; pyoxigraph (the extra ``fast``) loads and answers many times quicker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from hepagraph.ontology.answers import Answer, Solutions, Term, Triples, first
from hepagraph.ontology.errors import MissingExtraError, OntologyError, QueryError
from hepagraph.ontology.files import OntologyFiles
from hepagraph.ontology.sparql import (
    DESCRIBING,
    PREFIXES,
    READING,
    Rows,
    check_query,
    plain_iri,
    plain_literal,
    run_query,
)
from hepagraph.ontology.sssom import mapping_lines

if TYPE_CHECKING:
    from rdflib import Graph

ENGINES = ("auto", "rdflib", "oxigraph")
_ORDERED = re.compile(r"\border\s+by\b", re.IGNORECASE)


class Store(Protocol):
    """An ontology that answers queries."""

    def query(self, text: str) -> Rows:
        """Answer a query; rows without ORDER BY come sorted, so that every store gives them alike."""

    def answer(self, text: str, most: int) -> Answer:
        """Answer a query of any kind in RDF terms, with at most so many rows or triples, in no certain order.

        Raises
        ------
        QueryError
            The query cannot be parsed or answered, or asks for what is not allowed (see ``check_query``).
        """

    def add(self, lines: Iterable[str]) -> None:
        """Add triples given as lines of N-Triples."""

    def __len__(self) -> int:
        """Return the number of triples."""


def open_store(files: OntologyFiles, engine: str = "auto") -> Store:
    """Return the ontology in a store; ``auto`` takes oxigraph where it is installed.

    Raises
    ------
    OntologyError
        A file cannot be read, or the engine is unknown.
    MissingExtraError
        ``oxigraph`` is asked for and not installed.
    """
    if engine not in ENGINES:
        raise OntologyError(f"{engine}: no such store; allowed: {', '.join(ENGINES)}")
    installed = find_spec("pyoxigraph") is not None
    if engine == "oxigraph" and not installed:
        raise MissingExtraError("the oxigraph store", "fast")
    return OxigraphStore(files) if installed and engine != "rdflib" else RdflibStore(files)


class RdflibStore:
    """The ontology in an rdflib graph."""

    def __init__(self, files: OntologyFiles) -> None:
        from hepagraph.ontology.store import load_ontology

        self.graph: Graph = load_ontology(files)
        self.add(mapping_lines(files))

    def query(self, text: str) -> Rows:
        """Answer a SELECT or ASK query."""
        return _in_order(text, run_query(self.graph, text))

    def answer(self, text: str, most: int) -> Answer:
        """Answer a query of any kind in RDF terms."""
        query = check_query(text, (*READING, *DESCRIBING))
        try:
            found = self.graph.query(query)
            if found.type == "ASK":
                return bool(found.askAnswer)
            kept, more = first(found, most)
        except RecursionError:
            raise QueryError("the query is nested too deeply") from None
        except MemoryError:
            raise QueryError("the query needs more memory than there is for it; ask for less") from None
        except Exception as error:
            raise QueryError(f"the query cannot be answered: {error}") from None
        if found.type == "SELECT":
            rows = tuple(tuple(None if value is None else _rdflib_term(value) for value in row) for row in kept)
            return Solutions(tuple(str(name) for name in found.vars or ()), rows, more)
        return Triples(tuple(_line(_rdflib_term(s), _rdflib_term(p), _rdflib_term(o)) for s, p, o in kept), more)

    def add(self, lines: Iterable[str]) -> None:
        """Add triples given as lines of N-Triples."""
        self.graph.parse(data="".join(lines), format="nt")

    def __len__(self) -> int:
        return len(self.graph)


class OxigraphStore:
    """The ontology in an in-memory pyoxigraph store."""

    def __init__(self, files: OntologyFiles) -> None:
        import pyoxigraph

        self._ox = pyoxigraph
        self._store = pyoxigraph.Store()
        for path in files.data:
            try:
                self._store.bulk_load(path=str(path), format=pyoxigraph.RdfFormat.TURTLE)
            except (SyntaxError, ValueError) as error:
                raise OntologyError(f"{path}: not valid Turtle: {error}; run: hepagraph ontology validate") from None
            except OSError as error:
                raise OntologyError(f"{path}: cannot be read: {error}") from None
        self.add(mapping_lines(files))

    def _load(self, text: str) -> None:
        self._store.bulk_load(input=text.encode(), format=self._ox.RdfFormat.N_TRIPLES)

    def query(self, text: str) -> Rows:
        """Answer a SELECT or ASK query."""
        check_query(text)
        try:
            rows = self._rows(text)
        except (SyntaxError, ValueError, OSError, RuntimeError) as error:
            raise QueryError(f"the query cannot be answered: {error}") from None
        return _in_order(text, rows)

    def _rows(self, text: str) -> Rows:
        # In a frame of its own: the parser of `check_query` keeps its caller's frame until the next garbage collection,
        # maybe in another thread, and pyoxigraph's solutions may be freed only in the thread that made them.
        found = self._store.query(text, prefixes=PREFIXES)
        if isinstance(found, self._ox.QueryBoolean):
            return Rows(("answer",), ((bool(found),),))
        if isinstance(found, self._ox.QueryTriples):
            raise QueryError("only SELECT and ASK are answered")
        columns = tuple(variable.value for variable in found.variables)
        return Rows(columns, tuple(tuple(self._plain(solution[name]) for name in columns) for solution in found))

    def answer(self, text: str, most: int) -> Answer:
        """Answer a query of any kind in RDF terms."""
        check_query(text, (*READING, *DESCRIBING))
        try:
            return self._answer(text, most)
        except (SyntaxError, ValueError, OSError, RuntimeError) as error:
            raise QueryError(f"the query cannot be answered: {error}") from None

    def _answer(self, text: str, most: int) -> Answer:
        found = self._store.query(text, prefixes=PREFIXES)  # in a frame of its own: see _rows
        if isinstance(found, self._ox.QueryBoolean):
            return bool(found)
        kept, more = first(found, most)
        if isinstance(found, self._ox.QueryTriples):
            return Triples(tuple(_line(*(self._term(part) for part in triple)) for triple in kept), more)
        columns = tuple(variable.value for variable in found.variables)
        rows = (
            tuple(None if solution[name] is None else self._term(solution[name]) for name in columns)
            for solution in kept
        )
        return Solutions(columns, tuple(rows), more)

    def _term(self, term: Any) -> Term:
        if isinstance(term, self._ox.NamedNode):
            return Term("uri", term.value)
        if isinstance(term, self._ox.BlankNode):
            return Term("bnode", term.value)
        if isinstance(term, self._ox.Literal):
            return Term("literal", term.value, "" if term.language else term.datatype.value, term.language or "")
        raise QueryError("the answer holds a quoted triple, which has no place in SPARQL 1.1 results")

    def _plain(self, term: Any) -> str | int | float | bool | None:
        if term is None:
            return None
        if isinstance(term, self._ox.NamedNode):
            return plain_iri(term.value)
        if isinstance(term, self._ox.Literal):
            return plain_literal(term.value, term.datatype.value)
        return str(term)

    def add(self, lines: Iterable[str]) -> None:
        """Add triples given as lines of N-Triples."""
        self._load("".join(lines))

    def __len__(self) -> int:
        return len(self._store)


def _rdflib_term(node: Any) -> Term:
    from rdflib import BNode, Literal

    if isinstance(node, Literal):
        return Term("literal", str(node), str(node.datatype or ""), node.language or "")
    return Term("bnode" if isinstance(node, BNode) else "uri", str(node))


def _line(subject: Term, predicate: Term, object_: Term) -> str:
    return f"{subject.to_turtle()} {predicate.to_turtle()} {object_.to_turtle()} .\n"


def _in_order(text: str, rows: Rows) -> Rows:
    if _ORDERED.search(text):
        return rows
    return Rows(rows.columns, tuple(sorted(rows.rows, key=lambda row: [(v is not None, str(v)) for v in row])))
