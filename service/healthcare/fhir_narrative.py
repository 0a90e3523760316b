"""The text of FHIR resources, for people whose program does not know the rest: what a resource says, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from hepagraph.ontology.errors import printable

Json = dict[str, Any]
XHTML = "http://www.w3.org/1999/xhtml"


def narrative(paragraphs: Iterable[str]) -> Json:
    """Return a Narrative of paragraphs.

    >>> narrative(["a < b"])["div"]
    '<div xmlns="http://www.w3.org/1999/xhtml"><p>a &lt; b</p></div>'
    """
    inner = "".join(f"<p>{escape(printable(text))}</p>" for text in paragraphs)
    return {"status": "generated", "div": f'<div xmlns="{XHTML}">{inner}</div>'}


def observation_text(observation: Mapping[str, Any]) -> str:
    """Return what an Observation says in words; the label of a state holds that of its variable already."""
    label, value = str(observation["code"]["text"]), value_text(observation)
    return value if value.startswith(f"{label}: ") else f"{label}: {value}"


def value_text(observation: Mapping[str, Any]) -> str:
    """Return the value of an Observation in words."""
    if "valueQuantity" in observation:
        quantity = observation["valueQuantity"]
        return f"{quantity['value']} {quantity['unit']}"
    if "valueCodeableConcept" in observation:
        return str(observation["valueCodeableConcept"]["text"])
    return str(observation["dataAbsentReason"]["text"])
