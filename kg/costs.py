"""What a wrong management and another examination cost, read from the graph's own nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hepagraph.kg.vocabulary import literal, nodes_of_kind, number, targets
from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class Costs:
    """Losses and burdens in points of one scale, zero being nothing lost.

    ``losses`` holds for each management what it costs when each entity is the true one. ``burdens`` holds what a
    modality, an agent or a perfect test costs by itself, by the name that a case gives it; ``tests`` are the perfect
    tests.
    """

    losses: Mapping[str, Mapping[str, float]]
    burdens: Mapping[str, float]
    tests: tuple[str, ...] = ()


def read_costs(graph: nx.MultiDiGraph[str]) -> Costs | None:
    """Return the costs that an ontology states, or None where it names no management.

    Raises
    ------
    OntologyError
        A management lacks the loss of an entity, or a number is missing or negative.
    """
    managements, entities = nodes_of_kind(graph, "Management"), nodes_of_kind(graph, "LesionEntity")
    if not managements:
        return None
    losses: dict[str, dict[str, float]] = {name: {} for name in managements}
    for node in nodes_of_kind(graph, "Loss"):
        for management in targets(graph, node, "ofManagement"):
            for entity in targets(graph, node, "whenEntity"):
                losses[management][entity] = _points(graph, node)
    for management, found in losses.items():
        missing = [entity for entity in entities if entity not in found]
        if missing:
            raise OntologyError(f"{management}: has no loss for {', '.join(missing)}; add an fl:Loss for each")
    burdens = {
        str(literal(graph, end, "notation", end)): _points(graph, node)
        for node in nodes_of_kind(graph, "Burden")
        for end in targets(graph, node, "burdenOf")
    }
    return Costs(losses, burdens, tuple(nodes_of_kind(graph, "PerfectTest")))


def _points(graph: nx.MultiDiGraph[str], node: str) -> float:
    value = number(graph, node, "points", -1.0)
    if value < 0:
        raise OntologyError(f"{node}: needs a number of points that is not negative (fl:points)")
    return value
