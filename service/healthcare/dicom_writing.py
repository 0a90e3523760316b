"""Write a case and its answer as the measurement groups of a structured report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hepagraph.inference.result import NOTICE
from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.service.healthcare.codes import forms
from hepagraph.service.healthcare.dicom import layout
from hepagraph.service.healthcare.dicom_checks import LONG, MANUFACTURER, check
from hepagraph.service.healthcare.statements import HIDDEN, NUMBER, STATE, statements
from hepagraph.service.healthcare.units import ucum

if TYPE_CHECKING:
    from hepagraph.service.healthcare.codes import CodeBook
    from hepagraph.service.healthcare.statements import Said

Json = dict[str, Any]
_UNICODE = "ISO_IR 192"


def report(codes: CodeBook, case: Mapping[str, Any], result: Mapping[str, Any] | None, evidence: list[Any]) -> Any:
    """Return the structured report; see ``dicom.to_dicom_sr``."""
    from highdicom import UID
    from highdicom.sr import ComprehensiveSR

    said, writing = statements(codes.reasoner, case), _Writing(codes, evidence)
    check(said, evidence)
    groups = [writing.group("patient", said.patient)] if said.patient else []
    groups += [writing.group(f"examination {n + 1}", exam) for n, exam in enumerate(said.exams)]
    tracking = {lesion.id: UID() for lesion in said.lesions}
    for lesion in said.lesions:
        groups.append(writing.group(lesion.id, lesion.said, uid=tracking[lesion.id], of_lesion=True))
    for answer in result["lesions"] if result is not None else ():
        groups.append(writing.answer(answer, result["model"] if result else {}, tracking[answer["id"]]))
    exams = [[codes.variables[one.variable].nodes[one.states[0]] for one in exam] for exam in said.exams]
    procedures = list(dict.fromkeys(_procedure(nodes) for nodes in exams or [[]]))
    content = writing.content(procedures, groups)
    try:
        found = ComprehensiveSR(
            evidence=evidence,
            content=content,
            series_instance_uid=UID(),
            series_number=1,
            sop_instance_uid=UID(),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MANUFACTURER,
            software_versions=codes.reasoner.model["version"],
            is_complete=True,
            specific_character_set=_UNICODE,
            series_description=said.id,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # what highdicom raises of a picture's header
        what = f"cannot be referred to: {str(error)[:200]}"
        advice = "give a whole image, with a SOP class of the standard"
        raise CaseError([Problem("file", "evidence", what, advice=advice)]) from None
    found.CodingSchemeIdentificationSequence = [_scheme(codes)]
    return found


class _Writing:
    """The parts of one report."""

    def __init__(self, codes: CodeBook, evidence: list[Any]) -> None:
        self.codes = codes
        self.evidence = evidence

    def content(self, procedures: list[Any], groups: list[Any]) -> Any:
        from highdicom import UID
        from highdicom.sr import (
            DeviceObserverIdentifyingAttributes,
            MeasurementReport,
            ObservationContext,
            ObserverContext,
        )
        from pydicom.sr.codedict import codes as dictionary

        device = DeviceObserverIdentifyingAttributes(uid=UID(), name=MANUFACTURER, manufacturer_name=MANUFACTURER)
        observer = ObserverContext(observer_type=dictionary.DCM.Device, observer_identifying_attributes=device)
        return MeasurementReport(
            observation_context=ObservationContext(observer_device_context=observer),
            procedure_reported=procedures,
            imaging_measurements=groups,
            title=dictionary.DCM.ImagingMeasurementReport,
        )

    def group(self, name: str, said: Iterable[Said], *, uid: Any = None, of_lesion: bool = False) -> Any:
        from highdicom import UID
        from highdicom.sr import FindingSite, MeasurementsAndQualitativeEvaluations, TrackingIdentifier

        measurements, evaluations = [], []
        for one in said:
            numbers, words = self._items(one)
            measurements += numbers
            evaluations += words
        site = layout()["site"]
        return MeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(uid=uid or UID(), identifier=name),
            finding_type=self._finding() if of_lesion else None,
            finding_sites=[FindingSite(self.concept(site))] if of_lesion and site in self.codes.labels else None,
            measurements=measurements or None,
            qualitative_evaluations=evaluations or None,
            source_images=self._sources() if of_lesion else None,
        )

    def answer(self, answer: Mapping[str, Any], model: Mapping[str, str], uid: Any) -> Any:
        from highdicom.sr import (
            AlgorithmIdentification,
            MeasurementsAndQualitativeEvaluations,
            QualitativeEvaluation,
            TrackingIdentifier,
        )

        posterior, intervals = answer["posterior"], answer.get("interval", {})
        order = sorted(posterior, key=lambda entity: -posterior[entity])
        differentials = self.codes.reasoner.network.differentials
        chosen = [name for name, members in differentials.items() if set(members) == set(posterior)]
        leading = [QualitativeEvaluation(name=self.concept(n), value=self.concept(order[0])) for n in chosen[:1]]
        algorithm = AlgorithmIdentification(
            name=MANUFACTURER,
            version=str(model["version"]),
            parameters=[f"ontology_sha256={model['ontology_sha256']}", NOTICE],
        )
        return MeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(uid=uid, identifier=answer["id"]),
            finding_type=self._finding(),
            algorithm_id=algorithm,
            measurements=[self._probability(e, posterior[e], intervals.get(e)) for e in order],
            qualitative_evaluations=leading or None,
            source_images=self._sources(),
        )

    def concept(self, node: str) -> Any:
        """Return a node's own code, with those that match it exactly as its equivalents."""
        from highdicom.sr import CodedConcept

        own, *others = self.codes.codes(node)
        found = CodedConcept(node, forms()["own"]["dicom"], _meaning(own.display or node))
        known = forms()["vocabularies"]
        same = [
            CodedConcept(code.code, known[code.vocabulary]["dicom"], _meaning(code.display))
            for code in others
            if code.display and known[code.vocabulary].get("dicom")
        ]
        if same:
            found.EquivalentCodeSequence = same
        return found

    def _items(self, one: Said) -> tuple[list[Any], list[Any]]:
        """Return what is said as measurements and as qualitative evaluations."""
        from highdicom.sr import Measurement, QualitativeEvaluation

        variable = self.codes.variables[one.variable]
        name = self.concept(one.variable)
        if one.manner == NUMBER:
            unit = variable.measure.unit if variable.measure is not None else ""
            return [Measurement(name=name, value=float(one.number or 0), unit=_unit(unit))], []
        if one.manner == HIDDEN:
            return [], [QualitativeEvaluation(name=name, value=_dicom(layout()["not_assessable"]))]
        if one.manner == STATE:
            return [], [QualitativeEvaluation(name=name, value=self.concept(variable.nodes[one.states[0]]))]
        weights = one.likelihoods or (1.0,) * len(one.states)
        derivation = _own("likelihood") if one.likelihoods else None
        return [
            Measurement(
                name=self.concept(variable.nodes[state]), value=float(weight), unit=_unit(""), derivation=derivation
            )
            for state, weight in zip(one.states, weights, strict=True)
        ], []

    def _probability(self, entity: str, probability: float, ends: Iterable[float] | None) -> Any:
        from highdicom.sr import Measurement, MeasurementProperties

        properties = None
        if ends is not None:
            low, high = ends
            properties = MeasurementProperties(
                upper_measurement_uncertainty=high - probability, lower_measurement_uncertainty=probability - low
            )
        return Measurement(
            name=self.concept(entity),
            value=probability,
            unit=_unit(""),
            derivation=_dicom(layout()["probability"]),
            properties=properties,
        )

    def _sources(self) -> list[Any]:
        from highdicom.sr import SourceImageForMeasurementGroup

        return [SourceImageForMeasurementGroup(image.SOPClassUID, image.SOPInstanceUID) for image in self.evidence]

    def _finding(self) -> Any:
        node = layout()["finding"]
        return self.concept(node) if node in self.codes.labels else None


def _meaning(label: str) -> str:
    """Return a label as short as DICOM wants it: of a state, what follows the variable's label."""
    if len(label) <= LONG:
        return label
    short = label.rpartition(": ")[2]
    return short if len(short) <= LONG else short[: LONG - 3] + "..."


def _dicom(form: Mapping[str, str]) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(form["code"], form["scheme"], form["meaning"])


def _own(name: str) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(name, forms()["own"]["dicom"], layout()["own"][name]["meaning"])


def _unit(unit: str) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(ucum(unit) or unit, "UCUM", unit) if unit else CodedConcept("1", "UCUM", "no units")


def _procedure(nodes: Iterable[str]) -> Any:
    """Return DICOM's own code of an examination, by what it is: that of any imaging where there is none nearer."""
    from pydicom.sr.codedict import codes as dictionary

    near = layout()["procedures"]
    return getattr(dictionary.CID100, next((near[n] for n in nodes if n in near), layout()["any_procedure"]))


def _scheme(codes: CodeBook) -> Any:
    """Return what says where the ontology's own codes come from."""
    from pydicom.dataset import Dataset

    address, found = Dataset(), Dataset()
    address.CodingSchemeURLType = "DOC"
    address.CodingSchemeURL = codes.system
    found.CodingSchemeDesignator = forms()["own"]["dicom"]
    found.CodingSchemeName = forms()["own"]["name"]
    found.CodingSchemeResourcesSequence = [address]
    return found
