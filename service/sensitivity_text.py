"""Write on which numbers an answer hangs as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hepagraph.inference.result import NOTICE
from hepagraph.inference.sensitivity import Range, Sensitivity, Turn
from hepagraph.inference.withdrawal import Withdrawals
from hepagraph.ontology.errors import printable
from hepagraph.service.text import percent

_WIDTH = 40


@dataclass(frozen=True, slots=True)
class Sensed:
    """On which numbers one lesion's answer hangs, and on which papers (None: not asked)."""

    numbers: Sensitivity
    papers: Withdrawals | None

    def to_dict(self) -> dict[str, Any]:
        """Return both as one JSON object."""
        found = self.numbers.to_dict()
        return found if self.papers is None else {**found, "withdrawals": self.papers.to_dict()}


def sensitivity_text(case: str, lesions: Sequence[Sensed], labels: Mapping[str, str], *, top: int = 6) -> str:
    """Return the tornado, the turns and the papers of a case's lesions."""
    blocks = [f"Case {printable(case)}"]
    for lesion in lesions:
        lines = _lesion(lesion.numbers, labels, top)
        lines += [] if lesion.papers is None else _papers(lesion.papers, labels)
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, NOTICE]) + "\n"


def _lesion(lesion: Sensitivity, labels: Mapping[str, str], top: int) -> list[str]:
    leading = labels.get(lesion.leading, lesion.leading)
    lines = [f"Lesion {printable(lesion.lesion)}: {leading} {percent(lesion.posterior)}"]
    lines.append("  its range when one variable's numbers alone are drawn from their uncertainty (0 to 100 %)")
    lines += [_range(found, lesion.posterior) for found in lesion.ranges[:top]]
    lines.append("  the smallest changes of one number that would put another beside it")
    for turn in lesion.turns[:top]:
        lines += _turn(turn, labels)
    if not lesion.turns:
        lines.append("    no single number can")
    return lines


def _papers(found: Withdrawals, labels: Mapping[str, str]) -> list[str]:
    lines = [f"  the papers that move it most when withdrawn, of {found.tried} that it touches"]
    for paper in found.papers:
        now = paper.posterior[found.leading]
        other = "" if paper.leading == found.leading else f", {labels.get(paper.leading, paper.leading)} on top"
        count = f"{paper.statements} statement{'' if paper.statements == 1 else 's'}"
        lines.append(f"    {percent(found.posterior)} -> {percent(now)}{other}  {paper.source.short()} ({count})")
    kept = "; ".join(source.short() for source in found.indispensable)
    return [*lines, f"    not withdrawn, since prior weights rest on it: {kept}"] if kept else lines


def _range(found: Range, posterior: float) -> str:
    low, high, at = (round((_WIDTH - 1) * p) for p in (found.low, found.high, posterior))
    bar = "".join("|" if i == at else "=" if low <= i <= high else "." for i in range(_WIDTH))
    return f"    {bar}  {percent(found.low):>8} to {percent(found.high):>8}  {found.label}"


def _turn(turn: Turn, labels: Mapping[str, str]) -> list[str]:
    given = printable(turn.given.replace("_", " "))
    what = f"P({turn.label}: {given} | {labels.get(turn.subtype, turn.subtype)})"
    lines = [f"    {percent(turn.now)} -> {percent(turn.needed)}  {what}: {labels.get(turn.entity, turn.entity)}"]
    for statement in turn.statements[:1]:
        row = f" [{statement.row_id}]" if statement.row_id else ""
        source = f"{statement.figure()}, grade {statement.grade}, {statement.source.short()}{row}"
        lines.append(f"{'':10}now from: {source}")
    return lines
