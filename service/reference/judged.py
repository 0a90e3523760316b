"""Judged distributions: what our judgement says of all states of a cell at once is one row, not one for each state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from hepagraph.kg import Statement
from hepagraph.service.reference.markdown import escape, percent
from hepagraph.service.reference.material import Material


def is_judged(statement: Statement) -> bool:
    """Return whether a statement is one state's share in a judged distribution."""
    bare = statement.k is None and statement.n is None and statement.ci is None
    return statement.grade == "D" and bare and statement.value is not None and bool(statement.states)


def distributions(material: Material, statements: Iterable[Statement]) -> list[tuple[Statement, ...]]:
    """Return the judged statements that stand side by side, those without a condition first.

    They are of one source and quantity, about one variable in one entity or subtype, under the same conditions; each
    group is in the order of the variable's states.
    """
    found: dict[tuple[object, ...], list[Statement]] = defaultdict(list)
    for statement in statements:
        if is_judged(statement):
            found[_key(material, statement)].append(statement)
    places = {node: place for place, node in enumerate(_nodes(material))}
    ordered = [tuple(sorted(group, key=lambda s: (places.get(s.states[0], 0), s.id))) for group in found.values()]
    givens = list(dict.fromkeys(group[0].given for group in ordered))
    return sorted(ordered, key=lambda g: (givens.index(g[0].given), bool(g[0].context), _order(places, g[0])))


def shares(material: Material, group: Sequence[Statement]) -> str:
    """Return the states of a judged distribution with their shares, on one line."""
    return ", ".join(f"{escape(_states(material, s))} {percent(s.value or 0.0)}" for s in group)


def _states(material: Material, statement: Statement) -> str:
    return " or ".join(material.state_label(state) for state in statement.states)


def _nodes(material: Material) -> list[str]:
    return [node for variable in material.vocabulary.values() for node in variable.nodes.values()]


def _order(places: dict[str, int], statement: Statement) -> list[int]:
    return [places.get(node, 0) for node in statement.context]


def _key(material: Material, s: Statement) -> tuple[object, ...]:
    subject, why = material.subject(s), material.uses.why_not(s)
    return (s.given, subject, s.source.id, s.quantity, s.context, s.modalities, s.agents, s.note, why)
