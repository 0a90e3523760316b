"""The compiled network as RDF: every row of every table, and the chain from it to statements and papers.

Rows (``fl:ConditionalDistribution``) come from cells, factors and causal relations; cells and factors from
statements and the weighting policy; a cell borrows from the more general cell. The triples come as lines of
N-Triples, which every store reads.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hepagraph.inference.compiling import Skeleton, compile_skeleton, read_skeleton
from hepagraph.inference.network import ENTITY, SUBTYPE, Network, Table
from hepagraph.inference.priors import prevalence_statements, prior_statements, sets_base, statements_of
from hepagraph.kg.vocabulary import nodes_of_kind, targets
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.namespaces import ID_IRI, SCHEMA_IRI

if TYPE_CHECKING:
    import networkx as nx

_TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
_DOUBLE = "<http://www.w3.org/2001/XMLSchema#double>"
COMPILED_TERMS = (
    "ConditionalDistribution",
    "Parameter",
    "Cell",
    "Factor",
    "ofVariable",
    "underCondition",
    "hasParameter",
    "ofState",
    "probability",
    "rowFrom",
    "compiledFrom",
    "borrowsFrom",
    "drawsOn",
)
_PARAMETER_TERMS = ("Parameter", "hasParameter", "ofState", "probability")


def asks_for_compiled(query: str) -> bool:
    """Return whether a query names a term of the compiled layer, which must then be made first."""
    return _names_any(query, COMPILED_TERMS)


def asks_for_parameters(query: str) -> bool:
    """Return whether a query names the probabilities of rows, which are most of the compiled layer."""
    return _names_any(query, _PARAMETER_TERMS)


def _names_any(query: str, terms: Iterable[str]) -> bool:
    return any(re.search(rf"(:|{re.escape(SCHEMA_IRI)}){term}\b", query) for term in terms)


def compiled_lines(graph: nx.MultiDiGraph[str], *, parameters: bool = True) -> Iterator[str]:
    """Yield the compiled layer of a knowledge graph as N-Triples lines.

    ``parameters=False`` leaves the probabilities out and keeps the chain to the evidence.

    Raises
    ------
    OntologyError
        The graph cannot carry a network.
    """
    skeleton = read_skeleton(graph)
    network = compile_skeleton(skeleton)
    writer = _Writer(skeleton, network)
    yield from writer.cells()
    yield from writer.factors()
    for table in network.tables.values():
        yield from writer.rows(table, parameters)


class _Writer:
    """Names the things of the compiled layer and writes their triples."""

    def __init__(self, skeleton: Skeleton, network: Network) -> None:
        self._skeleton = skeleton
        self._network = network
        graph = skeleton.graph
        self._iris = {node: data["iri"] for node, data in graph.nodes(data=True)}
        self._relations = {
            (targets(graph, r, "cause")[0], targets(graph, r, "effect")[0]): r
            for r in nodes_of_kind(graph, "CausalRelation")
        }
        self._policy = str(graph.graph["policy_iri"])

    def cells(self) -> Iterator[str]:
        """Yield every cell with its statements and the cell it borrows from."""
        for variable, estimate in self._skeleton.reconciliation.estimates.items():
            for given, statements in estimate.evidence.items():
                name = _made("cell", variable, given)
                yield _triple(name, "a", f"{SCHEMA_IRI}Cell")
                yield _triple(name, "ofVariable", self._iris[variable])
                yield _triple(name, "underCondition", self._iris[given])
                yield _triple(name, "compiledFrom", self._policy)
                yield from (_triple(name, "compiledFrom", statement.iri) for statement in statements)
                line = self._line(given)
                yield from (_triple(name, "drawsOn", _made("cell", variable, other)) for other in line)
                if len(line) > 1:
                    yield _triple(name, "borrowsFrom", _made("cell", variable, line[1]))

    def _line(self, given: str) -> list[str]:
        """Return an entity or subtype and what it borrows from: its entity, then all lesions."""
        root, entity = self._skeleton.root, self._skeleton.parent_of.get(given, given)
        return list(dict.fromkeys([given, *(() if given == root else (entity, root))]))

    def factors(self) -> Iterator[str]:
        """Yield what each context variable contributes to the tables of entity and subtype."""
        skeleton = self._skeleton
        for child, node, members in (
            (ENTITY, "EntityNode", skeleton.entities),
            (SUBTYPE, "SubtypeNode", tuple(skeleton.parent_of)),
        ):
            always = _made("factor", child)
            yield _triple(always, "a", f"{SCHEMA_IRI}Factor")
            yield _triple(always, "compiledFrom", self._policy)
            quantity = "PriorWeight" if child == ENTITY else "SubtypeShare"
            shares = {s.iri for member in members for s in statements_of(skeleton, member, quantity)}
            yield from (_triple(always, "compiledFrom", iri) for iri in sorted(shares))
            for parent in skeleton.acting_on(node):
                yield from self._factor(child, parent, members)

    def _factor(self, child: str, parent: str, members: tuple[str, ...]) -> Iterator[str]:
        name = _made("factor", child, parent)
        yield _triple(name, "a", f"{SCHEMA_IRI}Factor")
        yield _triple(name, "ofVariable", self._iris[parent])
        yield _triple(name, "compiledFrom", self._policy)
        base = sets_base(self._skeleton, parent)
        statements = prior_statements if base else prevalence_statements
        found = {s.iri for m in members for s in statements(self._skeleton, parent, m)}
        cells = () if base else (_made("cell", parent, member) for member in members)
        yield from (_triple(name, "compiledFrom", iri) for iri in (*sorted(found), *cells))

    def rows(self, table: Table, parameters: bool) -> Iterator[str]:
        """Yield every row of a table: its variable, conditions, origins and (if wanted) probabilities."""
        child = table.child
        variable = "" if child in (ENTITY, SUBTYPE) else self._iris[child]
        conditions = [[self._node(parent, state) for state in self._network.states[parent]] for parent in table.parents]
        ends = [self._node(child, state) for state in self._network.states[child]]
        axes = [range(len(states)) for states in conditions]
        for index in itertools.product(*axes):
            name = _made("row", child, *(self._network.states[p][i] for p, i in zip(table.parents, index, strict=True)))
            yield _triple(name, "a", f"{SCHEMA_IRI}ConditionalDistribution")
            yield _triple(name, "ofVariable", variable or f"{SCHEMA_IRI}{child.title()}Node")
            for states, i in zip(conditions, index, strict=True):
                yield _triple(name, "underCondition", states[i])
            yield from (_triple(name, "rowFrom", origin) for origin in self._origins(table, index))
            if parameters:
                yield from _parameters(name, ends, table.values[index])

    def _node(self, variable: str, state: str) -> str:
        if variable in (ENTITY, SUBTYPE):
            return str(self._iris[state])
        return str(self._iris[self._skeleton.vocabulary[variable].nodes[state]])

    def _origins(self, table: Table, index: tuple[int, ...]) -> Iterable[str]:
        child = table.child
        if child == SUBTYPE and self._network.states[ENTITY][index[0]] in self._skeleton.parent_of:
            return [self._policy]  # an entity without subtypes: nothing to share out
        if child in (ENTITY, SUBTYPE):
            acting = [parent for parent in table.parents if parent != ENTITY]
            return [_made("factor", child), *(_made("factor", child, parent) for parent in acting)]
        layer = self._network.layers[child]
        if layer == "context" and table.parents:
            return [self._policy]
        given = self._skeleton.root if layer == "context" else self._network.states[SUBTYPE][index[0]]
        causes = [parent for parent in table.parents[1:] if self._network.layers[parent] == "mechanism"]
        relations = [r for cause in causes for r in self._acting(cause, child)]
        return [_made("cell", child, given), *(_made("cell", cause, given) for cause in causes), *relations]

    def _acting(self, cause: str, feature: str) -> list[str]:
        states = {*self._skeleton.vocabulary[feature].nodes.values()}
        found = [r for (c, effect), r in self._relations.items() if c == cause and effect in states]
        return [self._iris[r] for r in found]


def _parameters(row: str, states: list[str], values: Iterable[float]) -> Iterator[str]:
    for position, (state, value) in enumerate(zip(states, values, strict=True)):
        name = f"{row}__p{position}"
        yield _triple(row, "hasParameter", name)
        yield _triple(name, "a", f"{SCHEMA_IRI}Parameter")
        yield _triple(name, "ofState", state)
        yield f'<{name}> <{SCHEMA_IRI}probability> "{float(value)!r}"^^{_DOUBLE} .\n'


def _made(kind: str, *parts: str) -> str:
    return f"{ID_IRI}compiled/{kind}__" + "__".join(parts)


def _triple(subject: str, predicate: str, end: str) -> str:
    return f"<{subject}> {_TYPE if predicate == 'a' else f'<{SCHEMA_IRI}{predicate}>'} <{end}> .\n"


def unreachable_rows(graph: nx.MultiDiGraph[str]) -> list[str]:
    """Return the IRIs of the rows from which no statement and no causal relation is reached; none is right.

    A row that only the weighting policy makes (one context variable implying another) counts as reached.
    """
    links: dict[str, set[str]] = {}
    rows = []
    for line in compiled_lines(graph, parameters=False):
        subject, predicate, end = (part.strip("<>") for part in line.split()[:3])
        if predicate.endswith(("#rowFrom", "#compiledFrom", "#borrowsFrom")):
            links.setdefault(subject, set()).add(end)
        elif end.endswith("#ConditionalDistribution"):
            rows.append(subject)
    sourced = _sourced(graph)
    if not rows:
        raise OntologyError("the network has no row")
    policy = {str(graph.graph["policy_iri"])}
    return [row for row in rows if links.get(row) != policy and not _reaches(row, links, sourced)]


def _sourced(graph: nx.MultiDiGraph[str]) -> set[str]:
    statements = {s.iri for _, _, data in graph.edges(data=True) for s in data["evidence"]}
    relations = {graph.nodes[r]["iri"] for r in nodes_of_kind(graph, "CausalRelation")}
    return statements | relations


def _reaches(start: str, links: dict[str, set[str]], goals: set[str]) -> bool:
    seen, todo = {start}, [start]
    while todo:
        for end in links.get(todo.pop(), ()):
            if end in goals:
                return True
            if end not in seen:
                seen.add(end)
                todo.append(end)
    return False
