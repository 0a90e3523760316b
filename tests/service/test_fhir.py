"""What goes into FHIR comes out as it was, validates in both releases, and holds no code that nobody gave."""

from __future__ import annotations

import copy
import json
import math
import re
import sys
import uuid
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree  # of what we wrote ourselves

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hepagraph.inference import Reasoner
from hepagraph.inference.result import NOTICE
from hepagraph.ontology import CaseError, HepagraphError
from hepagraph.ontology.errors import MissingExtraError
from hepagraph.ontology.sssom import load_mappings
from hepagraph.service.cli import main
from hepagraph.service.healthcare import CodeBook, from_fhir, to_fhir
from hepagraph.service.healthcare.codes import forms, namespace
from hepagraph.service.healthcare.fhir import VERSIONS, layout
from hepagraph.service.healthcare.fhir_reading import read_case
from hepagraph.service.healthcare.statements import case_of, statements

Json = dict[str, Any]


@pytest.fixture(scope="module")
def codes(reasoner: Reasoner) -> CodeBook:
    return CodeBook.load(reasoner)


@pytest.fixture(scope="module")
def foreign(data: Path) -> Json:
    found: Json = json.loads((data / "healthcare" / "foreign.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def cases(examples: list[Path], expected: Json) -> list[Json]:
    return [expected["case"], *(json.loads(path.read_text(encoding="utf-8")) for path in examples)]


def wire(value: Any) -> Any:
    """What arrives of a JSON value."""
    return json.loads(json.dumps(value, allow_nan=False))


def resources(bundle: Json, kind: str) -> list[Json]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_example_comes_back(codes: CodeBook, reasoner: Reasoner, cases: list[Json], version: str) -> None:
    for case in cases:
        back = from_fhir(codes, wire(to_fhir(codes, case, None, version)), version)
        plain = case_of(reasoner, statements(reasoner, case))
        assert back == plain
        read, again = reasoner.read(case), reasoner.read(back)
        assert (read.id, read.exams) == (again.id, again.exams)
        assert [lesion.not_assessable for lesion in read.lesions] == [lesion.not_assessable for lesion in again.lesions]
        for before, after in zip(
            (read.context, *(x.findings for x in read.lesions)),
            (again.context, *(x.findings for x in again.lesions)),
            strict=True,
        ):
            assert {n: f.likelihood for n, f in before.items()} == {n: f.likelihood for n, f in after.items()}


def values_of(reasoner: Reasoner, names: list[str], hidden: bool) -> st.SearchStrategy[Json]:
    def value(name: str) -> st.SearchStrategy[Any]:
        variable = reasoner.reader.variables[name]
        state = st.sampled_from(sorted(variable.nodes))
        weight = st.floats(0, 1e6) | st.integers(0, 9)
        ways: list[st.SearchStrategy[Any]] = [
            state,
            st.lists(state, min_size=1, max_size=3, unique=True),
            st.dictionaries(state, weight, min_size=1, max_size=3),
        ]
        return st.one_of(*ways, *([st.just("not_assessable")] if hidden else []))

    return st.fixed_dictionaries({}, optional={name: value(name) for name in names})


def any_case(reasoner: Reasoner) -> st.SearchStrategy[Json]:
    variables = reasoner.reader.variables
    patient = [n for n, v in variables.items() if v.section == "patient" and v.measure is None]
    findings = [n for n, v in variables.items() if v.section in ("findings", "lesion")]
    sizes = {v.measure.key: v.measure for v in variables.values() if v.measure and v.section == "lesion"}
    numbers = {key: st.floats(m.minimum, m.maximum) | st.integers(1, int(m.maximum)) for key, m in sizes.items()}
    exam = {n: st.sampled_from(variables[n].states) for n, v in variables.items() if v.section == "exam"}
    label = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
    lesion = st.builds(
        lambda name, size, found: {"id": name, **size, "findings": found},
        label,
        st.fixed_dictionaries({}, optional=numbers),
        values_of(reasoner, findings, hidden=True),
    )
    return st.builds(
        lambda name, who, exams, lesions: {
            "id": name,
            **({"patient": who} if who else {}),
            **({"exam": exams} if exams else {}),
            "lesions": lesions,
        },
        label,
        values_of(reasoner, patient, hidden=False),
        st.lists(st.fixed_dictionaries({}, optional=exam).filter(bool), max_size=2),
        st.lists(lesion, min_size=1, max_size=3, unique_by=lambda one: one["id"]),
    )


def test_any_case_comes_back_to_the_letter(codes: CodeBook, reasoner: Reasoner) -> None:
    tried = 0

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal tried
        case = data.draw(any_case(reasoner))
        try:
            reasoner.read(case)
        except CaseError:
            case = {**case, "exam": None}
            del case["exam"]
            try:
                reasoner.read(case)
            except CaseError:
                assume(False)
        tried += 1
        version = VERSIONS[tried % len(VERSIONS)]
        assert from_fhir(codes, wire(to_fhir(codes, case, None, version))) == case

    check()
    assert tried >= 20


@pytest.mark.parametrize("version", VERSIONS)
def test_answer(codes: CodeBook, reasoner: Reasoner, expected: Json, version: str) -> None:
    result = reasoner.posterior(expected["case"], interval=True).to_dict()
    bundle = wire(to_fhir(codes, expected["case"], result, version))
    (assessment,) = resources(bundle, "RiskAssessment")
    lesion = result["lesions"][0]
    found = {p["outcome"]["coding"][0]["code"]: p for p in assessment["prediction"]}
    assert set(found) == set(lesion["posterior"])
    for entity, probability in lesion["posterior"].items():
        assert found[entity]["probabilityDecimal"] == pytest.approx(100 * probability, rel=1e-12)
        (extension,) = found[entity]["extension"]
        assert extension["url"] == layout()["extensions"]["interval"]
        ends = [extension["valueRange"][end]["value"] / 100 for end in ("low", "high")]
        assert ends == pytest.approx(lesion["interval"][entity], rel=1e-12)
    assert sum(p["probabilityDecimal"] for p in found.values()) == pytest.approx(100)
    assert assessment["prediction"][0]["outcome"]["coding"][0]["code"] == expected["leading"]
    assert result["model"]["ontology_sha256"] in assessment["method"]["text"]
    assert assessment["note"][0]["text"] == NOTICE
    told = assessment["prediction"][0]["rationale"]
    for reason in lesion["reasons"]:
        assert f"x {math.exp(abs(reason['log_likelihood_ratio'])):.3g} " in told
    places = {entry["fullUrl"] for entry in bundle["entry"]}
    assert all(one["reference"] in places for one in assessment["basis"])
    assert len(assessment["basis"]) == 1 + sum(len(resources(bundle, k)) for k in ("Observation", "Procedure"))
    (device,) = resources(bundle, "Device")
    assert assessment["performer"]["reference"] == f"urn:uuid:{device['id']}"
    assert [one["value"] for one in device["version"]] == [result["model"][k] for k in ("version", "ontology_sha256")]
    for reason in lesion["reasons"]:
        assert not reason["statements"] or reason["statements"][0]["source"] in told
    assert from_fhir(codes, bundle) == from_fhir(codes, wire(to_fhir(codes, expected["case"], None, version)))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_stands_where_it_says(codes: CodeBook, reasoner: Reasoner, several: Path, version: str) -> None:
    """Ids and addresses are FHIR's, every reference finds a resource of the type that it names, and all have a text."""
    case = json.loads(several.read_text(encoding="utf-8"))
    bundle = wire(to_fhir(codes, case, reasoner.posterior(case).to_dict(), version))
    assert len(resources(bundle, "RiskAssessment")) == len(case["lesions"]) > 1
    kinds = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert len(kinds) == len(bundle["entry"])
    found: list[Json] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            found.extend([value] if "reference" in value else [])
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(item)

    for entry in bundle["entry"]:
        resource = entry["resource"]
        assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", resource["id"])
        assert entry["fullUrl"] == f"urn:uuid:{uuid.UUID(resource['id'])}"
        text = resource["text"]
        assert text["status"] == "generated"
        division = ElementTree.fromstring(text["div"])  # noqa: S314
        assert division.tag == "{http://www.w3.org/1999/xhtml}div"
        if resource["resourceType"] == "Observation":
            assert resource["code"]["text"] in "".join(division.itertext())
        walk(resource)
    assert found
    assert all(kinds[one["reference"]] == one["type"] for one in found)


def test_narrative_is_text(codes: CodeBook, reasoner: Reasoner) -> None:
    case = {"lesions": [{"id": "<b>&", "findings": {}}]}
    (structure,) = resources(to_fhir(codes, case, None), "BodyStructure")
    assert "Lesion &lt;b&gt;&amp;" in structure["text"]["div"]


def test_manners_of_saying(codes: CodeBook, expected: Json) -> None:
    """A number is a quantity, one of several no coding at all, what could not be seen an absent value."""
    bundle = to_fhir(codes, expected["case"], None)
    observations = {o["code"]["coding"][0]["code"]: o for o in resources(bundle, "Observation")}
    lesion = expected["case"]["lesions"][0]
    quantities = [o["valueQuantity"] for o in observations.values() if "valueQuantity" in o]
    assert {q["value"] for q in quantities} == {
        lesion["size_mm"],
        *(value for value in lesion["findings"].values() if isinstance(value, float)),
        expected["case"]["patient"]["age"],
    }
    assert all(q["system"] == layout()["ucum"] and q["code"] for q in quantities)
    for name, value in lesion["findings"].items():
        if isinstance(value, list | dict):
            concept = observations[name]["valueCodeableConcept"]
            assert "coding" not in concept
            assert len(concept["extension"]) == len(value)
            assert all(state in json.dumps(concept["extension"]) for state in value)
        if value == "not_assessable":
            assert observations[name]["dataAbsentReason"]["coding"] == [layout()["not_assessable"]]
    (structure,) = resources(bundle, "BodyStructure")
    of_lesion = [o for o in observations.values() if "focus" in o]
    assert len(of_lesion) == 1 + len(lesion["findings"])
    assert {o["focus"][0]["reference"] for o in of_lesion} == {f"urn:uuid:{structure['id']}"}


def test_no_code_is_made_up(codes: CodeBook, reasoner: Reasoner, cases: list[Json]) -> None:
    given = {
        str(match.object)
        for one in load_mappings()
        for match in one.matches
        if str(match.predicate).endswith("exactMatch")
    }
    known = {form["fhir"]: form for form in forms()["vocabularies"].values() if "fhir" in form}
    standard = {layout()["not_assessable"]["system"], layout()["categories"]["lesion"]["system"]}
    seen: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if {"system", "code"} <= set(value) and "unit" not in value and value["system"] not in standard:
                seen.add(value["system"])
                if value["system"] == codes.system:
                    assert value["code"] in reasoner.graph
                    assert value["display"] == reasoner.graph.nodes[value["code"]]["label"]
                else:
                    form = known[value["system"]]
                    tail = value["code"].removeprefix(form["code"].format(""))
                    assert form["namespace"] + tail in given
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    for case in cases:
        walk(to_fhir(codes, case, reasoner.posterior(case, reasons=False, surprise=False).to_dict()))
    assert len(seen) > 3
    assert codes.system == namespace(reasoner)


def test_what_another_system_sends(codes: CodeBook, reasoner: Reasoner, foreign: Json) -> None:
    today = date.fromisoformat(foreign["today"])
    found = read_case(codes, foreign["bundle"], today=today)
    assert reasoner.read(found.case) == reasoner.read(foreign["case"])
    assert found.case == foreign["case"]
    assert list(found.ignored) == foreign["ignored"]
    assert from_fhir(codes, foreign["bundle"], "R4B", today=today) == foreign["case"]
    for version in (None, "R4B"):
        assert "age" not in from_fhir(codes, foreign["bundle"], version)["patient"]


def test_what_another_system_sends_wrongly(codes: CodeBook, foreign: Json) -> None:
    for name, edit in foreign["edits"].items():
        bundle = copy.deepcopy(foreign["bundle"])
        *path, last = edit["path"]
        holder: Any = bundle
        for step in path:
            holder = holder[step]
        if edit["value"] is None:
            del holder[last]
        else:
            holder[last] = edit["value"]
        with pytest.raises(CaseError) as error:
            read_case(codes, bundle)
        assert edit["says"] in str(error.value), name


def test_what_does_not_count(codes: CodeBook, foreign: Json) -> None:
    """An examination that was not done, and whatever is changed by an extension that nobody here understands."""
    bundle = copy.deepcopy(foreign["bundle"])
    bundle["entry"][1]["resource"]["status"] = "not-done"
    bundle["entry"][5]["resource"]["modifierExtension"] = [{"url": "https://example.org/not", "valueBoolean": True}]
    found = read_case(codes, bundle)
    assert "exam" not in found.case
    assert "size_mm" not in found.case["lesions"][0]
    assert {"Procedure/1: not-done", "Observation/1: has modifierExtension"} <= set(found.ignored)


def test_one_lesion_in_every_spelling(codes: CodeBook, foreign: Json) -> None:
    """With a version, with the server, by its identifier, or by one contained: it is the same lesion."""
    identifier = {"system": "urn:their-own", "value": "S7"}
    ways = [
        {"reference": "BodyStructure/9/_history/3"},
        {"reference": "https://ehr.example.org/fhir/BodyStructure/9/_history/2"},
        {"identifier": identifier},
        {"reference": "#it"},
    ]
    for way in ways:
        bundle = copy.deepcopy(foreign["bundle"])
        resource = bundle["entry"][6]["resource"]
        resource["focus"] = [way]
        resource["contained"] = [{"resourceType": "BodyStructure", "id": "it", "identifier": [identifier]}]
        assert read_case(codes, bundle, today=date.fromisoformat(foreign["today"])).case == foreign["case"]
    resource["contained"][0].pop("identifier")
    with pytest.raises(CaseError, match="contained in it"):
        read_case(codes, bundle)
    del bundle["entry"][3:5]
    for entry in bundle["entry"]:
        entry["resource"].pop("contained", None)
        entry["resource"].pop("focus", None)
    for place, way in ((3, "BodyStructure/9"), (4, "https://ehr.example.org/fhir/BodyStructure/9")):
        bundle["entry"][place]["resource"]["focus"] = [{"reference": way}]
    (lesion,) = read_case(codes, bundle).case["lesions"]
    assert lesion["id"] == "9"


def test_whose_resources_they_are(codes: CodeBook, foreign: Json) -> None:
    """The same patient in every spelling, and never two patients in one case."""
    bundle = copy.deepcopy(foreign["bundle"])
    for place, way in ((5, "https://ehr.example.org/fhir/Patient/77"), (7, "Patient/77/_history/4")):
        bundle["entry"][place]["resource"]["subject"]["reference"] = way
    assert read_case(codes, bundle, today=date.fromisoformat(foreign["today"])).case == foreign["case"]

    another = copy.deepcopy(bundle)
    another["entry"].append({"resource": {"resourceType": "Patient", "id": "78", "gender": "other"}})
    unknown = copy.deepcopy(bundle)
    del unknown["entry"][5]["resource"]["subject"]
    elsewhere = copy.deepcopy(bundle)
    elsewhere["entry"][5]["resource"]["subject"]["reference"] = "https://other.example.org/fhir/Patient/77"
    body = copy.deepcopy(bundle)
    body["entry"][3]["resource"]["patient"]["reference"] = "Patient/79"
    for wrong, says in (
        (another, "of 2 patients"),
        (unknown, "does not say of which patient"),
        (elsewhere, "of 2 patients"),
        (body, "of 2 patients"),
    ):
        with pytest.raises(CaseError, match=says):
            read_case(codes, wrong)
    child = copy.deepcopy(bundle)
    child["entry"][5]["resource"]["focus"] = [{"reference": "RelatedPerson/1"}]
    found = read_case(codes, child)
    assert "Observation/1: its focus is another person" in found.ignored
    assert "size_mm" not in found.case["lesions"][0]


def test_what_is_not_read_is_named(codes: CodeBook, foreign: Json) -> None:
    bundle = copy.deepcopy(foreign["bundle"])
    bundle["entry"].append({"resource": {"resourceType": "Condition", "id": "1"}})
    bundle["entry"][5]["resource"]["implicitRules"] = "https://example.org/rules"
    ignored = read_case(codes, bundle).ignored
    assert "Condition/1: resources of this type are not read" in ignored
    assert "BodyStructure/10: nothing speaks of it" in ignored
    assert "Observation/1: has implicitRules" in ignored
    with pytest.raises(CaseError, match="implicitRules"):
        read_case(codes, {**bundle, "implicitRules": "https://example.org/rules"})


def test_units_and_periods(codes: CodeBook, reasoner: Reasoner, foreign: Json) -> None:
    measured = {v.measure.unit: v for v in reasoner.reader.variables.values() if v.measure is not None}
    for unit, (number, written) in {"mm": (0.5, "um"), "mm2/s": (0.0012, "um2/s")}.items():
        bundle, variable = copy.deepcopy(foreign["bundle"]), measured[unit]
        resource = bundle["entry"][5]["resource"]
        resource["code"]["coding"][0]["code"] = variable.name
        resource["valueQuantity"] = {"value": number * {"um": 1000, "um2/s": 1e6}[written], "code": written}
        (lesion,) = read_case(codes, bundle).case["lesions"]
        assert variable.measure is not None
        assert {**lesion, **lesion["findings"]}[variable.measure.key] == pytest.approx(number)
    for place, when in ((7, "2026-01-01"), (8, "2025-01-01")):
        resource = bundle["entry"][place]["resource"]
        del resource["effectiveDateTime"]
        resource["effectivePeriod"] = {"start": "2020-01-01", "end": when}
    (lesion,) = read_case(codes, bundle).case["lesions"]
    earlier = bundle["entry"][7]["resource"]
    (name, state) = (earlier[key]["coding"][0]["code"] for key in ("code", "valueCodeableConcept"))
    assert codes.variables[name].nodes[lesion["findings"][name]] == state


def test_findings_without_a_focus(codes: CodeBook, foreign: Json) -> None:
    """They are of the one lesion that there is; of several it must be said."""
    bundle = copy.deepcopy(foreign["bundle"])
    for entry in bundle["entry"]:
        entry["resource"].pop("focus", None)
    (lesion,) = read_case(codes, bundle).case["lesions"]
    assert lesion["id"] == "L1"
    assert lesion["findings"] == foreign["case"]["lesions"][0]["findings"]
    for entry, name in zip(bundle["entry"][5:7], ("9", "10"), strict=True):
        entry["resource"]["focus"] = [{"reference": f"BodyStructure/{name}"}]
    with pytest.raises(CaseError, match="does not say of which lesion"):
        read_case(codes, bundle)


def test_what_is_no_bundle(codes: CodeBook, expected: Json) -> None:
    for wrong in (None, [], {}, {"resourceType": "Patient"}, 3):
        with pytest.raises(CaseError, match="is not a FHIR Bundle"):
            from_fhir(codes, wrong)
    bundle = to_fhir(codes, expected["case"], None)
    del bundle["entry"][-1]["resource"]["status"]
    with pytest.raises(CaseError, match="status"):
        from_fhir(codes, bundle)
    with pytest.raises(CaseError, match=r"R5 Bundle\.entry"):
        from_fhir(codes, {**bundle, "entry": 1}, "R5")
    for call in (lambda: to_fhir(codes, expected["case"], None, "R9"), lambda: from_fhir(codes, bundle, "R9")):
        with pytest.raises(CaseError, match="'R9' is not known"):
            call()
    with pytest.raises(CaseError):
        to_fhir(codes, {"lesions": []}, None)
    with pytest.raises(CaseError, match="holds no lesion"):
        from_fhir(codes, {"resourceType": "Bundle", "type": "collection"})


JUNK: tuple[Any, ...] = (
    *(None, True, -1, 10**30, float("inf"), "", "\x00", [], {}, [[]], [{}], {"a": 1}, {"reference": []}),
    *({"coding": [{"system": [], "code": {}}]}, [{"url": {}}], {"value": {}, "unit": []}),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def test_junk_anywhere_is_read_or_refused(codes: CodeBook, foreign: Json, expected: Json) -> None:
    read = refused = 0
    for whole in (foreign["bundle"], wire(to_fhir(codes, expected["case"], None))):
        for number, path in enumerate(places(whole)[1:]):
            for junk in JUNK[number % 4 :: 4]:
                bundle = copy.deepcopy(whole)
                holder: Any = bundle
                for step in path[:-1]:
                    holder = holder[step]
                holder[path[-1]] = junk
                try:
                    read_case(codes, bundle, today=date.fromisoformat(foreign["today"]))
                    read += 1
                except CaseError:
                    refused += 1
    assert min(read, refused) > 100


@pytest.mark.parametrize("name", ["coin", "skin"])
def test_other_ontologies(name: str, request: pytest.FixtureRequest, data: Path) -> None:
    other: Reasoner = request.getfixturevalue(name)
    codes = CodeBook.load(other, str(data / name))
    assert codes.system == f"https://example.org/{name}/"
    feature = other.network.variables("feature")[0]
    case = {"id": "x", "lesions": [{"id": "L1", "findings": {feature: other.network.states[feature][0]}}]}
    for version in VERSIONS:
        bundle = wire(to_fhir(codes, case, other.posterior(case).to_dict(), version))
        assert from_fhir(codes, bundle, version) == case


def test_missing_library(codes: CodeBook, expected: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fhir.resources.bundle", None)
    with pytest.raises(MissingExtraError, match=r"hepagraph\[fhir\]"):
        to_fhir(codes, expected["case"], None)


def test_commands(examples: list[Path], tmp_path: Path, codes: CodeBook, foreign: Json) -> None:
    runner, out = CliRunner(), tmp_path / "bundles.jsonl"
    paths = [str(path) for path in examples]
    assert runner.invoke(main, ["fhir", "export", *paths, "-o", str(out), "--version", "R4B"]).exit_code == 0
    bundles = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(bundles) == len(examples)
    assert all(resources(bundle, "RiskAssessment") for bundle in bundles)
    back = runner.invoke(main, ["fhir", "import", str(out)])
    assert back.exit_code == 0
    assert [json.loads(line) for line in back.stdout.splitlines()] == [from_fhir(codes, bundle) for bundle in bundles]
    only = runner.invoke(main, ["fhir", "export", paths[0], "--case-only"])
    assert not resources(json.loads(only.stdout), "RiskAssessment")
    other = tmp_path / "other.json"
    other.write_text(json.dumps(foreign["bundle"]), encoding="utf-8")
    told = runner.invoke(main, ["fhir", "import", str(other)])
    assert [line.removeprefix("hepagraph: left aside: ") for line in told.stderr.splitlines()] == foreign["ignored"]
    wrong = runner.invoke(main, ["fhir", "import", paths[0]])
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "is not a FHIR Bundle" in wrong.stderr


def test_errors_are_of_one_family() -> None:
    assert issubclass(CaseError, HepagraphError)
    assert issubclass(MissingExtraError, HepagraphError)
