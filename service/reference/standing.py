"""Whether a statement enters the network's tables, and if not, why."""

from __future__ import annotations

from dataclasses import replace

from hepagraph.inference.pooling import admissible
from hepagraph.kg import Statement, Variable
from hepagraph.kg.vocabulary import targets
from hepagraph.service.reference.material import Material


def enters(material: Material, statement: Statement) -> bool:
    """Return whether a statement stands behind a table of the network."""
    if statement.quantity == "SubtypeShare":
        return (
            statement.poolable
            and statement.value is not None
            and not statement.context
            and statement.given in material.network.parent_of
        )
    if statement.quantity == "PriorWeight":
        return statement.poolable
    subject = material.subject(statement)
    keys = [(name, statement.given) for name in ([subject] if subject else material.network.variables("context"))]
    return any(statement in material.network.evidence.get(key, ()) for key in keys)


def why_kept_out(material: Material, statement: Statement) -> str:
    """Return why a statement stays out of the tables; nothing when it enters."""
    if enters(material, statement):
        return ""
    reasons = [*_own_reasons(material, statement), *_reasons_of_place(material, statement)]
    return "; ".join(reasons) or "gives no number in a form that a table can take"


def _own_reasons(material: Material, statement: Statement) -> list[str]:
    repeated = material.repeats.get(statement.id, "another statement")
    found = {
        "this kind of figure never enters": not statement.may_reach_cpt,
        statement.kept_apart: bool(statement.kept_apart),
        "a selected sample, which does not stand for the whole": statement.selected,
        f"repeats {repeated}": statement.duplicate,
    }
    return [reason for reason, holds in found.items() if holds]


def _reasons_of_place(material: Material, statement: Statement) -> list[str]:
    variable = material.vocabulary.get(material.subject(statement))
    if variable is None:
        where = " and ".join(material.label(state) for state in statement.context)
        return [f"holds only under: {where}"] if where and statement.poolable else []
    return [*_reasons_of_context(material, variable, statement), *_reasons_of_modality(material, variable, statement)]


def _reasons_of_context(material: Material, variable: Variable, statement: Statement) -> list[str]:
    bare = replace(_freed(statement), modalities=())
    found = [c for c in statement.context if not admissible(material.graph, variable, replace(bare, context=(c,)))]
    return [f"holds only under: {' and '.join(material.label(c) for c in found)}"] if found else []


def _reasons_of_modality(material: Material, variable: Variable, statement: Statement) -> list[str]:
    if admissible(material.graph, variable, replace(_freed(statement), context=())):
        return []
    wanted = ", ".join(material.label(m) for m in targets(material.graph, variable.name, "pooledFrom"))
    return [f"another modality; the table takes {wanted} only"]


def _freed(statement: Statement) -> Statement:
    """Return the statement without what keeps it out wherever it stands."""
    return replace(statement, may_reach_cpt=True, kept_apart="", selected=False, duplicate=False)
