"""Find the publication of a row among those that exist, by DOI, PMID or title, or name a new one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rdflib import Graph, URIRef
from rdflib.namespace import RDF

from hepagraph.ontology.lookup import snake
from hepagraph.ontology.namespaces import DCTERMS, ID_IRI, SCHEMA, local_name
from hepagraph.ontology.sheet import Row

_TITLE_WORDS = 6


class Sources:
    """The sources that exist and those that this import makes, found by DOI, PMID or title."""

    def __init__(self, graph: Graph) -> None:
        self._by_key: dict[tuple[str, str], URIRef] = {}
        self._numbers: dict[URIRef, dict[str, str]] = {}
        self._taken: set[str] = set()
        for node in sorted(graph.subjects(RDF.type, SCHEMA.Source), key=str):
            if not isinstance(node, URIRef):
                continue
            self._taken.add(local_name(node))
            known = {
                "doi": graph.value(node, SCHEMA.doi),
                "pmid": graph.value(node, SCHEMA.pmid),
                "title": graph.value(node, DCTERMS.title),
            }
            self._remember(node, {name: str(value) for name, value in known.items() if value is not None})

    def _remember(self, node: URIRef, fields: Mapping[str, str]) -> None:
        self._numbers[node] = _numbers(fields)
        for key in _source_keys(fields):
            self._by_key.setdefault(key, node)

    def of(self, row: Row) -> tuple[URIRef, bool]:
        """Return the row's source and whether it is new."""
        fields = {name: str(value) for name, value in row.source.items()}
        for key in _source_keys(fields):
            known = self._by_key.get(key)
            if known is not None and not (key[0] == "title" and self._is_another(known, fields)):
                return known, False
        node = URIRef(f"{ID_IRI}{self._name(fields)}")
        self._taken.add(local_name(node))
        self._remember(node, fields)
        return node, True

    def _is_another(self, node: URIRef, fields: Mapping[str, str]) -> bool:
        """Return whether a DOI or PMID says that two publications of one title are not the same."""
        known, asked = self._numbers[node], _numbers(fields)
        return any(known[name] != asked[name] for name in known.keys() & asked.keys())

    def _name(self, fields: Mapping[str, str]) -> str:
        author, year = fields.get("first_author", ""), fields.get("year", "")
        family = snake(author.rsplit(" ", 1)[0] if " " in author else author)
        words = "_".join(snake(fields["title"]).split("_")[:_TITLE_WORDS]) or "untitled"
        stem = f"src_{family}{year}" if family and year else f"src_{words}"
        name, suffix = stem, ord("b")
        while name in self._taken:
            name, suffix = f"{stem}{chr(suffix)}", suffix + 1
        return name


def _source_keys(fields: Mapping[str, str]) -> list[tuple[str, str]]:
    title = " ".join(re.findall(r"\w+", fields.get("title", "").casefold()))
    return [*_numbers(fields).items(), *([("title", title)] if title else [])]


def _numbers(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: fields[name].lower() for name in ("doi", "pmid") if fields.get(name)}
