"""A case as a plain list of statements, in one spelling: what FHIR and DICOM documents are made from and read into.

States are spelt by their own notation, whatever alias or truth value the case used; null says nothing and goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hepagraph.inference.case import NOT_ASSESSABLE
from hepagraph.ontology.errors import CaseError

if TYPE_CHECKING:
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.kg import Variable

Json = dict[str, Any]
NUMBER, STATE, ONE_OF, LIKELIHOODS, HIDDEN = "number", "state", "one of", "likelihoods", NOT_ASSESSABLE


@dataclass(frozen=True, slots=True)
class Said:
    """One thing said of one variable, in one of five manners.

    ``number`` in the variable's unit; ``states`` the state or group, those that it is one of, or those with
    ``likelihoods``; nothing of both for what could not be assessed.
    """

    variable: str
    manner: str
    number: float | None = None
    states: tuple[str, ...] = ()
    likelihoods: tuple[float, ...] = ()

    def value(self) -> Any:
        """Return the value as a case spells it."""
        if self.manner == NUMBER:
            return self.number
        if self.manner == STATE:
            return self.states[0]
        if self.manner == ONE_OF:
            return list(self.states)
        if self.manner == LIKELIHOODS:
            return dict(zip(self.states, self.likelihoods, strict=True))
        return NOT_ASSESSABLE


@dataclass(frozen=True, slots=True)
class LesionSaid:
    """All that is said of one lesion."""

    id: str
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class CaseSaid:
    """All that is said in a case; one tuple an examination."""

    id: str
    patient: tuple[Said, ...]
    exams: tuple[tuple[Said, ...], ...]
    lesions: tuple[LesionSaid, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """A case, and what was left aside of the document that held it."""

    case: Json
    ignored: tuple[str, ...]


class NothingSaidError(CaseError):
    """The document is well, and says nothing of any lesion."""


def statements(reasoner: Reasoner, case: Mapping[str, Any]) -> CaseSaid:
    """Return what a case says.

    Raises
    ------
    CaseError
        The case is bad; see ``CaseReader.read``.
    """
    read = reasoner.read(case)
    variables = reasoner.reader.variables
    raw = case.get("exam") or []
    exams = [said for exam in ([raw] if isinstance(raw, dict) else raw) if (said := _said(variables, exam))]
    lesions = []
    for found, lesion in zip(read.lesions, case["lesions"], strict=True):
        of_lesion = {key: value for key, value in lesion.items() if key not in ("id", "findings")}
        lesions.append(LesionSaid(found.id, _said(variables, of_lesion) + _said(variables, lesion["findings"])))
    return CaseSaid(read.id, _said(variables, case.get("patient", {})), tuple(exams), tuple(lesions))


def case_of(reasoner: Reasoner, said: CaseSaid) -> Json:
    """Return the JSON value of a case that says this. It is not checked: ``Reasoner.read`` does that."""
    variables = reasoner.reader.variables
    found: Json = {"id": said.id}
    if said.patient:
        found["patient"] = _section(variables, said.patient)
    if said.exams:
        found["exam"] = [_section(variables, exam) for exam in said.exams]
    found["lesions"] = []
    for lesion in said.lesions:
        measured = [one for one in lesion.said if one.manner == NUMBER and variables[one.variable].section == "lesion"]
        rest = [one for one in lesion.said if one not in measured]
        entry = {"id": lesion.id, **_section(variables, measured), "findings": _section(variables, rest)}
        found["lesions"].append(entry)
    return found


def notation(variable: Variable, spelling: Any) -> str:
    """Return the notation of a state or group that a case spelt so, which was read without a problem."""
    if isinstance(spelling, bool):
        return variable.booleans[spelling]
    text = str(spelling).lower()
    own = {name.lower(): name for name in variable.nodes}
    if text in own:
        return own[text]
    aliases = {alias.lower(): leaves for alias, leaves in variable.leaves.items()}
    return aliases[text][0]


def _said(variables: Mapping[str, Variable], section: Mapping[str, Any]) -> tuple[Said, ...]:
    owners = {variable.measure.key: variable for variable in variables.values() if variable.measure is not None}
    found: dict[Said, None] = {}
    for key, value in section.items():
        variable = owners.get(key) or variables[key]
        if value is not None:
            found[_one(variable, key, value)] = None
    return tuple(found)


def _one(variable: Variable, key: str, value: Any) -> Said:
    measure = variable.measure
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if measure is not None and key == measure.key and number:
        return Said(variable.name, NUMBER, number=value)
    if value == NOT_ASSESSABLE:
        return Said(variable.name, HIDDEN)
    if isinstance(value, dict):
        weights: dict[str, float] = {}
        for spelling, weight in value.items():
            state = notation(variable, spelling)
            weights[state] = max(weight, weights.get(state, weight))
        return Said(variable.name, LIKELIHOODS, states=tuple(weights), likelihoods=tuple(weights.values()))
    if isinstance(value, list):
        return Said(variable.name, ONE_OF, states=tuple(dict.fromkeys(notation(variable, item) for item in value)))
    return Said(variable.name, STATE, states=(notation(variable, value),))


def _section(variables: Mapping[str, Variable], said: Iterable[Said]) -> Json:
    def key(one: Said) -> str:
        measure = variables[one.variable].measure
        return measure.key if one.manner == NUMBER and measure is not None else one.variable

    return {key(one): one.value() for one in said}
