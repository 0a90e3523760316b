"""What to look at next, by the bits that it is expected to tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hepagraph.inference.looks import NextBest, Protocol
from hepagraph.service.plots.canvas import AGAINST, FOR, GRID, HATCHES, INK, SMALL, text_width, words
from hepagraph.service.plots.rows import BAR, Row, frame, ticks
from hepagraph.service.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hepagraph.service.plots.picture import Picture

STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)  # bits between ticks


def next_best_ranking(found: NextBest, labels: Mapping[str, str], *, top: int = 6, title: str | None = None) -> Picture:
    """Draw the ``top`` findings, examinations and perfect tests that tell most, in bits; with costs, what they save.

    The axis ends at what a test that is never wrong would tell.

    Raises
    ------
    MissingExtraError
        Matplotlib is not installed.
    """
    leading = labels.get(found.leading, found.leading)
    groups = _groups(found, labels, top)
    rows = [row for group in groups for row in (group.heading, *group.rows)]
    told = "; ".join(_told(row, group.heading) for group in groups for row in group.rows)
    drawn = frame(
        title or f"Lesion {found.lesion}: what to look at next, with {leading} on top",
        _note(found, labels),
        rows or [Row("nothing is left to look at")],
        alt=f"Bars of the bits that each further look at lesion {found.lesion} is expected to tell, of "
        f"{found.uncertainty:.2f}; {leading} is on top. {told or 'Nothing is left to look at'}.",
        axis="expected information in bits",
    )
    values = [value for group in groups for value in (None, *group.bits)]
    looks = [look for group in groups for look in (None, *[(group.colour, group.hatch)] * len(group.rows))]
    axes, end = drawn.axes, max([found.uncertainty, 1e-3, *(value for value in values if value is not None)])
    axes.set_xlim(0, end)
    _bit_ticks(axes, end, drawn.plot_width)
    for place, value, look in zip(drawn.places, values, looks, strict=False):  # where nothing is left, a row says so
        if value is not None and look is not None:
            axes.barh(place, value, BAR, color=look[0], hatch=look[1], edgecolor=INK, linewidth=0.8)
    return drawn.sheet.picture


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows of one kind under their heading, the bits of each, and how their bars look."""

    heading: Row
    rows: tuple[Row, ...]
    bits: tuple[float, ...]
    colour: str
    hatch: str


def _groups(found: NextBest, labels: Mapping[str, str], top: int) -> list[_Group]:
    priced = found.largest_loss is not None
    saves = ("net\nsaving",) if priced else ()

    def row(label: str, bits: float, change: str, net: float | None) -> Row:
        return Row(label, (f"{bits:.2f}", change, *([_points(net)] if priced else [])))

    looks, protocols, tests = found.looks[:top], found.protocols[:top], found.tests[:top]
    groups = [
        _Group(
            Row("on the examinations at hand", ("bits", "another\nanswer", *saves), True),
            tuple(row(look.label, look.information, percent(look.chance_of_change), look.saving) for look in looks),
            tuple(look.information for look in looks),
            FOR,
            HATCHES[0],
        ),
        _Group(
            Row("another examination, at least", ("bits", "", *saves), True),
            tuple(row(_protocol(one, labels), one.information, "", one.net) for one in protocols),
            tuple(one.information for one in protocols),
            AGAINST,
            HATCHES[1],
        ),
        _Group(
            Row("were it never wrong", ("bits", "", *saves), True),
            tuple(row(one.label, one.information, "", one.net) for one in tests),
            tuple(one.information for one in tests),
            GRID,
            HATCHES[2],
        ),
    ]
    return [group for group in groups if group.rows]


def _points(net: float | None) -> str:
    return "" if net is None else f"{net:.2f}".replace("-", "\N{MINUS SIGN}")


def _told(row: Row, heading: Row) -> str:
    pairs = zip(row.figures, heading.figures, strict=True)
    return f"{row.label}: " + ", ".join(f"{text} {' '.join(head.split())}" for text, head in pairs if text)


def _note(found: NextBest, labels: Mapping[str, str]) -> str:
    parts = [
        f"A test that is never wrong would tell {found.uncertainty:.2f} bits: there the axis ends. Another answer: how "
        "probable it is that another entity comes out on top."
    ]
    if found.rival is not None and found.separator is not None:
        name, bits = found.separator
        rival, what = labels.get(found.rival, found.rival), labels.get(name, name)
        parts.append(f"Best told from {rival} by {what} ({bits:.2f} bits of that choice).")
    if found.management is not None:
        best = labels.get(found.management, found.management)
        parts.append(
            f"As things stand: {best}. Net saving: by how many points the expected loss falls, less what the "
            "examination itself costs."
        )
    return " ".join(parts)


def _protocol(protocol: Protocol, labels: Mapping[str, str]) -> str:
    agent = f", {words(protocol.agent)}" if protocol.agent else ""
    shows = ", ".join(labels.get(name, name) for name in protocol.findings)
    return f"{words(protocol.modality)}{agent}: {shows}"


def _bit_ticks(axes: Axes, end: float, width: float) -> None:
    for step in STEPS:
        marks = [number * step for number in range(int(end / step) + 1)]
        texts = [f"{mark:g}" for mark in marks]
        if (max(text_width(text, SMALL) for text in texts) + 0.15) * (end / step) <= width:
            break
    ticks(axes, marks, texts)
