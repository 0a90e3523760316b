"""What the command line gives as key=value and modality/agent."""

from __future__ import annotations

import json
from typing import Any

from hepagraph.ontology.errors import CaseError, Problem


def setting(text: str) -> tuple[str, Any]:
    """Return the key and the value that ``key=value`` gives: JSON where it reads as such, else a word or a|list.

    Raises
    ------
    CaseError
        There is no key or no value.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key or not value:
        advice = "write key=value, for example size_mm=12"
        raise CaseError([Problem("type", "--set", f"cannot read {text[:60]!r}", advice=advice)])
    try:
        return key, json.loads(value)
    except ValueError:
        words = [word.strip() for word in value.split("|")]
        return key, words if len(words) > 1 else value


def spelt(key: str, value: Any) -> str:
    """Return a change as its scenario's name.

    >>> spelt("age", 40), spelt("age", None)
    ('age=40', 'without age')
    """
    if value is None:
        return f"without {key}"
    return f"{key}={value}" if isinstance(value, str) else f"{key}={json.dumps(value)}"


def examination(text: str) -> dict[str, str]:
    """Return the examination that ``modality`` or ``modality/agent`` names.

    >>> examination("camera / lamp")
    {'modality': 'camera', 'contrast_agent': 'lamp'}
    """
    modality, _, agent = (part.strip() for part in text.partition("/"))
    return {"modality": modality, "contrast_agent": agent} if agent else {"modality": modality}
