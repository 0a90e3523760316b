"""JSON Schemas of what the server says of itself: what answers, and what a case may state."""

from __future__ import annotations

from typing import Any

from hepagraph.inference.case import SECTIONS

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
LISTS: Json = {"type": "object", "additionalProperties": {"type": "array", "items": TEXT}}
DEFINITION: Json = {"type": ["string", "null"], "description": "Only with definitions=true."}


def about_schemas() -> Json:
    """Return the schemas by name."""
    word = _whole({"name": TEXT, "label": TEXT}, definition=DEFINITION)
    band = _whole({"state": TEXT, "low": NUMBER, "high": NUMBER})
    measure = _whole(
        {"key": TEXT, "unit": TEXT, "minimum": NUMBER, "maximum": NUMBER, "bands": {"type": "array", "items": band}}
    )
    variable = _whole(
        {
            "name": TEXT,
            "label": TEXT,
            "section": {"type": "string", "enum": list(SECTIONS)},
            "kind": TEXT,
            "states": {"type": "array", "items": word},
            "groups": LISTS,
            "booleans": {"type": "object", "additionalProperties": TEXT},
            "measure": {"anyOf": [measure, {"type": "null"}]},
        },
        definition=DEFINITION,
    )
    entity = _whole({"name": TEXT, "label": TEXT, "subtypes": {"type": "array", "items": TEXT}}, definition=DEFINITION)
    about = {
        "version": TEXT,
        "ontology_sha256": TEXT,
        "notice": TEXT,
        "differentials": LISTS,
        "default_differential": TEXT,
        "variables": {"type": "integer"},
    }
    return {
        "About": _whole(about),
        "Vocabulary": _whole(
            {"variables": {"type": "array", "items": variable}, "entities": {"type": "array", "items": entity}}
        ),
    }


def _whole(properties: Json, **more: Json) -> Json:
    """Return the schema of an object that has all of some properties, and may have more."""
    return {"type": "object", "properties": {**properties, **more}, "required": list(properties)}
