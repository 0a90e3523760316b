"""What is chosen, as a reader says it: labels of variables and of values, for the patient, examinations and lesions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hepagraph.service.explorer.fields import EXAM, LESION, PATIENT, Form
from hepagraph.service.explorer.selections import Selections

_TITLES = {PATIENT: "Patient", EXAM: "Examinations"}


@dataclass(frozen=True, slots=True)
class Stated:
    """Values by label, of the patient, of all examinations or of the lesion with this id; ``kind`` says of which."""

    kind: str
    id: str
    values: Mapping[str, str]

    @property
    def title(self) -> str:
        """What the values are of, as a heading."""
        return _TITLES.get(self.kind) or f"Lesion {self.id}"


def stated(counted: Selections, form: Form) -> Iterator[Stated]:
    """Yield what is counted, as text by label; what several examinations say is numbered."""
    fields = {field.name: field for field in form.fields()}
    exams = {field.name: field for field in form.exam}
    numbers = [f" {n}" if len(counted.exams) > 1 else "" for n in range(1, len(counted.exams) + 1)]
    shared = {n: v for lesion in counted.lesions for n, v in lesion.values.items() if fields[n].shared}
    patient = {**counted.patient, **shared}
    yield Stated(PATIENT, "", {fields[n].label: fields[n].said(v) for n, v in patient.items()})
    said = {
        f"{exams[n].label}{number}": exams[n].said(v)
        for number, exam in zip(numbers, counted.exams, strict=True)
        for n, v in exam.items()
    }
    yield Stated(EXAM, "", said)
    for lesion in counted.lesions:
        own = {fields[n].label: fields[n].said(v) for n, v in lesion.values.items() if n not in shared}
        yield Stated(LESION, lesion.id, own)
