"""Read a case out of the measurement groups of a structured report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.service.healthcare.codes import forms
from hepagraph.service.healthcare.dicom import layout
from hepagraph.service.healthcare.statements import (
    HIDDEN,
    LIKELIHOODS,
    NUMBER,
    ONE_OF,
    STATE,
    CaseSaid,
    LesionSaid,
    Said,
    case_of,
)

if TYPE_CHECKING:
    from hepagraph.service.healthcare.codes import CodeBook

Json = dict[str, Any]
# What highdicom raises of a document that lacks what its template wants.
_BROKEN = (AttributeError, IndexError, KeyError, NotImplementedError, TypeError, ValueError)


@dataclass(slots=True)
class _Group:
    """What the groups of one tracking identifier say."""

    name: str
    said: list[Said] = field(default_factory=list)


def read_report(codes: CodeBook, document: Any) -> Json:
    """Return the case; see ``dicom.from_dicom_sr``."""
    reading = _Reading(codes)
    groups: dict[str, _Group] = {}
    try:
        for key, group in _groups(document):
            found = groups.setdefault(key, _Group(_name(group)))
            found.said += reading.said(group)
    except CaseError:
        raise
    except _BROKEN as error:
        what = f"is no sound measurement report: {error}"
        raise CaseError([Problem("type", "document", what[:300])]) from None
    case = case_of(codes.reasoner, _case(codes, str(document.get("SeriesDescription") or "case"), groups))
    if reading.problems:
        raise CaseError(reading.problems)
    codes.reasoner.read(case)
    return case


def _case(codes: CodeBook, name: str, groups: dict[str, _Group]) -> CaseSaid:
    def section(group: _Group) -> str:
        found = {codes.variables[one.variable].section for one in group.said}
        return found.pop() if len(found) == 1 and found <= {"patient", "exam"} else "lesion"

    def of(wanted: str) -> list[_Group]:
        return [group for group in groups.values() if section(group) == wanted]

    patient = tuple(one for group in of("patient") for one in group.said)
    exams = tuple(tuple(group.said) for group in of("exam"))
    return CaseSaid(name, patient, exams, tuple(LesionSaid(g.name, tuple(g.said)) for g in of("lesion")))


def _groups(document: Any) -> list[tuple[str, Any]]:
    """Return each measurement group of a report with its tracking identifier.

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
    content = kind.from_dataset(document).content
    if not isinstance(content, MeasurementReport):
        raise CaseError([Problem("type", "document", "is not a measurement report (TID 1500)")])
    found = content.get_image_measurement_groups()
    return [(_tracking(group, position), group) for position, group in enumerate(found)]


def _tracking(group: Any, position: int) -> str:
    return str(group.tracking_uid or group.tracking_identifier or position)


def _name(group: Any) -> str:
    return str(group.tracking_identifier or group.tracking_uid or "L1")


class _Reading:
    """What the items of groups say; problems gather."""

    def __init__(self, codes: CodeBook) -> None:
        self.codes = codes
        self.problems: list[Problem] = []
        known = forms()
        self.systems = {form["dicom"]: form["fhir"] for form in known["vocabularies"].values() if "dicom" in form}
        self.systems[known["own"]["dicom"]] = codes.system

    def said(self, group: Any) -> list[Said]:
        found: list[Said] = []
        where = f"group {_name(group)[:64]}"
        for evaluation in group.get_qualitative_evaluations():
            found += self._evaluation(evaluation, where)
        weights: dict[str, dict[str, float]] = {}
        for measurement in group.get_measurements():
            pairs = self._pairs(measurement.name)
            variable = self.codes.variable(pairs)
            value = float(measurement.value)
            if variable is not None:
                number = int(value) if value.is_integer() else value
                found += self._number(variable.name, number, measurement.unit, where)
                continue
            for name, states in self._of_state(pairs):
                weights.setdefault(name, {}).setdefault(states[0], value)
        for name, likelihoods in weights.items():
            same = set(likelihoods.values()) == {1.0}
            values = () if same else tuple(likelihoods.values())
            found.append(Said(name, ONE_OF if same else LIKELIHOODS, states=tuple(likelihoods), likelihoods=values))
        return found

    def _evaluation(self, evaluation: Any, where: str) -> Iterable[Said]:
        variable = self.codes.variable(self._pairs(evaluation.name))
        if variable is None:
            return ()
        hidden = layout()["not_assessable"]
        if (evaluation.value.scheme_designator, evaluation.value.value) == (hidden["scheme"], hidden["code"]):
            return (Said(variable.name, HIDDEN),)
        states = self.codes.notations(variable, self._pairs(evaluation.value))
        if not states:
            what = f"{evaluation.value.meaning} is not a state of {variable.name}"
            self.problems.append(Problem("unknown_state", where, what, variable.states))
            return ()
        return (Said(variable.name, STATE if len(states) == 1 else ONE_OF, states=states),)

    def _number(self, name: str, number: float, unit: Any, where: str) -> Iterable[Said]:
        measure = self.codes.variables[name].measure
        expected = None if measure is None else layout()["units"].get(measure.unit, measure.unit)
        if expected is None or unit.value != expected:
            what = f"{name} is given in {unit.value}, which is not its unit"
            self.problems.append(Problem("unit", where, what, (expected,) if expected else ()))
            return ()
        return (Said(name, NUMBER, number=number),)

    def _of_state(self, pairs: list[tuple[str, str]]) -> Iterable[tuple[str, tuple[str, ...]]]:
        for variable in self.codes.variables.values():
            states = self.codes.notations(variable, pairs) if variable.section else ()
            if states:
                yield variable.name, states
                return

    def _pairs(self, concept: Any) -> list[tuple[str, str]]:
        """Return system and code of a coded concept, and of its equivalents."""
        concepts = [concept, *(concept.get("EquivalentCodeSequence") or ())]
        found = []
        for one in concepts:
            code = one.get("CodeValue") or one.get("LongCodeValue") or one.get("URNCodeValue")
            found.append((self.systems.get(str(one.get("CodingSchemeDesignator")), ""), str(code)))
        return found
