"""A measurement report holds the case and its answer; highdicom and pydicom read it back from its bytes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from hepagraph.inference import Reasoner
from hepagraph.inference.result import NOTICE
from hepagraph.ontology import CaseError
from hepagraph.ontology.errors import MissingExtraError
from hepagraph.service.cli import main
from hepagraph.service.healthcare import CodeBook, from_dicom_sr, read_dicom_sr, source_image, to_dicom_sr
from hepagraph.service.healthcare.codes import forms
from hepagraph.service.healthcare.dicom import layout
from hepagraph.service.healthcare.statements import case_of, statements

Json = dict[str, Any]
UIDS = ("1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2", "1.2.826.0.1.3680043.8.498.3")
KIND = "1.2.840.10008.5.1.4.1.1.4"  # an MR image


@pytest.fixture(scope="module")
def codes(reasoner: Reasoner) -> CodeBook:
    return CodeBook.load(reasoner)


@pytest.fixture(scope="module")
def image() -> Any:
    return source_image(*UIDS, KIND, patient_id="77")


@pytest.fixture
def cases(examples: list[Path], expected: Json) -> list[Json]:
    return [expected["case"], *(json.loads(path.read_text(encoding="utf-8")) for path in examples)]


def stored(document: Any) -> Any:
    """What is read of a document that was written to a file."""
    from pydicom import dcmread

    file = io.BytesIO()
    document.save_as(file, enforce_file_format=True)
    file.seek(0)
    return dcmread(file)


def groups(document: Any) -> list[Any]:
    from highdicom.sr import ComprehensiveSR

    found: list[Any] = ComprehensiveSR.from_dataset(document).content.get_image_measurement_groups()
    return found


def test_every_example_comes_back(codes: CodeBook, reasoner: Reasoner, cases: list[Json], image: Any) -> None:
    for case in cases:
        result = reasoner.posterior(case, reasons=False, surprise=False).to_dict()
        back = from_dicom_sr(codes, stored(to_dicom_sr(codes, case, result, [image])))
        assert back == case_of(reasoner, statements(reasoner, case))


def test_vague_and_hidden_and_nothing(codes: CodeBook, reasoner: Reasoner, image: Any) -> None:
    """Alternatives are no likelihoods, though all be one; a lesion may have no finding at all."""
    feature = reasoner.network.variables("feature")[0]
    first, second, *_ = reasoner.network.states[feature]
    findings: list[Json] = [
        {feature: [first]},
        {feature: [first, second]},
        {feature: {first: 0.25, second: 1}},
        {feature: {first: 1, second: 1}},
        {feature: {first: 1}},
        {feature: "not_assessable"},
        {},
    ]
    case = {"id": "\u00e9", "lesions": [{"id": f"lesion {n}", "findings": f} for n, f in enumerate(findings)]}
    assert from_dicom_sr(codes, stored(to_dicom_sr(codes, case, None, [image]))) == case


def test_many_cases_come_back(codes: CodeBook, reasoner: Reasoner, random_rows: Any, image: Any) -> None:
    """Whatever a row of a table may state of a lesion, in every manner of stating it."""
    rng = np.random.default_rng(7)
    variables, tried = reasoner.reader.variables, 0
    for row in random_rows(rng, 12):
        given = {key: value for key, value in row.items() if value is not None}
        patient = {
            key: given.pop(key) for key in list(given) if key in variables and variables[key].section == "patient"
        }
        sizes = {v.measure.key for v in variables.values() if v.measure and v.section == "lesion"}
        lesion = {key: given.pop(key) for key in list(given) if key in sizes}
        ages = {v.measure.key for v in variables.values() if v.measure and v.section == "patient"}
        patient |= {key: given.pop(key) for key in list(given) if key in ages}
        case = {"id": "r", "patient": patient, "lesions": [{"id": "L", **lesion, "findings": given}]}
        plain = case_of(reasoner, statements(reasoner, case))
        assert from_dicom_sr(codes, stored(to_dicom_sr(codes, case, None, [image]))) == plain
        tried += len(given)
    assert tried > 100


def test_report_as_other_readers_see_it(
    codes: CodeBook, reasoner: Reasoner, expected: Json, image: Any, tmp_path: Path
) -> None:
    from highdicom.sr import MeasurementReport, srread
    from pydicom.sr.codedict import Code
    from pydicom.sr.codedict import codes as dictionary

    result = reasoner.posterior(expected["case"], interval=True).to_dict()
    path = tmp_path / "report.dcm"
    to_dicom_sr(codes, expected["case"], result, [image]).save_as(path, enforce_file_format=True)
    report = srread(path)
    assert isinstance(report.content, MeasurementReport)
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert (report.PatientID, report.StudyInstanceUID) == ("77", UIDS[0])
    assert report.SOPClassUID.keyword == "ComprehensiveSRStorage"
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert report.PreliminaryFlag == "PRELIMINARY"
    assert report.SoftwareVersions == result["model"]["version"]
    procedures = [i for i in report.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "121058"]
    of_context_group = {getattr(dictionary.CID100, name) for name in dictionary.CID100.dir()}
    assert {Code(c.CodeValue, c.CodingSchemeDesignator, "") for i in procedures for c in i.ConceptCodeSequence} <= {
        Code(one.value, one.scheme_designator, "") for one in of_context_group
    }
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == UIDS[2]
    scheme = report.CodingSchemeIdentificationSequence[0]
    assert scheme.CodingSchemeDesignator == forms()["own"]["dicom"]
    assert scheme.CodingSchemeResourcesSequence[0].CodingSchemeURL == codes.system

    lesion = expected["case"]["lesions"][0]
    seen, answered = [group for group in groups(report) if group.tracking_identifier == lesion["id"]]
    assert seen.tracking_uid == answered.tracking_uid
    assert seen.finding_type.value == layout()["finding"]
    millimetres = [m for m in seen.get_measurements() if m.unit.value == "mm"]
    assert [m.value for m in millimetres] == [lesion["size_mm"]]
    found = {m.name.value: m for m in answered.get_measurements()}
    posterior = result["lesions"][0]["posterior"]
    assert {name: m.value for name, m in found.items()} == pytest.approx(posterior, rel=1e-12)
    assert all(m.derivation.value == layout()["probability"]["code"] for m in found.values())
    (leading,) = answered.get_qualitative_evaluations()
    assert leading.value.value == expected["leading"]
    text = json.dumps(report.to_json_dict())
    assert NOTICE in text
    assert result["model"]["ontology_sha256"] in text


def test_codes_that_mean_the_same_stand_beside_ours(codes: CodeBook, expected: Json, image: Any) -> None:
    """Those of vocabularies whose designator DICOM knows; a reader that has only them finds our state."""
    document = to_dicom_sr(codes, expected["case"], None, [image])
    known = {form["dicom"] for form in forms()["vocabularies"].values() if "dicom" in form}
    swapped = 0
    for group in document.ContentSequence[-1].ContentSequence:
        for item in group.ContentSequence:
            for concept in [*item.get("ConceptNameCodeSequence", ()), *item.get("ConceptCodeSequence", ())]:
                same = concept.get("EquivalentCodeSequence")
                if same:
                    assert {one.CodingSchemeDesignator for one in same} <= known
                    concept.CodingSchemeDesignator, concept.CodeValue = "99OTHER", "x"
                    concept.pop("LongCodeValue", None)
                    swapped += 1
    assert swapped > 2
    assert from_dicom_sr(codes, stored(document)) == from_dicom_sr(
        codes, to_dicom_sr(codes, expected["case"], None, [image])
    )


@pytest.fixture(scope="module")
def spec(data: Path) -> Json:
    found: Json = json.loads((data / "healthcare" / "dicom.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def theirs(spec: Json) -> Any:
    """A report by another program: a region with a contour, units of its own, and things that we do not know."""
    import highdicom.sr as sr
    from highdicom import UID
    from pydicom.sr.codedict import codes as dictionary

    def ours(name: str) -> Any:
        return sr.CodedConcept(name, forms()["own"]["dicom"], name)

    unknown = sr.CodedConcept("x", "99THEIRS", "roughness")
    measured = [
        sr.Measurement(name=dictionary.SCT.LongAxis, value=2.1, unit=dictionary.UCUM.Centimeter),
        sr.Measurement(name=unknown, value=1.5, unit=dictionary.UCUM.NoUnits),
    ]
    seen = [
        *(sr.QualitativeEvaluation(name=ours(name), value=ours(state)) for name, state in spec["codes"].items()),
        sr.QualitativeEvaluation(name=unknown, value=unknown),
    ]
    place = sr.ImageRegion(
        graphic_type=sr.GraphicTypeValues.POINT,
        graphic_data=np.array([[1.0, 1.0]]),
        source_image=sr.SourceImageForRegion(KIND, UIDS[2]),
    )
    region = getattr(sr, spec["region"])(
        tracking_identifier=sr.TrackingIdentifier(uid=UID(), identifier="1"),
        referenced_region=place,
        measurements=measured,
        qualitative_evaluations=seen,
    )
    other = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=UID(), identifier="spleen"),
        measurements=[sr.Measurement(name=unknown, value=3.0, unit=dictionary.UCUM.NoUnits)],
    )
    person = sr.PersonObserverIdentifyingAttributes(name="Doe^Jane")
    context = sr.ObserverContext(observer_type=dictionary.DCM.Person, observer_identifying_attributes=person)
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_person_context=context),
        procedure_reported=getattr(dictionary.CID100, spec["procedure"]),
        imaging_measurements=[region, other],
    )
    image = source_image(*UIDS, KIND, patient_id="77")
    image.PatientSex, image.PatientAge = "M", "061Y"
    found = sr.Comprehensive3DSR(
        evidence=[image],
        content=report,
        series_instance_uid=UID(),
        series_number=1,
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer="theirs",
    )
    found.PatientAge = "061Y"
    return found


def test_what_another_program_wrote(codes: CodeBook, theirs: Any, spec: Json) -> None:
    """Regions count as whole images do, other units are reckoned over, and what is not known is named."""
    found = read_dicom_sr(codes, stored(theirs))
    assert found.case == spec["case"]
    assert set(found.ignored) == {
        "group 1: roughness is no variable",
        "group spleen: roughness is no variable",
        "group spleen: nothing of it is known",
    }
    assert found.case == from_dicom_sr(codes, theirs)


def first_number(document: Any) -> Any:
    """The first measurement of the first group."""
    return next(i for i in document.ContentSequence[-1].ContentSequence[0].ContentSequence if i.ValueType == "NUM")


def test_reports_that_say_too_little_or_two_things(codes: CodeBook, theirs: Any, image: Any, expected: Json) -> None:
    without = stored(theirs)
    measurements = without.ContentSequence[-1].ContentSequence
    del measurements[0]
    with pytest.raises(CaseError, match="holds no lesion"):
        from_dicom_sr(codes, without)

    unit = stored(theirs)
    first_number(unit).MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue = "[in_i]"
    with pytest.raises(CaseError, match=r"in \[in_i\], which is not its unit.*cm"):
        from_dicom_sr(codes, unit)

    empty = stored(theirs)
    first_number(empty).MeasuredValueSequence = []
    found = read_dicom_sr(codes, empty)
    assert "Long axis has no value" in found.ignored
    assert "size_mm" not in found.case["lesions"][0]

    twice = to_dicom_sr(codes, expected["case"], None, [image])
    again = to_dicom_sr(codes, {**expected["case"], "patient": {"sex": "m"}}, None, [image])
    assert expected["case"]["patient"]["sex"] == "F"
    twice.ContentSequence[-1].ContentSequence.append(again.ContentSequence[-1].ContentSequence[0])
    with pytest.raises(CaseError, match="says two things of sex"):
        from_dicom_sr(codes, stored(twice))


def test_what_a_report_could_not_hold(codes: CodeBook, image: Any) -> None:
    lesions = [{"id": "L1", "findings": {}}]
    man = source_image(*UIDS, KIND)
    man.PatientSex = "M"
    for case, evidence, says in (
        ({"id": "x" * 65, "lesions": lesions}, image, "64 characters"),
        ({"id": "a\\b", "lesions": lesions}, image, "no backslash"),
        ({"id": " a", "lesions": lesions}, image, "no blanks"),
        ({"lesions": [{"id": "b ", "findings": {}}]}, image, "no blanks"),
        ({"patient": {"sex": "f"}, "lesions": lesions}, man, "PatientSex is not the sex"),
    ):
        with pytest.raises(CaseError, match=says):
            to_dicom_sr(codes, case, None, [evidence])
    case = {"id": "x" * 64, "lesions": lesions}
    assert from_dicom_sr(codes, stored(to_dicom_sr(codes, case, None, [man]))) == case


def test_commands(codes: CodeBook, examples: list[Path], theirs: Any, tmp_path: Path) -> None:
    runner, picture, report = CliRunner(), tmp_path / "picture.dcm", tmp_path / "report.dcm"
    theirs.save_as(picture, enforce_file_format=True)  # any object of the study will do
    case = json.loads(examples[0].read_text(encoding="utf-8"))
    case.get("patient", {}).pop("sex", None)
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case), encoding="utf-8")
    done = runner.invoke(main, ["dicom", "export", str(path), "--image", str(picture), "-o", str(report)])
    assert (done.exit_code, done.output) == (0, "")
    assert len(groups(_read(report))) > len(case["lesions"])
    back = runner.invoke(main, ["dicom", "import", str(report), str(picture)])
    assert back.exit_code == 0
    ours, other = (json.loads(line) for line in back.stdout.splitlines())
    assert ours == from_dicom_sr(codes, report)
    assert other == from_dicom_sr(codes, theirs)
    assert "left aside: group spleen" in back.stderr
    only = runner.invoke(
        main, ["dicom", "export", str(path), "--image", str(picture), "-o", str(report), "--case-only"]
    )
    assert only.exit_code == 0
    assert from_dicom_sr(codes, report) == ours
    many = tmp_path / "many.json"
    many.write_text(json.dumps([case, case]), encoding="utf-8")
    for arguments, says in (
        (["dicom", "import", str(path)], f"{path}: is not a DICOM file"),
        (["dicom", "export", str(path), "--image", str(path), "-o", str(report)], "is not a DICOM file"),
        (["dicom", "export", str(many), "--image", str(picture), "-o", str(report)], "holds 2 cases"),
    ):
        wrong = runner.invoke(main, arguments)
        assert (wrong.exit_code, wrong.stdout) == (2, "")
        assert wrong.stderr.startswith("hepagraph: ")
        assert wrong.stderr.count(says) == 1


def _read(path: Path) -> Any:
    from pydicom import dcmread

    return dcmread(path)


def test_what_is_refused(codes: CodeBook, expected: Json, image: Any, tmp_path: Path) -> None:
    from pydicom.dataset import Dataset

    bare = Dataset()
    for wrong, says in (([], "at least one image"), ([bare], "has no StudyInstanceUID")):
        with pytest.raises(CaseError, match=says):
            to_dicom_sr(codes, expected["case"], None, wrong)
    with pytest.raises(CaseError):
        to_dicom_sr(codes, {"lesions": []}, None, [image])
    junk = tmp_path / "junk.dcm"
    junk.write_bytes(b"junk")
    for what, says in (
        (junk, "is not a DICOM file"),
        (tmp_path / "none", "no such file"),
        (bare, "not a structured"),
        (image, "not a structured"),
    ):
        with pytest.raises(CaseError, match=says):
            from_dicom_sr(codes, what)
    document = to_dicom_sr(codes, expected["case"], None, [image])
    document.ContentTemplateSequence[0].TemplateIdentifier = "2000"
    with pytest.raises(CaseError, match="measurement report"):
        from_dicom_sr(codes, document)


def test_broken_reports_are_refused_or_read(codes: CodeBook, reasoner: Reasoner, expected: Json, image: Any) -> None:
    """Whatever element is taken away, the answer is a case or a CaseError."""
    whole = stored(to_dicom_sr(codes, expected["case"], None, [image]))
    refused = 0
    for place in _places(whole):
        broken = stored(whole)
        holder = broken
        for tag, position in place[:-1]:
            holder = holder[tag].value[position]
        del holder[place[-1][0]]
        try:
            reasoner.read(from_dicom_sr(codes, broken))
        except CaseError:
            refused += 1
    assert refused > 5


def _places(dataset: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = []
    for number, element in enumerate(dataset):
        if element.VR == "SQ":
            for position, item in enumerate(element.value):
                found += _places(item, (*path, (element.tag, position)))
        if number % 5 == len(path) % 5:
            found.append((*path, (element.tag, 0)))
    return found


def test_broken_bytes_are_refused_or_read(codes: CodeBook, expected: Json, image: Any, tmp_path: Path) -> None:
    path = tmp_path / "broken.dcm"
    to_dicom_sr(codes, expected["case"], None, [image]).save_as(path, enforce_file_format=True)
    whole, refused = path.read_bytes(), 0
    for number in range(60):
        place = 132 + number * (len(whole) - 140) // 60
        changed = (whole[:place], whole[:place] + whole[place + 7 :], whole[:place] + b"\xff\x00Z" + whole[place + 3 :])
        path.write_bytes(changed[number % 3])
        try:
            from_dicom_sr(codes, path)
        except CaseError:
            refused += 1
    assert refused > 20


def test_deflated_reports_are_read_and_endless_ones_refused(
    codes: CodeBook, expected: Json, image: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    document, path = to_dicom_sr(codes, expected["case"], None, [image]), tmp_path / "deflated.dcm"
    plain = from_dicom_sr(codes, document)
    document.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    document.save_as(path, enforce_file_format=True)
    assert from_dicom_sr(codes, path) == plain
    document.add_new(0x00420011, "OB", bytes(2**20))  # an encapsulated document: zeros, deflated to next to nothing
    document.save_as(path, enforce_file_format=True)
    assert path.stat().st_size < 2**16
    assert from_dicom_sr(codes, path) == plain
    monkeypatch.setattr("hepagraph.service.healthcare.dicom_files.INFLATED", 2**20)
    with pytest.raises(CaseError, match="comes to more than 1 MiB"):
        from_dicom_sr(codes, path)


@pytest.mark.parametrize("name", ["coin", "skin"])
def test_other_ontologies(name: str, request: pytest.FixtureRequest, data: Path, image: Any) -> None:
    other: Reasoner = request.getfixturevalue(name)
    codes = CodeBook.load(other, str(data / name))
    feature = other.network.variables("feature")[0]
    case = {"id": "x", "lesions": [{"id": "L1", "findings": {feature: other.network.states[feature][0]}}]}
    document = to_dicom_sr(codes, case, other.posterior(case).to_dict(), [image])
    assert from_dicom_sr(codes, stored(document)) == case


def test_missing_library(codes: CodeBook, expected: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highdicom", None)
    for call in (lambda: from_dicom_sr(codes, None), lambda: source_image(*UIDS, KIND)):
        with pytest.raises(MissingExtraError, match=r"hepagraph\[dicom\]"):
            call()
