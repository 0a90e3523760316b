"""Read a case out of the measurement groups of a structured report, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.service.healthcare.dicom import layout
from hepagraph.service.healthcare.dicom_checks import MANUFACTURER
from hepagraph.service.healthcare.dicom_items import Items, name_of
from hepagraph.service.healthcare.statements import (
    NUMBER,
    STATE,
    CaseSaid,
    Imported,
    LesionSaid,
    NothingSaidError,
    Said,
    case_of,
)

if TYPE_CHECKING:
    from hepagraph.service.healthcare.codes import CodeBook

Json = dict[str, Any]
# What highdicom raises of a document that lacks what its template wants.
_BROKEN = (AttributeError, IndexError, KeyError, NotImplementedError, RecursionError, TypeError, ValueError)


def read_report(codes: CodeBook, document: Any) -> Imported:
    """Return the case, and what was left aside; see ``dicom.read_dicom_sr``."""
    reading = _Reading(codes)
    try:
        said = reading.case(document)
    except CaseError:
        raise
    except _BROKEN as error:
        what = f"is no sound measurement report: {error}"
        raise CaseError([Problem("type", "document", what[:300])]) from None
    if reading.items.problems:
        raise CaseError(reading.items.problems)
    if not said.lesions:
        what = "holds no lesion: no group of it says anything of a feature, or that it is of a lesion"
        raise NothingSaidError([Problem("missing", "document", what)])
    case = case_of(codes.reasoner, said)
    codes.reasoner.read(case)
    return Imported(case, tuple(reading.items.ignored))


class _Reading:
    """One report on its way into a case."""

    def __init__(self, codes: CodeBook) -> None:
        self.codes = codes
        self.items = Items(codes)

    def case(self, document: Any) -> CaseSaid:
        patient: list[Said] = []
        exams: list[tuple[Said, ...]] = []
        lesions: dict[str, tuple[str, list[Said]]] = {}
        for position, group in enumerate(self._groups(document)):
            name = name_of(group)
            parts = self._parts(self.items.said(group))
            patient += parts["patient"]
            exams += [tuple(parts["exam"])] if parts["exam"] else []
            if parts["lesion"] or self.items.is_lesion(group):
                key = str(group.tracking_uid or group.tracking_identifier or position)
                lesions.setdefault(key, (name, []))[1].extend(parts["lesion"])
            elif not any(parts.values()):
                self.items.ignored.append(f"group {name[:64]}: nothing of it is known")
        patient = self._once("patient", patient)
        if str(document.get("Manufacturer") or "") != MANUFACTURER:  # ours says all that the case does
            patient += self._header(document, {one.variable for one in patient})
        found = tuple(LesionSaid(name, tuple(self._once(name, said))) for name, said in lesions.values())
        return CaseSaid(str(document.get("SeriesDescription") or "case"), tuple(patient), tuple(exams), found)

    def _groups(self, document: Any) -> list[Any]:
        """Return the measurement groups, whether of whole images or of regions in them.

        Raises
        ------
        CaseError
            The data set is no structured report, or not a measurement report.
        """
        from highdicom.sr import MeasurementReport, sop

        kinds = {name: kind for name, kind in vars(sop).items() if name.endswith("SR") and not name.startswith("_")}
        name = getattr(getattr(document, "SOPClassUID", None), "keyword", "")
        kind = kinds.get(str(name).removesuffix("Storage"))
        if kind is None:
            raise CaseError([Problem("type", "document", "is not a structured report of a kind that can hold one")])
        content = kind.from_dataset(self.items.with_values(document)).content
        if not isinstance(content, MeasurementReport):
            raise CaseError([Problem("type", "document", "is not a measurement report (TID 1500)")])
        self.items.others(content)
        return [group for kind in layout()["groups"] for group in getattr(content, f"get_{kind}_measurement_groups")()]

    def _parts(self, said: Iterable[Said]) -> dict[str, list[Said]]:
        found: dict[str, list[Said]] = {"patient": [], "exam": [], "lesion": []}
        for one in said:
            section = self.codes.variables[one.variable].section
            found[section if section in found else "lesion"].append(one)
        return found

    def _once(self, where: str, said: Iterable[Said]) -> list[Said]:
        """Return one statement for each variable and manner; groups that contradict each other are a problem."""
        found: dict[tuple[str, bool], Said] = {}
        for one in said:
            first = found.setdefault((one.variable, one.manner == NUMBER), one)
            if first != one:
                what = f"says two things of {one.variable}"
                self.items.problem("contradiction", where[:64], what, advice="send the report of one point in time")
        return list(found.values())

    def _header(self, document: Any, stated: set[str]) -> Iterator[Said]:
        """Yield what the patient module says, and no group."""
        sex, age = layout()["sex"], layout()["age"]
        state = sex["states"].get(str(document.get("PatientSex") or ""))
        if state and sex["variable"] in self.codes.variables and sex["variable"] not in stated:
            yield Said(sex["variable"], STATE, states=(state,))
        text = str(document.get("PatientAge") or "")
        if text.endswith("Y") and text[:-1].isdecimal() and age["variable"] in self.codes.variables:
            if age["variable"] not in stated:
                yield Said(age["variable"], NUMBER, number=int(text[:-1]))
