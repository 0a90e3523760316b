"""What can be chosen: a field for each variable with its states, grouped by what shows it, all of the vocabulary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hepagraph.inference.case import NOT_ASSESSABLE, CaseReader

if TYPE_CHECKING:
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.kg import Variable
    from hepagraph.kg.vocabulary import Measure

Labels = Mapping[str, str]
PATIENT, EXAM, LESION = "patient", "exam", "lesion"
ANY = "any examination"


@dataclass(frozen=True, slots=True)
class Option:
    """A state or a group of states: how a case spells it, its label, and how deep in the hierarchy it stands."""

    notation: str
    label: str
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """A variable to choose a value for.

    ``options`` are all its levels, each group before what it holds. ``hideable`` fields may be said to be not
    assessable. ``shared`` ones describe the patient, whatever lesion they are said of.
    """

    name: str
    label: str
    options: tuple[Option, ...]
    measure: Measure | None
    hideable: bool
    shared: bool = False

    def said(self, value: Any) -> str:
        """Return a value as a reader sees it.

        >>> Field("a", "a", (Option("b_c", "b and c"),), None, True).said({"b_c": 0.2, "d_e": 1})
        'b and c 0.2, d e 1'
        """
        if value is None:
            return "not stated"
        if value == NOT_ASSESSABLE:
            return "not assessable"
        if isinstance(value, Mapping):
            return ", ".join(f"{self._label(state)} {weight:g}" for state, weight in value.items())
        if isinstance(value, list | tuple):
            return " or ".join(self._label(state) for state in value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return f"{value:g} {self.measure.unit}" if self.measure is not None else f"{value:g}"
        return self._label(value)

    def _label(self, state: object) -> str:
        return next((o.label for o in self.options if o.notation == state), str(state).replace("_", " "))


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that the same kind of examination shows, under a title."""

    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """Everything that can be chosen: of the patient, of each examination and of each lesion.

    ``lesion`` holds what is said of a lesion itself, such as a measurement, ``groups`` its findings.
    """

    patient: tuple[Field, ...]
    exam: tuple[Field, ...]
    lesion: tuple[Field, ...]
    groups: tuple[Group, ...]

    def fields(self) -> Iterator[Field]:
        """Yield the fields of patient and lesions."""
        yield from self.patient
        yield from self.lesion
        for group in self.groups:
            yield from group.fields


def read_form(reasoner: Reasoner) -> Form:
    """Return the form of a reasoner's vocabulary."""
    reader, labels, shared = reasoner.reader, reasoner.network.labels, reasoner.compiled.patient_level
    variables = reader.variables.values()
    features = [v for v in variables if v.kind == "ImagingFeature" and v.name not in shared]
    groups: dict[str, list[Field]] = {}
    for variable in (v for v in features if v.section != LESION):
        groups.setdefault(_title(reader, variable, labels), []).append(_field(variable, labels, hideable=True))
    last = {ANY: groups.pop(ANY)} if ANY in groups else {}
    agents = set(reader.assessability.modalities_of_agent)
    exam = sorted((v for v in variables if v.section == EXAM), key=lambda v: bool(agents & set(v.nodes.values())))
    return Form(
        patient=(
            *(_field(v, labels) for v in variables if v.section == PATIENT),
            *(_field(reader.variables[n], labels, hideable=True, shared=True) for n in shared),
        ),
        exam=tuple(_field(v, labels) for v in exam),
        lesion=tuple(_field(v, labels, hideable=True) for v in features if v.section == LESION),
        groups=tuple(Group(title, tuple(found)) for title, found in {**groups, **last}.items()),
    )


def _title(reader: CaseReader, variable: Variable, labels: Labels) -> str:
    """Return what shows a feature: its sequence, an agent of some kind, certain modalities, or any examination."""
    if variable.seen_on:
        return labels[variable.seen_on[0]]
    rules = [rule for rule in reader.assessability.feature_rules if variable.name in rule.about]
    agents = {agent for rule in rules for agent in rule.agents}
    if agents:
        owner = next(v for v in reader.variables.values() if agents & set(v.nodes.values()))
        return f"with {owner.label}"
    modalities = {modality for rule in rules for modality in rule.modalities}
    return " or ".join(sorted(labels[modality] for modality in modalities)) or ANY


def _field(variable: Variable, labels: Labels, *, hideable: bool = False, shared: bool = False) -> Field:
    return Field(variable.name, variable.label, tuple(_options(variable, labels)), variable.measure, hideable, shared)


def _options(variable: Variable, labels: Labels) -> Iterator[Option]:
    """Yield every level of the states: each group is followed by the smaller groups and the states that it holds."""
    covered = {name: frozenset(variable.leaves[name]) for name in variable.nodes}
    groups = sorted((n for n in variable.nodes if n not in variable.states), key=lambda name: -len(covered[name]))
    above = {name: _smallest(covered, groups, name) for name in variable.nodes}

    def below(parent: str | None, depth: int) -> Iterator[Option]:
        for name in (*groups, *variable.states):
            if above[name] == parent:
                yield Option(name, _label(variable, labels[variable.nodes[name]]), depth)
                yield from below(name, depth + 1)

    yield from below(None, 0)


def _smallest(covered: Mapping[str, frozenset[str]], groups: Sequence[str], name: str) -> str | None:
    """Return the smallest group that holds more than a state or group does, and all of that."""
    inside = [group for group in groups if covered[name] < covered[group]]
    return min(inside, key=lambda group: len(covered[group]), default=None)


def _label(variable: Variable, label: str) -> str:
    """Return a state's label without its variable's, which stands beside it."""
    return label.removeprefix(f"{variable.label}: ")
