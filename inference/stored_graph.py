"""A knowledge graph as JSON values and back, equal to the last bit and in the same order; see ``stored``.

Nodes, edges and the graph's own data are lists of plain values; statements and sources are numbers of lines that are
stored once for all. A value that has no such form (a kind of literal that is not listed here) makes the graph one that
is not stored, and then it is read from the ontology as if nothing were.
"""

from __future__ import annotations

import datetime
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hepagraph.kg.model import Policy, Source, Statement

if TYPE_CHECKING:
    import networkx as nx

_NODE = ("iri", "kind", "label", "definition", "literals", "sourced")
_RELATION = ("iri", "kind", "causal")
_EDGE = ("strength", "sources", "evidence")
_PLAIN = (str, int, float, bool)
_SPELT: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "decimal": (Decimal, str, Decimal),
    "datetime": (datetime.datetime, datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    "date": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
}


class NotStorableError(ValueError):
    """The graph holds something that has no plain form."""


def statements_in_graph(graph: nx.MultiDiGraph[str]) -> Iterable[Statement]:
    """Yield the statements on the edges."""
    return (statement for _, _, data in graph.edges(data=True) for statement in data["evidence"])


def plain_graph(
    graph: nx.MultiDiGraph[str], statements: Mapping[Statement, int], sources: Mapping[Source, int]
) -> dict[str, Any]:
    """Return a graph as values of JSON, statements and sources by their numbers.

    Raises
    ------
    NotStorableError
        A literal is of a kind that has no plain form.
    """
    place = {name: position for position, name in enumerate(graph)}
    relations: dict[tuple[Any, ...], int] = {}
    edges = []
    for start, end in _as_made(graph):
        for key, data in graph.adj[start][end].items():
            relation = relations.setdefault((key, *(data[item] for item in _RELATION)), len(relations))
            numbers = [statements[statement] for statement in data["evidence"]]
            edges.append([place[start], place[end], relation, data["strength"], data["sources"], numbers])
    return {
        "nodes": [[name, *(_node_out(item, data[item]) for item in _NODE)] for name, data in graph.nodes(data=True)],
        "relations": list(relations),
        "edges": edges,
        "policy": asdict(graph.graph["policy"]),
        "policy_iri": graph.graph["policy_iri"],
        "sources": [sources[source] for source in graph.graph["sources"].values()],
    }


def graph_of(
    plain: Mapping[str, Any], statement: Callable[[int], Statement], source: Callable[[int], Source]
) -> nx.MultiDiGraph[str]:
    """Return the graph that ``plain_graph`` made the values of; statements and sources are asked for by number."""
    import networkx as nx

    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    names = []
    for name, *values in plain["nodes"]:
        names.append(name)
        graph.add_node(name, **{item: _node_in(item, v) for item, v in zip(_NODE, values, strict=True)})
    relations = [(key, dict(zip(_RELATION, values, strict=True))) for key, *values in plain["relations"]]
    graph.add_edges_from(
        (
            names[start],
            names[end],
            relations[relation][0],
            relations[relation][1]
            | {"strength": strength, "sources": tuple(said), "evidence": tuple(map(statement, numbers))},
        )
        for start, end, relation, strength, said, numbers in plain["edges"]
    )
    sources = map(source, plain["sources"])
    graph.graph["sources"] = {found.id: found for found in sources}
    graph.graph["policy"] = Policy(**plain["policy"])
    graph.graph["policy_iri"] = plain["policy_iri"]
    return graph


def _as_made(graph: nx.MultiDiGraph[str]) -> list[tuple[str, str]]:
    """Return the pairs of nodes with edges in an order that gives both what leaves and what enters a node its own."""
    pairs = [(start, end) for start, ends in graph.adj.items() for end in ends]
    orders: list[Sequence[tuple[str, str]]] = [[(start, end) for end in ends] for start, ends in graph.adj.items()]
    orders += [[(start, end) for start in starts] for end, starts in graph.pred.items()]
    after: dict[tuple[str, str], list[tuple[str, str]]] = {pair: [] for pair in pairs}
    before = dict.fromkeys(pairs, 0)
    for order in orders:
        for first, second in itertools.pairwise(order):
            after[first].append(second)
            before[second] += 1
    ready = deque(pair for pair in pairs if not before[pair])
    found = []
    while ready:
        pair = ready.popleft()
        found.append(pair)
        for other in after[pair]:
            before[other] -= 1
            if not before[other]:
                ready.append(other)
    return found


def _node_out(item: str, value: Any) -> Any:
    if item == "literals":
        return {name: [_literal_out(one) for one in values] for name, values in value.items()}
    return value


def _node_in(item: str, value: Any) -> Any:
    if item == "literals":
        return {name: tuple(map(_literal_in, values)) for name, values in value.items()}
    return {name: tuple(values) for name, values in value.items()} if item == "sourced" else value


def _literal_out(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    for name, (kind, written, _) in _SPELT.items():
        if type(value) is kind:
            return {name: written(value)}
    raise NotStorableError(type(value).__name__)


def _literal_in(value: Any) -> Any:
    if isinstance(value, dict):
        ((name, text),) = value.items()
        return _SPELT[name][2](text)
    return value
