"""What if a finding had been another, were withdrawn, or another examination had been done: scenarios side by side."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import CaseError, Problem, UnknownKeyError, nearest

if TYPE_CHECKING:
    from hepagraph.inference.reasoner import Reasoner

WITHDRAWN = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Changes to a case: values by key (None withdraws it), and examinations in place of the case's.

    Keys are those of a case: of the patient, of a lesion or of its findings.
    """

    name: str
    values: Mapping[str, Any]
    exam: Sequence[Mapping[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A scenario's answer for one lesion.

    ``unseen`` are the findings that had to be withdrawn since the scenario's examinations cannot show them.
    """

    scenario: str
    lesion: str
    posterior: Mapping[str, float]
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The answers of all scenarios, the case as it is first."""

    outcomes: tuple[Outcome, ...]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a tidy row for each scenario, lesion and entity: posterior, and its change from the case as it is."""
        base = {outcome.lesion: outcome.posterior for outcome in self.outcomes if outcome.scenario == AS_IT_IS}
        for outcome in self.outcomes:
            for entity, probability in outcome.posterior.items():
                yield {
                    "scenario": outcome.scenario,
                    "lesion": outcome.lesion,
                    "entity": entity,
                    "posterior": probability,
                    "change": probability - base[outcome.lesion][entity],
                    "unseen": list(outcome.unseen),
                }


AS_IT_IS = "as it is"


def what_if(
    reasoner: Reasoner,
    data: Mapping[str, Any],
    scenarios: Sequence[Scenario],
    *,
    lesion: str | None = None,
    differential: str | None = None,
    prior: Mapping[str, float] | None = None,
) -> WhatIf:
    """Answer a case as it is and under every scenario.

    Parameters
    ----------
    data
        The JSON value of a case.
    lesion
        The id of the lesion whose findings change; None: the first. The answers are of all lesions, since they
        inform each other.

    Raises
    ------
    CaseError
        The case, a scenario or the lesion's id is bad; every problem says in which scenario.
    """
    outcomes = _answer(reasoner, data, AS_IT_IS, (), differential, prior)
    problems: list[Problem] = []
    for scenario in scenarios:
        try:
            changed, unseen = changed_case(reasoner, data, scenario, lesion)
            outcomes += _answer(reasoner, changed, scenario.name, unseen, differential, prior)
        except CaseError as error:
            where = f"scenario {scenario.name}"
            problems += [
                Problem(p.kind, f"{where} / {p.where}" if p.where else where, p.what, p.allowed, p.nearest, p.advice)
                for p in error.problems
            ]
    if problems:
        raise CaseError(problems)
    return WhatIf(tuple(outcomes))


def _answer(
    reasoner: Reasoner,
    data: Mapping[str, Any],
    name: str,
    unseen: tuple[str, ...],
    differential: str | None,
    prior: Mapping[str, float] | None,
) -> list[Outcome]:
    result = reasoner.posterior(data, differential=differential, prior=prior, surprise=False, reasons=False)
    return [Outcome(name, lesion.id, lesion.posterior, unseen) for lesion in result.lesions]


def changed_case(
    reasoner: Reasoner, data: Mapping[str, Any], scenario: Scenario, lesion: str | None = None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the JSON value of the changed case, and the findings that other examinations cannot show.

    Raises
    ------
    CaseError
        The case as it is is bad, the lesion is not there, or a key is not known.
    """
    position, *_ = reasoner.read(data).positions(lesion)
    changed = copy.deepcopy(dict(data))
    target = changed["lesions"][position]
    sections = key_sections(reasoner)
    for key, value in scenario.values.items():
        if key not in sections:
            what = f"unknown key {key!r}"
            raise UnknownKeyError([Problem("unknown_key", "", what, tuple(sections), nearest(key, sections))])
        section = sections[key]
        holder = changed.setdefault("patient", {}) if section == "patient" else target
        holder = target.setdefault("findings", {}) if section == "findings" else holder
        _forget(reasoner, target, changed, key)
        if value is not WITHDRAWN:
            holder[key] = value
    unseen: list[str] = []
    if scenario.exam is not None:
        changed["exam"] = [dict(exam) for exam in scenario.exam]
        exams = reasoner.read({"exam": changed["exam"], "lesions": [{"findings": {}}]}).exams
        variables, rules = reasoner.reader.variables, reasoner.reader.assessability
        for found in changed["lesions"]:
            for key in list(found.get("findings", {})):
                variable = variables.get(key)
                if variable is not None and rules.reason_against(variable, variable.states, exams) is not None:
                    del found["findings"][key]
                    unseen.append(key)
    return changed, tuple(dict.fromkeys(unseen))


def _forget(reasoner: Reasoner, lesion: dict[str, Any], case: dict[str, Any], key: str) -> None:
    """Remove a variable wherever it stands, also under the key of its measurement."""
    variables = reasoner.reader.variables
    owner = next((v for v in variables.values() if key in (v.name, v.measure.key if v.measure else None)), None)
    keys = {key} if owner is None else {owner.name, *([owner.measure.key] if owner.measure else [])}
    for holder in (case.get("patient", {}), lesion, lesion.get("findings", {})):
        for name in keys:
            holder.pop(name, None)


def key_sections(reasoner: Reasoner) -> dict[str, str]:
    """Return the keys that a scenario may change, and where in a case each stands: patient, lesion or findings."""
    reader = reasoner.reader
    found = dict.fromkeys(reader.inputs("patient"), "patient")
    for key, variable in reader.inputs("findings", "lesion").items():
        found[key] = "lesion" if variable.section == "lesion" and key != variable.name else "findings"
    return found


def sweep(reasoner: Reasoner, *keys: str) -> list[Scenario]:
    """Return a scenario for every state of one variable, or for every pair of states of two (a grid).

    Raises
    ------
    CaseError
        A name is not a variable that a scenario may change.
    """
    variables, sections = reasoner.reader.variables, key_sections(reasoner)
    allowed = tuple(name for name in variables if name in sections)
    unknown = [key for key in keys if key not in allowed]
    if unknown:
        what = f"unknown variable {unknown[0]!r}"
        raise UnknownKeyError([Problem("unknown_key", "sweep", what, allowed, nearest(unknown[0], allowed))])
    found = []
    for states in itertools.product(*(variables[key].states for key in keys)):
        values = dict(zip(keys, states, strict=True))
        found.append(Scenario(", ".join(f"{key}={state}" for key, state in values.items()), values))
    return found
