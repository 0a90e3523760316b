"""The network's structure around a case, each state shaded by its posterior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hepagraph.ontology.errors import printable
from hepagraph.service.plots import canvas
from hepagraph.service.plots.boxes import Box, draw_arrow, draw_box, stack, texts
from hepagraph.service.plots.canvas import INK, MUTED, SMALL, colour_of, line_height, words
from hepagraph.service.plots.touched import ShadedVariable, Shading
from hepagraph.service.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hepagraph.service.plots.picture import Picture

WIDTH = 10.2  # inches: the long side of a page
BETWEEN = 0.5  # inches between columns
GAP = 0.1  # inches between boxes
LIGHT = "#bdbdbd"
MOVED = 0.05  # of probability: arrows at what moved by as much are dark


def network_structure(found: Shading, labels: Mapping[str, str], *, title: str | None = None) -> Picture:
    """Draw the variables that matter for a lesion in columns by layer, from the patient to the findings.

    A box with a thick border was given; others are shaded by the posterior of their state and say from where it moved.

    Raises
    ------
    MissingExtraError
        Matplotlib is not installed.
    """
    layers = list(dict.fromkeys(variable.layer for variable in found.variables))
    width = (WIDTH - 2 * canvas.MARGIN - BETWEEN * (len(layers) - 1)) / len(layers)
    groups = [_group(variable, labels, width) for variable in found.variables]
    heights = {layer: [group.height for group in groups if group.layer == layer] for layer in layers}
    room = max(sum(column) + GAP * (len(column) - 1) for column in heights.values())
    head = line_height(SMALL) + 0.08
    name = labels.get(found.leading, found.leading)
    sheet = canvas.sheet(
        title or f"Lesion {found.lesion}: how the findings reach {name} {percent(found.posterior)}",
        "Thick border: given. Shade: posterior probability, deeper is more; the figures go from before the lesion's "
        "findings to after. Arrows from cause to effect, dark where a cause moved; only what matters for this lesion "
        "is shown.",
        room + head + 0.05,
        width=WIDTH,
        alt=_told(found, labels),
    )
    axes = sheet.axes(0, 0, sheet.width, room + head + 0.05)
    axes.set_xlim(0, sheet.width)
    axes.set_ylim(room + head + 0.03, -0.02)
    placed: dict[str, _Placed] = {}
    for number, layer in enumerate(layers):
        left = number * (width + BETWEEN)
        canvas.write(
            axes, left + width / 2, head / 2 - 0.03, words(layer), size=SMALL, weight="bold", color=MUTED, ha="center"
        )
        column = [group for group in groups if group.layer == layer]
        for group, top in zip(column, stack(heights[layer], room, GAP), strict=True):
            placed[group.name] = _Placed(left, head + top, width, group.height, number)
            _draw_group(axes, group, left, head + top, width)
    moved = {v.name for v in found.variables if any(abs(s.after - s.before) >= MOVED for s in v.states)}
    for start, end in found.arrows:
        a, b = placed[start], placed[end]
        near = b.column - a.column == 1
        dark = near and (start in moved or end in moved)
        _arrow(axes, a, b, INK if dark else LIGHT, 1.0 if dark else 0.7, near)
    return sheet.picture


@dataclass(frozen=True, slots=True)
class _Group:
    """The boxes of one variable, one under another without a gap."""

    name: str
    layer: str
    boxes: tuple[Box, ...]
    heights: tuple[float, ...]

    @property
    def height(self) -> float:
        return sum(self.heights)


@dataclass(frozen=True, slots=True)
class _Placed:
    left: float
    top: float
    width: float
    height: float
    column: int


def _group(variable: ShadedVariable, labels: Mapping[str, str], width: float) -> _Group:
    label = labels.get(variable.name, words(variable.name))
    boxes: tuple[Box, ...]
    if not variable.states:
        given = printable(words(variable.given))
        boxes = (Box(texts((label, "normal"), (given, "bold")), given=True),)
    else:
        boxes = tuple(_state_box(variable, label, number, labels) for number in range(len(variable.states)))
    return _Group(variable.name, variable.layer, boxes, tuple(box.height(width) for box in boxes))


def _state_box(variable: ShadedVariable, label: str, number: int, labels: Mapping[str, str]) -> Box:
    state = variable.states[number]
    name = label if len(variable.states) == 1 else labels.get(state.state, words(state.state))
    fill, ink = colour_of(state.after)
    return Box(texts((name, "normal"), (_move(state.before, state.after), "bold")), fill, ink)


def _move(before: float, after: float) -> str:
    return f"{percent(before)} → {percent(after)}"


def _draw_group(axes: Axes, group: _Group, left: float, top: float, width: float) -> None:
    for box, height in zip(group.boxes, group.heights, strict=True):
        draw_box(axes, box, left, top, width, height)
        top += height


def _arrow(axes: Axes, a: _Placed, b: _Placed, color: str, width: float, near: bool) -> None:
    start, end = (a.left + a.width, a.top + a.height / 2), (b.left, b.top + b.height / 2)
    if a.column == b.column:  # within a layer: from below, so that it does not cross its own box
        start, end = (a.left + a.width / 2, a.top + a.height), (b.left + b.width / 2, b.top)
    draw_arrow(axes, start, end, color=color, width=width, behind=not near)


def _told(found: Shading, labels: Mapping[str, str]) -> str:
    parts: list[str] = []
    for variable in found.variables:
        label = labels.get(variable.name, words(variable.name))
        if not variable.states:
            parts.append(f"{label} given as {words(variable.given)}")
        for state in variable.states:
            name = label if len(variable.states) == 1 else labels.get(state.state, words(state.state))
            parts.append(f"{name} {percent(state.before)} to {percent(state.after)}")
    name = labels.get(found.leading, found.leading)
    return (
        f"Network around lesion {found.lesion}, in columns from the patient to the findings, before and after them; "
        f"on top {name} {percent(found.posterior)}. {'; '.join(parts)}."
    )
