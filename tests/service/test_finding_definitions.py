"""The finding definitions keep to their schema, and offer every feature with every state that a case may state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from hepagraph.inference import Reasoner
from hepagraph.inference.result import NOTICE
from hepagraph.ontology.sssom import load_mappings
from hepagraph.service.cli import main
from hepagraph.service.healthcare import CodeBook, finding_definitions
from hepagraph.service.healthcare.codes import DATA, forms

Json = dict[str, Any]


@pytest.fixture(scope="module")
def codes(reasoner: Reasoner) -> CodeBook:
    return CodeBook.load(reasoner)


@pytest.fixture(scope="module")
def found(codes: CodeBook) -> Json:
    return finding_definitions(codes)


@pytest.fixture(scope="module")
def schema() -> Json:
    loaded: Json = json.loads((DATA / "findings.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(loaded)
    return loaded


def everything(found: Json) -> list[Json]:
    return [*found["attributes"], *found["patient"], *found["examination"]]


def test_schema(found: Json, schema: Json) -> None:
    check = jsonschema.Draft202012Validator(schema)
    assert list(check.iter_errors(found)) == []
    assert not check.is_valid({**found, "more": 1})
    assert not check.is_valid({**found, "attributes": [{**found["attributes"][0], "values": []}]})
    assert found["notice"] == NOTICE


def test_published_shape(found: Json, data: Path) -> None:
    """As openimagingdata/findingmodel 1.0.4 has it, of which findingmodel_shape.json is our own reading."""
    shape = json.loads((data / "healthcare" / "findingmodel_shape.json").read_text(encoding="utf-8"))
    check = jsonschema.Draft202012Validator(shape)
    for part in ("attributes", "patient", "examination"):
        assert list(check.iter_errors({**found, "attributes": found[part]})) == []
    first = found["attributes"][0]
    for wrong in (
        {"name": "x"},
        {"attributes": []},
        {"attributes": [{**first, "name": "xy"}]},
        {"attributes": [{**first, "values": first["values"][:1]}]},
        {"attributes": [{**first, "index_codes": [{"system": "XY", "code": "1234"}]}]},
    ):
        assert not check.is_valid({**found, **wrong})


def test_everything_that_a_case_may_state_is_offered(found: Json, reasoner: Reasoner) -> None:
    offered = {a["case"]["key"]: a for a in everything(found)}
    for variable in reasoner.reader.variables.values():
        if variable.section in ("patient", "exam", "lesion", "findings"):
            attribute = next(a for a in everything(found) if a["type"] == "choice" and a["name"] == variable.label)
            assert [value["notation"] for value in attribute["values"]] == list(variable.states)
            assert {g["notation"]: tuple(g["members"]) for g in attribute["groups"]} == variable.groups
            if variable.measure is not None:
                number = next(a for a in everything(found) if a["type"] == "numeric" and a["name"] == variable.label)
                assert (number["unit"], number["maximum"]) == (variable.measure.unit, variable.measure.maximum)
    assert offered


def test_keys_are_those_of_a_case(found: Json, reasoner: Reasoner) -> None:
    """A case that takes the first value of each attribute alone is read."""
    for attribute in everything(found):
        section, key = attribute["case"]["section"], attribute["case"]["key"]
        value = attribute["maximum"] if attribute["type"] == "numeric" else attribute["values"][0]["notation"]
        lesion: Json = {"findings": {key: value}} if section == "findings" else {"findings": {}}
        case: Json = {"lesions": [lesion]}
        if section == "lesion":
            lesion[key] = value
        elif section in ("patient", "exam"):
            case[section] = {key: value}
        reasoner.read(case)


def test_every_definition_and_every_code_is_the_ontology_s(found: Json, reasoner: Reasoner) -> None:
    exact = {str(m.object) for one in load_mappings() for m in one.matches if str(m.predicate).endswith("exactMatch")}
    spaces = {form["oifm"]: form for form in forms()["vocabularies"].values()}
    count = 0
    for attribute in everything(found):
        for thing in (attribute, *attribute.get("values", ()), *attribute.get("groups", ())):
            node = thing["id"].removeprefix(found["code_system"])
            assert thing["description"] == reasoner.graph.nodes[node]["definition"]
            for code in thing.get("index_codes", ()):
                form = spaces[code["system"]]
                assert form["namespace"] + code["code"].removeprefix(form["code"].format("")) in exact
                count += 1
    assert count > 20


def test_examinations_that_show_a_feature(found: Json, reasoner: Reasoner) -> None:
    """What a definition says shows a feature is what a case may list, and other examinations are refused."""
    needs = [
        a
        for a in found["attributes"]
        if any(n["binding"] and n["agents"] for n in a.get("shown_by", {}).get("needs", ()))
    ]
    assert needs
    for attribute in needs:
        variable = reasoner.reader.variables[attribute["case"]["key"]]
        agents = {a["id"] for need in attribute["shown_by"]["needs"] for a in need["agents"]}
        every = next(a for a in found["examination"] if any(v["id"] in agents for v in a["values"]))
        for value in every["values"]:
            case = {
                "exam": [{every["case"]["key"]: value["notation"]}],
                "lesions": [{"findings": {variable.name: list(variable.states)}}],
            }
            if value["id"] in agents:
                reasoner.read(case)
            else:
                with pytest.raises(ValueError, match="cannot be seen"):
                    reasoner.read(case)


def test_command(tmp_path: Path, found: Json) -> None:
    path = tmp_path / "findings.json"
    done = CliRunner().invoke(main, ["export", "--format", "findings", "-o", str(path)])
    assert (done.exit_code, done.output) == (0, "")
    assert json.loads(path.read_text(encoding="utf-8")) == found
    wrong = CliRunner().invoke(main, ["export", "--format", "findings", "--around", "x"])
    assert wrong.exit_code == 2


@pytest.mark.parametrize("name", ["coin", "skin"])
def test_other_ontologies(name: str, request: pytest.FixtureRequest, data: Path, schema: Json) -> None:
    other = finding_definitions(CodeBook.load(request.getfixturevalue(name), str(data / name)))
    jsonschema.validate(other, schema)
    assert other["attributes"][0]["id"].startswith(f"https://example.org/{name}/")
