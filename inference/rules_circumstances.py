"""Take from a case's JSON what rules alone read, and give the rest to the network's own reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hepagraph.inference.case import Case, CaseReader
from hepagraph.kg import Variable
from hepagraph.kg.rules import RuleBook
from hepagraph.ontology.errors import CaseError, Problem, case_error, nearest

Stated = dict[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class RuleCase:
    """A case, with the circumstances of the patient and of each lesion as state nodes by name."""

    case: Case
    patient: Mapping[str, frozenset[str]]
    lesions: tuple[Mapping[str, frozenset[str]], ...]


def read_rule_case(book: RuleBook, reader: CaseReader, data: Any) -> RuleCase:
    """Return the case that a JSON value describes, with the circumstances that stand in it.

    Raises
    ------
    CaseError
        Anything in it is unknown, impossible or contradictory; the error holds every problem with its place.
    """
    problems: list[Problem] = []
    rest: Any = data
    patient: Stated = {}
    lesions: list[Stated] = []
    if isinstance(data, dict):
        name = f"case {str(data['id'])[:80]}" if "id" in data else "case"
        rest = dict(data)
        if isinstance(data.get("patient"), dict):
            rest["patient"], patient = _taken(book, "patient", data["patient"], f"{name} / patient", problems)
        if isinstance(data.get("lesions"), list):
            found = [_lesion(book, item, i, name, problems) for i, item in enumerate(data["lesions"])]
            rest["lesions"], lesions = [item for item, _ in found], [stated for _, stated in found]
    try:
        case = reader.read(rest)
    except CaseError as error:
        raise case_error([*problems, *error.problems]) from None
    if problems:
        raise case_error(problems)
    return RuleCase(case, patient, tuple(lesions))


def _lesion(book: RuleBook, item: Any, position: int, name: str, problems: list[Problem]) -> tuple[Any, Stated]:
    if not isinstance(item, dict):
        return item, {}
    where = f"{name} / lesion {str(item.get('id', f'L{position + 1}'))[:80]}"
    return _taken(book, "lesion", item, where, problems)


def _taken(
    book: RuleBook, section: str, data: Mapping[str, Any], where: str, problems: list[Problem]
) -> tuple[dict[str, Any], Stated]:
    """Return the section without the circumstances, and these as the state nodes that are possible."""
    known = {name: book.variables[name] for name in book.circumstances if book.variables[name].section == section}
    rest = {key: value for key, value in data.items() if key not in known}
    stated: Stated = {}
    for key in known:
        if data.get(key) is not None:
            stated[key] = _nodes(known[key], data[key], f"{where} / {key}", problems)
    return rest, {key: nodes for key, nodes in stated.items() if nodes}


def _nodes(variable: Variable, value: Any, where: str, problems: list[Problem]) -> frozenset[str]:
    """Return the nodes of a state, or of a list of states (one of these)."""
    found = set()
    for item in value if isinstance(value, list) else [value]:
        spelling = variable.booleans.get(item, "") if isinstance(item, bool) else str(item).lower()
        if spelling in variable.nodes:
            found.add(variable.nodes[spelling])
        else:
            what = f"{str(item)[:60]!r} is not a state of {variable.name}"
            close = nearest(item, variable.nodes) if isinstance(item, str) else None
            problems.append(Problem("unknown_state", where, what, variable.states, close))
    if value == []:
        problems.append(Problem("unknown_state", where, "an empty list leaves no state", variable.states))
    return frozenset(found)
