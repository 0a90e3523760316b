"""The card of one lesion: what is likeliest in a sentence, and the rest in GitHub Flavored Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hepagraph.inference.result import NOTICE
from hepagraph.ontology.errors import printable
from hepagraph.service.healthcare.cds import about
from hepagraph.service.text import percent

if TYPE_CHECKING:
    from hepagraph.service.healthcare.codes import CodeBook

Json = dict[str, Any]
SUMMARY = 139  # characters: the specification wants fewer than 140
_NAME = 24
_REASONS, _LOOKS, _ASIDE = 4, 2, 3


def card(
    codes: CodeBook,
    lesion: Mapping[str, Any],
    look: Mapping[str, Any],
    model: Mapping[str, str],
    missing: Sequence[str],
    model_card: str | None,
    ignored: Sequence[str] = (),
) -> Json:
    """Return a lesion's card.

    Parameters
    ----------
    lesion
        The lesion's answer in the fixed result format, with intervals.
    look
        What to look at next, as ``NextBest.to_dict`` gives it.
    missing
        The prefetch keys that were not supplied.
    ignored
        The resources that were left aside, and why.
    """
    ranked = sorted(lesion["posterior"].items(), key=lambda item: -item[1])
    source: Json = {"label": about()["source"]}
    found: Json = {
        "uuid": str(uuid4()),
        "summary": _summary(codes, lesion, ranked),
        "detail": "\n".join(_detail(codes, lesion, ranked, look, model, [*_left_out(missing, ignored)])),
        "indicator": "info",
        "source": source,
    }
    if model_card is not None:
        source["url"] = model_card
        found["links"] = [{"label": about()["link"], "url": model_card, "type": "absolute"}]
    return found


def _summary(codes: CodeBook, lesion: Mapping[str, Any], ranked: list[tuple[str, float]]) -> str:
    (first, probability), *others = ranked
    name = printable(str(lesion["id"]))
    name = name if len(name) <= _NAME else name[: _NAME - 3] + "..."
    text = f"Lesion {name}: {_label(codes, first)} {percent(probability)}"
    more = [f" (95 % interval {_ends(lesion, first)})"]
    more += [f", {_label(codes, entity)} {percent(p)}" for entity, p in others[:1]]
    for part in more:
        text += part if len(text) + len(part) <= SUMMARY else ""
    return text[:SUMMARY]


def _detail(
    codes: CodeBook,
    lesion: Mapping[str, Any],
    ranked: list[tuple[str, float]],
    look: Mapping[str, Any],
    model: Mapping[str, str],
    left_out: Sequence[str],
) -> Iterable[str]:
    yield f"**Lesion {escaped(str(lesion['id']))}**, posterior probability (95 % credible interval)"
    yield ""
    for entity, probability in ranked:
        yield f"- {escaped(_label(codes, entity))} {percent(probability)} ({_ends(lesion, entity)})"
    yield from _reasons(codes, lesion, ranked[0][0])
    yield from _looks(codes, look)
    notes = [*(warning["message"] for warning in lesion.get("warnings", ())), *left_out]
    if notes:
        yield ""
        yield from (f"- {escaped(note)}" for note in notes)
    yield ""
    yield f"hepagraph {model['version']}, ontology {model['ontology_sha256'][:12]}. {NOTICE}"


def _left_out(missing: Sequence[str], ignored: Sequence[str]) -> Iterable[str]:
    if missing:
        yield f"not supplied, so not counted: {', '.join(missing)}"
    if ignored:
        more = f"; and {len(ignored) - _ASIDE} more" if len(ignored) > _ASIDE else ""
        yield f"left aside, so not counted: {'; '.join(ignored[:_ASIDE])}{more}"


def _reasons(codes: CodeBook, lesion: Mapping[str, Any], leading: str) -> Iterable[str]:
    if lesion["reasons"]:
        yield ""
        yield f"**Why {escaped(_label(codes, leading))}** (how many times its odds change)"
        yield ""
    for reason in lesion["reasons"][:_REASONS]:
        weight = reason["log_likelihood_ratio"]
        what = f"{_label(codes, reason['finding'])}: {reason['given']}{_sources(reason)}"
        yield f"- {'for' if weight > 0 else 'against'}, x {math.exp(abs(weight)):.3g}: {escaped(what)}"


def _sources(reason: Mapping[str, Any]) -> str:
    """Return whose figures say so: the first of them, and how many more there are."""
    found = list(dict.fromkeys(statement["source"] for statement in reason["statements"]))
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f" ({found[0]}{more})" if found else ""


def _looks(codes: CodeBook, look: Mapping[str, Any]) -> Iterable[str]:
    yield ""
    yield "**Next look** (bits that it is expected to tell)"
    yield ""
    if look["enough"]:
        yield "- nothing further is expected to tell much"
        return
    for one in look["findings"][:_LOOKS]:
        yield f"- {escaped(_label(codes, one['finding']))}: {one['information']:.2f}"
    for one in look["protocols"][:1]:
        names = [_examination(codes, name) for name in (one["modality"], one["contrast_agent"]) if name]
        yield f"- {escaped(', '.join(names))}: at least {one['information']:.2f}"


def _ends(lesion: Mapping[str, Any], entity: str) -> str:
    low, high = lesion["interval"][entity]
    return f"{percent(low)} to {percent(high)}"


def _label(codes: CodeBook, node: str) -> str:
    return codes.labels.get(node, node)


def _examination(codes: CodeBook, notation: str) -> str:
    """Return the label of a modality or an agent."""
    for variable in codes.variables.values():
        if variable.section == "exam" and notation in variable.nodes:
            return _label(codes, variable.nodes[notation])
    return notation


def escaped(text: str) -> str:
    r"""Return a text that stands for itself in Markdown, and holds no HTML.

    >>> escaped("<b> *x*")
    '\\<b\\> \\*x\\*'
    """
    text = re.sub(r"([\\`*_{}\[\]<>#|~&@!])", r"\\\1", printable(text))
    return text.replace("://", r":\/\/").replace("www.", r"www\.")
