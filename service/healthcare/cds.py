"""A CDS Hooks 2.0 service: from a request with prefetched FHIR resources to one card a lesion.

Nothing is kept, and no FHIR server is ever asked: what is needed and was not sent is a 412. Of each prefetch key three
things can be said: absent (not supplied; the answer says so, or is refused), null or an empty Bundle (looked for, and
nothing found), and resources.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hepagraph.ontology.errors import CaseError, HepagraphError, Problem
from hepagraph.service.healthcare.codes import DATA
from hepagraph.service.healthcare.fhir_reading import read_case
from hepagraph.service.healthcare.fhir_references import last_part, unversioned
from hepagraph.service.healthcare.fhir_values import obj, objects
from hepagraph.service.healthcare.statements import NothingSaidError

if TYPE_CHECKING:
    from hepagraph.service.doors import Doors
    from hepagraph.service.healthcare.codes import CodeBook

Json = dict[str, Any]
_TYPES: Mapping[str, type] = {"string": str, "array": list, "object": dict}


class PreconditionError(HepagraphError):
    """What the service needs was not supplied; the status for it is 412."""


class UnknownServiceError(HepagraphError):
    """There is no service of this id; the status for it is 404."""


@dataclass(frozen=True, slots=True)
class Supplied:
    """The resources that were prefetched, and the keys that were not supplied."""

    entries: tuple[Json, ...]
    missing: tuple[str, ...]
    found: bool


@cache
def about() -> Json:
    """Return what the service says of itself, from ``service/data/cds_hooks.json``."""
    found: Json = json.loads((DATA / "cds_hooks.json").read_text(encoding="utf-8"))
    return found


def discovery() -> Json:
    """Return the services that there are: the same one for each hook."""
    keys = ("title", "description", "id", "prefetch", "usageRequirements", "version")
    return {"services": [{"hook": hook, **{key: about()[key] for key in keys}} for hook in about()["hooks"]]}


def respond(
    doors: Doors,
    codes: CodeBook,
    service: str,
    request: Any,
    *,
    model_card: str | None = None,
    today: date | None = None,
) -> Json:
    """Return the cards for a request.

    Parameters
    ----------
    service
        The id in the address.
    request
        The JSON value that was sent.
    model_card
        An absolute address where the reader of a card learns what answers; None: the cards have no link.
    today
        The day of which a birth date gives the age; None: the Patient's birth date is not used.

    Raises
    ------
    UnknownServiceError
        There is no such service.
    CaseError
        The request is not one of CDS Hooks, or what was prefetched is no case.
    PreconditionError
        What is needed was not supplied.
    """
    from hepagraph.service.healthcare.cards import card

    check_service(service)
    context = _checked(request)
    supplied = prefetched(request.get("prefetch"))
    if not supplied.found:
        return {"cards": []}
    _check_patient(supplied.entries, str(context["patientId"]))
    try:
        found = read_case(codes, {"entry": list(supplied.entries)}, today=today)
    except NothingSaidError:
        return {"cards": []}
    answer, looks = doors.posterior(found.case, interval=True), doors.next_best(found.case)
    return {
        "cards": [
            card(codes, lesion, look, answer["model"], supplied.missing, model_card, found.ignored)
            for lesion, look in zip(answer["lesions"], looks["lesions"], strict=True)
        ]
    }


def check_service(service: str) -> None:
    """Refuse an id that is not the service's; an ``UnknownServiceError`` says which there is."""
    if service != about()["id"]:
        raise UnknownServiceError(f"there is no CDS service of this id; there is {about()['id']}")


def prefetched(prefetch: Any) -> Supplied:
    """Return what was supplied of the things asked for.

    Raises
    ------
    CaseError
        ``prefetch`` is not an object of resources.
    PreconditionError
        Something needed is absent, could not be fetched, or stops at the end of a page.
    """
    if prefetch is not None and not isinstance(prefetch, dict):
        raise CaseError([Problem("type", "prefetch", "is not a JSON object")])
    entries: list[Json] = []
    missing: list[str] = []
    found = True
    for key in about()["prefetch"]:
        needed = key in about()["needed"]
        value = obj(prefetch).get(key, _ABSENT)
        why = _why_unusable(value, key)
        if why and needed:
            raise PreconditionError(f"prefetch {key!r} {why}, and this service asks no FHIR server")
        if why:
            missing.append(key)
            continue
        resources = _resources(value)
        found = found and (bool(resources) or not needed)
        entries += resources
    return Supplied(tuple(entries), tuple(missing), found)


_ABSENT = object()


def _why_unusable(value: Any, key: str) -> str | None:
    """Return why a prefetched value cannot stand for the answer of the query; None where it can."""
    if value is _ABSENT:
        return "is absent"
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        raise CaseError([Problem("type", f"prefetch / {key}", "is not a FHIR resource")])
    if value["resourceType"] == "OperationOutcome":
        return "could not be fetched (OperationOutcome)"
    if any(link.get("relation") == "next" for link in objects(value.get("link"))):
        return "has further pages"
    held = [obj(entry.get("resource")) for entry in objects(value.get("entry"))]
    outcomes = [one for one in held if one.get("resourceType") == "OperationOutcome"]
    if any(issue.get("severity") in about()["grave"] for one in outcomes for issue in objects(one.get("issue"))):
        return "could not be fetched in full (OperationOutcome)"
    return None


def _resources(value: Any) -> list[Json]:
    if value is None:
        return []
    return objects(value.get("entry")) if value["resourceType"] == "Bundle" else [{"resource": value}]


def _checked(request: Any) -> Json:
    """Return the context of a request that has all that its hook promises."""
    if not isinstance(request, dict):
        raise CaseError([Problem("type", "request", "is not a JSON object")])
    problems = [
        Problem("missing", name, "is not a string that says something")
        for name in ("hook", "hookInstance")
        if not isinstance(request.get(name), str) or not request[name]
    ]
    if not problems and not _is_uuid(request["hookInstance"]):
        problems.append(Problem("type", "hookInstance", "is not a UUID"))
    hook, context = request.get("hook"), request.get("context")
    fields = about()["hooks"].get(hook) if isinstance(hook, str) else None
    if fields is None and not problems:
        what = "is not a hook of this service"
        problems.append(Problem("unknown_key", "hook", what, tuple(about()["hooks"])))
    for name, kind in (fields or {}).items():
        value = obj(context).get(name)
        if not isinstance(value, _TYPES[kind]) or (kind == "string" and not value):
            problems.append(Problem("missing", f"context / {name}", f"{hook} needs this, of type {kind}"))
    if "fhirAuthorization" in request and not isinstance(request.get("fhirServer"), str):
        problems.append(Problem("missing", "fhirServer", "is needed where fhirAuthorization is given"))
    if problems:
        raise CaseError(problems)
    return obj(context)


def _check_patient(entries: tuple[Json, ...], patient: str) -> None:
    """Refuse resources that say that they are of another patient than the context."""
    for entry in entries:
        resource = obj(entry.get("resource"))
        place = resource.get("subject", resource.get("patient"))
        reference = str(obj(place).get("reference", ""))
        own = str(resource.get("id", patient)) if resource.get("resourceType") == "Patient" else patient
        if own != patient or (reference and last_part(unversioned(reference).replace("urn:uuid:", "")) != patient):
            what = f"a {str(resource.get('resourceType'))[:40]} is of another patient than the context"
            raise CaseError([Problem("contradiction", "prefetch", what)])


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
