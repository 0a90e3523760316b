"""A measurement report holds the case and its answer; highdicom and pydicom read it back from its bytes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from hepagraph.inference import Reasoner
from hepagraph.inference.result import NOTICE
from hepagraph.ontology import CaseError
from hepagraph.ontology.errors import MissingExtraError
from hepagraph.service.healthcare import CodeBook, from_dicom_sr, source_image, to_dicom_sr
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
    """Several states with likelihood one are those that it is one of; a lesion may have no finding at all."""
    feature = reasoner.network.variables("feature")[0]
    first, second, *_ = reasoner.network.states[feature]
    findings: list[Json] = [
        {feature: [first]},
        {feature: {first: 0.25, second: 1}},
        {feature: "not_assessable"},
        {},
    ]
    case = {"id": "\u00e9", "lesions": [{"id": f"lesion {n}", "findings": f} for n, f in enumerate(findings)]}
    assert from_dicom_sr(codes, stored(to_dicom_sr(codes, case, None, [image]))) == case


def test_report_as_other_readers_see_it(
    codes: CodeBook, reasoner: Reasoner, expected: Json, image: Any, tmp_path: Path
) -> None:
    from highdicom.sr import MeasurementReport, srread

    result = reasoner.posterior(expected["case"], interval=True).to_dict()
    path = tmp_path / "report.dcm"
    to_dicom_sr(codes, expected["case"], result, [image]).save_as(path, enforce_file_format=True)
    report = srread(path)
    assert isinstance(report.content, MeasurementReport)
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert (report.PatientID, report.StudyInstanceUID) == ("77", UIDS[0])
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
