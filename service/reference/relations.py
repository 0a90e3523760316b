"""What the graph says of a thing: its values, and its relations to others as links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container

from hepagraph.service.reference.markdown import escape
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
    return [f"{escape(material.term(key))}: {'; '.join(sorted(map(escape, values)))}" for key, values in shown.items()]
