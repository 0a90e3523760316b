"""Write a whole ontology for other tools: Turtle, N-Triples, JSON-LD, N-Quads, OBO Graphs JSON."""

from __future__ import annotations

import json
from typing import Any

from rdflib import Graph, URIRef
from rdflib.namespace import OWL, RDF, RDFS, SKOS
from rdflib.term import Node

from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.files import OntologyFiles
from hepagraph.ontology.namespaces import DCTERMS, ID_IRI, PROV, SCHEMA, SCHEMA_IRI
from hepagraph.ontology.sssom import mapping_lines
from hepagraph.ontology.store import load_ontology, parse_turtle

GRAPH_IRI = "https://w3id.org/hepagraph/graph/"
_MATCHES = (SKOS.exactMatch, SKOS.closeMatch, SKOS.broadMatch, SKOS.narrowMatch, SKOS.relatedMatch)


def export_ontology(files: OntologyFiles, file_format: str) -> str:
    """Return the ontology, with its matches to other vocabularies, in one of the formats.

    Raises
    ------
    OntologyError
        The format is not known, or a file cannot be read.
    """
    if file_format == "nquads":
        return to_nquads(files)
    graph = load_ontology(files)
    graph.parse(data="".join(mapping_lines(files)), format="nt")
    if file_format == "obograph":
        return to_obograph(graph)
    if file_format == "jsonld":
        return to_jsonld(graph)
    if file_format not in ("turtle", "nt"):
        raise OntologyError(f"{file_format}: no such format; allowed: turtle, nt, jsonld, nquads, obograph")
    return graph.serialize(format=file_format)


def to_jsonld(graph: Graph) -> str:
    """Return a graph as JSON-LD with its prefixes as context."""
    context = {prefix: str(namespace) for prefix, namespace in graph.namespaces()}
    return graph.serialize(format="json-ld", context=context, auto_compact=False, sort_keys=True) + "\n"


def to_nquads(files: OntologyFiles) -> str:
    """Return N-Quads in which each file of the ontology is a graph of its own, so that every triple says whence it is.

    The graph of ``evidence/some_source.ttl`` is ``https://w3id.org/hepagraph/graph/evidence/some_source``.
    """
    lines: list[str] = []
    for path in files.data:
        inside = path.is_relative_to(files.directory)
        relative = path.relative_to(files.directory) if inside else path.relative_to(path.parents[1])
        lines += _quads(parse_turtle(path, Graph()), GRAPH_IRI + relative.with_suffix("").as_posix())
    matches = Graph().parse(data="".join(mapping_lines(files)), format="nt")
    return "\n".join(sorted([*lines, *_quads(matches, GRAPH_IRI + "mappings")])) + "\n"


def _quads(graph: Graph, name: str) -> list[str]:
    """Return a graph's triples as lines of N-Quads; its blank nodes keep their labels, which are unique."""
    triples = (line for line in graph.serialize(format="nt").splitlines() if line.strip())
    return [f"{line.removesuffix('.').rstrip()} <{name}> ." for line in triples]


def to_obograph(graph: Graph) -> str:
    """Return the ontology as OBO Graphs JSON: nodes with label, definition, synonyms and matches; edges between them.

    Statements of evidence are nodes as well, with their literals as property values.
    See https://github.com/geneontology/obographs for the format.
    """
    subjects = sorted({s for s in graph.subjects(RDF.type) if isinstance(s, URIRef)})
    known = set(subjects)
    edges = [
        {"sub": str(s), "pred": "is_a" if p == RDFS.subClassOf else str(p), "obj": str(o)}
        for s, p, o in sorted(graph)
        if s in known and o in known and p != RDF.type
    ]
    header = URIRef(ID_IRI.rstrip("/"))
    version = graph.value(header, OWL.versionIRI)
    found = {
        "id": str(header),
        "meta": {"version": str(version)} if version else {},
        "nodes": [_node(graph, subject) for subject in subjects],
        "edges": edges,
    }
    return json.dumps({"graphs": [found]}, ensure_ascii=False, indent=1) + "\n"


def _ours(node: Node) -> bool:
    return str(node).startswith((ID_IRI, SCHEMA_IRI))


def _node(graph: Graph, subject: URIRef) -> dict[str, Any]:
    names = (graph.value(subject, predicate) for predicate in (SKOS.prefLabel, RDFS.label, DCTERMS.title))
    label = next((name for name in names if name is not None), None)
    types = set(graph.objects(subject, RDF.type))
    kind = "CLASS" if OWL.Class in types else "PROPERTY" if _is_property(types) else "INDIVIDUAL"
    node: dict[str, Any] = {"id": str(subject), "type": kind}
    if label is not None:
        node["lbl"] = str(label)
    meta = _meta(graph, subject)
    return {**node, "meta": meta} if meta else node


def _is_property(types: set[Node]) -> bool:
    return bool(types & {OWL.ObjectProperty, OWL.DatatypeProperty})


def _meta(graph: Graph, subject: URIRef) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    definition = graph.value(subject, SKOS.definition) or graph.value(subject, RDFS.comment)
    if definition is not None:
        sources = {*graph.objects(subject, DCTERMS.source), *graph.objects(subject, PROV.wasQuotedFrom)}
        meta["definition"] = {"val": str(definition), "xrefs": sorted(map(str, sources))}
    synonyms = sorted(map(str, graph.objects(subject, SKOS.altLabel)))
    if synonyms:
        meta["synonyms"] = [{"pred": "hasExactSynonym", "val": text} for text in synonyms]
    matches = sorted(str(o) for p in _MATCHES for o in graph.objects(subject, p))
    if matches:
        meta["xrefs"] = [{"val": text} for text in matches]
    values = [
        {"pred": str(p), "val": str(o)}
        for p, o in sorted(graph.predicate_objects(subject))
        if not isinstance(o, URIRef) and str(p).startswith(str(SCHEMA))
    ]
    if values:
        meta["basicPropertyValues"] = values
    types = sorted(str(t) for t in graph.objects(subject, RDF.type) if _ours(t))
    if types:
        meta.setdefault("basicPropertyValues", []).extend({"pred": str(RDF.type), "val": text} for text in types)
    return meta
