"""Read the recommendation rules of a knowledge graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from hepagraph.kg.model import Source, Statement
from hepagraph.kg.rules import CONDITION_KINDS, Condition, Rule, RuleBook, RuleSource, leaf_nodes
from hepagraph.kg.vocabulary import Variable, literal, nodes_of_kind, number, read_vocabulary, targets
from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    import networkx as nx


def read_rules(graph: nx.MultiDiGraph[str]) -> RuleBook:
    """Return the rules of a knowledge graph; an ontology without rules gives an empty book.

    Raises
    ------
    OntologyError
        A rule or condition lacks what its class needs, or cites something that the graph does not hold.
    """
    circumstances = tuple(nodes_of_kind(graph, "Circumstance"))
    variables = read_vocabulary(graph)
    clash = sorted(set(circumstances) & set(variables))
    if clash:
        raise OntologyError(f"{clash[0]}: is a variable of the network and a circumstance; rename one")
    variables |= {name: read_circumstance(graph, name) for name in circumstances}
    reading = _Reading(graph, variables)
    rules = sorted(map(reading.rule, nodes_of_kind(graph, "RecommendationRule")), key=lambda r: (r.priority, r.id))
    labels = {node: str(label) for node, label in graph.nodes(data="label")}
    return RuleBook(tuple(rules), variables, circumstances, labels, _entailed(graph))


def _entailed(graph: nx.MultiDiGraph[str]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the circumstances that each state brings with it, as (circumstance, state node)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for start, end, key in graph.edges(keys=True):
        if key == "entails":
            found.setdefault(start, []).extend((owner, end) for owner in targets(graph, end, "stateOf"))
    return {start: tuple(sorted(ends)) for start, ends in found.items()}


def read_circumstance(graph: nx.MultiDiGraph[str], name: str) -> Variable:
    """Return a circumstance as a variable, so that it is spelt like the variables of the network."""
    nodes = {
        str(literal(graph, node, "notation", node)): node
        for node in nodes_of_kind(graph, "CircumstanceState")
        if name in targets(graph, node, "stateOf")
    }
    if len(nodes) < 2:
        raise OntologyError(f"{name}: has {len(nodes)} states; a circumstance needs at least two")
    flags = {notation: literal(graph, node, "booleanValue") for notation, node in nodes.items()}
    return Variable(
        name=name,
        label=graph.nodes[name]["label"],
        kind="Circumstance",
        section=str(literal(graph, name, "caseSection", "patient")),
        states=tuple(nodes),
        leaves={notation: (notation,) for notation in nodes},
        nodes=nodes,
        booleans={flag: notation for notation, flag in flags.items() if flag is not None},
        measure=None,
        phase=None,
        expresses={},
    )


class _Reading:
    """One pass over the rules of a graph."""

    def __init__(self, graph: nx.MultiDiGraph[str], variables: Mapping[str, Variable]) -> None:
        self.graph = graph
        self.variables = variables
        self.leaves = {name: leaf_nodes(variable) for name, variable in variables.items()}
        self.sources: Mapping[str, Source] = graph.graph["sources"]

    @cached_property
    def statements(self) -> dict[str, Statement]:
        return {s.id: s for _, _, found in self.graph.edges(data="evidence") for s in found or ()}

    def rule(self, node: str) -> Rule:
        conditions = tuple(sorted(map(self.condition, targets(self.graph, node, "when")), key=self._place))
        advice, kind = literal(self.graph, node, "advice"), literal(self.graph, node, "ruleKind")
        if not conditions or not advice or not kind:
            raise OntologyError(f"{node}: a rule needs fl:advice, fl:ruleKind and at least one condition (fl:when)")
        return Rule(
            id=node,
            label=self.graph.nodes[node]["label"],
            advice=str(advice),
            rationale=self.graph.nodes[node]["definition"],
            kind=str(kind),
            priority=int(number(self.graph, node, "priority", 1e6)),
            grade=str(literal(self.graph, node, "grade", "")).removeprefix("Grade"),
            conditions=conditions,
            sources=tuple(self._cited(node)),
            overrides=frozenset(targets(self.graph, node, "overrides")),
            prompts=bool(literal(self.graph, node, "prompts", False)),
        )

    def _place(self, condition: Condition) -> tuple[bool, int, str]:
        """Return where a condition stands: patient, examination, lesion, and last what the posterior says."""
        places = {"patient": 0, "exam": 1}
        sections = [places.get(self.variables[name].section, 2) for name in condition.reads()]
        return condition.asks_posterior, max(sections, default=2), condition.id

    def condition(self, node: str) -> Condition:
        graph, kind = self.graph, self.graph.nodes[node]["kind"]
        if kind not in CONDITION_KINDS:
            raise OntologyError(
                f"{node}: {kind} is no kind of condition; use one of {', '.join(sorted(CONDITION_KINDS))}"
            )
        named = {key: targets(graph, node, key) for key in ("inState", "outsideState", "unstated", "notAssessable")}
        about = targets(graph, node, "about")
        inside = self._states(node, named["inState"])
        if kind == "MembershipCondition":
            inside = self._members(node, about)
        read = [name for name in (*named["unstated"], *named["notAssessable"], *about) if name in self.variables]
        return Condition(
            id=node,
            label=graph.nodes[node]["label"],
            kind=kind,
            grade=str(literal(graph, node, "grade", "")).removeprefix("Grade"),
            inside=inside or self._states(node, [n for n in named["unstated"] if n not in self.variables]) or None,
            outside=self._states(node, named["outsideState"]) or None,
            variables=() if inside else tuple(read),
            subjects=tuple(self._subjects(node)),
            low=number(graph, node, "above"),
            high=number(graph, node, "upTo"),
            factor=number(graph, node, "withinFactor", 1.0),
            alternatives=tuple(map(self.condition, targets(graph, node, "alternative"))),
        )

    def _states(self, condition: str, nodes: list[str]) -> dict[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        for node in nodes:
            owner = next((name for name, leaves in self.leaves.items() if node in leaves), None)
            if owner is None:
                raise OntologyError(f"{condition}: {node} is no state of a variable or circumstance")
            found[owner] = found.get(owner, frozenset()) | self.leaves[owner][node]
        return found

    def _members(self, condition: str, about: list[str]) -> dict[str, frozenset[str]]:
        """Return the states of the variable that stand for a thing which the named relation ties to the named one."""
        graph = self.graph
        through, relation = (str(literal(graph, condition, key, "")) for key in ("through", "relatedBy"))
        wanted = set(targets(graph, condition, "relatedTo"))

        def belongs(leaf: str) -> bool:
            return any(wanted & set(targets(graph, thing, relation)) for thing in targets(graph, leaf, through))

        leaves = {n: frozenset(x for found in self.leaves[n].values() for x in found if belongs(x)) for n in about}
        if not any(leaves.values()):
            raise OntologyError(f"{condition}: no state of {', '.join(about) or 'any variable'} is so related")
        return leaves

    def _subjects(self, condition: str) -> Iterator[str]:
        for relation in ("posteriorOf", "leading", "rival"):
            yield from targets(self.graph, condition, relation)
        behaviour = literal(self.graph, condition, "behaviour")
        if behaviour is not None:
            entities = nodes_of_kind(self.graph, "LesionEntity")
            yield from (e for e in entities if literal(self.graph, e, "behaviour") == behaviour)

    def _cited(self, node: str) -> Iterator[RuleSource]:
        links = self.graph.nodes[node].get("sourced", {})
        for name in sorted(links.get("wasDerivedFrom", ()), key=lambda name: (name in self.statements, name)):
            yield self._source(node, name)
        for name in sorted(links.get("wasQuotedFrom", ())):
            yield RuleSource(name, self.sources[name].short() if name in self.sources else name)

    def _source(self, rule: str, name: str) -> RuleSource:
        if name in self.statements:
            statement = self.statements[name]
            return RuleSource(name, statement.source.short(), statement.row_id, self._figure(statement))
        if name not in self.graph:
            raise OntologyError(f"{rule}: rests on {name}, which is neither a concept nor a statement that counts")
        data = self.graph.nodes[name]
        titles = [self.sources[s].short() for s in data["sourced"].get("wasQuotedFrom", ()) if s in self.sources]
        locators = "; ".join(sorted(map(str, data["literals"].get("locator", ()))))
        return RuleSource(name, ", ".join(sorted(titles)) or data["label"], locators)

    def _figure(self, statement: Statement) -> str:
        """Return a statement's number with what it is a number of."""
        label = self.graph.nodes[statement.given]["label"]
        feature = self.graph.nodes[statement.feature]["label"] if statement.feature else ""
        states = [self.graph.nodes[state]["label"].removeprefix(f"{feature}: ") for state in statement.states]
        shown = f"{feature}: {' or '.join(states)}" if states else statement.state_text.replace("_", " ") or feature
        return f"{label}, {shown}: {statement.figure()}" if shown else f"{label}: {statement.figure()}"
