"""The variables of a knowledge graph, their states and groups, and how a case file spells them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from hepagraph.kg.numbers import checked_number
from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class Band:
    """The half-open interval of measurements [low, high) that one state covers."""

    state: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Measure:
    """How a variable is given as a number: its key in the case file, unit, possible range and bands."""

    key: str
    unit: str
    minimum: float
    maximum: float
    bands: tuple[Band, ...]

    def state_of(self, number: float) -> str | None:
        """Return the state whose band holds ``number``, or None outside all bands."""
        return next((band.state for band in self.bands if band.low <= number < band.high), None)


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable as people spell it: notations of leaf states in order, groups, aliases.

    ``nodes`` maps every notation (leaf or group) to its node in the graph; ``leaves`` maps every
    spelling (leaf, group, alias) to the tuple of leaf notations that it stands for. ``covers`` maps the states that an
    examination decides to the modalities and agents that mean them. ``seen_on`` is what shows a feature.
    """

    name: str
    label: str
    kind: str
    section: str
    states: tuple[str, ...]
    leaves: Mapping[str, tuple[str, ...]]
    nodes: Mapping[str, str]
    booleans: Mapping[bool, str]
    measure: Measure | None
    phase: str | None
    expresses: Mapping[str, str]
    covers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    seen_on: tuple[str, ...] = ()

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The named groups with their leaves."""
        return {name: found for name, found in self.leaves.items() if len(found) > 1}


_KINDS = ("ImagingFeature", "ContextVariable", "ExamVariable", "Mechanism")
_SECTIONS = {"ImagingFeature": "findings", "Mechanism": ""}


def literal(graph: nx.MultiDiGraph[str], node: str, name: str, default: Any = None) -> Any:
    """Return the first value of a node's literal property, or the default."""
    values = graph.nodes[node]["literals"].get(name, ())
    return values[0] if values else default


@overload
def number(graph: nx.MultiDiGraph[str], node: str, name: str, default: float) -> float: ...


@overload
def number(graph: nx.MultiDiGraph[str], node: str, name: str, default: None = None) -> float | None: ...


def number(graph: nx.MultiDiGraph[str], node: str, name: str, default: float | None = None) -> float | None:
    """Return the first value of a node's numeric property, or the default.

    Raises
    ------
    OntologyError
        The value is no number.
    """
    value = literal(graph, node, name)
    return default if value is None else checked_number(value, node, name)


def nodes_of_kind(graph: nx.MultiDiGraph[str], *kinds: str) -> list[str]:
    """Return the nodes of the kinds in the ontology's own order (``fl:order``, then name)."""
    found = [node for node, kind in graph.nodes(data="kind") if kind in kinds]
    return sorted(found, key=lambda node: (number(graph, node, "order", 1e6), node))


def targets(graph: nx.MultiDiGraph[str], node: str, relation: str) -> list[str]:
    """Return where the relation leads from a node, sorted."""
    return sorted(end for end, kinds in graph.adj.get(node, {}).items() if relation in kinds)


def origins(graph: nx.MultiDiGraph[str], node: str, relation: str) -> list[str]:
    """Return the nodes from which the relation leads here, in the ontology's own order."""
    found = [start for start, kinds in graph.pred.get(node, {}).items() if relation in kinds]
    return sorted(found, key=lambda start: (number(graph, start, "order", 1e6), start))


def read_vocabulary(graph: nx.MultiDiGraph[str]) -> dict[str, Variable]:
    """Return every variable of the graph by name, features first, in the ontology's order.

    Raises
    ------
    OntologyError
        A variable has fewer than two leaf states, or two states share a spelling.
    """
    names = [name for kind in _KINDS for name in nodes_of_kind(graph, kind)]
    return {name: _variable(graph, name) for name in names}


def _variable(graph: nx.MultiDiGraph[str], name: str) -> Variable:
    nodes: dict[str, str] = {}
    leaves: dict[str, tuple[str, ...]] = {}
    members: dict[str, str] = {}
    states: list[str] = []
    booleans: dict[bool, str] = {}
    bands: list[Band] = []
    expresses: dict[str, str] = {}
    covers: dict[str, frozenset[str]] = {}
    for node in origins(graph, name, "stateOf"):
        notation = literal(graph, node, "notation", node)
        if notation in nodes:
            raise OntologyError(f"{name}: two states are spelt {notation}; rename one")
        nodes[notation] = node
        if graph.nodes[node]["kind"] == "StateGroup":
            members[notation] = node
            continue
        states.append(notation)
        for spelling in (notation, *graph.nodes[node]["literals"].get("alias", ())):
            leaves[spelling] = (notation,)
        flag = literal(graph, node, "booleanValue")
        if flag is not None:
            booleans[flag] = notation
        low, high = number(graph, node, "lowerBound"), number(graph, node, "upperBound")
        if low is not None or high is not None:
            bands.append(Band(notation, low or 0.0, math.inf if high is None else high))
        for sign in targets(graph, node, "expresses"):
            expresses[notation] = sign
        if covered := targets(graph, node, "covers"):
            covers[notation] = frozenset(covered)
    for notation, node in members.items():
        inside = [s for s in states if node in targets(graph, nodes[s], "broader")]
        if not inside:
            raise OntologyError(f"{name}: group {notation} has no leaf state; give its leaves skos:broader")
        leaves[notation] = tuple(inside)
    if len(states) < 2:
        raise OntologyError(f"{name}: has {len(states)} leaf states; a variable needs at least two")
    kind = graph.nodes[name]["kind"]
    phases = targets(graph, name, "onPhase")
    return Variable(
        name=name,
        label=graph.nodes[name]["label"],
        kind=kind,
        section=literal(graph, name, "caseSection", _SECTIONS.get(kind, "patient")),
        states=tuple(states),
        leaves=leaves,
        nodes=nodes,
        booleans=booleans,
        measure=_measure(graph, name, tuple(bands)),
        phase=phases[0] if phases else None,
        expresses=expresses,
        covers=covers,
        seen_on=tuple(targets(graph, name, "seenOn")),
    )


def _measure(graph: nx.MultiDiGraph[str], name: str, bands: tuple[Band, ...]) -> Measure | None:
    if not bands:
        return None
    low, high = number(graph, name, "minValue", 0.0), number(graph, name, "maxValue", math.inf)
    return Measure(
        str(literal(graph, name, "caseKey", name)),
        str(literal(graph, name, "unit", "")),
        low,
        high,
        bands,
    )
