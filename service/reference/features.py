"""One page a feature: its states, what can show it, what causes its states, and how it looks in each entity."""

from __future__ import annotations

from hepagraph.inference.assessability import Rule, read_assessability
from hepagraph.kg import Variable
from hepagraph.kg.vocabulary import targets
from hepagraph.service.reference.cells import Files, cell_anchor
from hepagraph.service.reference.markdown import (
    anchor,
    bullets,
    escape,
    heading,
    joined,
    link,
    shade,
    table,
    toctree,
    wide,
)
from hepagraph.service.reference.material import Material


def feature_pages(material: Material) -> Files:
    """Return the page of every feature of the network, and the list of them."""
    features = [material.vocabulary[name] for name in material.network.variables("feature")]
    files = {f"features/{anchor(feature.name)}.md": wide(_page(material, feature)) for feature in features}
    return {"features/index.md": _list_of_features(material, features), **files}


def _list_of_features(material: Material, features: list[Variable]) -> str:
    rows = [
        [
            material.link(f.name),
            escape(material.graph.nodes[f.name]["definition"]),
            ", ".join(escape(material.state_label(f.nodes[state])) for state in f.states),
        ]
        for f in features
    ]
    return joined(
        heading(1, "Features", "reference-features"),
        table(["feature", "definition", "states"], rows),
        toctree([anchor(feature.name) for feature in features], hidden=True),
    )


def _page(material: Material, feature: Variable) -> str:
    return joined(
        heading(1, feature.label, material.home(feature.name)),
        escape(material.graph.nodes[feature.name]["definition"]),
        bullets(_spelling(feature)),
        heading(2, "In each entity"),
        "The network's probability of each state; each entity leads to what its row rests on.",
        _by_entity(material, feature),
        heading(2, "States"),
        _states(material, feature),
        _section("What shows it", bullets(_shown_by(material, feature))),
        _section("What else its frequencies depend on", bullets(_conditions(material, feature))),
        _section("Hidden mechanisms that act on it", bullets(_causes(material, feature))),
    )


def _section(title: str, text: str) -> str:
    return joined(heading(2, title), text) if text else ""


def _spelling(feature: Variable) -> list[str]:
    measure = feature.measure
    where = escape(f"{feature.section}: {feature.name}")
    number = f"as a number: {escape(measure.key)} in {escape(measure.unit)}" if measure else ""
    return [text for text in (f"in a case: {where}", number) if text]


def _by_entity(material: Material, feature: Variable) -> str:
    header = ["entity", *(escape(material.state_label(feature.nodes[state])) for state in feature.states)]
    rows = [
        [
            link(material.label(entity), cell_anchor(entity, feature.name)),
            *(shade(float(p)) for p in material.means[feature.name, entity]),
        ]
        for entity in material.entities
    ]
    return table(header, rows, "matrix")


def _states(material: Material, feature: Variable) -> str:
    """Return leaf states and groups with their spellings and definitions."""
    rows = []
    for notation, node in feature.nodes.items():
        aliases = sorted(material.graph.nodes[node]["literals"].get("alias", ()))
        members = feature.leaves[notation] if notation not in feature.states else ()
        spelt = ", ".join(escape(name) for name in (notation, *aliases))
        definition = escape(material.graph.nodes[node]["definition"])
        group = f"(one of: {', '.join(escape(m) for m in members)})" if members else ""
        rows.append([escape(material.state_label(node)), spelt, " ".join(t for t in (definition, group) if t)])
    return table(["state", "spelt", "meaning"], rows)


def _shown_by(material: Material, feature: Variable) -> list[str]:
    rules, signs = read_assessability(material.graph), set(feature.expresses.values())
    own = [rule for rule in rules.feature_rules if feature.name in rule.about]
    forbidding = [r for r in rules.sign_rules if signs & r.about and feature.phase in r.invalid_phases]
    return [*(_rule(material, rule, "needs") for rule in own), *(_rule(material, r, "not with") for r in forbidding)]


def _rule(material: Material, rule: Rule, verb: str) -> str:
    named = ", ".join(material.link(name) for name in sorted((*rule.modalities, *rule.agents)))
    about = ", ".join(escape(material.label(name)) for name in sorted(rule.about)) if rule.invalid_phases else ""
    return f"{f'{about}: ' if about else ''}{verb} {named}" + (f" ({escape(rule.advice)})" if rule.advice else "")


def _conditions(material: Material, feature: Variable) -> list[str]:
    """Return the variables that the feature's table depends on besides subtype and mechanisms."""
    network = material.network
    parents = (p for p in network.tables[feature.name].parents if network.layers[p] in ("context", "feature"))
    return [f"{material.link(p)}: {escape(material.graph.nodes[p]['definition'])}" for p in parents]


def _causes(material: Material, feature: Variable) -> list[str]:
    found = []
    for node in feature.nodes.values():
        for start, _, data in sorted(material.graph.in_edges(node, data=True), key=lambda edge: edge[0]):
            if data["causal"] and data["kind"] in ("causes", "prevents"):
                strength = f" ({escape(material.term(data['strength']))})" if data["strength"] else ""
                state = escape(material.state_label(node))
                found.append(f"{material.link(start)} {escape(material.term(data['kind']))} {state}{strength}")
    phases = [f"seen in the phase: {material.link(p)}" for p in targets(material.graph, feature.name, "onPhase")]
    return [*found, *phases] if found else []
