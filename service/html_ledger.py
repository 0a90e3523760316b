"""A ledger as HTML: what speaks for an entity and what against it, with equal weight side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hepagraph.inference.causes import HISTOLOGY, SHOWS, Link
from hepagraph.inference.ledger import Entry, Ledger
from hepagraph.service.html_basics import (
    Cite,
    Labels,
    chance,
    cited,
    factor,
    fragment,
    named,
    odds,
    place,
    said,
    statements_html,
    text,
)

LEAST = 0.05  # nats below which a finding hardly moves the odds


@dataclass(frozen=True, slots=True)
class _Writing:
    """How to write an entry: of which entity, with which labels and citations, how many statements.

    ``most`` is the heaviest weight of all.
    """

    entity: str
    labels: Labels
    cite: Cite
    cite_path: Callable[[str], str]
    statements: int
    most: float


def ledger_html(
    ledger: Ledger,
    labels: Labels,
    cite: Cite = cited,
    cite_path: Callable[[str], str] = text,
    *,
    statements: int = 2,
) -> str:
    """Return the ledger: the odds before and after, and what moved them, each with its cause and its evidence.

    Parameters
    ----------
    cite
        What writes a statement as HTML.
    cite_path
        What writes the source of a step of a causal path, given in short, as HTML.
    statements
        How many statements to show with each finding.
    """
    shown = [entry for entry in ledger.entries if abs(entry.weight) >= LEAST]
    most = max((abs(entry.weight) for entry in shown), default=1.0)
    writing = _Writing(ledger.entity, labels, cite, cite_path, statements, most)
    sides = [
        _side(title, kind, [entry for entry in shown if (entry.weight > 0) == (kind == "for")], writing)
        for title, kind in (("Speaks for it", "for"), ("Speaks against it", "against"))
    ]
    return fragment(
        "ledger", _head(ledger, labels), f'<div class="sides">{"".join(sides)}</div>', _foot(ledger, labels)
    )


def _head(ledger: Ledger, labels: Labels) -> str:
    rival = "all the others" if ledger.against is None else named(ledger.against, labels)
    return (
        f'<p class="odds"><b>{named(ledger.entity, labels)}</b> against {rival}: odds {odds(ledger.before)} before any '
        f"of this, <b>{odds(ledger.after)}</b> after all of it.</p>"
    )


def _side(title: str, kind: str, entries: Sequence[Entry], writing: _Writing) -> str:
    total = factor(sum(entry.weight for entry in entries)) if entries else "nothing"
    items = "".join(_entry(entry, kind, writing) for entry in entries)
    listed = f"<ul>{items}</ul>" if items else ""
    return f'<div class="side {kind}"><h4>{title}: {total}</h4>{listed}</div>'


def _entry(entry: Entry, kind: str, writing: _Writing) -> str:
    labels = writing.labels
    given = f": {said(entry.variable, entry.given, labels)}" if entry.given else ""
    length = place(abs(entry.weight) / writing.most)
    parts = [
        f'<p class="what"><b class="factor">{factor(entry.weight)}</b> <span>{text(entry.label)}{given}</span></p>',
        f'<span class="weight" aria-hidden="true"><i style="width:{length}"></i></span>',
    ]
    if entry.mechanisms:
        through = ", ".join(named(mechanism, labels) for mechanism in entry.mechanisms[:2])
        parts.append(f'<p class="through">through {through}</p>')
    if any(link.relation != SHOWS for link in entry.path):
        parts.append(f'<p class="path">{path_html(entry.path, labels, writing.cite_path)}</p>')
    for flip in entry.flips[:1]:
        turned = f"{named(flip.entity, labels)} {chance(flip.probability)}"
        parts.append(f'<p class="flip">were it {said(entry.variable, flip.state, labels)}: {turned}</p>')
    if entry.rival_statements:
        parts += [
            f'<p class="within">in {named(entity, labels)}</p>{statements_html(found, writing.cite, most=1)}'
            for entity, found in ((writing.entity, entry.statements), (entry.favours, entry.rival_statements))
            if found
        ]
    else:
        parts.append(statements_html(entry.statements, writing.cite, most=writing.statements))
    return f'<li class="{kind}">{"".join(parts)}</li>'


def path_html(path: Sequence[Link], labels: Labels, cite: Callable[[str], str] = text) -> str:
    """Return a causal path as labels with arrows, a histology beside its subtype, and who says so; or nothing."""
    if not path:
        return ""
    steps = named(path[0].cause, labels)
    for link in path:
        name = named(link.effect, labels)
        steps += f", {name}" if link.relation == HISTOLOGY else f" → {name}"
    sources = dict.fromkeys(source for link in path for source in link.sources)
    return " ".join([steps, *(f'<span class="soft">{cite(source)}</span>' for source in sources)])


def _foot(ledger: Ledger, labels: Labels) -> str:
    lines = []
    hidden = [entry for entry in ledger.entries if abs(entry.weight) < LEAST]
    if hidden:
        together = factor(sum(entry.weight for entry in hidden))
        lines.append(f"Hardly moves it: {_names(hidden)} ({together} together).")
    for mechanism, entries in ledger.by_mechanism().items():
        if len(entries) > 1:
            total = factor(sum(entry.weight for entry in entries))
            lines.append(f"One cause behind several: {named(mechanism, labels)} ({total}) in {_names(entries)}.")
    return "".join(f'<p class="soft">{line}</p>' for line in lines)


def _names(entries: Sequence[Entry]) -> str:
    return ", ".join(text(entry.label) for entry in entries)
