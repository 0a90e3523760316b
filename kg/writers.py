"""Write the knowledge graph, or a part of it, as DOT, Mermaid, GraphML or JSON-LD."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx as nx


def neighbourhood(graph: nx.MultiDiGraph[str], centre: str, *, radius: int = 1) -> nx.MultiDiGraph[str]:
    """Return the part of the graph within ``radius`` steps of a node, either way along the edges."""
    import networkx as nx

    near = nx.ego_graph(graph.to_undirected(as_view=True), centre, radius=radius)
    return graph.subgraph(near.nodes).copy()


def to_dot(graph: nx.MultiDiGraph[str]) -> str:
    """Return the graph in Graphviz DOT, nodes labelled, edges labelled with relation and number of statements."""
    lines = ["digraph knowledge {", "  rankdir=LR;", "  node [shape=box];"]
    lines += [f"  {_quote(node)} [label={_quote(data['label'])}];" for node, data in graph.nodes(data=True)]
    lines += [f"  {_quote(a)} -> {_quote(b)} [label={_quote(text)}];" for a, b, text in _edges(graph)]
    return "\n".join([*lines, "}"]) + "\n"


def to_mermaid(graph: nx.MultiDiGraph[str]) -> str:
    """Return the graph as a Mermaid flowchart; node ids are numbered, since Mermaid reserves some words."""
    ids = {node: f"n{index}" for index, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    lines += [f'  {ids[node]}["{_plain(data["label"])}"]' for node, data in graph.nodes(data=True)]
    lines += [f'  {ids[a]} -->|"{_plain(text)}"| {ids[b]}' for a, b, text in _edges(graph)]
    return "\n".join(lines) + "\n"


def to_graphml(graph: nx.MultiDiGraph[str]) -> str:
    """Return the graph in GraphML; lists and statements become JSON strings and ids joined by spaces."""
    import networkx as nx

    flat: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for node, data in graph.nodes(data=True):
        literals = {key: list(map(str, values)) for key, values in data["literals"].items()}
        flat.add_node(
            node,
            iri=data["iri"],
            kind=data["kind"],
            label=data["label"],
            definition=data["definition"],
            literals=json.dumps(literals, sort_keys=True, ensure_ascii=False),
        )
    for start, end, key, data in graph.edges(keys=True, data=True):
        evidence = " ".join(statement.id for statement in data["evidence"])
        flat.add_edge(
            start,
            end,
            key=key,
            iri=data["iri"],
            kind=data["kind"],
            causal=data["causal"] or "",
            strength=data["strength"],
            sources=" ".join(data["sources"]),
            evidence=evidence,
        )
    return "\n".join(nx.generate_graphml(flat)) + "\n"


def _edges(graph: nx.MultiDiGraph[str]) -> Iterable[tuple[str, str, str]]:
    for start, end, data in graph.edges(data=True):
        count = len(data["evidence"])
        yield start, end, data["kind"] + (f" ({count})" if count else "")


def _quote(text: str) -> str:
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(text: str) -> str:
    return str(text).replace('"', "'").replace("\n", " ")
