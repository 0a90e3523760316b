"""Read a case out of FHIR resources, whoever wrote them.

Nothing is taken for granted of their structure, since resources of other systems come in with it: an Observation
counts when one of its codes is that of a variable, and its value must then be one that the variable has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import CaseError, Problem, nearest
from hepagraph.service.healthcare.fhir import layout
from hepagraph.service.healthcare.fhir_dates import age_on, instant, stated_time
from hepagraph.service.healthcare.fhir_references import CONTAINED, Entries, Patients, entries, last_part
from hepagraph.service.healthcare.fhir_values import codings, obj, objects, read_value
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
    from hepagraph.kg import Variable
    from hepagraph.service.healthcare.codes import CodeBook

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One statement with its place, the lesion that it is of, and when it was made (ISO 8601, or empty)."""

    said: Said
    where: str
    focus: str | None
    when: str


def read_case(codes: CodeBook, bundle: Mapping[str, Any], *, today: date | None = None) -> Imported:
    """Return the case that the entries of a Bundle hold; see ``fhir.from_fhir`` for ``today``.

    Raises
    ------
    CaseError
        What they hold is no case; the error holds every problem found. ``NothingSaidError`` where it is none at all.
    """
    return _Reading(codes).case(bundle, today)


class _Reading:
    """One Bundle on its way into a case; problems gather."""

    def __init__(self, codes: CodeBook) -> None:
        self.codes = codes
        self.problems: list[Problem] = []
        self.ignored: list[str] = []
        self.patients = Patients()

    def case(self, bundle: Mapping[str, Any], today: date | None) -> Imported:
        if bundle.get("implicitRules"):
            self._problem("fhir", "bundle", "has implicitRules, which are not understood here")
        held = entries(bundle)
        seen = [one for _, r in held.of_kind("Observation") for one in self._observation(r, held)]
        exams = [self._exam(resource, held) for _, resource in held.of_kind("Procedure")]
        patient = self._latest([one for one in seen if self._section(one.said) == "patient"])
        for key, resource in held.of_kind("Patient"):
            self.patients.add(key, _name(resource))
            patient += self._demographics(resource, {one.variable for one in patient}, today)
        lesions = self._lesions([one for one in seen if self._section(one.said) != "patient"], held)
        self._others(held)
        if (trouble := self.patients.problem()) is not None:
            self._problem("contradiction", trouble[0], trouble[1][:200], advice="send one patient at a time")
        name = obj(bundle.get("identifier")).get("value") or bundle.get("id") or "case"
        said = CaseSaid(str(name), tuple(patient), tuple(exam for exam in exams if exam), tuple(lesions))
        if self.problems:
            raise CaseError(self.problems)
        if not lesions:
            what = "holds no lesion: no Observation of a feature, and no BodyStructure of ours"
            raise NothingSaidError([Problem("missing", "bundle", what)])
        case = case_of(self.codes.reasoner, said)
        self.codes.reasoner.read(case)
        return Imported(case, tuple(self.ignored))

    # -- resources --------------------------------------------------------------------------------------------

    def _observation(self, resource: Json, held: Entries) -> Iterator[_Seen]:
        where = _name(resource)
        if self._aside(resource, where):
            return
        focus = [held.key(one, resource) for one in objects(resource.get("focus"))]
        focus = focus or [key for key in [held.key(resource.get("bodyStructure"), resource)] if key]
        if any(key.partition("/")[0] in layout()["persons"] for key in focus):
            self.ignored.append(f"{where}: its focus is another person")
            return
        found = False
        for part in (resource, *objects(resource.get("component"))):
            variable = self._variable(part, where)
            if variable is None:
                continue
            found = True
            self.patients.add(held.key(resource.get("subject"), resource), where)
            if len(focus) > 1:
                self._problem("contradiction", where, "has several foci", advice="one Observation for each lesion")
            if focus and focus[0].startswith(CONTAINED):
                what = "nothing else can speak of the lesion contained in it"
                advice = "give the lesion as a resource of its own, or with an identifier"
                self._problem("contradiction", where, what, advice=advice)
            said = self._value(variable, part, where)
            if said is not None:
                yield _Seen(said, where, focus[0] or None if focus else None, stated_time(resource))
        if not found:
            self.ignored.append(f"{where}: no code of it is that of a variable")

    def _variable(self, part: Json, where: str) -> Variable | None:
        pairs = codings(part.get("code"))
        variable = self.codes.variable(pairs)
        own = [code for system, code in pairs if system == self.codes.system]
        if variable is None and own:
            close = nearest(own[0], self.codes.variables)
            self._problem("unknown_key", where, f"{own[0][:60]!r} is no variable of {self.codes.system}", close=close)
        return variable

    def _value(self, variable: Variable, part: Json, where: str) -> Said | None:
        found = read_value(self.codes, variable, part, where)
        if isinstance(found, Problem):
            self.problems.append(found)
            return None
        return found

    def _exam(self, resource: Json, held: Entries) -> tuple[Said, ...]:
        """Return what a Procedure says of an examination: nothing, unless its codes are those of examinations."""
        where = _name(resource)
        if self._aside(resource, where):
            return ()
        concepts = [resource.get("code"), *objects(resource.get("usedCode"))]
        concepts += [obj(used.get("concept")) for used in objects(resource.get("used"))]
        found: dict[str, Said] = {}
        for pairs in map(codings, concepts):
            for variable in self.codes.variables.values():
                states = self.codes.notations(variable, pairs) if variable.section == "exam" else ()
                if states:
                    found.setdefault(variable.name, Said(variable.name, STATE, states=states[:1]))
        if found:
            self.patients.add(held.key(resource.get("subject"), resource), where)
        else:
            self.ignored.append(f"{where}: no code of it is that of an examination")
        return tuple(found.values())

    def _demographics(self, resource: Json, stated: set[str], today: date | None) -> list[Said]:
        found = []
        gender, birth = layout()["gender"], layout()["birth_date"]
        state = gender["states"].get(str(resource.get("gender")))
        if state and gender["variable"] in self.codes.variables and gender["variable"] not in stated:
            found.append(Said(gender["variable"], STATE, states=(state,)))
        age = None if today is None else age_on(resource.get("birthDate"), today)
        if age is not None and birth["variable"] in self.codes.variables and birth["variable"] not in stated:
            found.append(Said(birth["variable"], NUMBER, number=age))
        return found

    # -- lesions ----------------------------------------------------------------------------------------------

    def _lesions(self, seen: list[_Seen], held: Entries) -> list[LesionSaid]:
        names: dict[str | None, str] = {}
        focused = {one.focus for one in seen}
        for key, resource in held.of_kind("BodyStructure"):
            every = objects(resource.get("identifier"))
            ours = [one for one in every if one.get("system") == layout()["identifiers"]["lesion"]]
            if ours or key in focused:
                named = [one["value"] for one in (*ours, *every) if one.get("value")]
                names[key] = str(named[0]) if named else last_part(key)
                if owner := held.key(resource.get("patient"), resource):
                    self.patients.add(owner, _name(resource))
            else:
                self.ignored.append(f"{_name(resource)}: nothing speaks of it")
        for one in seen:
            if one.focus is not None:
                names.setdefault(one.focus, last_part(one.focus))
        loose = [one for one in seen if one.focus is None]
        if loose and len(names) > 1:
            advice = "give each Observation the lesion as its focus"
            self._problem("contradiction", loose[0].where, "does not say of which lesion it is", advice=advice)
        if loose and not names:
            names[None] = "L1"
        only = next(iter(names), None)
        return [
            LesionSaid(name, tuple(self._latest([one for one in seen if (one.focus or only) == key])))
            for key, name in names.items()
        ]

    def _latest(self, seen: Iterable[_Seen]) -> list[Said]:
        """Return one statement for each variable and manner; of several the latest, where all are dated."""
        found: dict[tuple[str, bool], list[_Seen]] = {}
        for one in seen:
            found.setdefault((one.said.variable, one.said.manner == NUMBER), []).append(one)
        return [self._of_several(several) for several in found.values()]

    def _of_several(self, several: list[_Seen]) -> Said:
        if len({one.said for one in several}) == 1:
            return several[0].said
        times = {one: instant(one.when) for one in several}
        dated = [(time, one) for one, time in times.items() if time is not None]
        newest = max((time for time, _ in dated), default=None)
        last = {one.said for time, one in dated if time == newest}
        if len(dated) == len(several) and len(last) == 1:
            return last.pop()
        what = f"says otherwise of {several[-1].said.variable} than {several[0].where}"
        self._problem("contradiction", several[-1].where, what, advice="send the latest of them, or date all of them")
        return several[-1].said

    # -- helpers ----------------------------------------------------------------------------------------------

    def _section(self, said: Said) -> str:
        return self.codes.variables[said.variable].section

    def _aside(self, resource: Json, where: str) -> bool:
        """Return whether a resource does not count: not done, withdrawn, or changed by what we do not understand."""
        for name in ("modifierExtension", "implicitRules"):  # who does not understand it must not use the resource
            if resource.get(name):
                self.ignored.append(f"{where}: has {name}")
                return True
        if resource.get("status") in layout()["withdrawn"]:
            self.ignored.append(f"{where}: {resource['status']}")
            return True
        return False

    def _others(self, held: Entries) -> None:
        """Note the resources that nothing is read from; answers are none of a case."""
        known = ("Observation", "Procedure", "BodyStructure", "Patient", *layout()["answers"])
        for resource in held.resources.values():
            if resource.get("resourceType") not in known:
                self.ignored.append(f"{_name(resource)}: resources of this type are not read")

    def _problem(self, kind: str, where: str, what: str, *, close: str | None = None, advice: str = "") -> None:
        self.problems.append(Problem(kind, where, what, nearest=close, advice=advice))


def _name(resource: Json) -> str:
    return f"{resource.get('resourceType')}/{str(resource.get('id', '?'))[:64]}"
