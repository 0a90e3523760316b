"""What is wrong with a combination of choices, in the words of the form, and which fields it is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hepagraph.inference.case import CaseReader
from hepagraph.ontology.errors import Problem
from hepagraph.service.explorer.fields import Field


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong: what and what to do, as text, and the variables that it is about."""

    text: str
    variables: tuple[str, ...] = ()


def read_troubles(problems: Iterable[Problem], reader: CaseReader, fields: dict[str, Field]) -> tuple[Trouble, ...]:
    """Return the problems of a case, each once."""
    return tuple(dict.fromkeys(_trouble(problem, reader, fields) for problem in problems))


def _trouble(problem: Problem, reader: CaseReader, fields: dict[str, Field]) -> Trouble:
    for first, state, second, other in reader.exclusions:
        if problem.what == f"{first}: {state} excludes {second}: {other}":
            a, b = fields[first], fields[second]
            return Trouble(f"{a.label}: {a.said(state)} excludes {b.label}: {b.said(other)}", (first, second))
    advice = f"; {problem.advice}" if problem.advice else ""
    owners = {v.name: v.name for v in reader.variables.values()}
    owners |= {v.measure.key: v.name for v in reader.variables.values() if v.measure is not None}
    place = problem.where.rsplit(" / ", 1)[-1].removeprefix("finding ")
    if place not in owners or owners[place] not in fields:
        return Trouble(f"{problem.what}{advice}")
    field = fields[owners[place]]
    allowed = f"; allowed: {', '.join(problem.allowed)}" if problem.allowed and problem.kind == "unit" else ""
    return Trouble(f"{field.label}: {problem.what}{allowed}{advice}", (field.name,))
