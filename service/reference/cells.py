"""The section of one cell: what the network says of a variable in an entity and its subtypes, and on what grounds."""

from __future__ import annotations

from collections.abc import Sequence

from hepagraph.kg import Statement, Variable
from hepagraph.service.reference.evidence import picture, statement_table
from hepagraph.service.reference.judged import is_judged
from hepagraph.service.reference.markdown import (
    anchor,
    bar,
    escape,
    heading,
    inline_svg,
    joined,
    link,
    percent,
    table,
)
from hepagraph.service.reference.material import Material

Files = dict[str, str]


def cell_anchor(given: str, variable: str) -> str:
    """Return the anchor of the section on a variable in an entity or subtype."""
    return anchor("cell", given, variable)


def about(material: Material, given: str, variable: str) -> list[Statement]:
    """Return the statements on a variable in an entity or subtype, those that enter first, then by state."""
    found = [s for s in material.given.get(given, ()) if material.subject(s) == variable]
    return sorted(found, key=lambda s: (not material.uses.enters(s), s.states, s.id))


def cell_section(material: Material, entity: str, variable: Variable, files: Files) -> str:
    """Return the section of one cell and add its pictures to ``files``."""
    own = about(material, entity, variable.name)
    subtypes = {name: about(material, name, variable.name) for name in material.subtypes[entity]}
    below = [statement for found in subtypes.values() for statement in found]
    anchors = [cell_anchor(name, variable.name) for name, found in ((entity, own), *subtypes.items()) if found]
    first = cell_anchor(entity, variable.name)
    return joined(
        heading(3, variable.label, *dict.fromkeys((first, *anchors))),
        f"{link('what it is', material.home(variable.name))} · {_count(material, [*own, *below])}",
        state_table(material, entity, variable),
        _pictured(material, first, variable, own, files),
        statement_table(material, own, told=(entity, variable.name)),
        f"**In subtypes of {escape(material.label(entity))}**" if below else "",
        _pictured(material, f"{first}-subtypes", variable, below, files),
        statement_table(material, below, told=(variable.name,)),
    )


def _count(material: Material, statements: Sequence[Statement]) -> str:
    if not statements:
        return "no statement; taken to be as in the other entities"
    published = [statement for statement in statements if not is_judged(statement)]
    besides = "; our judgement besides" if len(published) < len(statements) else ""
    if not published:
        return "our judgement alone"
    inside = sum(map(material.uses.enters, published))
    return f"{inside} of {len(published)} published statements enter the network{besides}"


def state_table(material: Material, given: str, variable: Variable) -> str:
    """Return the network's distribution over the states as a table with bars."""
    means = material.means[variable.name, given]
    labels = [material.state_label(variable.nodes[state]) for state in variable.states]
    rows = [[escape(label), percent(float(p)), bar(float(p))] for label, p in zip(labels, means, strict=True)]
    return table(["state", "network", ""], rows, "states")


def _pictured(material: Material, name: str, variable: Variable, statements: Sequence[Statement], files: Files) -> str:
    drawn = picture(material, name, variable, statements)
    if not drawn:
        return ""
    files[f"pictures/{name}.svg"] = drawn
    return inline_svg(f"../pictures/{name}.svg")
