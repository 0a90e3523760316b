"""Read every case before answering any, so that all problems are reported together and nothing is half-answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from hepagraph.ontology.errors import CaseError, Problem

C = TypeVar("C")
R = TypeVar("R")
MAXIMUM_PROBLEMS = 1000


def answer_all(values: Sequence[tuple[str, Any]], read: Callable[[Any], C], ask: Callable[[C], R]) -> list[R]:
    """Return the answer to every (where, JSON value), in order.

    Raises
    ------
    CaseError
        Any case is bad (at most a thousand problems), or else any cannot be answered; every problem says where.
    """
    return each(each(values, read, MAXIMUM_PROBLEMS, keep_place=True), ask)


def each(
    items: Sequence[tuple[str, Any]], act: Callable[[Any], Any], limit: int | None = None, *, keep_place: bool = False
) -> list[Any]:
    """Return what ``act`` makes of every item, with its place where wanted; collect the problems of all of them."""
    found: list[Any] = []
    problems: list[Problem] = []
    for where, item in items:
        try:
            result = act(item)
            found.append((where, result) if keep_place else result)
        except CaseError as error:
            problems += [placed(problem, where) for problem in error.problems]
            if limit is not None and len(problems) >= limit:
                break
    if problems:
        raise CaseError(problems)
    return found


def placed(problem: Problem, where: str) -> Problem:
    """Return the problem with the case's place before its own."""
    place = where if problem.where in ("", where) else f"{where}: {problem.where}"
    return Problem(problem.kind, place, problem.what, problem.allowed, problem.nearest, problem.advice)


class Writable(Protocol):
    """What can be written as a JSON object."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        ...


def lesions_json(found: Iterable[tuple[str, Iterable[Writable]]]) -> str:
    """Return one line of JSON for each case: its id, and an object for each lesion."""
    rows = ({"id": name, "lesions": [lesion.to_dict() for lesion in lesions]} for name, lesions in found)
    return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
