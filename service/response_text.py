"""Write the answer of the response network as plain text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hepagraph.inference.response_result import ResponseCaseResult, ResponseLesionResult, ResponseReason, Support
from hepagraph.inference.result import NOTICE
from hepagraph.kg.response import Pitfall, ResponseModel
from hepagraph.ontology.errors import printable
from hepagraph.service.text import percent

_WIDTH = 30
_STATEMENTS = 2
_SMALL = 0.02


def response_text(result: ResponseCaseResult, model: ResponseModel, *, reasons: int = 5) -> str:
    """Return the answer to a case: grades with intervals, tissue, reasons with their sources, pitfalls, warnings."""
    blocks = [f"Case {printable(result.id)}"]
    blocks += ["\n".join(_lesion(lesion, model, reasons)) for lesion in result.lesions]
    about = result.model
    last = (
        f"hepagraph {about['version']}, ontology {about['ontology_sha256'][:12]}, {about['response_model']}. {NOTICE}"
    )
    return "\n\n".join([*blocks, last]) + "\n"


def _lesion(lesion: ResponseLesionResult, model: ResponseModel, reasons: int) -> list[str]:
    lines = [f"Lesion {printable(lesion.id)}"]
    for name, posterior in lesion.answers.items():
        lines.append(f"  {model.variables[name].label}")
        lines += [_bar(model.labels[name], s, p, lesion.interval[name][s]) for s, p in posterior.items()]
    lines += ["  tissue", *_tissue(lesion, {name: model.variables[name].label for name in lesion.causes})]
    name, state = lesion.leading
    if lesion.reasons:
        lines.append(f"  why {model.variables[name].label} {model.labels[name][state]}:")
    for reason in [found for found in lesion.reasons if abs(found.likelihood_ratio_log) > _SMALL][:reasons]:
        lines += _reason(reason)
    for pitfall in lesion.pitfalls:
        lines += _pitfall(pitfall)
    return lines + [f"  {warning.level}: {printable(warning.message)}" for warning in lesion.warnings]


def _tissue(lesion: ResponseLesionResult, labels: Mapping[str, str]) -> list[str]:
    width = max(map(len, labels.values()), default=0)
    ranked = sorted(lesion.causes.items(), key=lambda item: -item[1])
    return [f"    {labels[n]:<{width}}  {percent(p):>8}  {_ends(lesion.cause_interval[n])}" for n, p in ranked]


def _bar(labels: Mapping[str, str], state: str, probability: float, ends: tuple[float, float]) -> str:
    width = max(map(len, labels.values()))
    bar = "#" * round(_WIDTH * probability)
    return f"    {labels[state]:<{width}}  {percent(probability):>8}  {bar:<{_WIDTH}}  {_ends(ends)}"


def _ends(ends: tuple[float, float]) -> str:
    return f"95 % interval {percent(ends[0])} to {percent(ends[1])}"


def _spelt(state: str) -> str:
    return state.replace("_", " ")


def _reason(reason: ResponseReason) -> list[str]:
    ratio = math.exp(min(abs(reason.likelihood_ratio_log), 700.0))
    direction = "for" if reason.likelihood_ratio_log >= 0 else "against"
    size = f"{ratio:.3g}" if ratio < 1000 else f"{ratio:.2g}"
    lines = [f"    {direction:<7} x {size:<8} {reason.label}: {printable(_spelt(reason.given))}"]
    return lines + [line for found in reason.support[:_STATEMENTS] for line in _support(found)]


def _support(found: Support) -> list[str]:
    lines = [
        f"              {found.figure}: {found.label}",
        f"                grade {found.grade}, {found.source} [{found.id}]",
    ]
    if basis := ", ".join(item.id for item in found.basis):
        lines.append(f"                after {basis}")
    return lines


def _pitfall(pitfall: Pitfall) -> list[str]:
    lines = [f"  pitfall: {pitfall.label}", f"    {pitfall.text} ({'; '.join(pitfall.sources)})"]
    return lines + [f"    {item.text}, grade {item.grade}, {item.source} [{item.id}]" for item in pitfall.basis]
