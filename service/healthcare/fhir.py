"""Cases and answers as FHIR R5 or R4B, and cases out of FHIR.

A Bundle of type collection holds a Patient, an imaging Procedure for each examination, a BodyStructure for each lesion,
an Observation for each statement (the lesion is its focus), and a RiskAssessment for each lesion that was answered.
``service/data/fhir.json`` says which element carries what; everything of the case format comes back as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import CaseError, MissingExtraError, Problem
from hepagraph.service.healthcare.codes import DATA

if TYPE_CHECKING:
    from datetime import date

    from hepagraph.service.healthcare.codes import CodeBook
    from hepagraph.service.healthcare.statements import Imported

Json = dict[str, Any]
VERSIONS = ("R5", "R4B")
_PACKAGE = {"R5": "", "R4B": ".R4B"}  # of fhir.resources
_MANY = 20


@cache
def layout() -> Json:
    """Return which FHIR element carries what, from ``service/data/fhir.json``."""
    found: Json = json.loads((DATA / "fhir.json").read_text(encoding="utf-8"))
    return found


def to_fhir(codes: CodeBook, case: Mapping[str, Any], result: Mapping[str, Any] | None, version: str = "R5") -> Json:
    """Return a Bundle with a case and, where there is one, its answer.

    Parameters
    ----------
    case
        The JSON value of a case.
    result
        The answer in the fixed result format (``CaseResult.to_dict``), or None for the case alone.
    version
        R5 or R4B.

    Raises
    ------
    CaseError
        The case is bad, or the version is not known.
    MissingExtraError
        fhir.resources is not installed.
    """
    from hepagraph.service.healthcare.fhir_writing import bundle

    check_version(version)
    found = bundle(codes, case, result, version)
    check_bundle(found, version)
    return found


def from_fhir(codes: CodeBook, bundle: Any, version: str | None = None, *, today: date | None = None) -> Json:
    """Return the case that a Bundle holds; see ``read_fhir``, which says what was left aside too."""
    return read_fhir(codes, bundle, version, today=today).case


def read_fhir(codes: CodeBook, bundle: Any, version: str | None = None, *, today: date | None = None) -> Imported:
    """Return the case that a Bundle holds, and what was left aside.

    Parameters
    ----------
    version
        R5 or R4B; None: whichever it conforms to.
    today
        Where the Patient has a birth date and no Observation states the age: the day of which to take the age.

    Raises
    ------
    CaseError
        The Bundle does not conform, or what it holds is no case; the error holds every problem found.
    MissingExtraError
        fhir.resources is not installed.
    """
    from hepagraph.service.healthcare.fhir_reading import read_case

    check_bundle(bundle, version)
    return read_case(codes, bundle, today=today)


def check_bundle(bundle: Any, version: str | None = None) -> str:
    """Return the version that a Bundle conforms to.

    Raises
    ------
    CaseError
        It conforms to none; the problems are those of the version asked for, or of the one with fewer.
    MissingExtraError
        fhir.resources is not installed.
    """
    if not isinstance(bundle, Mapping) or bundle.get("resourceType") != "Bundle":
        raise CaseError([Problem("type", "bundle", "is not a FHIR Bundle", advice='its resourceType must be "Bundle"')])
    if version is not None:
        check_version(version)
    found: dict[str, list[Problem]] = {}
    for name in VERSIONS if version is None else (version,):
        found[name] = _problems(bundle, name)
        if not found[name]:
            return name
    fewest = min(found.values(), key=len)
    raise CaseError(fewest)


def _problems(bundle: Mapping[str, Any], version: str) -> list[Problem]:
    try:
        from pydantic import ValidationError

        kind = import_module(f"fhir.resources{_PACKAGE[version]}.bundle").Bundle
    except ImportError:
        raise MissingExtraError("Reading and writing FHIR", "fhir") from None
    try:
        kind.model_validate(bundle)
    except ValidationError as error:
        problems = []
        for one in error.errors(include_url=False, include_context=False, include_input=False)[:_MANY]:
            where = ".".join(str(part) for part in one["loc"])
            problems.append(Problem("fhir", f"{version} Bundle.{where}", one["msg"]))
        return problems
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # It looks the type of an inner resource up, and fails in these ways where there is none of the name.
        what = f"holds what cannot be checked: {str(error)[:100]}"
        return _unknown_types(bundle, version) or [Problem("fhir", f"{version} Bundle", what)]
    return []


def _unknown_types(bundle: Mapping[str, Any], version: str) -> list[Problem]:
    entries = bundle.get("entry")
    found = []
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if kind is not None and not _is_type(kind, version):
            where = f"{version} Bundle.entry.{number}.resource.resourceType"
            found.append(Problem("fhir", where, f"{str(kind)[:60]!r} is no type of resource"))
    return found[:_MANY]


def _is_type(kind: Any, version: str) -> bool:
    if not isinstance(kind, str) or not kind.isidentifier():
        return False
    return find_spec(f"fhir.resources{_PACKAGE[version]}.{kind.lower()}") is not None


def check_version(version: str) -> None:
    """Refuse a release of FHIR that is not known; a ``CaseError`` says which are."""
    if version not in VERSIONS:
        raise CaseError([Problem("unknown_key", "version", f"{str(version)[:20]!r} is not known", VERSIONS)])
