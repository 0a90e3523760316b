"""A heat map: probabilities by row and column, shaded and written out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hepagraph.service.plots import canvas
from hepagraph.service.plots.canvas import GAP, INK, MUTED, PAPER, SMALL, line_height, widest, wrap
from hepagraph.service.text import percent

if TYPE_CHECKING:
    from hepagraph.service.plots.picture import Picture

LABELS = 1.75  # inches, at most
CELL = (0.62, 1.4)  # inches, at least and where there is room at most


@dataclass(frozen=True, slots=True)
class Heat:
    """Values by row and column with the names along both, and where the entity is on top."""

    down: Sequence[str]
    across: Sequence[str]
    rows: str
    columns: str
    values: Sequence[Sequence[float]]
    leads: Sequence[Sequence[bool]]


def draw_heat_map(heat: Heat, title: str, note: str, alt: str) -> Picture:
    """Draw the values as shaded cells with the figure in each."""
    from matplotlib.patches import Rectangle

    lines = [wrap(row, LABELS, SMALL) for row in heat.down]
    left = max(widest(found, SMALL) for found in [*lines, wrap(heat.rows, LABELS, SMALL, "bold")]) * 1.05 + GAP
    longest = widest([word for name in heat.across for word in name.split()], SMALL)
    room = canvas.WIDTH - 2 * canvas.MARGIN - left
    cell = max(CELL[0], longest + 0.1, min(CELL[1], room / len(heat.across)))
    tops = [wrap(name, cell - 0.06, SMALL) for name in heat.across]
    head = max(map(len, tops)) * line_height(SMALL) + line_height(SMALL) + 0.14
    high = max(0.32, max(map(len, lines)) * line_height(SMALL) + 0.1)
    width = max(canvas.WIDTH, left + cell * len(heat.across) + 2 * canvas.MARGIN)
    sheet = canvas.sheet(title, note, high * len(heat.down) + head, width=width, alt=alt)
    axes = sheet.axes(left, 0, cell * len(heat.across), high * len(heat.down))
    axes.set_xlim(0, len(heat.across))
    axes.set_ylim(len(heat.down), 0)
    axes.set_yticks([n + 0.5 for n in range(len(heat.down))])
    axes.set_yticklabels(["\n".join(found) for found in lines], **canvas.font(SMALL), color=INK)
    axes.xaxis.tick_top()
    axes.set_xticks([n + 0.5 for n in range(len(heat.across))])
    axes.set_xticklabels(["\n".join(found) for found in tops], **canvas.font(SMALL), color=INK)
    above = 1 + (head - line_height(SMALL) / 2 - 0.04) / (high * len(heat.down))
    canvas.write(axes, 0, above, heat.columns, size=SMALL, weight="bold", color=MUTED, transform=axes.transAxes)
    beside = -left / (cell * len(heat.across))
    rows_head = "\n".join(wrap(heat.rows, left, SMALL, "bold"))
    canvas.write(
        axes,
        beside,
        1 + 0.06 / (high * len(heat.down)),
        rows_head,
        size=SMALL,
        weight="bold",
        color=MUTED,
        va="bottom",
        transform=axes.transAxes,
    )
    for y, (values, leads) in enumerate(zip(heat.values, heat.leads, strict=True)):
        for x, (value, leading) in enumerate(zip(values, leads, strict=True)):
            shade, ink = canvas.colour_of(value)
            axes.add_patch(Rectangle((x, y), 1, 1, facecolor=shade, edgecolor=PAPER, linewidth=1.5))
            if leading:
                axes.add_patch(Rectangle((x + 0.03, y + 0.05), 0.94, 0.9, fill=False, edgecolor=INK, linewidth=1.3))
            weight = "bold" if leading else "normal"
            canvas.write(axes, x + 0.5, y + 0.5, percent(value), size=SMALL, weight=weight, color=ink, ha="center")
    return sheet.picture
