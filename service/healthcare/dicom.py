"""Cases and answers as DICOM structured reports (measurement report, TID 1500), and cases out of them.

A measurement group (TID 1501) each for the patient, an examination and a lesion holds what is said of it: states as
qualitative evaluations, numbers as measurements, likelihoods as measurements named by the state. The answer of a lesion
stands in a second group with the lesion's tracking identifiers: a measurement for each entity, its probability.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import CaseError, MissingExtraError, Problem
from hepagraph.service.healthcare.codes import DATA
from hepagraph.service.healthcare.dicom_files import decoded

if TYPE_CHECKING:
    from hepagraph.service.healthcare.codes import CodeBook
    from hepagraph.service.healthcare.statements import Imported

Json = dict[str, Any]
_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_EMPTY = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID")
_DATED = ("StudyDate", "StudyTime")


@functools.cache
def layout() -> Json:
    """Return what a report says in DICOM's own codes, from ``service/data/dicom.json``."""
    found: Json = json.loads((DATA / "dicom.json").read_text(encoding="utf-8"))
    return found


def need() -> None:
    """Check that highdicom is installed.

    Raises
    ------
    MissingExtraError
        It is not.
    """
    try:
        import highdicom  # noqa: F401
    except ImportError:
        raise MissingExtraError("Reading and writing DICOM structured reports", "dicom") from None


def source_image(study_uid: str, series_uid: str, instance_uid: str, class_uid: str, patient_id: str = "") -> Any:
    """Return the least data set that a report can refer to: the image's UIDs and its patient.

    Raises
    ------
    MissingExtraError
        highdicom is not installed.
    """
    need()
    from pydicom.dataset import Dataset

    found = Dataset()
    for name, uid in zip(_NEEDED, (study_uid, series_uid, instance_uid, class_uid), strict=True):
        setattr(found, name, uid)
    found.PatientID = patient_id
    return _whole(found)


def read_image(path: str | Path) -> Any:
    """Return the header of a DICOM file, without its pixels.

    Raises
    ------
    CaseError
        There is no such file, or it is not one of DICOM.
    MissingExtraError
        highdicom is not installed.
    """
    need()
    return decoded(path, pixels=False)


def to_dicom_sr(
    codes: CodeBook, case: Mapping[str, Any], result: Mapping[str, Any] | None, evidence: Sequence[Any]
) -> Any:
    """Return a Comprehensive SR, a pydicom data set, with a case and, where there is one, its answer.

    Parameters
    ----------
    case
        The JSON value of a case.
    result
        The answer in the fixed result format, or None.
    evidence
        The pictures that were read, all of one study: pydicom data sets of them, or what ``source_image`` returns.

    Raises
    ------
    CaseError
        The case is bad, or an image lacks a UID.
    MissingExtraError
        highdicom is not installed.
    """
    need()
    from hepagraph.service.healthcare.dicom_writing import report

    problems = [
        Problem("missing", f"evidence[{position}]", f"has no {name}", advice="give the image's UIDs")
        for position, image in enumerate(evidence)
        for name in _NEEDED
        if not image.get(name)
    ]
    if not evidence:
        problems.append(Problem("missing", "evidence", "a report refers to at least one image"))
    if problems:
        raise CaseError(problems)
    return report(codes, case, result, [_whole(image) for image in evidence])


def from_dicom_sr(codes: CodeBook, document: Any) -> Json:
    """Return the case that a measurement report holds; see ``read_dicom_sr``, which says what was left aside too."""
    return read_dicom_sr(codes, document).case


def read_dicom_sr(codes: CodeBook, document: Any) -> Imported:
    """Return the case that a measurement report holds, and what was left aside.

    Parameters
    ----------
    document
        A pydicom data set, or the path of a file.

    Raises
    ------
    CaseError
        It is no measurement report, or what it holds is no case.
    MissingExtraError
        highdicom is not installed.
    """
    need()
    from hepagraph.service.healthcare.dicom_reading import read_report

    return read_report(codes, decoded(document))


def _whole(image: Any) -> Any:
    """Return a copy of an image's header with the attributes that a report inherits, empty where the image has none."""
    from pydicom.dataset import Dataset

    found = Dataset()
    for name in (*_NEEDED, *_EMPTY, *_DATED, "SpecificCharacterSet", "ReferringPhysicianName"):
        if name in image:
            found[name] = image[name]
    for name in (*_EMPTY, *_DATED):
        if name not in found:
            setattr(found, name, None if name in _DATED else "")
    return found
