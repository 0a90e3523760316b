"""Write ledgers as plain text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hepagraph.inference.causes import HISTOLOGY, Link
from hepagraph.inference.ledger import Entry, Ledger
from hepagraph.inference.most_probable import Explanation
from hepagraph.inference.result import NOTICE
from hepagraph.ontology.errors import printable
from hepagraph.service.text import in_words, percent

_WIDTH = 12
_LEAST = 0.05
_STORIES = "  the best story of each entity, and the probability of all of it at once"


@dataclass(frozen=True, slots=True)
class Explained:
    """One lesion's ledger, and the most probable explanation within each entity."""

    ledger: Ledger
    explanations: tuple[Explanation, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return both as one JSON object."""
        return {**self.ledger.to_dict(), "explanations": [found.to_dict() for found in self.explanations]}


def explained_text(case: str, lesions: Sequence[Explained], labels: Mapping[str, str]) -> str:
    """Return what speaks for and against in a case's lesions, through what, says who, and the best explanations."""
    blocks = [f"Case {printable(case)}"]
    for lesion in lesions:
        lines = [
            *ledger_lines(lesion.ledger, labels),
            "  the best story of each entity, and the probability of all of it at once",
        ]
        lines += [f"    {explanation_text(found, labels)}" for found in lesion.explanations[:3]]
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, NOTICE]) + "\n"


def explanation_text(found: Explanation, labels: Mapping[str, str]) -> str:
    """Return an explanation as one line: probability, subtype, mechanisms."""
    through = ", ".join(labels.get(name, name) for name in found.present) or "none of the mechanisms that bear on it"
    return f"{percent(found.probability):>8}  {labels.get(found.subtype, found.subtype)}: {through}"


def ledger_lines(ledger: Ledger, labels: Mapping[str, str]) -> list[str]:
    """Return a lesion's ledger, line by line; states are said by their labels under ``variable=state``, if any."""
    rival = "all the others" if ledger.against is None else labels.get(ledger.against, ledger.against)
    lines = [f"Lesion {printable(ledger.lesion)}: {labels.get(ledger.entity, ledger.entity)} against {rival}"]
    lines.append(f"  odds {odds(ledger.before)} before any of this, {odds(ledger.after)} after all of it")
    shown = [entry for entry in ledger.entries if abs(entry.weight) >= _LEAST]
    for title, chosen in (
        ("speaks for it", [entry for entry in shown if entry.weight > 0]),
        ("speaks against it", [entry for entry in shown if entry.weight < 0]),
    ):
        lines.append(f"  {title}: {times(sum(entry.weight for entry in chosen))}" if chosen else f"  {title}: nothing")
        for entry in chosen:
            lines += _entry(entry, ledger.entity, labels)
    hidden = [entry for entry in ledger.entries if abs(entry.weight) < _LEAST]
    if hidden:
        names = ", ".join(entry.label for entry in hidden)
        lines.append(f"  hardly moves it: {names} ({times(sum(entry.weight for entry in hidden))} together)")
    groups = {m: entries for m, entries in ledger.by_mechanism().items() if len(entries) > 1}
    for mechanism, entries in groups.items():
        total = times(sum(entry.weight for entry in entries))
        lines.append(f"  one cause: {labels.get(mechanism, mechanism)} ({total}) in {_names(entries)}")
    return lines


def _names(entries: Sequence[Entry]) -> str:
    return ", ".join(entry.label for entry in entries)


def odds(log_odds: float) -> str:
    """Return odds as a reader writes them, with the probability.

    >>> odds(math.log(3)), odds(-math.log(4))
    ('3 : 1 (75.0 %)', '1 : 4 (20.0 %)')
    """
    ratio = math.exp(min(abs(log_odds), 700.0))
    text = f"{ratio:.3g}"
    probability = 1 / (1 + math.exp(-log_odds)) if abs(log_odds) < 700 else float(log_odds > 0)
    return f"{text} : 1 ({percent(probability)})" if log_odds >= 0 else f"1 : {text} ({percent(probability)})"


def times(weight: float) -> str:
    """Return a weight of log-odds as a factor of the odds.

    >>> times(math.log(2.5)), times(-math.log(4))
    ('x 2.5', '/ 4')
    """
    return f"{'x' if weight >= 0 else '/'} {math.exp(min(abs(weight), 700.0)):.3g}"


def path_text(path: Sequence[Link], labels: Mapping[str, str]) -> str:
    """Return a causal path as labels with arrows, the histology beside its subtype; empty where there is no path."""
    if not path:
        return ""
    words = labels.get(path[0].cause, path[0].cause)
    for link in path:
        name = labels.get(link.effect, link.effect)
        words += f", {name}" if link.relation == HISTOLOGY else f" -> {name}"
    return words


def _entry(entry: Entry, own: str, labels: Mapping[str, str]) -> list[str]:
    given = printable(in_words(entry.variable, entry.given, labels))
    line = f"    {times(entry.weight):<{_WIDTH}}{entry.label}" + (f": {given}" if given else "")
    if entry.mechanisms:
        line += f"  (through {', '.join(labels.get(m, m) for m in entry.mechanisms[:2])})"
    lines = [line, *(f"{'':{_WIDTH + 4}}{words}" for words in [path_text(entry.path, labels)] if words)]
    for flip in entry.flips[:1]:
        state = in_words(entry.variable, flip.state, labels)
        lines.append(
            f"{'':{_WIDTH + 4}}were it {state}: {labels.get(flip.entity, flip.entity)} {percent(flip.probability)}"
        )
    named = bool(entry.rival_statements)
    for entity, statements in ((own, entry.statements), (entry.favours, entry.rival_statements)):
        within = f"in {labels.get(entity, entity)}: " if named else ""
        for statement in statements[: 1 if named else 2]:
            row = f" [{statement.row_id}]" if statement.row_id else ""
            source = f"{statement.figure()}, grade {statement.grade}, {statement.source.short()}{row}"
            lines.append(f"{'':{_WIDTH + 4}}{within}{source}")
    return lines
