"""What one Observation, or one component of it, says of a variable."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import Problem
from hepagraph.service.healthcare.fhir import layout
from hepagraph.service.healthcare.statements import HIDDEN, LIKELIHOODS, NUMBER, ONE_OF, STATE, Said
from hepagraph.service.healthcare.units import converted, known_units

if TYPE_CHECKING:
    from hepagraph.kg import Variable
    from hepagraph.service.healthcare.codes import CodeBook

Json = dict[str, Any]


def read_value(codes: CodeBook, variable: Variable, part: Json, where: str) -> Said | Problem | None:
    """Return what is said, a problem, or None where nothing is said (a patient's value that is absent)."""
    if "dataAbsentReason" in part:
        return None if variable.section == "patient" else Said(variable.name, HIDDEN)
    if isinstance(part.get("valueQuantity"), dict):
        return _number(variable, part["valueQuantity"], where)
    if isinstance(part.get("valueBoolean"), bool) and part["valueBoolean"] in variable.booleans:
        return Said(variable.name, STATE, states=(variable.booleans[part["valueBoolean"]],))
    concept = part.get("valueCodeableConcept")
    if isinstance(concept, dict):
        return _states(codes, variable, concept, where)
    given = next((key for key in part if key.startswith("value")), "no value")
    what = f"{given} says nothing of {variable.name}"
    advice = "give a valueCodeableConcept" + (" or a valueQuantity" if variable.measure is not None else "")
    return Problem("type", where, what, advice=advice)


def _number(variable: Variable, quantity: Json, where: str) -> Said | Problem:
    number, measure = quantity.get("value"), variable.measure
    if measure is None:
        return Problem("unit", where, f"{variable.name} is not measured", variable.states)
    if isinstance(number, bool) or not isinstance(number, int | float | Decimal):
        return Problem("unit", where, f"{variable.name} has a quantity without a number")
    unit = str(quantity.get("code") or quantity.get("unit") or "")
    exact = converted(variable, number, unit)
    if exact is None:
        return Problem("unit", where, f"unit {unit[:20]!r} of {variable.name} is not known", known_units(variable))
    if isinstance(quantity.get("comparator"), str):
        what = f"{variable.name} is given as {quantity['comparator']} {number}, not as a number"
        return Problem("unit", where, what, advice="give the state instead")
    return Said(variable.name, NUMBER, number=exact)


def _states(codes: CodeBook, variable: Variable, concept: Json, where: str) -> Said | Problem:
    urls = layout()["extensions"]
    found: list[str] = []
    weights: list[float] = []
    for extension in objects(concept.get("extension")):
        if extension.get("url") == urls["one_of"]:
            found += codes.notations(variable, [_pair(extension.get("valueCoding"))])[:1]
        elif extension.get("url") == urls["likelihood"]:
            parts = {str(part.get("url")): part for part in objects(extension.get("extension"))}
            state = codes.notations(variable, [_pair(parts.get("state", {}).get("valueCoding"))])
            weight = parts.get("value", {}).get("valueDecimal")
            if state and isinstance(weight, int | float) and not isinstance(weight, bool):
                found.append(state[0])
                weights.append(weight)
    ours = [e for e in objects(concept.get("extension")) if e.get("url") in (urls["one_of"], urls["likelihood"])]
    if len(found) < len(ours) or 0 < len(weights) < len(found):
        return Problem("unknown_state", where, f"an extension names no state of {variable.name}", variable.states)
    if weights:
        return Said(variable.name, LIKELIHOODS, states=tuple(found), likelihoods=tuple(weights))
    if found:
        return Said(variable.name, ONE_OF, states=tuple(found))
    pairs = codings(concept)
    states = codes.notations(variable, pairs)
    if not states:
        shown = ", ".join(code[:40] for _, code in pairs) or "no coding"
        what = f"{shown} is not a state of {variable.name}"
        return Problem("unknown_state", where, what, (*variable.states, *variable.groups))
    return Said(variable.name, STATE if len(states) == 1 else ONE_OF, states=states)


def objects(value: Any) -> list[Json]:
    """Return the JSON objects of a list; nothing of anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def obj(value: Any) -> Json:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def codings(concept: Any) -> list[tuple[str, str]]:
    """Return system and code of every coding of a CodeableConcept."""
    return [_pair(coding) for coding in objects(obj(concept).get("coding"))]


def _pair(coding: Any) -> tuple[str, str]:
    found = obj(coding)
    return str(found.get("system")), str(found.get("code"))
