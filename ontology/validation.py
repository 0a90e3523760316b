"""Check an ontology against its SHACL shapes and say readably what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from rdflib import Graph, URIRef
from rdflib.namespace import RDF, SH
from rdflib.term import Node

from hepagraph.ontology.errors import MissingExtraError, OntologyError
from hepagraph.ontology.files import OntologyFiles
from hepagraph.ontology.importing import Import
from hepagraph.ontology.namespaces import PROV, local_name
from hepagraph.ontology.store import load_ontology, parse_turtle


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken constraint: the thing, its property, its value, and why it is wrong."""

    focus: str
    path: str
    value: str
    message: str
    source: str

    def __str__(self) -> str:
        path = f" / {self.path}" if self.path else ""
        value = f" = {self.value}" if self.value else ""
        source = f" (from {self.source})" if self.source else ""
        return f"{self.focus}{path}{value}: {self.message}{source}"


def validate_ontology(files: OntologyFiles) -> tuple[Violation, ...]:
    """Return every violation of the ontology's shapes, sorted; empty when it conforms.

    Raises
    ------
    OntologyError
        A file is not Turtle.
    MissingExtraError
        pyshacl is not installed.
    """
    return validate_graph(load_ontology(files), files)


def validate_import(data: Graph, files: OntologyFiles, plan: Import) -> tuple[Violation, ...]:
    """Return the violations that the ontology, loaded as ``data``, has once an import is in it; adds it to ``data``."""
    for text in plan.texts.values():
        data.parse(data=text, format="turtle")
    return validate_graph(data, files)


def validate_graph(data: Graph, files: OntologyFiles, *, engine: str = "auto") -> tuple[Violation, ...]:
    """Return every violation of the ontology's shapes in a graph, sorted.

    pyshacl evaluates the shapes. Where pyoxigraph is installed it answers those constraints that are one SPARQL query
    over the whole graph (``sh:targetNode`` with ``sh:sparql``), which takes a tenth of the time; ``engine="pyshacl"``
    leaves all of them to pyshacl.
    """
    try:
        from pyshacl import validate
    except ImportError:
        raise MissingExtraError("validation", "validate") from None
    shapes = Graph()
    for path in files.shapes:
        parse_turtle(path, shapes)
    fast = engine == "auto" and find_spec("pyoxigraph") is not None
    try:
        found = set(_whole_graph_violations(data, shapes)) if fast else set()
        _, report, _ = validate(data, shacl_graph=shapes, inference="none", advanced=True, inplace=True)
    except Exception as error:  # the two libraries and the parser below them raise many unrelated types
        raise OntologyError(f"the shapes cannot be evaluated: {error}; mend the files in shapes/") from None
    if not isinstance(report, Graph):
        raise OntologyError(f"the shapes cannot be evaluated: {report}; mend the files in shapes/")
    found |= {_violation(data, report, result) for result in report.subjects(RDF.type, SH.ValidationResult)}
    return tuple(sorted(found, key=str))


def _whole_graph_violations(data: Graph, shapes: Graph) -> Iterator[Violation]:
    """Yield what the whole-graph constraints find, and take them out of ``shapes``."""
    import pyoxigraph

    store = pyoxigraph.Store()
    store.bulk_load(input=data.serialize(format="nt").encode(), format=pyoxigraph.RdfFormat.N_TRIPLES)
    rules = [(s, o) for s, o in shapes.subject_objects(SH.sparql) if (s, SH.targetNode, None) in shapes]
    declared = set(shapes.objects(None, SH.declare))
    prefixes = {str(shapes.value(d, SH.prefix)): str(shapes.value(d, SH.namespace)) for d in declared}
    for shape, rule in rules:
        text = str(shapes.value(rule, SH.select))
        message = str(shapes.value(rule, SH.message))
        query = re.sub(r"\$this\b", "", text.replace("GROUP BY $this", "GROUP BY"))
        solutions = store.query(query, prefixes=prefixes)
        if not isinstance(solutions, pyoxigraph.QuerySolutions):
            raise OntologyError(f"the constraint {message!r} is no SELECT query")
        for solution in solutions:
            named = re.split(r"{\?(\w+)}", message)
            filled = [_said(solution[part]) if position % 2 else part for position, part in enumerate(named)]
            yield _named(data, _said(solution["value"]), "".join(filled))
        shapes.remove((shape, SH.sparql, rule))


def _said(term: Any) -> str:
    return "" if term is None else str(term.value)


def _named(data: Graph, iri: str, message: str) -> Violation:
    source = data.value(URIRef(iri), PROV.wasQuotedFrom)
    return Violation(local_name(URIRef(iri)), "", "", message, local_name(source) if source is not None else "")


def _violation(data: Graph, report: Graph, result: Node) -> Violation:
    focus = report.value(result, SH.focusNode)
    path = report.value(result, SH.resultPath)
    value = report.value(result, SH.value)
    messages = sorted(str(message) for message in report.objects(result, SH.resultMessage))
    by_query = (result, SH.sourceConstraintComponent, SH.SPARQLConstraintComponent) in report
    if isinstance(value, URIRef) and by_query:  # which names its culprit as the value
        return _named(data, str(value), "; ".join(messages))
    source = data.value(focus, PROV.wasQuotedFrom) if focus is not None else None
    return Violation(
        focus=local_name(focus) if focus is not None else "?",
        path=local_name(path) if isinstance(path, URIRef) else "",
        value="" if value is None or value == focus else local_name(value) if isinstance(value, URIRef) else str(value),
        message="; ".join(messages) or "breaks a constraint",
        source=local_name(source) if source is not None else "",
    )
