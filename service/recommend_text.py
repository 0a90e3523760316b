"""Write recommendations as plain text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping

from hepagraph.inference.result import NOTICE
from hepagraph.inference.rules_result import Advised, Blocked, CaseRecommendations, Recommendation
from hepagraph.inference.rules_words import percent
from hepagraph.kg import Variable
from hepagraph.kg.rules import RuleSource
from hepagraph.ontology.errors import printable

_WIDTH = 110
_SHOWN_BLOCKED = 5


def recommendations_text(
    found: CaseRecommendations, labels: Mapping[str, str], variables: Mapping[str, Variable], *, every: bool = False
) -> str:
    """Return the rules that fired for a patient and each lesion, then what else would be worth knowing.

    ``every`` lists all rules that one unstated item blocks, not only the first five of each lesion.
    """
    blocks = [f"Case {printable(found.id)}"]
    patient = list(_advised(found.patient, variables, every))
    if patient:
        blocks.append("\n".join(["For the patient", *patient]))
    for lesion in found.lesions:
        top = sorted(lesion.posterior.items(), key=lambda item: -item[1])[:2]
        leaders = ", ".join(f"{labels.get(name, name)} {percent(value)}" for name, value in top)
        lines = list(_advised(lesion.advised, variables, every)) or ["  no rule applies to what is stated"]
        blocks.append("\n".join([f"Lesion {printable(lesion.id)} ({leaders})", *lines]))
    if not patient and not any(lesion.advised.recommendations for lesion in found.lesions):
        blocks.append("No rule of this ontology applies to what is stated.")
    model = f"hepagraph {found.model['version']}, ontology {found.model['ontology_sha256'][:12]}. {NOTICE}"
    return "\n\n".join([*blocks, model]) + "\n"


def _advised(advised: Advised, variables: Mapping[str, Variable], every: bool) -> Iterator[str]:
    for position, recommendation in enumerate(advised.recommendations, 1):
        yield from _recommendation(position, recommendation)
    blocked = advised.blocked if every else advised.blocked[:_SHOWN_BLOCKED]
    if blocked:
        yield "  would also apply if it were known that"
    for item in blocked:
        yield from _blocked(item, variables)
    if len(advised.blocked) > len(blocked):
        yield f"    and {len(advised.blocked) - len(blocked)} more (--all)"


def _recommendation(position: int, found: Recommendation) -> Iterator[str]:
    rule = found.rule
    grade = f"grade {rule.grade}" + (f", cut-off grade {found.cutoff_grade}" if found.cutoff_grade else "")
    yield from _wrapped(f"{position:>2}. ", f"{rule.label} [{rule.kind.replace('_', '-')}, {grade}]")
    yield from _wrapped("      ", rule.advice)
    yield from _wrapped("      because: ", printable("; ".join(found.why)), 8)
    for source in _grouped(rule.sources):
        yield from _wrapped("      source: ", source, 8)


def _grouped(sources: Iterable[RuleSource]) -> list[str]:
    """Return one line a source with a figure, and one a publication for all places cited in it."""
    lines: dict[str, list[str]] = {}
    for source in sources:
        key = source.short() if source.figure else source.title
        places = [source.short()] if source.figure else source.locator.split("; ")
        lines.setdefault(key, []).extend(place for place in places if place and place not in lines.get(key, ()))
    return [key if found in ([], [key]) else f"{key}, {'; '.join(found)}" for key, found in lines.items()]


def _blocked(found: Blocked, variables: Mapping[str, Variable]) -> Iterator[str]:
    keys = ", ".join(_key(variables[name]) for name in found.missing)
    exam = f"; needs another examination: {found.other_exam}" if found.other_exam else ""
    yield from _wrapped("    - ", f"{found.wanted} ({keys}){exam} -> {found.rule.label}", 6)


def _key(variable: Variable) -> str:
    return variable.measure.key if variable.measure is not None else variable.name


def _wrapped(head: str, text: str, hang: int | None = None) -> list[str]:
    indent = " " * (len(head) if hang is None else hang)
    return textwrap.wrap(
        text, _WIDTH, initial_indent=head, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [head.rstrip()]
