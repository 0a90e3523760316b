"""Read a response network out of an ontology's RDF."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rdflib import Graph, URIRef
from rdflib.namespace import RDF, SKOS
from rdflib.term import Node

from hepagraph.kg.model import Source, Statement
from hepagraph.kg.response import (
    Basis,
    Definition,
    Effect,
    Given,
    Grounds,
    Number,
    Pitfall,
    ResponseModel,
)
from hepagraph.kg.response_variables import Facts, read_variables
from hepagraph.kg.vocabulary import Variable
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.namespaces import PROV, SCHEMA, local_name

if TYPE_CHECKING:
    import networkx as nx


def read_response(rdf: Graph, graph: nx.MultiDiGraph[str]) -> ResponseModel | None:
    """Return the response network of an ontology, or None when it has none.

    Parameters
    ----------
    rdf
        The ontology.
    graph
        Its knowledge graph (``build_graph``), which holds the statements, sources and strengths that are cited.

    Raises
    ------
    OntologyError
        There is more than one model, or one of its individuals lacks what it needs or names what is not declared.
    """
    heads = Facts(rdf).of_class("ResponseModel")
    if not heads:
        return None
    if len(heads) > 1:
        raise OntologyError(f"{len(heads)} response models (fl:ResponseModel); an ontology has one at most")
    return _Reading(rdf, graph).model(heads[0])


class _Reading:
    """One pass over one ontology; looks up what the individuals name."""

    def __init__(self, rdf: Graph, graph: nx.MultiDiGraph[str]) -> None:
        self.facts = Facts(rdf)
        self.statements: dict[str, Statement] = {s.id: s for *_, d in graph.edges(data=True) for s in d["evidence"]}
        self.sources: Mapping[str, Source] = graph.graph["sources"]
        self.strengths: Mapping[str, float] = graph.graph["policy"].odds_multipliers
        self.words = {self.facts.text(t, SKOS.prefLabel): t for t in self.facts.of_class("QuantifierTerm")}
        self.owner: dict[Node, tuple[str, str]] = {}

    def model(self, head: Node) -> ResponseModel:
        found = read_variables(self.facts)
        self.owner = {state: (v.name, notation) for _, v, states in found for notation, state in states.items()}
        names = {node: variable.name for node, variable, _ in found}
        out = [(s, names[v]) for s in self.owner for v in self.facts.all(s, SCHEMA.rulesOut)]
        return ResponseModel(
            id=local_name(head),
            label=self.facts.text(head, SKOS.prefLabel),
            variables={variable.name: variable for _, variable, _ in found},
            roles={variable.name: variable.kind for _, variable, _ in found},
            labels={v.name: {n: self._state_label(v, s) for n, s in states.items()} for _, v, states in found},
            numbers=self._each("ResponseNumber", self._response_number),
            definitions=self._each("ResponseDefinition", self._definition),
            effects=self._each("ResponseEffect", self._effect),
            pitfalls=self._each("ResponsePitfall", self._pitfall),
            reads=self._reads(),
            rules_out=tuple(sorted((*self.owner[state], other) for state, other in out)),
            valid_for=tuple(map(local_name, self.facts.all(head, SCHEMA.validFor))),
            prior_size=self.facts.needed(head, SCHEMA.priorSampleSize),
        )

    def _reads(self) -> dict[str, dict[str, tuple[str, ...]]]:
        reads: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
        for state, (name, notation) in self.owner.items():
            for feature_state in map(local_name, self.facts.all(state, SCHEMA.readFrom)):
                reads[name][feature_state] = (*reads[name].get(feature_state, ()), notation)
        return dict(reads)

    def _state_label(self, variable: Variable, state: Node) -> str:
        return self.facts.text(state, SKOS.prefLabel).removeprefix(f"{variable.label}: ")

    # -- numbers, effects, pitfalls ---------------------------------------------------------------------------

    def _each(self, kind: str, read: Callable[[Node], Any]) -> tuple[Any, ...]:
        return tuple(read(node) for node in self.facts.of_class(kind))

    def _response_number(self, node: Node) -> Number:
        variable, states = self._states(node, SCHEMA.ofState)
        share, size = self.facts.number(node, SCHEMA.value), self.facts.number(node, SCHEMA.effectiveSampleSize)
        words, statement = self.facts.text(node, SCHEMA.verbalQuantifier), None
        if share is None and words:
            term = self.words.get(words)
            if term is None:
                raise OntologyError(f"{local_name(node)}: {words!r} is no declared frequency word (fl:QuantifierTerm)")
            share, size = (
                self.facts.needed(term, SCHEMA.elicitedMean),
                self.facts.needed(term, SCHEMA.effectiveSampleSize),
            )
        elif share is None:
            cited = [local_name(n) for n in self.facts.all(node, PROV.wasDerivedFrom)]
            statement = next((self.statements[name] for name in cited if name in self.statements), None)
        if statement is None and (share is None or not size):
            raise OntologyError(
                f"{local_name(node)}: has no number; give fl:verbalQuantifier, fl:value with fl:effectiveSampleSize, "
                "or cite an evidence statement (prov:wasDerivedFrom)"
            )
        return Number(self._grounds(node), variable, states, self._given(node), share, size, words, statement)

    def _definition(self, node: Node) -> Definition:
        return Definition(self._grounds(node), *self._states(node, SCHEMA.ofState), self._given(node))

    def _effect(self, node: Node) -> Effect:
        cause, causes = self._states(node, SCHEMA.fromState)
        variable, effects = self._states(node, SCHEMA.toState)
        strength = self.facts.one(node, SCHEMA.strength)
        multiplier = (
            self.strengths.get(local_name(strength)) if strength else self.facts.number(node, SCHEMA.multiplier)
        )
        if multiplier is None or multiplier <= 0 or cause == variable:
            raise OntologyError(f"{local_name(node)}: needs a strength or positive multiplier, and two variables")
        size = self.facts.needed(node, SCHEMA.effectiveSampleSize)
        return Effect(self._grounds(node), cause, causes, variable, effects, multiplier, size)

    def _pitfall(self, node: Node) -> Pitfall:
        of = self.facts.one(node, SCHEMA.warnsOf)
        if of is None:
            raise OntologyError(f"{local_name(node)}: names no pitfall (fl:warnsOf)")
        sources = [self.sources[local_name(s)].short() for s in self.facts.all(of, PROV.wasQuotedFrom)]
        return Pitfall(
            id=local_name(of),
            label=self.facts.text(of, SKOS.prefLabel),
            text=self.facts.text(of, SKOS.definition),
            sources=tuple(sources),
            seen=self._given(node, SCHEMA.whenSeen),
            possible=tuple(self._state(node, state) for state in self.facts.all(node, SCHEMA.whenPossible)),
            least=self.facts.number(node, SCHEMA.leastProbability) or 0.0,
            basis=self._basis(node),
        )

    def _states(self, node: Node, predicate: URIRef) -> tuple[str, tuple[str, ...]]:
        given = self._given(node, predicate)
        if len(given) != 1:
            raise OntologyError(f"{local_name(node)}: {local_name(predicate)} names states of {len(given)} variables")
        return given[0]

    def _given(self, node: Node, predicate: URIRef = SCHEMA.underCondition) -> Given:
        found: dict[str, list[str]] = defaultdict(list)
        for state in self.facts.all(node, predicate):
            name, notation = self._state(node, state)
            found[name].append(notation)
        return tuple((name, tuple(sorted(notations))) for name, notations in sorted(found.items()))

    def _state(self, node: Node, state: Node) -> tuple[str, str]:
        if state not in self.owner:
            raise OntologyError(f"{local_name(node)}: {local_name(state)} is no state of a response variable")
        return self.owner[state]

    # -- grounds ----------------------------------------------------------------------------------------------

    def _grounds(self, node: Node) -> Grounds:
        quoted, grade = self.facts.one(node, PROV.wasQuotedFrom), self.facts.one(node, SCHEMA.grade)
        if quoted is None or grade is None or local_name(quoted) not in self.sources:
            raise OntologyError(
                f"{local_name(node)}: needs a grade and a declared source (fl:grade, prov:wasQuotedFrom)"
            )
        label, note = self.facts.text(node, SKOS.prefLabel) or local_name(node), self.facts.text(node, SCHEMA.note)
        letter, source = local_name(grade).removeprefix("Grade"), self.sources[local_name(quoted)]
        return Grounds(local_name(node), label, letter, source, self._basis(node), note)

    def _basis(self, node: Node) -> tuple[Basis, ...]:
        found = []
        for cited in self.facts.all(node, PROV.wasDerivedFrom):
            name = local_name(cited)
            if (statement := self.statements.get(name)) is not None:
                text = (
                    statement.state_text.replace("_", " ") if statement.figure() == "no figure" else statement.figure()
                )
                found.append(Basis(name, text, statement.grade, statement.source.short()))
                continue
            if self.facts.one(cited, RDF.type) is None:
                raise OntologyError(f"{local_name(node)}: is derived from {name}, which nothing declares")
            quoted = [self.sources[local_name(s)].short() for s in self.facts.all(cited, PROV.wasQuotedFrom)]
            found.append(Basis(name, self.facts.text(cited, SKOS.prefLabel) or name, "", "; ".join(quoted)))
        return tuple(found)
