"""Read a case in the fixed JSON format; every problem in it is collected and reported together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hepagraph.inference.assessability import Assessability, Exam, read_assessability
from hepagraph.kg import Variable, read_vocabulary
from hepagraph.ontology.errors import Problem, UnknownKeyError, case_error, nearest

if TYPE_CHECKING:
    import networkx as nx

NOT_ASSESSABLE = "not_assessable"
_CASE_KEYS = ("id", "patient", "exam", "lesions")
SECTIONS = ("patient", "exam", "findings", "lesion")
_MANY = 40


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen of one variable: a likelihood for each leaf state, and how the case spelt it."""

    variable: str
    likelihood: tuple[float, ...]
    given: str

    @property
    def states(self) -> tuple[int, ...]:
        """The positions of the states that are not ruled out."""
        return tuple(position for position, value in enumerate(self.likelihood) if value > 0)


@dataclass(frozen=True, slots=True)
class Lesion:
    """One lesion: its findings by variable, and the variables that could not be assessed."""

    id: str
    findings: Mapping[str, Finding] = field(default_factory=dict)
    not_assessable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One patient: what is known of them, how they were examined, and their lesions."""

    id: str
    context: Mapping[str, Finding]
    exams: tuple[Exam, ...]
    lesions: tuple[Lesion, ...]

    def positions(self, lesion: str | None = None) -> tuple[int, ...]:
        """Return the positions of all lesions, or that of the one with this id.

        Raises
        ------
        UnknownKeyError
            No lesion has the id.
        """
        names = tuple(found.id for found in self.lesions)
        if lesion is None:
            return tuple(range(len(names)))
        if lesion not in names:
            what = f"no lesion has the id {lesion!r}"
            raise UnknownKeyError([Problem("unknown_key", "lesion", what, names, nearest(lesion, names))])
        return (names.index(lesion),)


@dataclass(frozen=True, slots=True)
class CaseReader:
    """Reads cases against the vocabulary and the assessability rules of one ontology."""

    variables: Mapping[str, Variable]
    assessability: Assessability
    exclusions: tuple[tuple[str, str, str, str], ...]

    @classmethod
    def from_graph(cls, graph: nx.MultiDiGraph[str]) -> CaseReader:
        """Return the reader for a knowledge graph."""
        variables = read_vocabulary(graph)
        owner = {node: (v.name, notation) for v in variables.values() for notation, node in v.nodes.items()}
        pairs = [(a, b) for a, b, key in graph.edges(keys=True) if key == "excludes" and a in owner and b in owner]
        return cls(variables, read_assessability(graph), tuple((*owner[a], *owner[b]) for a, b in sorted(pairs)))

    def read(self, data: Any) -> Case:
        """Return the case that a JSON value describes.

        Raises
        ------
        CaseError
            Anything in it is unknown, impossible or contradictory; the error holds every problem with its place.
        """
        problems: list[Problem] = []
        case = _Reading(self, problems).case(data)
        if problems or case is None:
            raise case_error(problems)
        return case

    def inputs(self, *sections: str) -> dict[str, Variable]:
        """Return the accepted keys of the sections: a variable's name and the key of its measurement."""
        return _Reading(self, []).inputs(*sections)

    def read_value(self, key: str, value: Any) -> tuple[Finding | None, list[Problem]]:
        """Return what one value says under a key of ``inputs``, and what is wrong with it."""
        problems: list[Problem] = []
        return _Reading(self, problems).value(self.inputs(*SECTIONS)[key], key, value, key), problems

    def read_exam(self, data: Mapping[str, Any]) -> tuple[Exam, list[Problem]]:
        """Return one examination from its states by variable, and what is wrong with it."""
        problems: list[Problem] = []
        (exam,) = _Reading(self, problems).exams(dict(data), "")
        return exam, problems

    def assess(self, finding: Finding, exams: Sequence[Exam]) -> list[Problem]:
        """Return why none of the examinations can show a finding; nothing where one can."""
        problems: list[Problem] = []
        _Reading(self, problems).assess(finding, exams, finding.variable)
        return problems


class _Reading:
    """One pass over one case; problems gather in the list that it was given."""

    def __init__(self, reader: CaseReader, problems: list[Problem]) -> None:
        self.reader = reader
        self.problems = problems
        self.variables = reader.variables

    def case(self, data: Any) -> Case | None:
        if not self._is_object(data, "case", "a case"):
            return None
        name = str(data.get("id", "case"))
        where = f"case {name[:80]}" if "id" in data else "case"
        self._keys(data, _CASE_KEYS, where)
        if "lesions" not in data:
            self._problem("missing", where, "has no lesions", advice='add "lesions": [{"findings": {...}}]')
        patient = data.get("patient", {})
        context = self._patient(patient, f"{where} / patient")
        exams = self.exams(data.get("exam"), f"{where} / exam")
        context |= derived_findings(self.variables, exams)
        raw = data.get("lesions", [])
        if not isinstance(raw, list) or not raw:
            self._problem("type", f"{where} / lesions", "must be a list of at least one object")
            raw = []
        lesions = tuple(self._lesion(item, position, where, exams) for position, item in enumerate(raw))
        names = [lesion.id for lesion in lesions]
        for repeated in sorted({n for n in names if names.count(n) > 1}):
            self._problem("contradiction", where, f"two lesions have the id {repeated}", advice="give each its own")
        return Case(name, context, exams, lesions)

    # -- sections ---------------------------------------------------------------------------------------------

    def _patient(self, patient: Any, where: str) -> dict[str, Finding]:
        if not self._is_object(patient, where, "patient"):
            return {}
        inputs = self.inputs("patient")
        self._keys(patient, inputs, where)
        found: dict[str, Finding] = {}
        for key, value in patient.items():
            if key in inputs and value is not None:
                self._merge(found, self.value(inputs[key], key, value, f"{where} / {key}"), f"{where} / {key}")
        return found

    def exams(self, data: Any, where: str) -> tuple[Exam, ...]:
        if data is None:
            return ()
        items = data if isinstance(data, list) else [data]
        inputs = self.inputs("exam")
        exams = []
        for position, item in enumerate(items):
            place = f"{where}[{position}]" if isinstance(data, list) else where
            if not self._is_object(item, place, "an examination"):
                continue
            self._keys(item, inputs, place)
            nodes: dict[str, str] = {}
            for key, value in item.items():
                if key in inputs and value is not None:
                    state = self._state(self.variables[key], value, f"{place} / {key}")
                    if len(state) == 1:
                        nodes[key] = self.variables[key].nodes[state[0]]
            exams.append(self._exam(nodes, place))
        return tuple(exams)

    def _exam(self, nodes: Mapping[str, str], where: str) -> Exam:
        agents = self.reader.assessability.modalities_of_agent
        agent = next((node for node in nodes.values() if node in agents), None)
        modality = next((node for node in nodes.values() if node not in agents), None)
        if agent and modality and agents[agent] and modality not in agents[agent]:
            spelt = {node: notation for v in self.variables.values() for notation, node in v.nodes.items()}
            allowed = tuple(sorted(spelt.get(a, a) for a, modalities in agents.items() if modality in modalities))
            what = f"{spelt.get(agent, agent)} is not given with {spelt.get(modality, modality)}"
            self._problem("not_assessable", where, what, allowed)
        return Exam(modality, agent)

    def _lesion(self, data: Any, position: int, case_where: str, exams: Sequence[Exam]) -> Lesion:
        name = str(data.get("id", f"L{position + 1}")) if isinstance(data, dict) else f"L{position + 1}"
        where = f"{case_where} / lesion {name[:80]}"
        if not self._is_object(data, where, "a lesion"):
            return Lesion(name)
        measured = {key: v for key, v in self.inputs("lesion").items() if key != v.name}
        self._keys(data, ("id", "findings", *measured), where)
        if "findings" not in data:
            self._problem("missing", where, "has no findings", advice='add "findings": {} when nothing was seen')
        raw = data.get("findings", {})
        raw = raw if self._is_object(raw, f"{where} / findings", "findings") else {}
        inputs = self.inputs("findings", "lesion")
        self._keys(raw, inputs, where, "finding ")
        pairs = [(k, v, f"{where} / {k}") for k, v in data.items() if k in measured]
        pairs += [(k, v, f"{where} / finding {k}") for k, v in raw.items() if k in inputs]
        found: dict[str, Finding] = {}
        hidden: list[str] = []
        for key, value, place in pairs:
            if value is None:
                continue
            if value == NOT_ASSESSABLE:
                hidden.append(inputs[key].name)
                continue
            finding = self.value(inputs[key], key, value, place)
            if finding is not None:
                self.assess(finding, exams, place)
            self._merge(found, finding, place)
        for name_ in sorted(set(hidden) & set(found)):
            self._problem("contradiction", where, f"{name_} is given and also said to be not assessable")
        self._exclude(found, where)
        return Lesion(name, found, tuple(hidden))

    # -- values -----------------------------------------------------------------------------------------------

    def value(self, variable: Variable, key: str, value: Any, where: str) -> Finding | None:
        measure = variable.measure
        if (
            measure is not None
            and key == measure.key
            and isinstance(value, int | float)
            and not isinstance(value, bool)
        ):
            return self._number(variable, _as_float(value), where)
        if isinstance(value, dict):
            return self._soft(variable, value, where)
        items = value if isinstance(value, list) else [value]
        if not items:
            self._problem("unknown_state", where, "an empty list leaves no state", variable.states)
            return None
        states = [state for item in items for state in self._state(variable, item, where)]
        if not states:
            return None
        likelihood = tuple(1.0 if state in states else 0.0 for state in variable.states)
        return Finding(variable.name, likelihood, " or ".join(str(item).lower() for item in items))

    def _number(self, variable: Variable, number: float, where: str) -> Finding | None:
        measure = variable.measure
        state = measure.state_of(number) if measure is not None else None
        if measure is None or state is None or not measure.minimum <= number <= measure.maximum:
            low, high, unit = (measure.minimum, measure.maximum, measure.unit) if measure else (0, 0, "")
            self._problem(
                "unit",
                where,
                f"{number:g} is not possible in {unit}",
                (f"{low:g} to {high:g} {unit}",),
                advice="check the unit",
            )
            return None
        likelihood = tuple(1.0 if s == state else 0.0 for s in variable.states)
        return Finding(variable.name, likelihood, f"{number:g} {measure.unit}")

    def _soft(self, variable: Variable, value: Mapping[str, Any], where: str) -> Finding | None:
        totals = dict.fromkeys(variable.states, 0.0)
        good = bool(value)
        for spelling, weight in value.items():
            leaves = self._state(variable, spelling, where)
            if (
                isinstance(weight, bool)
                or not isinstance(weight, int | float)
                or not 0 <= _as_float(weight) < float("inf")
            ):
                self._problem(
                    "unit", f"{where} / {spelling}", f"likelihood {str(weight)[:40]} is not a number of at least 0"
                )
                good = False
                continue
            for leaf in leaves:
                totals[leaf] = max(totals[leaf], float(weight))
            good = good and bool(leaves)
        if good and not any(totals.values()):
            self._problem("impossible", where, "every likelihood is 0, so no state is left")
            good = False
        if not value:
            self._problem("unknown_state", where, "an empty object leaves no state", variable.states)
        if not good:
            return None
        top = max(totals.values())
        text = ", ".join(f"{spelling} {weight:g}" for spelling, weight in value.items())
        return Finding(variable.name, tuple(totals[s] / top for s in variable.states), text)

    def _state(self, variable: Variable, value: Any, where: str) -> tuple[str, ...]:
        """Return the leaf states that a spelling stands for; an unknown one is a problem."""
        if isinstance(value, bool) and value in variable.booleans:
            return (variable.booleans[value],)
        spellings = {spelling.lower(): leaves for spelling, leaves in variable.leaves.items()}
        if isinstance(value, str) and value.lower() in spellings:
            return spellings[value.lower()]
        allowed = (*variable.states, *variable.groups)
        advice = ""
        if variable.measure is not None:
            measure = variable.measure
            advice = f"or a number as {measure.key} in {measure.unit}"
        self._problem(
            "unknown_state",
            where,
            f"{str(value)[:60]!r} is not a state of {variable.name}",
            allowed,
            nearest(value, spellings) if isinstance(value, str) else None,
            advice,
        )
        return ()

    def _merge(self, found: dict[str, Finding], finding: Finding | None, where: str) -> None:
        """Add a finding; a second one of the same variable narrows the first, or contradicts it."""
        if finding is None:
            return
        first = found.get(finding.variable)
        if first is None:
            found[finding.variable] = finding
            return
        both = tuple(a * b for a, b in zip(first.likelihood, finding.likelihood, strict=True))
        if not any(both):
            self._problem(
                "contradiction",
                where,
                f"{finding.given} contradicts {first.given} of the same {finding.variable}",
                advice="keep one of the two",
            )
            return
        found[finding.variable] = Finding(finding.variable, both, f"{first.given}, {finding.given}")

    def assess(self, finding: Finding, exams: Sequence[Exam], where: str) -> None:
        variable = self.variables[finding.variable]
        states = [variable.states[position] for position in finding.states]
        advice = self.reader.assessability.reason_against(variable, states, exams)
        if advice is not None:
            spelt = {node: notation for v in self.variables.values() for notation, node in v.nodes.items()}
            pairs = [[spelt.get(node, node) for node in (exam.modality, exam.agent) if node] for exam in exams]
            listed = "; ".join(" with ".join(pair) or "unspecified" for pair in pairs)
            self._problem(
                "not_assessable",
                where,
                f"{finding.given} cannot be seen on the listed examinations ({listed})",
                advice=advice,
            )

    def _exclude(self, found: Mapping[str, Finding], where: str) -> None:
        def says(name: str, notation: str) -> bool:
            if name not in found:
                return False
            variable = self.variables[name]
            inside = {variable.states.index(leaf) for leaf in variable.leaves[notation]}
            return set(found[name].states) <= inside

        for name_a, state_a, name_b, state_b in self.reader.exclusions:
            if says(name_a, state_a) and says(name_b, state_b):
                self._problem(
                    "contradiction",
                    where,
                    f"{name_a}: {state_a} excludes {name_b}: {state_b}",
                    advice="correct one of the two, or give it as uncertain (state -> likelihood)",
                )

    # -- helpers ----------------------------------------------------------------------------------------------

    def inputs(self, *sections: str) -> dict[str, Variable]:
        """Return the accepted keys of the sections: a variable's name and the key of its measurement."""
        keys: dict[str, Variable] = {}
        for variable in self.variables.values():
            if variable.section in sections or (variable.kind == "ImagingFeature" and "findings" in sections):
                keys[variable.name] = variable
                if variable.measure is not None and (variable.section in sections):
                    keys[variable.measure.key] = variable
        return keys

    def _keys(
        self, data: Mapping[str, Any], allowed: Sequence[str] | Mapping[str, Any], where: str, what: str = "key "
    ) -> None:
        for key in data:
            if key not in allowed:
                self._problem(
                    "unknown_key",
                    where,
                    f"unknown {what}{str(key)[:60]!r}",
                    tuple(allowed)[:_MANY],
                    nearest(key, allowed),
                )

    def _is_object(self, data: Any, where: str, what: str) -> bool:
        if isinstance(data, dict):
            return True
        self._problem("type", where, f"{what} must be a JSON object, not {_json_type(data)}")
        return False

    def _problem(
        self,
        kind: str,
        where: str,
        what: str,
        allowed: tuple[str, ...] = (),
        close: str | None = None,
        advice: str = "",
    ) -> None:
        self.problems.append(Problem(kind, where, what, allowed, close, advice))


def derived_findings(variables: Mapping[str, Variable], exams: Sequence[Exam]) -> dict[str, Finding]:
    """Return what the listed examinations decide: the states that one of their modalities or agents means."""
    done = {node for exam in exams for node in (exam.modality, exam.agent) if node}
    found = {}
    for variable in variables.values():
        states = [state for state, nodes in variable.covers.items() if nodes & done]
        if states:
            likelihood = tuple(float(state in states) for state in variable.states)
            found[variable.name] = Finding(variable.name, likelihood, " or ".join(states))
    return found


def _as_float(number: int | float) -> float:
    """Return the number, infinite where a whole number is too large for a float."""
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def _json_type(data: Any) -> str:
    names: dict[type, str] = {
        list: "a list",
        str: "a string",
        int: "a number",
        float: "a number",
        bool: "true or false",
    }
    return "null" if data is None else names.get(type(data), type(data).__name__)
