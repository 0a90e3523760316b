"""Read a case out of FHIR resources, whoever wrote them.

Nothing is taken for granted of their structure, since resources of other systems come in with it: an Observation
counts when one of its codes is that of a variable, and its value must then be one that the variable has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import CaseError, Problem, nearest
from hepagraph.service.healthcare.fhir import layout
from hepagraph.service.healthcare.fhir_values import codings, obj, objects, read_value
from hepagraph.service.healthcare.statements import NUMBER, STATE, CaseSaid, LesionSaid, Said, case_of

if TYPE_CHECKING:
    from hepagraph.kg import Variable
    from hepagraph.service.healthcare.codes import CodeBook

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Imported:
    """A case, and what was left aside: resources that say nothing of any variable, or were withdrawn."""

    case: Json
    ignored: tuple[str, ...]


class NothingSaidError(CaseError):
    """The resources are all well, and none says anything of a lesion."""


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
        self.subjects: dict[str, str] = {}

    def case(self, bundle: Mapping[str, Any], today: date | None) -> Imported:
        resources = list(_resources(bundle))
        places = {alias: key for key, aliases, _ in resources for alias in aliases}
        of_kind: dict[str, list[tuple[str, Json]]] = {}
        for key, _, resource in resources:
            of_kind.setdefault(str(resource.get("resourceType")), []).append((key, resource))
        seen = [one for _, r in of_kind.get("Observation", ()) for one in self._observation(r, places)]
        exams = [self._exam(resource) for _, resource in of_kind.get("Procedure", ())]
        patient = self._latest([one for one in seen if self._section(one.said) == "patient"])
        for resource in (resource for _, resource in of_kind.get("Patient", ())):
            patient += self._demographics(resource, {one.variable for one in patient}, today)
        lesions = self._lesions([one for one in seen if self._section(one.said) != "patient"], of_kind, places)
        self._one_patient()
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

    def _observation(self, resource: Json, places: Mapping[str, str]) -> Iterator[_Seen]:
        where = _name(resource)
        if self._aside(resource, where):
            return
        focus = [str(one.get("reference")) for one in objects(resource.get("focus"))]
        focus = focus or [str(one) for one in [obj(resource.get("bodyStructure")).get("reference")] if one]
        found = False
        for part in (resource, *objects(resource.get("component"))):
            variable = self._variable(part, where)
            if variable is None:
                continue
            found = True
            self.subjects[_subject(resource)] = where
            if len(focus) > 1:
                self._problem("contradiction", where, "has several foci", advice="one Observation for each lesion")
            said = self._value(variable, part, where)
            if said is not None:
                when = str(resource.get("effectiveDateTime") or resource.get("effectiveInstant") or "")
                yield _Seen(said, where, places.get(focus[0], focus[0]) if focus else None, when)
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

    def _exam(self, resource: Json) -> tuple[Said, ...]:
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
            self.subjects[_subject(resource)] = where
        else:
            self.ignored.append(f"{where}: no code of it is that of an examination")
        return tuple(found.values())

    def _demographics(self, resource: Json, stated: set[str], today: date | None) -> list[Said]:
        found = []
        gender, birth = layout()["gender"], layout()["birth_date"]
        state = gender["states"].get(str(resource.get("gender")))
        if state and gender["variable"] in self.codes.variables and gender["variable"] not in stated:
            found.append(Said(gender["variable"], STATE, states=(state,)))
        age = None if today is None else _age(resource.get("birthDate"), today)
        if age is not None and birth["variable"] in self.codes.variables and birth["variable"] not in stated:
            found.append(Said(birth["variable"], NUMBER, number=age))
        return found

    # -- lesions ----------------------------------------------------------------------------------------------

    def _lesions(
        self, seen: list[_Seen], of_kind: Mapping[str, list[tuple[str, Json]]], places: Mapping[str, str]
    ) -> list[LesionSaid]:
        names: dict[str | None, str] = {}
        focused = {one.focus for one in seen}
        for key, resource in of_kind.get("BodyStructure", ()):
            every = objects(resource.get("identifier"))
            ours = [one for one in every if one.get("system") == layout()["identifiers"]["lesion"]]
            if ours or key in focused:
                named = [one["value"] for one in (*ours, *every) if one.get("value")]
                names[key] = str(named[0]) if named else key.rsplit("/", 1)[-1]
        for one in seen:
            if one.focus is not None:
                names.setdefault(one.focus, one.focus.rsplit("/", 1)[-1])
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
        times = {one: _time(one.when) for one in several}
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
        if resource.get("modifierExtension"):  # FHIR: who does not understand it must not use the resource
            self.ignored.append(f"{where}: has a modifierExtension")
            return True
        if resource.get("status") in layout()["withdrawn"]:
            self.ignored.append(f"{where}: {resource['status']}")
            return True
        return False

    def _one_patient(self) -> None:
        if len(self.subjects) > 1:
            places = ", ".join(self.subjects.values())
            what = f"the resources are of {len(self.subjects)} patients ({places})"
            self._problem("contradiction", "bundle", what[:200], advice="send one patient at a time")

    def _problem(self, kind: str, where: str, what: str, *, close: str | None = None, advice: str = "") -> None:
        self.problems.append(Problem(kind, where, what, nearest=close, advice=advice))


def _resources(bundle: Mapping[str, Any]) -> Iterator[tuple[str, set[str], Json]]:
    """Yield for each resource its key, every address that it may be referred to by, and itself."""
    for position, entry in enumerate(objects(bundle.get("entry"))):
        resource = obj(entry.get("resource"))
        named = resource.get("resourceType") and resource.get("id")
        relative = f"{resource['resourceType']}/{resource['id']}" if named else ""
        full = str(entry.get("fullUrl") or "")
        yield relative or full or str(position), {place for place in (relative, full) if place}, resource


def _name(resource: Json) -> str:
    return f"{resource.get('resourceType')}/{str(resource.get('id', '?'))[:64]}"


def _subject(resource: Json) -> str:
    return str(obj(resource.get("subject")).get("reference", ""))


def _age(birth: Any, today: date) -> int | None:
    """Return how old somebody is; None where the day is not known, or it is to come."""
    try:
        born = date.fromisoformat(str(birth))
    except ValueError:
        return None
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return age if age >= 0 else None


def _time(text: str) -> datetime | None:
    """Return a full date or time; one without a zone counts as UTC, since only the order matters."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
