"""Check an ontology against its SHACL shapes and say readably what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from rdflib import Graph, URIRef
from rdflib.namespace import RDF, SH
from rdflib.term import Node

from hepagraph.ontology.errors import MissingExtraError
from hepagraph.ontology.files import OntologyFiles
from hepagraph.ontology.namespaces import PROV, SCHEMA_IRI, local_name
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
    try:
        from pyshacl import validate
    except ImportError:
        raise MissingExtraError("validation", "validate") from None
    data = load_ontology(files)
    shapes = Graph()
    for path in files.shapes:
        parse_turtle(path, shapes)
    _, report, _ = validate(data, shacl_graph=shapes, inference="none", advanced=True)
    if not isinstance(report, Graph):
        raise TypeError(f"pyshacl returned {type(report).__name__} instead of a report graph")
    found = {_violation(data, report, result) for result in report.subjects(RDF.type, SH.ValidationResult)}
    return tuple(sorted(found, key=str))


def _violation(data: Graph, report: Graph, result: Node) -> Violation:
    focus = report.value(result, SH.focusNode)
    path = report.value(result, SH.resultPath)
    value = report.value(result, SH.value)
    messages = sorted(str(message) for message in report.objects(result, SH.resultMessage))
    if isinstance(value, URIRef) and str(focus).startswith(
        SCHEMA_IRI
    ):  # a rule over a whole class names its culprit as value
        focus, value = value, None
    source = data.value(focus, PROV.wasQuotedFrom) if focus is not None else None
    return Violation(
        focus=local_name(focus) if focus is not None else "?",
        path=local_name(path) if isinstance(path, URIRef) else "",
        value="" if value is None or value == focus else local_name(value) if isinstance(value, URIRef) else str(value),
        message="; ".join(messages) or "breaks a constraint",
        source=local_name(source) if source is not None else "",
    )
