"""Write on which numbers an answer hangs as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hepagraph.inference.result import NOTICE
from hepagraph.inference.sensitivity import Range, Sensitivity, Turn
from hepagraph.ontology.errors import printable
from hepagraph.service.text import percent

_WIDTH = 40


def sensitivity_text(case: str, lesions: Sequence[Sensitivity], labels: Mapping[str, str], *, top: int = 6) -> str:
    """Return the tornado and the turns of a case's lesions."""
    blocks = [f"Case {printable(case)}"]
    blocks += ["\n".join(_lesion(lesion, labels, top)) for lesion in lesions]
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
