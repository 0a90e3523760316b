"""Numbers as an ontology states them, checked where they are read."""

from __future__ import annotations

import math
from typing import Any

from hepagraph.ontology.errors import OntologyError


def checked_number(value: Any, node: str, name: str) -> float:
    """Return the value of a property of a node as a finite number.

    Raises
    ------
    OntologyError
        It is none.

    >>> checked_number("2.5", "spot", "order")
    2.5
    """
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise OntologyError(
            f"{node}: {name} = {str(value)[:60]!r} is not a number; write one as it stands, without quotes"
        )
    return found
