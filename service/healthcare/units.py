"""Units of measured values: their UCUM codes, and numbers in other units of the same kind. For FHIR and DICOM alike."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hepagraph.service.healthcare.fhir import layout

if TYPE_CHECKING:
    from hepagraph.kg import Variable


def ucum(unit: str) -> str | None:
    """Return the UCUM code of a unit of the ontology; None where it is not known."""
    form = layout()["units"].get(unit)
    return str(form["code"]) if form else None


def known_units(variable: Variable) -> tuple[str, ...]:
    """Return the UCUM codes in which a variable may be measured."""
    measure = variable.measure
    return () if measure is None else tuple(_times(measure.unit)) or (measure.unit,)


def converted(variable: Variable, number: Any, unit: str) -> int | float | None:
    """Return a number in a variable's own unit; None where the unit is not known. A whole number may stay one."""
    measure = variable.measure
    if measure is None or unit not in (measure.unit, *_times(measure.unit)):
        return None
    times = _times(measure.unit).get(unit, 1)
    exact = number if times == 1 else float(Decimal(str(number)) * Decimal(str(times)))
    return float(exact) if isinstance(exact, Decimal) else exact


def _times(unit: str) -> dict[str, float]:
    found: dict[str, float] = layout()["units"].get(unit, {}).get("times", {})
    return found
