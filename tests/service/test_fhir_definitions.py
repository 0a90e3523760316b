"""Every extension and every code of ours that a Bundle holds is defined, in resources that conform to both releases."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hepagraph.inference import Reasoner
from hepagraph.inference.result import NOTICE
from hepagraph.ontology import CaseError
from hepagraph.service.cli import main
from hepagraph.service.healthcare import CodeBook, fhir_definitions, to_dicom_sr, to_fhir
from hepagraph.service.healthcare.codes import forms
from hepagraph.service.healthcare.dicom import source_image
from hepagraph.service.healthcare.fhir import VERSIONS, layout

Json = dict[str, Any]
PACKAGE = {"R5": "fhir.resources", "R4B": "fhir.resources.R4B"}


@pytest.fixture(scope="module")
def codes(reasoner: Reasoner) -> CodeBook:
    return CodeBook.load(reasoner)


@pytest.fixture(scope="module")
def found(codes: CodeBook) -> dict[str, list[Json]]:
    return {version: [one["resource"] for one in fhir_definitions(codes, version)["entry"]] for version in VERSIONS}


@pytest.fixture
def cases(examples: list[Path], expected: Json) -> list[Json]:
    return [expected["case"], *(json.loads(path.read_text(encoding="utf-8")) for path in examples)]


def of_kind(resources: list[Json], kind: str) -> list[Json]:
    return [one for one in resources if one["resourceType"] == kind]


def objects(value: Any) -> Iterator[Json]:
    """Every JSON object in a value."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(item)


@pytest.mark.parametrize("version", VERSIONS)
def test_each_conforms(found: dict[str, list[Json]], version: str) -> None:
    names, addresses = set(), set()
    for resource in found[version]:
        kind = resource["resourceType"]
        module = import_module(f"{PACKAGE[version]}.{kind.lower()}")
        getattr(module, kind).model_validate(json.loads(json.dumps(resource)))
        assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", resource["id"])
        assert re.fullmatch(r"[A-Z][A-Za-z0-9_]{1,254}", resource["name"])
        assert NOTICE in resource["description"]
        names.add((kind, resource["id"]))
        addresses.add(resource["url"])
    assert len(names) == len(addresses) == len(found[version])


@pytest.mark.parametrize("version", VERSIONS)
def test_extensions(codes: CodeBook, found: dict[str, list[Json]], cases: list[Json], version: str) -> None:
    """Each that is used is defined, stands where its definition lets it stand, and has the value that it may have."""
    definitions = {one["url"]: one for one in of_kind(found[version], "StructureDefinition")}
    assert set(definitions) == set(layout()["extensions"].values())
    used = set()
    for case in cases:
        result = codes.reasoner.posterior(case, interval=True, reasons=False, surprise=False).to_dict()
        for resource in (one["resource"] for one in to_fhir(codes, case, result, version)["entry"]):
            for place, parent in (
                ("CodeableConcept", resource.get("valueCodeableConcept", {})),
                *(("RiskAssessment.prediction", one) for one in resource.get("prediction", ())),
            ):
                for extension in parent.get("extension", ()):
                    definition = definitions[extension["url"]]
                    used.add(extension["url"])
                    assert definition["context"] == [{"type": "element", "expression": place}]
                    assert _fits(extension, definition["differential"]["element"])
    assert used == set(definitions)


def _fits(extension: Json, elements: list[Json]) -> bool:
    """Whether an extension has the url, the parts and the type of value that the elements of its definition ask for."""
    by_id = {one["id"]: one for one in elements}

    def part(value: Json, root: str) -> bool:
        value_is = by_id[f"{root}.value[x]"]
        typed = [key for key in value if key.startswith("value")]
        wanted = [f"value{kind['code'][0].upper()}{kind['code'][1:]}" for kind in value_is.get("type", ())]
        return value["url"] == by_id[f"{root}.url"]["fixedUri"] and typed == wanted

    inner = {key for key in by_id if key.count(":") == 1 and key.count(".") == 1}
    parts = extension.get("extension", [])
    roots = {f"Extension.extension:{one['url']}" for one in parts}
    if not inner:
        return part(extension, "Extension") and not parts
    same = roots == inner and len(parts) == len(inner)
    return same and part(extension, "Extension") and all(part(p, f"Extension.extension:{p['url']}") for p in parts)


@pytest.mark.parametrize("version", VERSIONS)
def test_codes(codes: CodeBook, found: dict[str, list[Json]], cases: list[Json], version: str) -> None:
    (system,) = of_kind(found[version], "CodeSystem")
    concepts = {one["code"]: one for one in system["concept"]}
    assert system["url"] == codes.system
    assert len(concepts) == len(system["concept"])
    kinds = {one["code"]: one["type"] for one in system["property"]}
    for concept in concepts.values():
        for given in concept.get("property", ()):
            assert f"value{kinds[given['code']].capitalize()}" in given
            assert given["code"] == "kind" or given["valueCode"] in concepts
    used = set()
    for case in cases:
        result = codes.reasoner.posterior(case, reasons=False, surprise=False).to_dict()
        for coding in objects(to_fhir(codes, case, result, version)):
            if coding.get("system") == codes.system:
                assert concepts[coding["code"]]["display"] == coding["display"]
                used.add(coding["code"])
    assert len(used) > 50


def test_codes_of_dicom_reports(codes: CodeBook, found: dict[str, list[Json]], cases: list[Json]) -> None:
    (system,) = of_kind(found["R5"], "CodeSystem")
    concepts = {one["code"] for one in system["concept"]}
    image = source_image("1.2.3", "1.2.3.1", "1.2.3.1.1", "1.2.840.10008.5.1.4.1.1.4")
    used = set()
    for case in cases[:3]:
        result = codes.reasoner.posterior(case, reasons=False, surprise=False).to_dict()
        for element in to_dicom_sr(codes, case, result, [image]).iterall():
            for item in element.value if element.VR == "SQ" else ():
                if item.get("CodingSchemeDesignator") == forms()["own"]["dicom"] and "CodeMeaning" in item:
                    used.add(item.get("CodeValue") or item.get("LongCodeValue"))
    assert used <= concepts
    assert "likelihood" in used


@pytest.mark.parametrize("version", VERSIONS)
def test_value_sets(codes: CodeBook, found: dict[str, list[Json]], version: str) -> None:
    """One for each variable holds its states and groups, whatever is said of it is in there."""
    (system,) = of_kind(found[version], "CodeSystem")
    concepts = {one["code"]: one["display"] for one in system["concept"]}
    sets: dict[str, list[str]] = {}
    for one in of_kind(found[version], "ValueSet"):
        (include,) = one["compose"]["include"]
        assert include["system"] == codes.system
        assert all(concepts[each["code"]] == each["display"] for each in include["concept"])
        sets[one["id"]] = [each["code"] for each in include["concept"]]
    variables = [variable for variable in codes.variables.values() if variable.section]
    assert sets["variables"] == [variable.name for variable in variables]
    for variable in variables:
        assert set(sets[variable.name.replace("_", "-")]) == set(variable.nodes.values())
    for name, members in codes.reasoner.network.differentials.items():
        assert sets[f"outcomes-{name}"] == list(members)


def test_command(tmp_path: Path, found: dict[str, list[Json]]) -> None:
    for version in VERSIONS:
        path = tmp_path / f"{version}.json"
        done = CliRunner().invoke(main, ["fhir", "definitions", "--version", version, "-o", str(path)])
        assert (done.exit_code, done.output) == (0, "")
        written = json.loads(path.read_text(encoding="utf-8"))
        assert [one["resource"] for one in written["entry"]] == found[version]


@pytest.mark.parametrize("name", ["coin", "skin"])
def test_other_ontologies(name: str, request: pytest.FixtureRequest, data: Path) -> None:
    codes = CodeBook.load(request.getfixturevalue(name), str(data / name))
    for version in VERSIONS:
        resources = [one["resource"] for one in fhir_definitions(codes, version)["entry"]]
        (system,) = of_kind(resources, "CodeSystem")
        assert system["url"] == f"https://example.org/{name}/"
        assert all(one["url"].startswith(system["url"]) for one in of_kind(resources, "ValueSet"))
    with pytest.raises(CaseError, match="'R9' is not known"):
        fhir_definitions(codes, "R9")
