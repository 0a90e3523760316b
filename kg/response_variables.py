"""The variables of a response network, read as the same ``Variable`` values that cases are read against."""

from __future__ import annotations

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF, SKOS
from rdflib.term import Node

from hepagraph.kg.numbers import checked_number
from hepagraph.kg.response import ANSWER, CAUSE, CONTEXT, SIGN
from hepagraph.kg.vocabulary import Band, Measure, Variable
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.namespaces import SCHEMA, local_name

_SECTIONS = {CONTEXT: "patient", SIGN: "findings", ANSWER: "", CAUSE: ""}


class Facts:
    """Look-ups in an ontology's RDF, every answer in a fixed order."""

    def __init__(self, rdf: Graph) -> None:
        self._rdf = rdf

    def of_class(self, name: str) -> list[Node]:
        """Return the individuals of a class of the schema, sorted."""
        return sorted(self._rdf.subjects(RDF.type, SCHEMA[name]), key=str)

    def subjects(self, predicate: URIRef, value: Node) -> list[Node]:
        """Return what has this value, in the ontology's own order (``fl:order``, then IRI)."""
        found = list(self._rdf.subjects(predicate, value))
        return sorted(found, key=lambda node: (self.number(node, SCHEMA.order) or 0.0, str(node)))

    def all(self, node: Node, predicate: URIRef) -> list[Node]:
        """Return every value, sorted."""
        return sorted(self._rdf.objects(node, predicate), key=str)

    def one(self, node: Node, predicate: URIRef) -> Node | None:
        """Return the first value, or None."""
        return next(iter(self.all(node, predicate)), None)

    def text(self, node: Node, predicate: URIRef) -> str:
        """Return the first value as text, or an empty text."""
        found = self.one(node, predicate)
        return "" if found is None else str(found)

    def number(self, node: Node, predicate: URIRef) -> float | None:
        """Return the first value as a number, or None.

        Raises
        ------
        OntologyError
            It is a value of another kind.
        """
        value = self.one(node, predicate)
        if not isinstance(value, Literal):
            return None
        return checked_number(value.toPython(), local_name(node), local_name(predicate))

    def needed(self, node: Node, predicate: URIRef) -> float:
        """Return a number that the individual must have.

        Raises
        ------
        OntologyError
            It has none.
        """
        value = self.number(node, predicate)
        if value is None:
            raise OntologyError(f"{local_name(node)}: has no {local_name(predicate)}, which it needs")
        return value


def read_variables(facts: Facts) -> list[tuple[Node, Variable, dict[str, Node]]]:
    """Return (node, variable, states by notation) of every response variable, in the ontology's order.

    Raises
    ------
    OntologyError
        A variable has fewer than two states or two of one name, or a cause is not absent then present.
    """
    found = [(role, node) for role in _SECTIONS for node in facts.of_class(role)]
    found.sort(key=lambda pair: (facts.number(pair[1], SCHEMA.order) or 0.0, str(pair[1])))
    variables = [_variable(facts, role, node) for role, node in found]
    names = [variable.name for _, variable, _ in variables]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise OntologyError(f"two response variables have the notation {repeated[0]}; rename one")
    return variables


def _variable(facts: Facts, role: str, node: Node) -> tuple[Node, Variable, dict[str, Node]]:
    nodes = facts.subjects(SCHEMA.stateOf, node)
    states = {facts.text(state, SKOS.notation) or local_name(state): state for state in nodes}
    if len(states) < 2 or len(states) < len(nodes):
        raise OntologyError(f"{local_name(node)}: needs at least two states, each with its own skos:notation")
    booleans = {
        bool(flag.toPython()): notation
        for notation, state in states.items()
        if isinstance(flag := facts.one(state, SCHEMA.booleanValue), Literal)
    }
    if role == CAUSE and list(states) != [booleans.get(False), booleans.get(True)]:
        raise OntologyError(f"{local_name(node)}: a response cause has two states, absent (false) then present (true)")
    leaves = {notation: (notation,) for notation in states}
    for notation, state in states.items():
        leaves.update({str(alias): (notation,) for alias in facts.all(state, SCHEMA.alias)})
    name = facts.text(node, SKOS.notation) or local_name(node)
    variable = Variable(
        name=name,
        label=facts.text(node, SKOS.prefLabel) or name,
        kind=role,
        section=_SECTIONS[role],
        states=tuple(states),
        leaves=leaves,
        nodes={notation: local_name(state) for notation, state in states.items()},
        booleans=booleans,
        measure=_measure(facts, node, name, states),
        phase=None,
        expresses={},
    )
    return node, variable, states


def _measure(facts: Facts, node: Node, name: str, states: dict[str, Node]) -> Measure | None:
    bands = []
    for notation, state in states.items():
        low, high = facts.number(state, SCHEMA.lowerBound), facts.number(state, SCHEMA.upperBound)
        if low is not None or high is not None:
            ends = (float("-inf") if low is None else low, float("inf") if high is None else high)
            bands.append(Band(notation, *ends))
    if not bands:
        return None
    low, high = facts.needed(node, SCHEMA.minValue), facts.needed(node, SCHEMA.maxValue)
    key = facts.text(node, SCHEMA.caseKey) or name
    return Measure(key, facts.text(node, SCHEMA.unit), low, high, tuple(bands))
