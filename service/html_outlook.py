"""What to look at next, and on which numbers an answer hangs, as HTML."""

from __future__ import annotations

from collections.abc import Callable

from hepagraph.inference.next_best import Look, NextBest, PerfectTest, Protocol
from hepagraph.inference.sensitivity import Range, Sensitivity, Turn
from hepagraph.inference.withdrawal import Withdrawals
from hepagraph.kg.model import Source
from hepagraph.service.html_basics import (
    Cite,
    Labels,
    chance,
    chances,
    cited,
    fragment,
    named,
    place,
    said,
    source_html,
    statements_html,
    table,
    text,
)

SMALLEST = 0.0005  # points; less is noise of the arithmetic


def next_best_html(found: NextBest, labels: Labels, *, top: int = 5) -> str:
    """Return the findings to look for and the examinations to do, by the bits that they are expected to tell."""
    parts = [f"<p>{sentence}</p>" for sentence in _open(found, labels)]
    if not found.enough:
        parts += [_looks(found, labels, top), _protocols(found, labels, top)]
    return fragment("next-best", *parts)


def _open(found: NextBest, labels: Labels) -> list[str]:
    sentences = [
        f"<b>{named(found.leading, labels)}</b> is on top; a test that is never wrong would tell "
        f"{found.uncertainty:.2f} bits."
    ]
    if found.rival is not None and found.separator is not None:
        name, bits = found.separator
        sentences.append(
            f"What best tells it from {named(found.rival, labels)}: <b>{named(name, labels)}</b> "
            f"({bits:.2f} bits of that choice)."
        )
    if found.management is not None and found.expected_loss is not None:
        sentences.append(
            f"As things stand: <b>{named(found.management, labels)}</b>, at an expected loss of "
            f"{found.expected_loss:.3g} points."
        )
    if found.settled:
        sentences.append("Nothing further is expected to save more than it costs.")
    if found.enough:
        sentences.append("Nothing further is expected to tell much.")
    return sentences


def _looks(found: NextBest, labels: Labels, top: int) -> str:
    if not found.looks:
        return ""
    priced = found.expected_loss is not None
    rows = [
        [
            text(look.label),
            f"{look.information:.2f}",
            *([_points(look.saving)] if priced else []),
            chance(look.chance_of_change),
            _outcomes(look, labels),
        ]
        for look in found.looks[:top]
    ]
    columns = ["finding", "#bits", *(["#saves, points"] if priced else []), "#chance of another answer"]
    columns.append("likeliest reports, and what each would put on top")
    return table("On the examinations at hand", columns, rows, kind="stack")


def _outcomes(look: Look, labels: Labels) -> str:
    items = "".join(
        f"<li>{said(look.variable, state, labels)} ({chance(probability)}): {named(entity, labels)}</li>"
        for state, probability, entity in look.outcomes[:3]
    )
    return f'<ul class="plain">{items}</ul>'


def _protocols(found: NextBest, labels: Labels, top: int) -> str:
    if not found.protocols and not found.tests:
        return ""
    priced = found.expected_loss is not None
    rows = [
        [
            examination(one, labels),
            f"{one.information:.2f}",
            *(_priced(one) if priced else []),
            ", ".join(named(name, labels) for name in one.findings),
        ]
        for one in found.protocols[:top]
    ]
    rows += [
        [text(test.label), f"{test.information:.2f}", *(_priced(test) if priced else []), "all, were it never wrong"]
        for test in found.tests
    ]
    money = ["#saves, points", "#costs, points", "worth it"] if priced else []
    columns = ["examination", "#bits, at least", *money, "its most telling findings"]
    return table("Another examination", columns, rows, kind="stack")


def _priced(found: Protocol | PerfectTest) -> list[str]:
    """Return what it saves, what it costs, and whether that is worth it."""
    net = found.net
    return [_points(found.saving), _points(found.burden), "" if net is None else "yes" if net > 0 else "no"]


def _points(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if abs(value) >= SMALLEST else "0"


def examination(protocol: Protocol, labels: Labels) -> str:
    """Return modality and agent as HTML text."""
    agent = f", {said('exam', protocol.agent, labels)}" if protocol.agent else ""
    return f"{said('exam', protocol.modality, labels)}{agent}"


def sensitivity_html(found: Sensitivity, labels: Labels, cite: Cite = cited, *, top: int = 6) -> str:
    """Return how far each variable's numbers move the answer, and the smallest changes of one that would turn it."""
    parts = [
        f"<p>How far <b>{named(found.leading, labels)}</b> ({chance(found.posterior)}) moves when one variable's "
        "numbers alone are drawn from their uncertainty: 95 % ranges, on a scale from 0 to 100&nbsp;%.</p>",
        '<ol class="ranges">' + "".join(_range(one, found.posterior) for one in found.ranges[:top]) + "</ol>",
    ]
    if found.turns:
        rows = [_turn(turn, labels, cite) for turn in found.turns[:top]]
        columns = ["the probability of", "#is", "#would have to be", "then as probable", "it rests on"]
        caption = "The smallest changes of one number that would turn the answer"
        parts.append(table(caption, columns, rows, kind="stack"))
    else:
        parts.append("<p>No single number could turn the answer.</p>")
    return fragment("sensitivity", *parts)


def withdrawals_html(found: Withdrawals, labels: Labels, cite: Callable[[Source], str] = source_html) -> str:
    """Return the papers that move the answer most when withdrawn, each with the answer without it."""
    leading = named(found.leading, labels)
    tried = f"Of {found.tried} papers that bear on this case, those that move the answer most when withdrawn"
    rows = [
        [
            cite(paper.source),
            str(paper.statements),
            chance(paper.posterior[found.leading]),
            "the same" if paper.leading == found.leading else named(paper.leading, labels),
        ]
        for paper in found.papers
    ]
    columns = ["without", "#statements", f"#{leading}, now {chance(found.posterior)}", "then on top"]
    parts = [table(tried, columns, rows, kind="stack")] if rows else ["<p>No paper could be withdrawn.</p>"]
    if found.indispensable:
        names = "; ".join(cite(source) for source in found.indispensable)
        parts.append(f'<p class="soft">Without these there is no answer to compare: {names}.</p>')
    return fragment("withdrawals", *parts)


def _range(found: Range, posterior: float) -> str:
    span = f"left:{place(found.low)};width:{place(found.high - found.low)}"
    return (
        f'<li><span class="name">{text(found.label)}</span>'
        f'<span class="track" aria-hidden="true"><span class="between" style="{span}"></span>'
        f'<span class="at" style="left:{place(posterior)}"></span></span>'
        f'<span class="interval">{chances(found.low, found.high)}</span></li>'
    )


def _turn(turn: Turn, labels: Labels, cite: Cite) -> list[str]:
    what = f"{text(turn.label)}: {said(turn.variable, turn.given, labels)}, in {named(turn.subtype, labels)}"
    rests = statements_html(turn.statements, cite, most=1) or '<span class="soft">no statement of its own</span>'
    return [what, chance(turn.now), chance(turn.needed), named(turn.entity, labels), rests]
