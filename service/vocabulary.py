"""What a case may state, as one JSON value: for programs that make forms, menus or checks of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hepagraph.inference.case import SECTIONS

if TYPE_CHECKING:
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.kg import Variable

Json = dict[str, Any]


def vocabulary(reasoner: Reasoner, *, definitions: bool = False) -> Json:
    """Return every variable that a case may state, and the entities, with their labels.

    Of a variable: section, states, groups of states, what true and false stand for, and how it is given as a number.
    ``definitions`` adds those of the ontology, which is then read in full.
    """
    labels = reasoner.network.labels
    define: Callable[[str], Json] = _definer(reasoner) if definitions else lambda node: {}

    def described(variable: Variable) -> Json:
        def word(name: str) -> Json:
            node = variable.nodes[name]
            return {"name": name, "label": labels.get(node, name), **define(node)}

        return {
            "name": variable.name,
            "label": variable.label,
            **define(variable.name),
            "section": variable.section,
            "kind": variable.kind,
            "states": [word(state) for state in variable.states],
            "groups": {name: list(leaves) for name, leaves in variable.groups.items()},
            "booleans": {str(given).lower(): state for given, state in variable.booleans.items()},
            "measure": _measure(variable),
        }

    subtypes: dict[str, list[str]] = {}
    for subtype, entity in reasoner.network.parent_of.items():
        subtypes.setdefault(entity, []).append(subtype)
    return {
        "variables": [described(v) for v in reasoner.reader.variables.values() if v.section in SECTIONS],
        "entities": [
            {"name": entity, "label": labels.get(entity, entity), **define(entity), "subtypes": subtypes[entity]}
            for entity in reasoner.network.states["entity"]
        ],
    }


def _measure(variable: Variable) -> Json | None:
    measure = variable.measure
    if measure is None:
        return None
    return {
        "key": measure.key,
        "unit": measure.unit,
        "minimum": measure.minimum,
        "maximum": measure.maximum,
        "bands": [
            {"state": band.state, "low": max(band.low, measure.minimum), "high": min(band.high, measure.maximum)}
            for band in measure.bands
        ],
    }


def _definer(reasoner: Reasoner) -> Callable[[str], Json]:
    nodes = reasoner.graph.nodes

    def define(node: str) -> Json:
        found = nodes[node].get("definition") if node in nodes else None
        return {"definition": found or None}

    return define
