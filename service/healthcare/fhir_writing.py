"""Write a case and its answer as the resources of a FHIR Bundle. The same case always gives the same Bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from hepagraph.service.healthcare.fhir import layout
from hepagraph.service.healthcare.fhir_answers import device_parts, model_text, predictions
from hepagraph.service.healthcare.fhir_narrative import narrative, observation_text
from hepagraph.service.healthcare.statements import HIDDEN, NUMBER, ONE_OF, STATE, statements

if TYPE_CHECKING:
    from hepagraph.service.healthcare.codes import Code, CodeBook
    from hepagraph.service.healthcare.statements import CaseSaid, LesionSaid, Said

Json = dict[str, Any]


def bundle(codes: CodeBook, case: Mapping[str, Any], result: Mapping[str, Any] | None, version: str) -> Json:
    """Return the Bundle, unchecked; see ``fhir.to_fhir``."""
    said = statements(codes.reasoner, case)
    return _Writing(codes, said, version).bundle(result)


class _Writing:
    """One case on its way into a Bundle."""

    def __init__(self, codes: CodeBook, said: CaseSaid, version: str) -> None:
        self.codes = codes
        self.said = said
        self.version = version
        self.entries: list[Json] = []
        self.kinds: dict[str, str] = {}
        self.patient = ""

    def bundle(self, result: Mapping[str, Any] | None) -> Json:
        self.patient = self._add("Patient", "patient", self._gender(), f"Patient of case {self.said.id}")
        exams = [self._procedure(exam, position) for position, exam in enumerate(self.said.exams)]
        of_patient = [self._observation(one, f"patient/{n}", None) for n, one in enumerate(self.said.patient)]
        basis: dict[str, list[str]] = {}
        for lesion in self.said.lesions:
            focus = self._structure(lesion)
            about = f"Lesion {lesion.id}, "
            seen = [self._observation(one, f"{lesion.id}/{n}", focus, about) for n, one in enumerate(lesion.said)]
            basis[lesion.id] = [focus, *seen, *of_patient, *exams]
        if result is not None:
            self._answers(result, basis)
        identifier = {"system": layout()["identifiers"]["case"], "value": self.said.id}
        return {
            "resourceType": "Bundle",
            "id": self._id("bundle"),
            "identifier": identifier,
            "type": "collection",
            "entry": self.entries,
        }

    # -- resources --------------------------------------------------------------------------------------------

    def _gender(self) -> Json:
        """Return the Patient's gender, where the case states one state of the variable that it is."""
        form = layout()["gender"]
        stated = next((one for one in self.said.patient if one.variable == form["variable"]), None)
        genders = {state: gender for gender, state in form["states"].items()}
        if stated is None or stated.manner != STATE or stated.states[0] not in genders:
            return {}
        return {"gender": genders[stated.states[0]]}

    def _procedure(self, exam: Iterable[Said], position: int) -> str:
        parts: Json = {"status": "completed", "subject": self._reference(self.patient)}
        names = []
        for one in exam:
            node = self.codes.variables[one.variable].nodes[one.states[0]]
            concept = self._concept(node)
            names.append(concept["text"])
            if one.variable == layout()["procedure"]["code"]:
                parts["code"] = concept
            elif self.version == "R5":
                parts.setdefault("used", []).append({"concept": concept})
            else:
                parts.setdefault("usedCode", []).append(concept)
        return self._add("Procedure", f"exam/{position}", parts, f"Examination: {', '.join(names)}")

    def _structure(self, lesion: LesionSaid) -> str:
        node = layout()["structure"]
        where = self._concept(node) if node in self.codes.labels else {"text": "not stated"}
        parts: Json = {"identifier": [{"system": layout()["identifiers"]["lesion"], "value": lesion.id}]}
        if layout()["morphology"] in self.codes.labels:
            parts["morphology"] = self._concept(layout()["morphology"])
        if self.version == "R5":
            parts["includedStructure"] = [{"structure": where}]
        else:
            parts["location"] = where
        parts["patient"] = self._reference(self.patient)
        return self._add("BodyStructure", f"lesion/{lesion.id}", parts, f"Lesion {lesion.id}: {where['text']}")

    def _observation(self, one: Said, place: str, focus: str | None, about: str = "") -> str:
        parts: Json = {"status": "final"}
        category = layout()["categories"].get("patient" if focus is None else "lesion")
        if category:
            parts["category"] = [{"coding": [dict(category)]}]
        parts["code"] = self._concept(one.variable)
        parts["subject"] = self._reference(self.patient)
        if focus is not None:
            parts["focus"] = [self._reference(focus)]
        parts |= self._value(one)
        return self._add("Observation", f"observation/{place}", parts, about + observation_text(parts))

    def _answers(self, result: Mapping[str, Any], basis: Mapping[str, list[str]]) -> None:
        """Add what answered and, for each lesion, its answer."""
        model: Mapping[str, str] = result["model"]
        name = str(uuid5(NAMESPACE_URL, f"{layout()['device']}/{model['version']}/{model['ontology_sha256']}"))
        device = self._entry("Device", name, device_parts(model, self.version), model_text(model))
        for answer in result["lesions"]:
            parts = {
                "status": "final",
                "method": {"text": model_text(model)},
                "subject": self._reference(self.patient),
                "performer": self._reference(device),
                "basis": [self._reference(place) for place in basis[answer["id"]]],
                **predictions(answer, self.codes.labels, self._concept),
            }
            text = [f"Lesion {answer['id']}"]
            text += [f"{one['outcome']['text']}: {one['rationale']}" for one in parts["prediction"]]
            text += [note["text"] for note in parts["note"]]
            self._add("RiskAssessment", f"assessment/{answer['id']}", parts, *text)

    def _value(self, one: Said) -> Json:
        variable, extensions = self.codes.variables[one.variable], layout()["extensions"]
        if one.manner == HIDDEN:
            return {"dataAbsentReason": {"coding": [dict(layout()["not_assessable"])], "text": "not assessable"}}
        if one.manner == NUMBER:
            unit = variable.measure.unit if variable.measure is not None else ""
            quantity: Json = {"value": one.number, "unit": unit}
            if unit in layout()["units"]:
                quantity |= {"system": layout()["ucum"], "code": layout()["units"][unit]["code"]}
            return {"valueQuantity": quantity}
        nodes = [variable.nodes[state] for state in one.states]
        if one.manner == STATE:
            return {"valueCodeableConcept": self._concept(nodes[0])}
        own = [_coding(self.codes.own(node)) for node in nodes]
        if one.manner == ONE_OF:
            found = [{"url": extensions["one_of"], "valueCoding": coding} for coding in own]
            text = " or ".join(coding["display"] for coding in own)
            return {"valueCodeableConcept": {"extension": found, "text": text}}
        weighed = list(zip(own, one.likelihoods, strict=True))
        found = [
            {
                "url": extensions["likelihood"],
                "extension": [{"url": "state", "valueCoding": coding}, {"url": "value", "valueDecimal": weight}],
            }
            for coding, weight in weighed
        ]
        text = ", ".join(f"{coding['display']} (likelihood {weight:g})" for coding, weight in weighed)
        return {"valueCodeableConcept": {"extension": found, "text": text}}

    # -- parts ------------------------------------------------------------------------------------------------

    def _concept(self, node: str) -> Json:
        own, *others = self.codes.codes(node)
        return {"coding": [_coding(own), *(_coding(code) for code in others if code.system)], "text": own.display}

    def _id(self, place: str) -> str:
        return str(uuid5(NAMESPACE_URL, f"{layout()['identifiers']['case']}/{self.said.id}/{place}"))

    def _add(self, kind: str, place: str, parts: Json, *text: str) -> str:
        """Add a resource and return its address; ``text`` says to people what it holds."""
        return self._entry(kind, self._id(place), parts, *text)

    def _entry(self, kind: str, name: str, parts: Json, *text: str) -> str:
        self.kinds[f"urn:uuid:{name}"] = kind  # an address of a UUID does not tell
        resource = {"resourceType": kind, "id": name, "text": narrative(text), **parts}
        self.entries.append({"fullUrl": f"urn:uuid:{name}", "resource": resource})
        return f"urn:uuid:{name}"

    def _reference(self, place: str) -> Json:
        return {"reference": place, "type": self.kinds[place]}


def _coding(code: Code) -> Json:
    found = {"system": code.system, "code": code.code}
    return found | ({"display": code.display} if code.display else {})
