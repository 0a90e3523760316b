"""One page an entity: what it is, its subtypes, and every finding with the statements behind it."""

from __future__ import annotations

from collections.abc import Sequence

from hepagraph.inference.network import SUBTYPE
from hepagraph.kg import Variable, mimics
from hepagraph.kg.vocabulary import origins
from hepagraph.service.reference.cells import Files, about, cell_anchor, cell_section
from hepagraph.service.reference.evidence import statement_table
from hepagraph.service.reference.markdown import (
    anchor,
    bar,
    bullets,
    escape,
    heading,
    joined,
    link,
    percent,
    table,
    toctree,
)
from hepagraph.service.reference.material import Material
from hepagraph.service.reference.relations import literals, relations


def entity_pages(material: Material) -> Files:
    """Return the page of every entity of the widest differential, their pictures, and the list of them."""
    files: Files = {"entities/index.md": _list_of_entities(material)}
    for entity in material.entities:
        files[f"entities/{anchor(entity)}.md"] = _page(material, entity, files)
    return files


def _list_of_entities(material: Material) -> str:
    rows = [
        [material.link(e), escape(material.graph.nodes[e]["definition"]), str(_statements(material, e))]
        for e in material.entities
    ]
    return joined(
        heading(1, "Entities", "reference-entities"),
        table(["entity", "definition", "statements"], rows),
        toctree([anchor(entity) for entity in material.entities], hidden=True),
    )


def _statements(material: Material, entity: str) -> int:
    return sum(len(material.given.get(name, ())) for name in (entity, *material.subtypes[entity]))


def _page(material: Material, entity: str, files: Files) -> str:
    variables = {layer: _variables(material, layer) for layer in ("feature", "mechanism", "context")}
    evidenced = {layer: [v for v in found if _spoken_of(material, entity, v)] for layer, found in variables.items()}
    return joined(
        heading(1, material.label(entity), material.home(entity)),
        escape(material.graph.nodes[entity]["definition"]),
        bullets(_facts(material, entity)),
        _subtypes(material, entity),
        heading(2, "At a glance"),
        _glance(material, entity, variables["feature"]),
        heading(2, "Findings"),
        *(cell_section(material, entity, v, files) for v in variables["feature"]),
        *_sections(material, entity, "Hidden mechanisms", evidenced["mechanism"], files),
        *_sections(material, entity, "Patient", evidenced["context"], files),
        _others(material, entity),
    )


def _variables(material: Material, layer: str) -> list[Variable]:
    return [material.vocabulary[name] for name in material.network.variables(layer)]


def _spoken_of(material: Material, entity: str, variable: Variable) -> bool:
    return any(about(material, name, variable.name) for name in (entity, *material.subtypes[entity]))


def _sections(material: Material, entity: str, title: str, variables: Sequence[Variable], files: Files) -> list[str]:
    sections = [cell_section(material, entity, variable, files) for variable in variables]
    return [heading(2, title), *sections] if sections else []


def _facts(material: Material, name: str) -> list[str]:
    """Return what the graph says of an entity or subtype, one line a relation."""
    alike = [material.link(end) for end in mimics(material.graph, name)]
    return [
        *literals(material, name),
        *relations(material, name, without={"mimics", "subtypeOf"}),
        *([f"{escape(material.term('mimics'))}: {', '.join(alike)}"] if alike else []),
    ]


def _subtypes(material: Material, entity: str) -> str:
    if not material.subtypes[entity]:
        return ""
    states = list(material.network.states[SUBTYPE])
    shares = {s: float(material.means[SUBTYPE, entity][states.index(s)]) for s in material.subtypes[entity]}
    rows = [[link(material.label(s), material.home(s)), percent(p), bar(p)] for s, p in shares.items()]
    note = "Share among all lesions of the entity, before anything is known of the patient."
    entries = (_subtype(material, name) for name in shares)
    return joined(heading(2, "Subtypes"), note, table(["subtype", "network", ""], rows, "states"), *entries)


def _subtype(material: Material, name: str) -> str:
    return joined(
        heading(3, material.label(name), material.home(name)),
        escape(material.graph.nodes[name]["definition"]),
        bullets(_facts(material, name)),
    )


def _glance(material: Material, entity: str, features: Sequence[Variable]) -> str:
    rows = []
    for feature in features:
        means = material.means[feature.name, entity]
        best = int(means.argmax())
        label = material.state_label(feature.nodes[feature.states[best]])
        where = link(feature.label, cell_anchor(entity, feature.name))
        rows.append([where, escape(label), percent(float(means[best])), bar(float(means[best]))])
    return table(["finding", "most likely", "network", ""], rows, "states")


def _others(material: Material, entity: str) -> str:
    """Return the statements that speak of no variable of the network."""
    known = set(material.network.states)
    names = (entity, *material.subtypes[entity])
    found = [s for name in names for s in material.given.get(name, ()) if material.subject(s) not in known]
    found.sort(key=lambda s: (s.quantity, s.feature, s.id))
    inbound = [o for o in origins(material.graph, entity, "exemplifies") if o in material.graph]
    shown = f"Shown in: {', '.join(material.link(o) for o in inbound)}" if inbound else ""
    return joined(
        heading(2, "Shares, prevalences and other figures") if found else "",
        statement_table(material, found),
        heading(2, "Examples in reviews") if shown else "",
        shown,
    )
