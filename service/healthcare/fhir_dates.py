"""Dates and times of FHIR, of which a part may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any


def age_on(birth: Any, today: date) -> int | None:
    """Return how old somebody is; None where the day is not known, or it is to come."""
    try:
        born = date.fromisoformat(str(birth))
    except ValueError:
        return None
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return age if age >= 0 else None


def instant(text: str) -> datetime | None:
    """Return a full date or time; one without a zone counts as UTC, since only the order matters."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def stated_time(resource: Mapping[str, Any]) -> str:
    """Return the date or time of what an Observation says, of a period its end; empty where none is stated."""
    period = resource.get("effectivePeriod")
    ends = (period.get("end"), period.get("start")) if isinstance(period, dict) else ()
    stated = (resource.get("effectiveDateTime"), resource.get("effectiveInstant"), *ends)
    return next((one for one in stated if isinstance(one, str)), "")
