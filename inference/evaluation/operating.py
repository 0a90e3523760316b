"""Published operating characteristics of signs, as the ontology lists them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hepagraph.inference.evaluation.intervals import published_interval
from hepagraph.kg import Statement, Variable, read_vocabulary
from hepagraph.kg.vocabulary import literal, nodes_of_kind, number, targets
from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    import networkx as nx

_ROLES = {
    "publishedSensitivity": ("sensitivity", False),
    "publishedSpecificity": ("specificity", False),
    "publishedFalsePositiveRate": ("specificity", True),
    "publishedAccuracy": ("accuracy", False),
}


@dataclass(frozen=True, slots=True)
class Published:
    """A published number: its measure, value and 95 % interval, where it stands and how it was printed.

    ``complement`` says that it was printed as a false-positive rate; ``given`` holds by variable the states under
    which it was counted: the statement's own conditions, and what its way of imaging and agent amount to.
    """

    measure: str
    value: float | None
    interval: tuple[float, float] | None
    id: str
    figure: str
    source: str
    grade: str
    complement: bool
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Characteristic:
    """A sign, what it speaks for and against, and what was published of it.

    ``sign`` maps features to leaf states; ``every`` says whether all features must show it, or any. ``given`` maps
    variables to the states that hold for every number, ``mix`` entities and subtypes to their numbers in the series.
    """

    id: str
    label: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    sign: Mapping[str, tuple[str, ...]]
    every: bool
    given: Mapping[str, tuple[str, ...]]
    mix: Mapping[str, float]
    differs: str
    published: tuple[Published, ...]


def read_characteristics(graph: nx.MultiDiGraph[str]) -> tuple[Characteristic, ...]:
    """Return the operating characteristics of a knowledge graph, sorted by id.

    Raises
    ------
    OntologyError
        One names no sign or nothing that it speaks for and against, has no published number, or an accuracy
        without a case mix.
    """
    owner = {node: (v, notation) for v in read_vocabulary(graph).values() for notation, node in v.nodes.items()}
    statements = {s.id: s for _, _, data in graph.edges(data=True) for s in data["evidence"]}
    return tuple(
        _characteristic(graph, node, owner, statements)
        for node in sorted(nodes_of_kind(graph, "OperatingCharacteristic"))
    )


def _characteristic(
    graph: nx.MultiDiGraph[str],
    node: str,
    owner: Mapping[str, tuple[Variable, str]],
    statements: Mapping[str, Statement],
) -> Characteristic:
    parts = targets(graph, node, "caseMix")
    mix = {targets(graph, p, "mixOf")[0]: number(graph, p, "mixCount", 0.0) for p in parts}
    found = Characteristic(
        id=node,
        label=graph.nodes[node]["label"],
        positive=tuple(targets(graph, node, "positiveIn")),
        negative=tuple(targets(graph, node, "negativeIn")),
        sign=_states(targets(graph, node, "signState"), owner, node),
        every=literal(graph, node, "signCombination", "EverySign") == "EverySign",
        given=_states(targets(graph, node, "context"), owner, node),
        mix=mix,
        differs=str(literal(graph, node, "differs", "")),
        published=tuple(_published(graph, node, statements, owner)),
    )
    _check(found)
    return found


def _check(found: Characteristic) -> None:
    parts = {
        "fl:positiveIn": found.positive,
        "fl:negativeIn": found.negative,
        "fl:signState": found.sign,
        "a published number": found.published,
    }
    missing = [name for name, value in parts.items() if not value]
    sides = [set(found.positive), set(found.negative)]
    if any(side & set(found.mix) and side - set(found.mix) for side in sides):
        missing.append("a case mix over the whole of a side")
    if any(p.measure == "accuracy" for p in found.published) and set(found.mix) != set.union(*sides):
        missing.append("a case mix over all that it names, for an accuracy")
    if missing:
        raise OntologyError(f"{found.id}: an operating characteristic needs {', '.join(missing)}")


def _states(nodes: list[str], owner: Mapping[str, tuple[Variable, str]], where: str) -> dict[str, tuple[str, ...]]:
    """Return leaf states by variable; groups stand for their leaves."""
    found: dict[str, tuple[str, ...]] = {}
    for node in nodes:
        if node not in owner:
            raise OntologyError(f"{where}: {node} is no state of a variable; name states (fl:stateOf)")
        variable, notation = owner[node]
        found[variable.name] = tuple(dict.fromkeys((*found.get(variable.name, ()), *variable.leaves[notation])))
    return found


def _published(
    graph: nx.MultiDiGraph[str],
    node: str,
    statements: Mapping[str, Statement],
    owner: Mapping[str, tuple[Variable, str]],
) -> list[Published]:
    found = []
    for role, (measure, complement) in _ROLES.items():
        for name in graph.nodes[node]["literals"].get(role, ()):
            if name not in statements:
                raise OntologyError(f"{node}: {role} names {name}, which is neither a statement nor a figure")
            held = _conditions(statements[name], owner, node)
            found.append(_from_statement(statements[name], measure, complement, held))
        found += [_from_figure(graph, name, measure, complement) for name in targets(graph, node, role)]
    return found


def _conditions(
    statement: Statement, owner: Mapping[str, tuple[Variable, str]], where: str
) -> dict[str, tuple[str, ...]]:
    """Return the states under which a statement was counted, of every variable that it narrows."""
    found = _states([node for node in statement.context if node in owner], owner, where)
    used = {*statement.modalities, *statement.agents}
    for variable in {v.name: v for v, _ in owner.values()}.values():
        named = tuple(state for state in variable.states if used & variable.covers.get(state, frozenset()))
        if named and len(named) < len(variable.states):
            found[variable.name] = named
    return found


def _from_statement(
    statement: Statement, measure: str, complement: bool, held: Mapping[str, tuple[str, ...]]
) -> Published:
    value, interval = published_interval(statement)
    if complement:
        value = None if value is None else 1 - value
        interval = None if interval is None else (1 - interval[1], 1 - interval[0])
    figure, source, grade = statement.figure(), statement.source.short(), statement.grade
    return Published(measure, value, interval, statement.id, figure, source, grade, complement, held)


def _from_figure(graph: nx.MultiDiGraph[str], name: str, measure: str, complement: bool) -> Published:
    magnitude, unit = number(graph, name, "magnitude", math.nan), str(literal(graph, name, "unit", ""))
    share = magnitude / 100 if unit == "%" else magnitude
    if not 0 <= share <= 1:
        raise OntologyError(f"{name}: {magnitude:g} {unit} is no proportion")
    value = 1 - share if complement else share
    grade = str(literal(graph, name, "grade", "")).removeprefix("Grade")
    about = targets(graph, name, "figureOf")
    source = graph.nodes[about[0]]["label"] if about else ""
    return Published(measure, value, None, name, f"{magnitude:g} {unit}".strip(), source, grade, complement)
