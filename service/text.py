"""Write results, query rows and statistics as plain text for a terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from hepagraph.inference.result import NOTICE, CaseResult, LesionResult, Reason
from hepagraph.ontology.errors import printable

_WIDTH = 30
_NUMBER = r"[0-9.]+(e[+-]?[0-9]+)?"


def percent(probability: float) -> str:
    """Return a probability as a reader expects it, never as 0 % or 100 %.

    >>> percent(0.9996), percent(0.123), percent(0.0001)
    ('> 99.9 %', '12.3 %', '< 0.1 %')
    """
    if probability > 0.999:
        return "> 99.9 %"
    return "< 0.1 %" if probability < 0.001 else f"{100 * probability:.1f} %"


def in_words(variable: str, given: str, labels: Mapping[str, str]) -> str:
    """Return what a case says of a variable: states by their labels under ``variable=state``, or as they are spelt.

    >>> in_words("edge", "sharp_1 or none", {"edge=sharp_1": "very sharp"}), in_words("edge", "sharp_1 0.8, none 1", {})
    ('very sharp or none', 'sharp 1 (0.8), none (1)')
    """
    pieces = re.split("( or |, )", given)
    return "".join(piece if place % 2 else _in_words(variable, piece, labels) for place, piece in enumerate(pieces))


def _in_words(variable: str, piece: str, labels: Mapping[str, str]) -> str:
    spelling, blank, weight = piece.rpartition(" ")
    likelihood = f" ({weight})" if blank and re.fullmatch(_NUMBER, weight) else ""
    state = spelling if likelihood else piece
    return labels.get(f"{variable}={state}", state.replace("_", " ")) + likelihood


def case_text(result: CaseResult, labels: Mapping[str, str], *, reasons: int = 4) -> str:
    """Return the answer to a case: bars, subtype and mechanisms, reasons with their sources, warnings."""
    blocks = [f"Case {printable(result.id)}"]
    blocks += ["\n".join(lesion_lines(lesion, labels, reasons=reasons)) for lesion in result.lesions]
    return "\n\n".join([*blocks, model_text(result.model)]) + "\n"


def model_text(model: Mapping[str, str]) -> str:
    """Return which model answered, and what it is not."""
    return f"hepagraph {model['version']}, ontology {model['ontology_sha256'][:12]}. {NOTICE}"


def lesion_lines(lesion: LesionResult, labels: Mapping[str, str], *, reasons: int = 4) -> list[str]:
    """Return the answer for a lesion, line by line, with the first of its reasons."""
    lines = [f"Lesion {printable(lesion.id)}"]
    ranked = sorted(lesion.posterior.items(), key=lambda item: -item[1])
    width = max(len(labels.get(entity, entity)) for entity, _ in ranked)
    for entity, probability in ranked:
        bar = "#" * round(_WIDTH * probability)
        line = f"  {labels.get(entity, entity):<{width}}  {percent(probability):>8}  {bar:<{_WIDTH}}"
        if lesion.interval is not None:
            low, high = lesion.interval[entity]
            line += f"  95 % interval {percent(low)} to {percent(high)}"
        lines.append(line.rstrip())
    lines += _alone(lesion, labels)
    lines += _likely("subtype", lesion.subtype, labels, 0.1)[:1]
    lines += _likely("mechanisms", lesion.mechanisms, labels, 0.5)
    if lesion.reasons:
        lines.append(f"  why {labels.get(lesion.leading, lesion.leading)}:")
        for reason in lesion.reasons[:reasons]:
            lines += _reason(reason)
    lines += [f"  {warning.level}: {warning.message}" for warning in lesion.warnings]
    return lines


def _alone(lesion: LesionResult, labels: Mapping[str, str]) -> list[str]:
    if lesion.posterior_alone is None:
        return []
    leading, probability = max(lesion.posterior_alone.items(), key=lambda item: item[1])
    return [f"  without the patient's other lesions: {labels.get(leading, leading)} {percent(probability)}"]


def _likely(title: str, found: Mapping[str, float], labels: Mapping[str, str], least: float) -> list[str]:
    ranked = sorted((item for item in found.items() if item[1] >= least), key=lambda item: -item[1])
    text = ", ".join(f"{labels.get(name, name)} {percent(p)}" for name, p in ranked[:3])
    return [f"  {title}: {text}"] if text else []


def _reason(reason: Reason) -> list[str]:
    ratio = math.exp(min(abs(reason.likelihood_ratio_log), 700.0))
    direction = "for" if reason.likelihood_ratio_log >= 0 else "against"
    size = f"{ratio:.3g}" if ratio < 1000 else f"{ratio:.2g}"
    lines = [f"    {direction:<7} x {size:<8} {reason.label}: {printable(reason.given.replace('_', ' '))}"]
    for statement in reason.statements[:2]:
        row = f" [{statement.row_id}]" if statement.row_id else ""
        lines.append(f"              {statement.figure()}, grade {statement.grade}, {statement.source.short()}{row}")
    return lines
