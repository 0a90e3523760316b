"""What a case and its answer say, in the form that the conditions of rules read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from hepagraph.inference.assessability import Assessability, Exam
from hepagraph.inference.case import Case, Finding, Lesion
from hepagraph.inference.result import LesionResult
from hepagraph.kg import Variable
from hepagraph.kg.rules import RuleBook


@dataclass(frozen=True, slots=True)
class Seen:
    """What was stated of a variable once: the leaf-state nodes still possible, and a measurement in its unit."""

    nodes: frozenset[str]
    number: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that rules may read of one lesion, or of the patient where there is no posterior.

    ``seen`` holds one item a variable, for an examination variable one an examination. ``posterior`` holds entities
    and subtypes, ``entities`` the differential; ``interval`` 95 % credible intervals of entities.
    """

    seen: Mapping[str, tuple[Seen, ...]]
    hidden: frozenset[str] = frozenset()
    posterior: Mapping[str, float] = field(default_factory=dict)
    entities: tuple[str, ...] = ()
    interval: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def patient_facts(
    case: Case, book: RuleBook, assessability: Assessability, circumstances: Mapping[str, frozenset[str]]
) -> Facts:
    """Return what is stated of the patient and of the examinations, and the circumstances that it entails."""
    variables = book.variables
    seen: dict[str, tuple[Seen, ...]] = {n: (_seen(variables[n], finding),) for n, finding in case.context.items()}
    for name, variable in variables.items():
        if variable.kind == "ExamVariable" and case.exams:
            seen[name] = tuple(_performed(variable, exam, assessability) for exam in case.exams)
    seen |= {name: (Seen(nodes),) for name, nodes in circumstances.items()}
    for item in [item for found in list(seen.values()) for item in found if len(item.nodes) == 1]:
        for name, node in book.entails.get(next(iter(item.nodes)), ()):
            seen.setdefault(name, (Seen(frozenset([node])),))
    return Facts(seen)


def lesion_facts(
    patient: Facts,
    lesion: Lesion,
    result: LesionResult,
    variables: Mapping[str, Variable],
    circumstances: Mapping[str, frozenset[str]],
) -> Facts:
    """Return the patient's facts with those of one lesion and its posterior."""
    seen = {name: (_seen(variables[name], finding),) for name, finding in lesion.findings.items()}
    seen |= {name: (Seen(nodes),) for name, nodes in circumstances.items()}
    return Facts(
        {**patient.seen, **seen},
        frozenset(lesion.not_assessable),
        {**result.subtype, **result.posterior},
        tuple(result.posterior),
        dict(result.interval or {}),
    )


def _seen(variable: Variable, finding: Finding) -> Seen:
    nodes = frozenset(variable.nodes[variable.states[position]] for position in finding.states)
    return Seen(nodes, _number(variable, finding.given))


def _number(variable: Variable, given: str) -> float | None:
    """Return the measurement that a finding was given as, e.g. 8.0 of "8 mm"; None where a state was given."""
    if variable.measure is None:
        return None
    found = re.search(rf"(?:^|, )([-+.\deE]+) {re.escape(variable.measure.unit)}(?:,|$)", given)
    return float(found.group(1)) if found else None


def _performed(variable: Variable, exam: Exam, assessability: Assessability) -> Seen:
    """Return which states of an examination variable one examination can have had.

    An agent that was not stated may be any that is given with the modality, and the other way round.
    """
    nodes = frozenset(variable.nodes.values())
    stated = {exam.modality, exam.agent} & nodes
    if stated:
        return Seen(frozenset(node for node in stated if node))
    agents = assessability.modalities_of_agent
    if exam.modality is not None:
        possible = frozenset(node for node in nodes if exam.modality in agents.get(node, ()))
    else:
        possible = nodes & agents.get(exam.agent or "", frozenset())
    return Seen(possible or nodes)
