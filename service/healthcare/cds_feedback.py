"""What a client of CDS Hooks reports of a card: it is checked and forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.service.healthcare.cds import check_service
from hepagraph.service.healthcare.fhir_values import obj, objects

Json = dict[str, Any]
OUTCOMES = ("accepted", "overridden")


def feedback(service: str, request: Any) -> Json:
    """Check what a client reports of a card, and forget it.

    Raises
    ------
    UnknownServiceError
        There is no such service.
    CaseError
        It is not feedback of CDS Hooks.
    """
    check_service(service)
    items = request.get("feedback") if isinstance(request, dict) else None
    if not isinstance(items, list) or not items:
        raise CaseError([Problem("missing", "feedback", "is not a list of at least one object")])
    problems: list[Problem] = []
    for position, item in enumerate(items):
        problems += _feedback_problems(item, f"feedback[{position}]")
    if problems:
        raise CaseError(problems)
    return {}


def _feedback_problems(item: Any, where: str) -> list[Problem]:
    found = obj(item)
    problems = [
        Problem("missing", f"{where} / {name}", "is not a string that says something")
        for name in ("card", "outcomeTimestamp")
        if not isinstance(found.get(name), str) or not found[name]
    ]
    if not problems and not _is_instant(found["outcomeTimestamp"]):
        what = "is not a date and time with its zone, as RFC 3339 writes them"
        problems.append(Problem("type", f"{where} / outcomeTimestamp", what, advice="such as 2026-11-26T09:30:00Z"))
    if found.get("outcome") not in OUTCOMES:
        problems.append(Problem("unknown_state", f"{where} / outcome", "is not known", OUTCOMES))
    accepted = objects(found.get("acceptedSuggestions"))
    if found.get("outcome") == "accepted" and not (accepted and all(isinstance(a.get("id"), str) for a in accepted)):
        what = "accepted needs a list of at least one object with an id"
        problems.append(Problem("missing", f"{where} / acceptedSuggestions", what))
    if "overrideReason" in found:
        problems += _reason_problems(obj(found["overrideReason"]), f"{where} / overrideReason")
    return problems


def _reason_problems(given: Json, where: str) -> list[Problem]:
    if not {"reason", "userComment"} & set(given):
        return [Problem("missing", where, "needs a reason or a userComment")]
    problems = []
    if "reason" in given and not all(_is_text(obj(given["reason"]).get(name)) for name in ("code", "system")):
        problems.append(Problem("type", f"{where} / reason", "is not a Coding with code and system"))
    if "userComment" in given and not _is_text(given["userComment"]):
        problems.append(Problem("type", f"{where} / userComment", "is not a string that says something"))
    return problems


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_instant(text: str) -> bool:
    try:
        return "T" in text.upper() and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
