"""What is chosen, as one immutable value: read from the JSON of a case, changed, and written back as JSON.

A variable has one value: a state's or a group's notation, a number in the variable's unit, ``not_assessable``, or
whatever else a case may hold (a list of states, likelihoods of states).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hepagraph.inference.case import NOT_ASSESSABLE
from hepagraph.kg import Variable

if TYPE_CHECKING:
    from hepagraph.inference.reasoner import Reasoner

Values = Mapping[str, Any]
Variables = Mapping[str, Variable]


@dataclass(frozen=True, slots=True)
class LesionChoices:
    """A lesion and its values by variable."""

    id: str
    values: Values


@dataclass(frozen=True, slots=True)
class Selections:
    """Values of the patient, of every examination and of every lesion; a variable without one is not stated."""

    id: str
    patient: Values
    exams: tuple[Values, ...]
    lesions: tuple[LesionChoices, ...]

    def with_patient(self, name: str, value: Any) -> Selections:
        """Return the selections with another value of the patient; None: not stated."""
        return replace(self, patient=with_value(self.patient, name, value))

    def with_exam(self, position: int, name: str, value: Any) -> Selections:
        """Return the selections with another value of an examination."""
        exams = list(self.exams)
        exams[position] = with_value(exams[position], name, value)
        return replace(self, exams=tuple(exams))

    def with_lesion(self, position: int, name: str, value: Any) -> Selections:
        """Return the selections with another value of one lesion."""
        lesions = list(self.lesions)
        lesions[position] = replace(lesions[position], values=with_value(lesions[position].values, name, value))
        return replace(self, lesions=tuple(lesions))

    def new_id(self) -> str:
        """Return an id that no lesion has."""
        taken = {lesion.id for lesion in self.lesions}
        return next(f"L{n}" for n in range(len(taken) + 1, 2 * len(taken) + 2) if f"L{n}" not in taken)


def with_value(values: Values, name: str, value: Any) -> dict[str, Any]:
    """Return the values with another one of a variable; None takes it away."""
    rest = {n: v for n, v in values.items() if n != name or value is not None}
    return rest if value is None else {**rest, name: value}


def chosen_in(data: Any, reasoner: Reasoner) -> Selections:
    """Return the selections of a case's JSON value; what one lesion says of the patient holds for all.

    Raises
    ------
    CaseError
        The case is bad.
    """
    reasoner.read(data)
    variables, shared = reasoner.reader.variables, reasoner.compiled.patient_level
    exams = data.get("exam") or []
    lesions = [
        LesionChoices(
            str(lesion.get("id", f"L{position + 1}")),
            _values({**lesion.get("findings", {}), **_own(lesion)}, variables),
        )
        for position, lesion in enumerate(data["lesions"])
    ]
    said = [(name, lesion.values.get(name, NOT_ASSESSABLE)) for lesion in reversed(lesions) for name in shared]
    common = {name: value for name, value in said if value != NOT_ASSESSABLE}
    return Selections(
        str(data.get("id", "case")),
        _values(data.get("patient", {}), variables),
        tuple(_values(exam, variables) for exam in (exams if isinstance(exams, list) else [exams])),
        tuple(replace(lesion, values={**common, **lesion.values}) for lesion in lesions),
    )


def _own(lesion: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in lesion.items() if key not in ("id", "findings")}


def _values(data: Mapping[str, Any], variables: Variables) -> dict[str, Any]:
    """Return values by variable; a number of a variable says all that its state says, so it stands for both."""
    owners = {variable.name: variable for variable in variables.values()}
    owners |= {variable.measure.key: variable for variable in variables.values() if variable.measure is not None}
    found: dict[str, Any] = {}
    for key, value in data.items():
        variable = owners[key]
        if value is not None and not _is_number(found.get(variable.name)):
            found[variable.name] = _plain(variable, value)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(variable: Variable, value: Any) -> Any:
    """Return a value as the form spells it where the form has it, else as it is."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) and value in variable.booleans:
        return variable.booleans[value]
    if not isinstance(value, str) or value == NOT_ASSESSABLE:
        return value
    spelt = {spelling.lower(): spelling for spelling in variable.leaves}[value.lower()]
    return spelt if spelt in variable.nodes else variable.leaves[spelt][0]


def write_case(selections: Selections, variables: Variables) -> dict[str, Any]:
    """Return the JSON value of a case; numbers stand under the key of their measurement."""
    case: dict[str, Any] = {"id": selections.id}
    if selections.patient:
        case["patient"] = {_key(variables[name], value): value for name, value in selections.patient.items()}
    if selections.exams:
        case["exam"] = [dict(exam) for exam in selections.exams]
    case["lesions"] = [_lesion(lesion, variables) for lesion in selections.lesions]
    return case


def _lesion(lesion: LesionChoices, variables: Variables) -> dict[str, Any]:
    found: dict[str, Any] = {"id": lesion.id}
    findings: dict[str, Any] = {}
    for name, value in lesion.values.items():
        variable = variables[name]
        place = found if variable.section == "lesion" and _is_number(value) else findings
        place[_key(variable, value)] = value
    return {**found, "findings": findings}


def _key(variable: Variable, value: Any) -> str:
    return variable.measure.key if variable.measure is not None and _is_number(value) else variable.name
