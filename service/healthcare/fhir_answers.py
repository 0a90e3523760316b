"""The answer of a lesion as parts of a FHIR RiskAssessment, and what answered as parts of a Device."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from hepagraph.inference.result import NOTICE
from hepagraph.service.healthcare.fhir import layout
from hepagraph.service.text import percent

Json = dict[str, Any]
_SOURCES = 3  # of a reason; how many more there are is said


def predictions(answer: Mapping[str, Any], labels: Mapping[str, str], concept: Callable[[str], Json]) -> Json:
    """Return prediction and note of a lesion's answer in the fixed result format; likeliest first."""
    posterior, intervals = answer["posterior"], answer.get("interval", {})
    order = sorted(posterior, key=lambda entity: -posterior[entity])
    found = [_prediction(concept(entity), posterior[entity], intervals.get(entity)) for entity in order]
    if answer.get("reasons"):
        found[0]["rationale"] += "; " + "; ".join(_reason(one, labels) for one in answer["reasons"])
    notes = [NOTICE, *(f"{warning['level']}: {warning['message']}" for warning in answer.get("warnings", ()))]
    return {"prediction": found, "note": [{"text": text} for text in notes]}


def device_parts(model: Mapping[str, str], version: str) -> Json:
    """Return what a Device says of the program and the ontology that answered."""
    name, kind = layout()["program"], "user-friendly-name"
    named: Json = (
        {"name": [{"value": name, "type": kind}]} if version == "R5" else {"deviceName": [{"name": name, "type": kind}]}
    )
    versions = [{"value": model["version"]}, {"type": {"text": "ontology"}, "value": model["ontology_sha256"]}]
    return {**named, "version": versions, "note": [{"text": NOTICE}]}


def model_text(model: Mapping[str, str]) -> str:
    """Return what answered in words."""
    return f"{layout()['program']} {model['version']}, ontology {model['ontology_sha256']}"


def _prediction(outcome: Json, probability: float, ends: Iterable[float] | None) -> Json:
    """Return one prediction; FHIR gives probabilities in percent, as decimals and as ranges alike."""
    found: Json = {}
    text = f"posterior probability {percent(probability)}"
    if ends is not None:
        low, high = ends
        units = {"unit": "%", "system": layout()["ucum"], "code": "%"}
        limits = {"low": {"value": _percent(low), **units}, "high": {"value": _percent(high), **units}}
        found["extension"] = [{"url": layout()["extensions"]["interval"], "valueRange": limits}]
        text += f", 95 % credible interval {percent(low)} to {percent(high)}"
    return found | {"outcome": outcome, "probabilityDecimal": _percent(probability), "rationale": text}


def _reason(reason: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Return how much a finding counts, and whose figures say so."""
    weight, name = reason["log_likelihood_ratio"], labels.get(reason["finding"], reason["finding"])
    text = f"{'for' if weight > 0 else 'against'} x {math.exp(abs(weight)):.3g} {name}: {reason['given']}"
    sources = list(dict.fromkeys(statement["source"] for statement in reason.get("statements", ())))
    if not sources:
        return text
    more = [f"and {len(sources) - _SOURCES} more"] if len(sources) > _SOURCES else []
    return f"{text} ({', '.join([*sources[:_SOURCES], *more])})"


def _percent(probability: float) -> float:
    """Return a probability in percent, with no digit that the probability did not have."""
    return float(Decimal(repr(float(probability))) * 100)
