"""The schema: its classes, its relations and properties, and the kinds of figures with what may enter a table."""

from __future__ import annotations

from collections import Counter

from rdflib import Literal, URIRef
from rdflib.namespace import OWL, RDF, RDFS

from hepagraph.ontology.namespaces import SCHEMA, local_name
from hepagraph.service.reference.markdown import anchor, escape, heading, joined, table, target
from hepagraph.service.reference.material import Material

_PROPERTIES = {OWL.ObjectProperty: "relations", OWL.DatatypeProperty: "values"}


def classes_page(material: Material) -> str:
    """Return the page of the schema."""
    return joined(
        heading(1, "Classes and properties", "reference-classes"),
        "The terms in which the ontology is written. They name no disease; another domain uses the same.",
        heading(2, "Classes"),
        table(["class", "label", "meaning", "kind of", "individuals"], _classes(material)),
        heading(2, "Kinds of figures"),
        "Every statement says what kind of figure it gives; only some kinds may enter a table of the network.",
        table(["kind", "meaning", "may enter", "statements"], _quantities(material)),
        *(block for kind, title in _PROPERTIES.items() for block in _properties(material, kind, title)),
    )


def _terms(material: Material, kind: URIRef) -> list[URIRef]:
    found = {s for s in material.rdf.subjects(RDF.type, kind) if isinstance(s, URIRef)}
    if kind == OWL.Class:
        found |= {s for s in material.rdf.subjects(RDFS.subClassOf, None) if isinstance(s, URIRef)}
    return sorted(s for s in found if str(s).startswith(str(SCHEMA)))


def _text(material: Material, term: URIRef, predicate: URIRef) -> str:
    return escape(" ".join(sorted(map(str, material.rdf.objects(term, predicate)))))


def _named(term: URIRef, role: str) -> str:
    """Return a term's name where links to it arrive."""
    return target(f"`fl:{local_name(term)}`", anchor(role, local_name(term)))


def _classes(material: Material) -> list[list[str]]:
    counts = Counter(material.rdf.objects(None, RDF.type))
    rows = []
    for term in _terms(material, OWL.Class):
        above = [local_name(o) for o in material.rdf.objects(term, RDFS.subClassOf)]
        rows.append(
            [
                _named(term, "class"),
                _text(material, term, RDFS.label),
                _text(material, term, RDFS.comment),
                ", ".join(escape(name) for name in sorted(above)),
                str(counts[term]),
            ]
        )
    return rows


def _quantities(material: Material) -> list[list[str]]:
    counts = Counter(statement.quantity for statement in material.statements.values())
    rows = []
    for term in sorted(s for s in material.rdf.subjects(RDF.type, SCHEMA.Quantity) if isinstance(s, URIRef)):
        may = material.rdf.value(term, SCHEMA.mayReachCpt)
        allowed = "yes" if isinstance(may, Literal) and may.toPython() else "no"
        meaning = _text(material, term, RDFS.label)
        rows.append([_named(term, "quantity"), meaning, allowed, str(counts[local_name(term)])])
    return rows


def _properties(material: Material, kind: URIRef, title: str) -> list[str]:
    counts = Counter(material.rdf.predicates())
    rows = [
        [
            _named(term, "property"),
            _text(material, term, RDFS.label),
            _text(material, term, RDFS.comment),
            str(counts[term]),
        ]
        for term in _terms(material, kind)
    ]
    return [heading(2, f"Properties: {title}"), table(["property", "label", "meaning", "uses"], rows)] if rows else []
