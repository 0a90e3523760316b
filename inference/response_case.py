"""Read a case for the response network: its own keys, and what the ordinary findings say of them.

A case is split in two. What the ordinary format knows (examinations, findings, what is known of the patient) is read by
the ordinary reader; the lesion's ``response`` object and the patient's treatment are read against the variables
of the response network. Ordinary findings then add what the ontology lets them show (``fl:readFrom``), unless the case
states the same variable itself. Every problem of both halves is reported together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from hepagraph.inference.assessability import Assessability
from hepagraph.inference.case import Case, CaseReader, Finding, Lesion
from hepagraph.kg.response import CONTEXT, SIGN, ResponseModel
from hepagraph.kg.vocabulary import Variable
from hepagraph.ontology.errors import CaseError, Problem, case_error, nearest

KEY = "response"


@dataclass(frozen=True, slots=True)
class ResponseLesion:
    """One treated lesion: what was seen, by variable of the response network.

    ``taken`` names the variables that were read from ordinary findings; ``conflicts`` those whose ordinary findings
    contradict each other, so that none of them counts.
    """

    id: str
    seen: Mapping[str, Finding]
    taken: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    not_assessable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResponseCase:
    """One patient: the treatment, the lesions, and what the model presupposes but the case does not state."""

    id: str
    context: Mapping[str, Finding]
    lesions: tuple[ResponseLesion, ...]
    presumed: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResponseReader:
    """Reads cases against a response network and the ordinary vocabulary of the same ontology."""

    model: ResponseModel
    ordinary: CaseReader
    own: CaseReader = field(init=False)

    def __post_init__(self) -> None:
        variables = {n: v for n, v in self.model.variables.items() if v.kind in (CONTEXT, SIGN)}
        pairs = [(n, s, other, t) for n, s, other in self.model.rules_out for t in variables[other].states]
        object.__setattr__(self, "own", CaseReader(variables, Assessability((), (), {}), tuple(pairs)))

    @cached_property
    def patient_keys(self) -> dict[str, bool]:
        """Every key of ``patient``, with whether it belongs to the response network."""
        keys = {key: False for key in _keys(self.ordinary.variables.values(), "patient")}
        return {**keys, **{key: True for key in _keys(self.own.variables.values(), "patient")}}

    def read(self, data: Any) -> ResponseCase:
        """Return the case that a JSON value describes.

        Raises
        ------
        CaseError
            Anything in it is unknown, impossible or contradictory, or the model does not hold for the patient.
        """
        if not isinstance(data, dict):
            self.ordinary.read(data)
        ordinary_part, own_part, problems = self._split(data)
        ordinary, own = _try(self.ordinary, ordinary_part, problems), _try(self.own, own_part, problems)
        if ordinary is not None:
            problems += self._misplaced(ordinary)
        if problems or ordinary is None or own is None:
            raise case_error([problem for place, problem in enumerate(problems) if problem not in problems[:place]])
        pairs = zip(own.lesions, ordinary.lesions, strict=True)
        lesions = tuple(self._merged(mine, theirs) for mine, theirs in pairs)
        presumed = tuple(label for label, name, _ in self._presupposed() if name not in ordinary.context)
        return ResponseCase(ordinary.id, own.context, lesions, presumed)

    def _split(self, data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[Problem]]:
        ordinary, problems = dict(data), []
        own: dict[str, Any] = {"id": data["id"]} if "id" in data else {}
        patient = data.get("patient")
        if isinstance(patient, dict):
            problems = [self._unknown(key, data) for key in patient if key not in self.patient_keys]
            ordinary["patient"] = {k: v for k, v in patient.items() if self.patient_keys.get(k) is False}
            own["patient"] = {k: v for k, v in patient.items() if self.patient_keys.get(k)}
        raw = data.get("lesions")
        if not isinstance(raw, list):
            return ordinary, {**own, "lesions": [{"findings": {}}]}, problems
        ordinary["lesions"] = [_without(item) for item in raw]
        own["lesions"] = [_only(item) for item in raw]
        return ordinary, own, problems

    def _unknown(self, key: str, data: Mapping[str, Any]) -> Problem:
        where = f"case {str(data['id'])[:80]} / patient" if "id" in data else "case / patient"
        allowed = tuple(self.patient_keys)
        return Problem("unknown_key", where, f"unknown key {str(key)[:60]!r}", allowed, nearest(key, allowed))

    def _presupposed(self) -> list[tuple[str, str, str]]:
        """Return (label, variable, state) of every context state that the model presupposes."""
        return [
            (f"{variable.label}: {state.replace('_', ' ')}", variable.name, state)
            for variable in self.ordinary.variables.values()
            for state, node in variable.nodes.items()
            if node in self.model.valid_for
        ]

    def _misplaced(self, case: Case) -> list[Problem]:
        problems = []
        for label, name, state in self._presupposed():
            if name in case.context and case.context[name].likelihood[self._place(name, state)] == 0:
                what = f"{case.context[name].given} is outside the response model, which holds for {label}"
                problems.append(Problem("contradiction", f"case {case.id} / patient / {name}", what, (state,)))
        return problems

    def _place(self, name: str, state: str) -> int:
        return self.ordinary.variables[name].states.index(state)

    def _merged(self, own: Lesion, ordinary: Lesion) -> ResponseLesion:
        hidden = {other for n, s, other in self.model.rules_out if n in own.findings and _says(self.own, own, n, s)}
        skip = {*own.findings, *own.not_assessable, *hidden}
        taken: dict[str, Finding] = {}
        conflicts = []
        for name in self.model.reads:
            found = None if name in skip else self._shown(name, ordinary)
            if found is not None and not any(found.likelihood):
                conflicts.append(name)
            elif found is not None and min(found.likelihood) < max(found.likelihood):
                taken[name] = found
        return ResponseLesion(
            own.id, {**own.findings, **taken}, tuple(taken), tuple(conflicts), tuple(sorted(own.not_assessable))
        )

    def _shown(self, name: str, lesion: Lesion) -> Finding | None:
        """Return what the ordinary findings show of one variable, or None when they show nothing."""
        variable, reads = self.model.variables[name], self.model.reads[name]
        total, given = np.ones(len(variable.states)), []
        for finding in lesion.findings.values():
            feature = self.ordinary.variables[finding.variable]
            nodes = [feature.nodes[feature.states[position]] for position in finding.states]
            if not nodes or not all(node in reads for node in nodes):
                continue
            shown = np.zeros(len(variable.states))
            for position, node in zip(finding.states, nodes, strict=True):
                for state in reads[node]:
                    place = variable.states.index(state)
                    shown[place] = max(shown[place], finding.likelihood[position])
            total *= shown
            given.append(f"{feature.name}: {finding.given}")
        return Finding(name, tuple(map(float, total)), ", ".join(given)) if given else None


def _keys(variables: Any, section: str) -> list[str]:
    found: list[Variable] = [variable for variable in variables if variable.section == section]
    return [key for v in found for key in (v.name, *((v.measure.key,) if v.measure is not None else ()))]


def _try(reader: CaseReader, data: dict[str, Any], problems: list[Problem]) -> Case | None:
    try:
        return reader.read(data)
    except CaseError as error:
        problems += error.problems
        return None


def _without(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    return {"findings": {}, **{key: value for key, value in item.items() if key != KEY}}


def _only(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    kept = {"id": item["id"]} if "id" in item else {}
    return {**kept, "findings": item.get(KEY, {})}


def _says(reader: CaseReader, lesion: Lesion, name: str, state: str) -> bool:
    place = reader.variables[name].states.index(state)
    return lesion.findings[name].states == (place,)
