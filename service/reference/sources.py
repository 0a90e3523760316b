"""The bibliography: every source with its address and how much rests on it."""

from __future__ import annotations

from collections import Counter

from rdflib import URIRef

from hepagraph.kg import Source
from hepagraph.ontology.namespaces import SCHEMA, local_name
from hepagraph.service.reference.evidence import papers, who
from hepagraph.service.reference.markdown import anchor, escape, heading, joined, table, target, web_link
from hepagraph.service.reference.material import Material


def sources_page(material: Material) -> str:
    """Return the bibliography, by first author and title."""
    sources = sorted(material.graph.graph["sources"].values(), key=lambda s: (who(s).lower(), s.title, s.id))
    every = Counter(s.source.id for s in material.statements.values())
    used = Counter(s.source.id for s in material.statements.values() if material.uses.enters(s))
    urls = _urls(material)
    rows = [
        [_named(source), _title(source), _addresses(source, urls), str(every[source.id]), str(used[source.id])]
        for source in sources
    ]
    return joined(
        heading(1, "Sources", "reference-sources"),
        f"{len(sources)} sources. Some are quoted by definitions and concepts alone and have no statement.",
        table(["source", "title", "where", "statements", "in the network"], rows, "bibliography"),
    )


def _named(source: Source) -> str:
    return target(escape(who(source)), anchor("source", source.id))


def _title(source: Source) -> str:
    journal = f" *{escape(source.journal)}*" if source.journal else ""
    return f"{escape(source.title)}{journal}"


def _addresses(source: Source, urls: dict[str, list[str]]) -> str:
    return " · ".join([*papers(source), *(web_link("web", url) for url in urls.get(source.id, ()))])


def _urls(material: Material) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for subject, url in sorted(material.rdf.subject_objects(SCHEMA.url)):
        if isinstance(subject, URIRef):
            found.setdefault(local_name(subject), []).append(str(url))
    return found
