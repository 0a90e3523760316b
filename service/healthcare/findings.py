"""The features as finding definitions, so that a reporting tool can offer them.

The shape is that of an Open Imaging Finding Model (openimagingdata/findingmodel, ``FindingModelBase``): a finding with
attributes that are chosen from a list or measured. It holds more: our identifiers, groups, which part of a case each
attribute is, and which examinations show it. Identifiers of the Open Imaging Finding Model registry are given by that
registry, so there are none; codes of other vocabularies are those of ``ontology/mappings``.
``service/data/findings.schema.json`` describes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hepagraph.inference.result import NOTICE
from hepagraph.service.healthcare.codes import CLOSE, EXACT, forms
from hepagraph.service.healthcare.dicom import layout

if TYPE_CHECKING:
    from hepagraph.kg import Variable
    from hepagraph.service.healthcare.codes import CodeBook

Json = dict[str, Any]
LICENCE = "https://creativecommons.org/licenses/by/4.0/"


def finding_definitions(codes: CodeBook) -> Json:
    """Return the definitions of every feature, and of what is asked of the patient and of the examination.

    Raises
    ------
    OntologyError
        The ontology has changed since it was compiled.
    """
    writing, model = _Writing(codes), codes.reasoner.model
    variables = [variable for variable in codes.variables.values() if variable.section]
    root = layout()["finding"] if layout()["finding"] in codes.labels else None
    found: Json = {
        "name": codes.labels[root] if root else "lesion",
        "description": (writing.definition(root) if root else "") or "A lesion, as the ontology has it",
        "attributes": writing.attributes(v for v in variables if v.section in ("findings", "lesion")),
        "patient": writing.attributes(v for v in variables if v.section == "patient"),
        "examination": writing.attributes(v for v in variables if v.section == "exam"),
        "code_system": codes.system,
        "version": model["version"],
        "ontology_sha256": model["ontology_sha256"],
        "licence": LICENCE,
        "notice": NOTICE,
    }
    return {**({"id": writing.iri(root), **writing.codes_of(root)} if root else {}), **found}


class _Writing:
    """Definitions from one ontology's graph."""

    def __init__(self, codes: CodeBook) -> None:
        self.codes = codes
        self.graph = codes.reasoner.graph
        self.rules = codes.reasoner.reader.assessability

    def attributes(self, variables: Iterable[Variable]) -> list[Json]:
        return [attribute for variable in variables for attribute in self._attributes(variable)]

    def _attributes(self, variable: Variable) -> Iterable[Json]:
        """Yield an attribute that is chosen from a list, and another where the variable is measured as well."""
        shown = self._shown_by(variable)
        common = {"id": self.iri(variable.name), "name": variable.label, **self._described(variable.name)}
        more = {**self.codes_of(variable.name), **({"shown_by": shown} if shown else {})}
        yield {
            **common,
            "type": "choice",
            "values": [self._value(variable, state) for state in variable.states],
            "groups": [
                {**self._value(variable, group), "members": list(leaves)} for group, leaves in variable.groups.items()
            ],
            "required": False,
            "max_selected": 1,
            "case": {"section": "findings" if variable.section == "lesion" else variable.section, "key": variable.name},
            **more,
        }
        if variable.measure is not None:
            measure = variable.measure
            limits = {"minimum": measure.minimum, "maximum": measure.maximum, "unit": measure.unit}
            place = {"section": variable.section, "key": measure.key}
            yield {**common, "type": "numeric", **limits, "required": False, "case": place, **more}

    def _value(self, variable: Variable, notation: str) -> Json:
        node = variable.nodes[notation]
        name = self.codes.labels[node].removeprefix(f"{variable.label}: ")
        found: Json = {"id": self.iri(node), "name": name, **self._described(node), "notation": notation}
        sign = variable.expresses.get(notation)
        rules = [r for r in self.rules.sign_rules if sign in r.about and variable.phase in r.invalid_phases]
        if rules:
            found["not_read_with"] = [{"agents": self._things(r.agents), "advice": r.advice} for r in rules]
        return {**found, **self.codes_of(node)}

    def _shown_by(self, variable: Variable) -> Json:
        """Return which phase, techniques, modalities and agents show a feature; empty where any examination does."""
        found: Json = {}
        if variable.phase is not None:
            found["phase"] = self._things([variable.phase])[0]
        if variable.seen_on:
            found["seen_on"] = self._things(variable.seen_on)
        rules = [rule for rule in self.rules.feature_rules if variable.name in rule.about]
        if rules:
            found["needs"] = [
                {
                    "modalities": self._things(rule.modalities),
                    "agents": self._things(rule.agents),
                    "binding": rule.binding,
                    "advice": rule.advice,
                }
                for rule in rules
            ]
        return found

    def _things(self, nodes: Iterable[str]) -> list[Json]:
        return [{"id": self.iri(node), "name": self.codes.labels[node]} for node in sorted(nodes)]

    def iri(self, node: str) -> str:
        return str(self.graph.nodes[node]["iri"])

    def definition(self, node: str) -> str:
        return str(self.graph.nodes[node]["definition"])

    def _described(self, node: str) -> Mapping[str, str]:
        text = self.definition(node)
        return {"description": text} if text else {}

    def codes_of(self, node: str) -> Json:
        """Return the codes that mean the same as index codes, and those that come close apart."""
        found: Json = {}
        for key, match in (("index_codes", EXACT), ("related_codes", CLOSE)):
            _, *others = self.codes.codes(node, match)
            listed = [
                {"system": forms()["vocabularies"][c.vocabulary]["oifm"], "code": c.code, **_display(c.display)}
                for c in others
            ]
            if listed:
                found[key] = listed
        return found


def _display(text: str | None) -> Mapping[str, str]:
    return {"display": text} if text else {}
