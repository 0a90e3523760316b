"""Boxes with text inside and arrows between them, placed in inches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hepagraph.service.plots import canvas
from hepagraph.service.plots.canvas import BODY, INK, MUTED, PAPER, SMALL, line_height, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EDGE = 0.07  # inches between a box and its text
Colour = str | tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """What a box says, each text with its size, and how it looks; ``given`` draws it with a thick border."""

    texts: tuple[tuple[str, float, str], ...]
    fill: Colour = PAPER
    ink: str = INK
    given: bool = False

    def lines(self, width: float) -> list[tuple[str, float, str]]:
        """Return the lines of its texts in a box of ``width`` inches, each with size in points and weight."""
        return [
            (line, size, weight)
            for text, size, weight in self.texts
            for line in wrap(text, width - 2 * EDGE, size, weight)
        ]

    def height(self, width: float) -> float:
        """Return the height in inches that it needs."""
        return sum(line_height(size) for _, size, _ in self.lines(width)) + 2 * EDGE


def texts(*parts: tuple[str, str]) -> tuple[tuple[str, float, str], ...]:
    """Return texts of a box from pairs of text and weight: bold ones in the body's size, others smaller."""
    return tuple((text, BODY if weight == "bold" else SMALL, weight) for text, weight in parts if text)


def draw_box(axes: Axes, box: Box, left: float, top: float, width: float, height: float) -> None:
    """Draw a box whose upper left corner is at a place; y counts downwards."""
    from matplotlib.patches import Rectangle

    border: dict[str, Any] = (
        {"edgecolor": INK, "linewidth": 2.2} if box.given else {"edgecolor": MUTED, "linewidth": 0.9}
    )
    axes.add_patch(Rectangle((left, top), width, height, facecolor=box.fill, zorder=3, clip_on=False, **border))
    lines = box.lines(width)
    y = top + (height - sum(line_height(size) for _, size, _ in lines)) / 2
    for line, size, weight in lines:
        tall = line_height(size)
        inside: dict[str, Any] = {"color": box.ink, "ha": "center", "va": "baseline", "zorder": 4}
        canvas.write(axes, left + width / 2, y + 0.75 * tall, line, size=size, weight=weight, **inside)
        y += tall


def draw_arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    color: str = INK,
    width: float = 1.0,
    behind: bool = False,
) -> None:
    """Draw an arrow between two places, or behind everything else a plain line with a small head."""
    from matplotlib.patches import FancyArrowPatch

    arrow = FancyArrowPatch(
        start,
        end,
        arrowstyle="-|>",
        mutation_scale=8,
        color=color,
        linewidth=width,
        shrinkA=0,
        shrinkB=0,
        zorder=1 if behind else 2,
    )
    axes.add_patch(arrow)


def stack(heights: Sequence[float], room: float, gap: float) -> list[float]:
    """Return the tops of boxes one under another, centred in ``room`` inches."""
    used = sum(heights) + gap * max(len(heights) - 1, 0)
    top = (room - used) / 2
    return [top + sum(heights[:n]) + gap * n for n in range(len(heights))]
