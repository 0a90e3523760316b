"""One page a class of things that have no page of their own: an entry for each, with relations, figures and source."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from rdflib import URIRef

from hepagraph.kg.vocabulary import literal, origins
from hepagraph.ontology.namespaces import DCTERMS, PROV, local_name
from hepagraph.service.reference.cells import Files
from hepagraph.service.reference.evidence import statement_table, who
from hepagraph.service.reference.markdown import anchor, bullets, escape, heading, joined, link, table, toctree
from hepagraph.service.reference.material import Material
from hepagraph.service.reference.relations import EVIDENCE, literals, relations


def concept_pages(material: Material) -> Files:
    """Return a page for every class with things that no other page tells of, and the list of the classes."""
    kinds = _by_kind(material)
    pages = {f"concepts/{anchor(kind)}.md": _page(material, kind, names) for kind, names in kinds.items()}
    return {"concepts/index.md": _list_of_classes(material, kinds), **pages}


def _by_kind(material: Material) -> dict[str, list[str]]:
    """Return the things of each class in the order of its label; things told of elsewhere are left out."""
    told = {*material.entities, *material.network.variables("feature")}
    told |= {subtype for found in material.subtypes.values() for subtype in found}
    kinds: dict[str, list[str]] = defaultdict(list)
    for name, kind in material.graph.nodes(data="kind"):
        if name not in told and material.home(name) == anchor("thing", name):
            kinds[kind].append(name)
    ordered = sorted(kinds, key=lambda kind: material.term(kind).lower())
    return {kind: sorted(kinds[kind], key=lambda name: _rank(material, name)) for kind in ordered}


def _rank(material: Material, name: str) -> tuple[float, str, str]:
    return float(literal(material.graph, name, "order", 10**6)), material.label(name).lower(), name


def _list_of_classes(material: Material, kinds: dict[str, list[str]]) -> str:
    rows = [
        [link(material.term(kind), anchor("class", kind)), link(f"{len(names)} entries", anchor("list", kind))]
        for kind, names in kinds.items()
    ]
    return joined(
        heading(1, "Concepts", "reference-concepts"),
        "Everything in the ontology that is neither an entity nor a feature, by class: what the reviews speak of beyond"
        " the network, and the patient, the examinations and the hidden mechanisms.",
        table(["class", ""], rows),
        toctree([anchor(kind) for kind in kinds], hidden=True),
    )


def _page(material: Material, kind: str, names: list[str]) -> str:
    title = material.term(kind)
    return joined(
        heading(1, title[:1].upper() + title[1:], anchor("list", kind)),
        f"{len(names)} entries; the class is {link(kind, anchor('class', kind))}.",
        *(_entry(material, name) for name in names),
    )


def _entry(material: Material, name: str) -> str:
    data = material.graph.nodes[name]
    return joined(
        heading(2, data["label"], material.home(name)),
        escape(data["definition"]),
        bullets([*literals(material, name), *relations(material, name), *_referred_to(material, name)]),
        _states(material, name),
        _figures(material, name),
        statement_table(material, material.given.get(name, ()), told=(name,)),
        _quoted(material, name),
    )


def _referred_to(material: Material, name: str) -> list[str]:
    """Return what points here; things that are told in this very entry are left out."""
    found: dict[str, list[str]] = defaultdict(list)
    for start, _, kind in sorted(material.graph.in_edges(name, keys=True)):
        if kind not in EVIDENCE and material.home(start) != material.home(name):
            found[kind].append(material.link(start))
    return [f"{escape(material.term(kind))} this: {', '.join(links)}" for kind, links in sorted(found.items())]


def _states(material: Material, name: str) -> str:
    """Return the states of a variable that are told with it."""
    rows = []
    for state in origins(material.graph, name, "stateOf"):
        if material.home(state) == material.home(name):
            data = material.graph.nodes[state]
            more = "; ".join(r for r in relations(material, state) if r != _relation_to_owner(material, name))
            spelt = escape(literal(material.graph, state, "notation", state))
            rows.append([escape(material.state_label(state)), spelt, escape(data["definition"]), more])
    return table(["state", "spelt", "meaning", "relations"], rows) if rows else ""


def _relation_to_owner(material: Material, name: str) -> str:
    return f"{escape(material.term('stateOf'))}: {material.link(name)}"


def _figures(material: Material, name: str) -> str:
    """Return the numbers that a review prints about a thing, as a table."""
    rows = [_figure(material, figure) for figure in origins(material.graph, name, "figureOf")]
    return table(["figure", "of what", "group", "study"], rows, "statements") if rows else ""


def _figure(material: Material, figure: str) -> list[str]:
    data = material.graph.nodes[figure]["literals"]
    arm = "; ".join(sorted(map(str, data.get("arm", ()))))
    return [f"**{escape(magnitude(data))}**", escape(material.label(figure)), escape(arm), _quoted(material, figure)]


def magnitude(values: dict[str, tuple[Any, ...]]) -> str:
    """Return a printed number with its bound, range and unit.

    >>> magnitude({"magnitude": (7.5,), "magnitudeLow": (6,), "magnitudeHigh": (9,), "unit": ("mm",)})
    '7.5 (6-9) mm'
    """

    def one(key: str) -> str:
        value = next(iter(values.get(key, ())), "")
        return value if isinstance(value, str) else f"{float(value):g}"

    prefix = {"UpperBound": "up to ", "LowerBound": "at least ", "Approximate": "about "}.get(one("bound"), "")
    ends = "-".join(end for end in (one("magnitudeLow"), one("magnitudeHigh")) if end)
    number = f"{one('magnitude')} ({ends})" if one("magnitude") and ends else one("magnitude") or ends
    unit = one("unit") if one("unit") != "1" else ""
    return f"{prefix}{number} {unit}".strip() or "no number"


def _quoted(material: Material, name: str) -> str:
    """Return the sources of a thing with the sections in which it stands."""
    iri = URIRef(material.graph.nodes[name]["iri"])
    quoted = {*material.rdf.objects(iri, PROV.wasQuotedFrom), *material.rdf.objects(iri, DCTERMS.source)}
    known = material.graph.graph["sources"]
    sources = [known[key] for key in sorted(local_name(node) for node in quoted) if key in known]
    where = "; ".join(map(escape, sorted(map(str, material.graph.nodes[name]["literals"].get("locator", ())))))
    named = ", ".join(link(who(source), anchor("source", source.id)) for source in sources)
    return ": ".join(text for text in (named, where) if text)
