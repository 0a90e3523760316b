"""Find the individuals of an ontology by the spellings that people use: local name, notation, alias or label."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from functools import cached_property

from rdflib import Graph, Namespace, URIRef
from rdflib.namespace import RDF, SKOS
from rdflib.term import Node

from hepagraph.ontology.namespaces import ID, SCHEMA, local_name

_ALIKE = re.compile(r"[^a-z0-9]+")


def snake(text: str) -> str:
    """Return a text as lower-case words joined by underscores.

    >>> snake("ConditionalProbability"), snake("AB-12 x"), snake("Müller")
    ('conditional_probability', 'ab_12_x', 'muller')
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _ALIKE.sub("_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower()).strip("_")


class Lookup:
    """An index over one graph; it does not follow later changes of the graph."""

    def __init__(self, graph: Graph, namespace: Namespace = ID) -> None:
        self._graph = graph
        self.namespace = namespace

    @cached_property
    def _by_class(self) -> dict[str, dict[str, URIRef]]:
        found: dict[str, dict[str, URIRef]] = defaultdict(dict)
        for subject, kind in sorted(self._graph.subject_objects(RDF.type), key=str):
            if isinstance(subject, URIRef) and str(kind).startswith(str(SCHEMA)):
                for spelling in self._spellings(subject):
                    found[local_name(kind)].setdefault(spelling, subject)
        return found

    def _spellings(self, subject: URIRef) -> list[str]:
        labels = [snake(str(label)) for label in self._graph.objects(subject, SKOS.prefLabel)]
        return [self.spelling(subject), local_name(subject), *labels]

    def spelling(self, node: Node) -> str:
        """Return how a sheet spells an individual: its notation, or its local name in snake case."""
        notations = sorted(map(str, self._graph.objects(node, SKOS.notation)))
        return notations[0] if notations else snake(local_name(node))

    def find(self, text: str, classes: tuple[str, ...]) -> URIRef | None:
        """Return the individual of one of the classes that is spelt so, or None."""
        for name in classes:
            for spelling in (text, snake(text)):
                if spelling in self._by_class.get(name, {}):
                    return self._by_class[name][spelling]
        return None

    def spellings(self, classes: tuple[str, ...]) -> list[str]:
        """Return the preferred spellings of all individuals of the classes, sorted."""
        return sorted({self.spelling(node) for name in classes for node in self._by_class.get(name, {}).values()})

    def states(self, variable: URIRef) -> dict[str, URIRef]:
        """Return the states and groups of a variable by every spelling."""
        found: dict[str, URIRef] = {}
        for node in sorted(self._graph.subjects(SCHEMA.stateOf, variable), key=str):
            if isinstance(node, URIRef):
                aliases = sorted(map(str, self._graph.objects(node, SCHEMA.alias)))
                for spelling in (self.notation(node), *aliases, local_name(node)):
                    found.setdefault(spelling, node)
        return found

    def notation(self, node: Node) -> str:
        """Return the notation of a state, as cases spell it."""
        return str(self._graph.value(node, SKOS.notation) or local_name(node))

    def owner(self, node: Node) -> str:
        """Return the local name of the variable that a state belongs to."""
        return local_name(self._graph.value(node, SCHEMA.stateOf) or node)
