"""The frame of pictures that go row by row: labels on the left, marks over one axis, figures in words on the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hepagraph.service.plots import canvas
from hepagraph.service.plots.canvas import BODY, GAP, GRID, INK, MUTED, SMALL, Sheet, line_height, widest, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELS = 2.6  # inches, at most
PADDING = 0.13
ROW = 0.30  # inches, at least
BAR = 0.19  # inches
COLUMN_GAP = 0.17
STANDS_OUT = 0.2  # inches, by which the label of the last tick may stand out


@dataclass(frozen=True, slots=True)
class Row:
    """What stands to the left of a row's mark, and to the right in columns; a strong row is bold."""

    label: str
    figures: tuple[str, ...] = ()
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """A sheet with axes. All measures are in inches, also the axes' own downwards, where row n is at ``places[n]``."""

    sheet: Sheet
    axes: Axes
    places: tuple[float, ...]
    plot_width: float


def frame(title: str, note: str, rows: Sequence[Row], *, alt: str, axis: str, tick_lines: int = 1) -> Frame:
    """Return the frame of a picture with one row at least."""
    lines = [wrap(row.label, LABELS, BODY, _weight(row)) for row in rows]
    left = max(widest(found, BODY, _weight(row)) for found, row in zip(lines, rows, strict=True)) + GAP
    columns = range(max(len(row.figures) for row in rows))
    wide = [max(widest(row.figures[n : n + 1], BODY, _weight(row)) for row in rows) for n in columns]
    right = sum(wide) + COLUMN_GAP * len(wide)
    counts = [
        max(len(found), *(figure.count("\n") + 1 for figure in ("", *row.figures)))
        for found, row in zip(lines, rows, strict=True)
    ]
    heights = [max(ROW, count * line_height(BODY) + PADDING) for count in counts]
    places = [sum(heights[:n]) + heights[n] / 2 for n in range(len(rows))]
    foot = line_height(SMALL) * (tick_lines + 1) + 0.04
    sheet = canvas.sheet(title, note, foot + sum(heights), alt=alt)
    width = sheet.width - left - right - STANDS_OUT
    axes = sheet.axes(left, foot, width, sum(heights))
    axes.set_ylim(sum(heights), 0)
    axes.set_yticks(places)
    axes.set_yticklabels(
        ["\n".join(found) for found in lines], **canvas.font(), color=INK, linespacing=1.2, va="center_baseline"
    )
    for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_fontweight(_weight(row))
    axes.tick_params(axis="y", pad=GAP * 72 * 0.7)
    beside = axes.get_yaxis_transform()
    for place, row in zip(places, rows, strict=True):
        for n, figure in enumerate(row.figures):
            edge = 1 + (STANDS_OUT + sum(wide[: n + 1]) + COLUMN_GAP * (n + 1)) / width
            canvas.write(axes, edge, place, figure, ha="right", transform=beside, weight=_weight(row))
    axes.set_xlabel(axis, **canvas.font(SMALL), color=MUTED, loc="left", labelpad=2)
    return Frame(sheet, axes, tuple(places), width)


def _weight(row: Row) -> str:
    return "bold" if row.strong else "normal"


def ticks(axes: Axes, places: Sequence[float], labels: Sequence[str]) -> None:
    """Set the ticks of the axis at the bottom, with a light line at each."""
    axes.set_xticks(places)
    axes.set_xticklabels(labels, **canvas.font(SMALL), color=MUTED)
    axes.tick_params(axis="x", pad=2)
    axes.xaxis.grid(True, color=GRID, linewidth=0.8)


def percent_axis(axes: Axes, low: float = 0.0, high: float = 1.0) -> None:
    """Scale the axis at the bottom from ``low`` to ``high`` in per cent."""
    steps = (0.25, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
    step = next((s for s in steps if (high - low) / s >= 3.5), steps[-1])
    first, last = round(low / step + 0.499), round(high / step - 0.499)
    places = [number * step for number in range(first, last + 1)]
    axes.set_xlim(low, high)
    ticks(axes, places, [f"{100 * place:.3g} %" for place in places])
