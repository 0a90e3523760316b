"""Read an ontology's Turtle files into one rdflib graph."""

from __future__ import annotations

import logging
from pathlib import Path

from rdflib import Graph
from rdflib.plugins.parsers.notation3 import BadSyntax

from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.files import OntologyFiles, find_ontology
from hepagraph.ontology.namespaces import DCTERMS, ID, PROV, SCHEMA

_LOGGER = logging.getLogger("rdflib.term")
if _LOGGER.level == logging.NOTSET:
    _LOGGER.setLevel(logging.ERROR)  # it logs a traceback for every literal of a wrong type


def load_ontology(files: OntologyFiles | str | Path | None = None) -> Graph:
    """Return the ontology as one graph with its prefixes bound.

    Raises
    ------
    OntologyError
        A file is not Turtle; the message names file, line and the offending text.
    """
    found = files if isinstance(files, OntologyFiles) else find_ontology(files)
    graph = Graph(bind_namespaces="none")
    for prefix, namespace in (("fl", SCHEMA), ("id", ID), ("prov", PROV), ("dcterms", DCTERMS)):
        graph.bind(prefix, namespace)
    graph.bind("skos", "http://www.w3.org/2004/02/skos/core#")
    graph.bind("rdfs", "http://www.w3.org/2000/01/rdf-schema#")
    for path in found.data:
        parse_turtle(path, graph)
    return graph


def parse_turtle(path: Path, graph: Graph) -> Graph:
    """Add one Turtle file to ``graph`` and return it; a syntax error names file and line."""
    try:
        graph.parse(data=path.read_text(encoding="utf-8"), format="turtle")
    except BadSyntax as error:
        near = " ".join(str(error._str[error._i : error._i + 60]).split())
        raise OntologyError(
            f"{path}: line {error.lines + 1}: not valid Turtle: {error._why}, near: {near!r}; "
            "mend the file, then run: hepagraph ontology validate"
        ) from None
    except UnicodeDecodeError as error:
        raise OntologyError(f"{path}: byte {error.start} is not UTF-8 text; save the file as UTF-8") from None
    except IndexError:  # what rdflib raises at an unexpected end
        lines = path.read_text(encoding="utf-8").count("\n") + 1
        raise OntologyError(f"{path}: line {lines}: not valid Turtle: the file ends within a statement") from None
    except Exception as error:  # rdflib raises bare and varied exceptions on malformed literals
        raise OntologyError(f"{path}: cannot be read as Turtle: {error}") from error
    return graph
