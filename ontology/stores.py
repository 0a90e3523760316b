"""One way to ask an ontology SPARQL, over two stores that give the same answers.

rdflib is always there; pyoxigraph (the extra ``fast``) loads and answers many times quicker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from hepagraph.ontology.errors import MissingExtraError, OntologyError, QueryError
from hepagraph.ontology.files import OntologyFiles
from hepagraph.ontology.sparql import PREFIXES, Rows, check_query, plain_iri, plain_literal, run_query
from hepagraph.ontology.sssom import mapping_lines

if TYPE_CHECKING:
    from rdflib import Graph

ENGINES = ("auto", "rdflib", "oxigraph")
_ORDERED = re.compile(r"\border\s+by\b", re.IGNORECASE)


class Store(Protocol):
    """An ontology that answers SELECT and ASK queries."""

    def query(self, text: str) -> Rows:
        """Answer a query; rows without ORDER BY come sorted, so that every store gives them alike."""

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


def _in_order(text: str, rows: Rows) -> Rows:
    if _ORDERED.search(text):
        return rows
    return Rows(rows.columns, tuple(sorted(rows.rows, key=lambda row: [(v is not None, str(v)) for v in row])))
