"""What the graph says of a thing: its values, and its relations to others as links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container

from hepagraph.service.reference.markdown import anchor, escape, link
from hepagraph.service.reference.material import Material

_TOLD_ELSEWHERE = frozenset({"prefLabel", "definition", "order", "identifier", "locator", "grade", "notation", "title"})
EVIDENCE = frozenset({"shows", "measures", "share"})


def relations(material: Material, name: str, *, without: Container[str] = ()) -> list[str]:
    """Return where the relations of a thing lead, one line a relation; edges that only carry evidence are left out."""
    found: dict[str, list[str]] = defaultdict(list)
    for _, end, kind in sorted(material.graph.out_edges(name, keys=True), key=lambda edge: edge[1:]):
        if kind not in EVIDENCE and kind not in without:
            found[kind].append(material.link(end))
    return [f"{escape(material.term(kind))}: {', '.join(links)}" for kind, links in sorted(found.items())]


def literals(material: Material, name: str) -> list[str]:
    """Return the values of a thing, one line a property; what the pages tell elsewhere is left out."""
    found = material.graph.nodes[name]["literals"]
    shown = {key: values for key, values in sorted(found.items()) if key not in _TOLD_ELSEWHERE}
    return [
        f"{escape(material.term(key))}: {'; '.join(_value(material, value) for value in sorted(map(str, values)))}"
        for key, values in shown.items()
    ]


def _value(material: Material, value: str) -> str:
    """Return a value; the id of a statement leads to the cell that the statement stands in."""
    statement = material.statements.get(value)
    subject = material.subject(statement) if statement is not None else ""
    if statement is None or (subject, statement.given) not in material.means:
        return escape(value)
    return link(statement.row_id or value, anchor("cell", statement.given, subject))
