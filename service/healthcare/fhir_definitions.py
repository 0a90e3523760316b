"""What defines our part of a FHIR document: the extensions, the codes, and which codes a variable may have.

A StructureDefinition for each extension of ``service/data/fhir.json``, a CodeSystem with every code of ours that cases
and answers hold, and a ValueSet for each variable and each list of entities to choose between.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from hepagraph.inference.result import NOTICE
from hepagraph.service.healthcare.codes import DATA
from hepagraph.service.healthcare.dicom import layout as dicom_layout
from hepagraph.service.healthcare.fhir import check_bundle, check_version, layout
from hepagraph.service.healthcare.fhir_narrative import narrative

if TYPE_CHECKING:
    from hepagraph.kg import Variable
    from hepagraph.service.healthcare.codes import CodeBook

Json = dict[str, Any]
_EXTENSION = "http://hl7.org/fhir/StructureDefinition/Extension"
_LONGEST = 64  # characters of a FHIR id


@cache
def texts() -> Json:
    """Return what the definitions say, from ``service/data/fhir_definitions.json``."""
    found: Json = json.loads((DATA / "fhir_definitions.json").read_text(encoding="utf-8"))
    return found


def fhir_definitions(codes: CodeBook, version: str = "R5") -> Json:
    """Return a Bundle of type collection with the definitions; see above.

    Parameters
    ----------
    version
        R5 or R4B.

    Raises
    ------
    CaseError
        The version is not known.
    MissingExtraError
        fhir.resources is not installed.
    """
    check_version(version)
    writing = _Writing(codes, version)
    found = {
        "resourceType": "Bundle",
        "id": str(uuid5(NAMESPACE_URL, f"{codes.system}/definitions/{version}")),
        "type": "collection",
        "entry": [
            {"fullUrl": f"urn:uuid:{uuid5(NAMESPACE_URL, one['url'])}", "resource": one} for one in writing.resources()
        ],
    }
    check_bundle(found, version)
    return found


class _Writing:
    """The definitions of one ontology's codes for one release of FHIR."""

    def __init__(self, codes: CodeBook, version: str) -> None:
        from hepagraph.ontology.namespaces import ID_IRI

        self.codes = codes
        self.version = version
        self.base = texts()["base"] if codes.system == ID_IRI else f"{codes.system.rstrip('/#')}/fhir"
        self.variables = [variable for variable in codes.variables.values() if variable.section]

    def resources(self) -> list[Json]:
        extensions = [self._extension(name, form) for name, form in texts()["extensions"].items()]
        return [*extensions, self._code_system(), *self._value_sets()]

    # -- extensions -------------------------------------------------------------------------------------------

    def _extension(self, name: str, form: Mapping[str, Any]) -> Json:
        url = layout()["extensions"][name]
        return {
            **self._head("StructureDefinition", url.rsplit("/", 1)[-1], url, form["title"], form["description"]),
            "fhirVersion": texts()["releases"][self.version],
            "kind": "complex-type",
            "abstract": False,
            "context": [{"type": "element", "expression": place} for place in form["context"]],
            "type": "Extension",
            "baseDefinition": _EXTENSION,
            "derivation": "constraint",
            "differential": {"element": list(_elements(url, form))},
        }

    # -- codes ------------------------------------------------------------------------------------------------

    def _code_system(self) -> Json:
        concepts = [self._concept(node, **more) for node, more in self._nodes().items()]
        concepts += [
            {"code": code, "display": form["meaning"], "definition": form["definition"]}
            for code, form in dicom_layout()["own"].items()
        ]
        about = "The things of the ontology that cases and answers name; the ontology holds more things than these."
        return {
            **self._head("CodeSystem", "things", self.codes.system, "Things of the ontology", about),
            "caseSensitive": True,
            "content": "fragment",
            "property": [
                {"code": "kind", "description": "Which kind of thing it is", "type": "string"},
                {"code": "variable", "description": "The variable of which it is a state or a group", "type": "code"},
                {"code": "member", "description": "A state that the group stands for", "type": "code"},
            ],
            "concept": concepts,
        }

    def _nodes(self) -> dict[str, Json]:
        """Return every node that a case or an answer may name, with the variable and the members of it."""
        found: dict[str, Json] = {}
        for variable in self.variables:
            found.setdefault(variable.name, {})
            for notation, node in variable.nodes.items():
                members = [variable.nodes[leaf] for leaf in variable.groups.get(notation, ())]
                found.setdefault(node, {"variable": variable.name, "members": members})
        differentials = self.codes.reasoner.network.differentials
        others = [*differentials, *(entity for members in differentials.values() for entity in members)]
        for node in (*others, layout()["structure"], layout()["morphology"]):
            if node in self.codes.labels:
                found.setdefault(node, {})
        return found

    def _concept(self, node: str, variable: str | None = None, members: Iterable[str] = ()) -> Json:
        data = self.codes.reasoner.graph.nodes[node]
        found: Json = {"code": node, "display": self.codes.labels[node]}
        if data.get("definition"):
            found["definition"] = data["definition"]
        properties: list[Json] = [{"code": "kind", "valueString": data["kind"]}]
        properties += [{"code": "variable", "valueCode": variable}] if variable else []
        properties += [{"code": "member", "valueCode": member} for member in members]
        return {**found, "property": properties}

    def _value_sets(self) -> Iterable[Json]:
        about = "The variables that a case may state."
        yield self._value_set("variables", "Variables", about, (variable.name for variable in self.variables))
        for variable in self.variables:
            yield self._value_set(variable.name, variable.label, *self._states(variable))
        for name, members in self.codes.reasoner.network.differentials.items():
            label = self.codes.labels.get(name, name)
            yield self._value_set(f"outcomes-{name}", label, "The entities that an answer chooses between.", members)

    def _states(self, variable: Variable) -> tuple[str, Iterable[str]]:
        return f"The states and groups of states of: {variable.label}.", variable.nodes.values()

    def _value_set(self, name: str, title: str, about: str, nodes: Iterable[str]) -> Json:
        name = identifier(name)
        concepts = [{"code": node, "display": self.codes.labels[node]} for node in dict.fromkeys(nodes)]
        return {
            **self._head("ValueSet", name, f"{self.base}/ValueSet/{name}", title, about),
            "compose": {"include": [{"system": self.codes.system, "concept": concepts}]},
        }

    def _head(self, kind: str, name: str, url: str, title: str, about: str) -> Json:
        parts = [part for part in re.split(r"[^A-Za-z0-9]+", f"{kind} {name}") if part]
        return {
            "resourceType": kind,
            "id": name,
            "text": narrative([title, about]),
            "url": url,
            "version": self.codes.reasoner.model["version"],
            "name": "".join(part[0].upper() + part[1:] for part in parts),
            "title": title,
            "status": "draft",
            "experimental": True,
            "publisher": texts()["publisher"],
            "description": f"{about} {NOTICE}",
            "copyright": texts()["copyright"],
        }


def identifier(name: str) -> str:
    """Return a name as a FHIR id.

    >>> identifier("a_b")
    'a-b'
    """
    return re.sub(r"[^A-Za-z0-9.-]", "-", name)[:_LONGEST]


def _elements(url: str, form: Mapping[str, Any]) -> Iterable[Json]:
    """Yield the elements of an extension that differ from those of every extension."""
    root, inner = "Extension", "Extension.extension"
    parts = form.get("parts", {})
    yield _element(root, short=form["title"], definition=form["description"], min=0, max=form["max"])
    if parts:
        slicing = {"discriminator": [{"type": "value", "path": "url"}], "ordered": False, "rules": "closed"}
        yield _element(inner, slicing=slicing, min=len(parts), max=str(len(parts)))
        for name, part in parts.items():
            place = f"{inner}:{name}"
            yield _element(place, sliceName=name, short=part["short"], min=1, max="1")
            yield _element(f"{place}.extension", max="0")
            yield _element(f"{place}.url", fixedUri=name)
            limit = {"minValueDecimal": 0} if part["value"] == "decimal" else {}
            yield _element(f"{place}.value[x]", min=1, type=[{"code": part["value"]}], **limit)
    else:
        yield _element(inner, max="0")
    yield _element(f"{root}.url", fixedUri=url)
    if parts:
        yield _element(f"{root}.value[x]", max="0")
    else:
        yield _element(f"{root}.value[x]", min=1, type=[{"code": form["value"]}])


def _element(place: str, **parts: Any) -> Json:
    return {"id": place, "path": re.sub(r":[^.]*", "", place), **parts}
