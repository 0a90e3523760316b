"""What the command line gives as key=value and modality/agent."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.service.reading import parse_json


def setting(text: str) -> tuple[str, Any]:
    """Return the key and the value that ``key=value`` gives: JSON where it reads as such, else a word or a|list.

    Raises
    ------
    CaseError
        There is no key or no value, or the value is JSON that cannot be worked with.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    advice = "write key=value, for example size_mm=12"
    if not equals or not key or not value:
        raise CaseError([Problem("type", "--set", f"cannot read {text[:60]!r}", advice=advice)])
    try:
        json.loads(value)
    except RecursionError:
        pass  # the strict reader says so
    except ValueError:
        words = [word.strip() for word in value.split("|")]
        return key, words if len(words) > 1 else value
    try:
        return key, parse_json(value, f"--set {key[:60]}")
    except CaseError as error:
        raise CaseError(replace(problem, advice=advice) for problem in error.problems) from None


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
