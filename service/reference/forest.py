"""Draw statements one under the other, as meta-analyses do, with the network's own value among them.

The picture is SVG: it takes the page's text colour (``currentColor``) and mid-tones besides, so it reads on light and
dark ground, has a title, and grows and shrinks with the page.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from hepagraph.service.reference.markdown import percent
from hepagraph.service.reference.proportions import Mark

_WIDTH, _LEFT, _PLOT, _RIGHT = 900.0, 350.0, 330.0, 700.0
_ROW, _HEAD, _TOP, _BOTTOM = 20.0, 26.0, 6.0, 40.0
_VALUE_COLOUR, _FRAME_COLOUR = "#3f8fd2", "#8a8a8a"
_LABEL_LENGTH = 46
_LEGEND = (
    "square: counted (the larger, the more examined) with 95 % interval; hatched: words; blue: network; faint: kept out"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One statement: what to draw, its study, how it was seen, its figure, and whether the network leaves it out."""

    mark: Mark
    study: str
    seen_with: str
    figure: str
    kept_out: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The statements of one set of states, with the network's probability of that set where it has one."""

    label: str
    value: float | None
    rows: tuple[Row, ...]


def forest(name: str, title: str, groups: Sequence[Group]) -> str:
    """Return the picture as SVG; ``name`` keeps its inner names apart from those of other pictures of a page."""
    body = sum(_HEAD + _ROW * len(group.rows) for group in groups)
    height = _TOP + body + _BOTTOM
    attributes = {"viewBox": f"0 0 {_WIDTH:g} {height:g}", "class": "forest", "role": "img"}
    svg = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **attributes, "aria-labelledby": f"{name}-title"})
    ET.SubElement(svg, "title", {"id": f"{name}-title"}).text = title
    _hatching(svg, f"{name}-hatch")
    _axis(svg, _TOP + body)
    y = _TOP
    for group in groups:
        _group(svg, group, y, f"url(#{name}-hatch)")
        y += _HEAD + _ROW * len(group.rows)
    ET.indent(svg, " ")
    return ET.tostring(svg, encoding="unicode") + "\n"


def _x(proportion: float) -> float:
    return round(_LEFT + _PLOT * proportion, 1)


def _text(parent: ET.Element, x: float, y: float, text: str, **style: str) -> None:
    named = {key.replace("_", "-"): value for key, value in style.items()}
    attributes = {"x": f"{x:g}", "y": f"{y:g}", "fill": "currentColor", "font-size": "12.5", **named}
    ET.SubElement(parent, "text", attributes).text = text


def _line(parent: ET.Element, ends: tuple[float, float, float, float], **style: str) -> None:
    places = {key: f"{value:g}" for key, value in zip(("x1", "y1", "x2", "y2"), ends, strict=True)}
    named = {key.replace("_", "-"): value for key, value in style.items()}
    ET.SubElement(parent, "line", {**places, "stroke": "currentColor", **named})


def _hatching(svg: ET.Element, name: str) -> None:
    where = {"width": "5", "height": "5", "patternUnits": "userSpaceOnUse", "patternTransform": "rotate(45)"}
    pattern = ET.SubElement(ET.SubElement(svg, "defs"), "pattern", {"id": name, **where})
    _line(pattern, (0, 0, 0, 5), stroke_width="2")


def _axis(svg: ET.Element, bottom: float) -> None:
    for step in range(5):
        x = _x(step / 4)
        _line(svg, (x, _TOP, x, bottom + 4), stroke=_FRAME_COLOUR, stroke_width="0.6", opacity="0.6")
        _text(svg, x, bottom + 17, f"{25 * step} %", text_anchor="middle", opacity="0.8")
    _text(svg, 4, bottom + 34, _LEGEND, font_size="11", opacity="0.8")


def _group(svg: ET.Element, group: Group, y: float, hatch: str) -> None:
    middle = y + _HEAD / 2 + 2
    _text(svg, 4, middle + 4, _shortened(group.label, _LABEL_LENGTH), font_weight="bold")
    if group.value is not None:
        x, end = _x(group.value), y + _HEAD + _ROW * len(group.rows)
        _line(svg, (x, middle, x, end), stroke=_VALUE_COLOUR, stroke_width="1.5", stroke_dasharray="3 2")
        points = f"{x - 7:g},{middle:g} {x:g},{middle - 6:g} {x + 7:g},{middle:g} {x:g},{middle + 6:g}"
        ET.SubElement(svg, "polygon", {"points": points, "fill": _VALUE_COLOUR})
        shown = f"network {percent(group.value)}"
        _text(svg, _RIGHT, middle + 4, shown, font_weight="bold")
    for index, row in enumerate(group.rows):
        _row(svg, row, y + _HEAD + _ROW * index + _ROW / 2, hatch)


def _row(svg: ET.Element, row: Row, y: float, hatch: str) -> None:
    holder = ET.SubElement(svg, "g", {"opacity": "0.55"} if row.kept_out else {})
    state = ", kept out of the network" if row.kept_out else ""
    tail = f" · {row.seen_with}" if row.seen_with else ""
    ET.SubElement(holder, "title").text = f"{row.study}{tail}: {row.figure}{state}"
    _text(holder, 14, y + 4, _shortened(row.study, max(_LABEL_LENGTH - len(tail), 12)) + _shortened(tail, 34))
    _text(holder, _RIGHT, y + 4, _shortened(row.figure, 30))
    _draw(holder, row.mark, y, hatch)


def _draw(holder: ET.Element, mark: Mark, y: float, hatch: str) -> None:
    low, centre, high = _x(mark.low), _x(mark.centre), _x(mark.high)
    if mark.shape == "words":
        place = {"x": f"{low:g}", "y": f"{y - 5:g}", "width": f"{max(high - low, 1):g}", "height": "10"}
        ET.SubElement(holder, "rect", {**place, "fill": hatch, "stroke": _FRAME_COLOUR, "opacity": "0.7"})
        _line(holder, (centre, y - 6, centre, y + 6), stroke_width="2")
        return
    _line(holder, (low, y, high, y), stroke_width="1.5")
    if mark.shape in ("range", "upper", "lower"):
        for end in {"range": (low, high), "upper": (high,), "lower": (low,)}[mark.shape]:
            _line(holder, (end, y - 5, end, y + 5), stroke_width="2")
        return
    reach = min(3.0 + math.sqrt(mark.size) / 3, 8.0)
    side = {"x": f"{centre - reach:g}", "y": f"{y - reach:g}", "width": f"{2 * reach:g}", "height": f"{2 * reach:g}"}
    paint = {"fill": "currentColor"} if mark.size else {"fill": "none", "stroke": "currentColor", "stroke-width": "1.5"}
    ET.SubElement(holder, "rect", {**side, **paint})


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
