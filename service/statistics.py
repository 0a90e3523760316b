"""Count what an ontology holds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hepagraph.inference.network import Network
from hepagraph.kg import Statement

if TYPE_CHECKING:
    import networkx as nx


def ontology_statistics(graph: nx.MultiDiGraph[str], network: Network, triples: int) -> dict[str, Any]:
    """Return counts of things, statements and coverage; every value is a number or a map to numbers.

    Coverage counts the (entity, feature) cells of the widest differential by their best statement:
    ``counted`` (k of n or a proportion, grade A or B), ``words`` (grade C), ``judgement`` (grade D), ``none``.
    """
    statements = {s.id: s for _, _, data in graph.edges(data=True) for s in data["evidence"]}
    entities = max(network.differentials.values(), key=len)
    cells = [_best(network.evidence.get((f, e), ())) for f in network.variables("feature") for e in entities]
    return {
        "triples": triples,
        "nodes": graph.number_of_nodes(),
        "edges": graph.number_of_edges(),
        "things": dict(sorted(Counter(kind for _, kind in graph.nodes(data="kind")).items())),
        "statements": len(statements),
        "statements_by_grade": dict(sorted(Counter(s.grade for s in statements.values()).items())),
        "statements_by_quantity": dict(sorted(Counter(s.quantity for s in statements.values()).items())),
        "sources": len({s.source.id for s in statements.values()}),
        "cells": len(cells),
        "cells_by_best_evidence": dict(sorted(Counter(cells).items())),
        "network_variables": len(network.states),
        "network_parameters": sum(t.values.size for t in network.tables.values()),
    }


def _best(statements: tuple[Statement, ...]) -> str:
    grades = {statement.grade for statement in statements}
    return "counted" if grades & {"A", "B"} else "words" if "C" in grades else "judgement" if grades else "none"
