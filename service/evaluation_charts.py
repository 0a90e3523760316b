"""Small charts as inline SVG, without script, font or colour of their own: the page's style sheet sets the look."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT = 420, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 24, 12, 44


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name, points (x, y, hover text), radius of each mark, and number of its colour."""

    name: str
    points: tuple[tuple[float, float, str], ...]
    radii: tuple[float, ...]
    colour: int


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    x_range: tuple[float, float] = (0.0, 1.0),
    y_range: tuple[float, float] = (0.0, 1.0),
    x_ticks: Sequence[float] = (0, 0.25, 0.5, 0.75, 1),
    percent: tuple[bool, bool] = (True, True),
    diagonal: bool = False,
) -> str:
    """Return lines with marks over a grid; ``diagonal`` draws where y equals x. ``percent`` is for (x, y) ticks."""
    place = _Place(x_range, y_range)
    y_ticks = [y_range[0] + (y_range[1] - y_range[0]) * step / 4 for step in range(5)]
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">']
    parts += [_grid_x(place, tick, percent[0]) for tick in x_ticks]
    parts += [_grid_y(place, tick, percent[1]) for tick in y_ticks]
    if diagonal:
        a, b = place.at(x_range[0], y_range[0]), place.at(x_range[1], y_range[1])
        parts.append(f'<line class="ideal" x1="{a[0]}" y1="{a[1]}" x2="{b[0]}" y2="{b[1]}"/>')
    parts += [_line(place, one) for one in series]
    middle_x, middle_y = (_LEFT + _WIDTH - _RIGHT) / 2, (_TOP + _HEIGHT - _BOTTOM) / 2
    parts.append(f'<text x="{middle_x:g}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>')
    turned = f'transform="rotate(-90 14 {middle_y:g})"'
    parts.append(f'<text x="14" y="{middle_y:g}" text-anchor="middle" {turned}>{escape(y_label)}</text></svg>')
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class _Place:
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x_range[0]) / (self.x_range[1] - self.x_range[0])
        up = (y - self.y_range[0]) / (self.y_range[1] - self.y_range[0])
        width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return round(_LEFT + across * width, 1), round(_TOP + (1 - up) * height, 1)


def _grid_x(place: _Place, tick: float, percent: bool) -> str:
    x, low = place.at(tick, place.y_range[0])
    _, high = place.at(tick, place.y_range[1])
    line = f'<line class="grid" x1="{x}" y1="{low}" x2="{x}" y2="{high}"/>'
    return f'{line}<text class="tick" x="{x}" y="{low + 16}" text-anchor="middle">{_tick(tick, percent)}</text>'


def _grid_y(place: _Place, tick: float, percent: bool) -> str:
    low, y = place.at(place.x_range[0], tick)
    high, _ = place.at(place.x_range[1], tick)
    line = f'<line class="grid" x1="{low}" y1="{y}" x2="{high}" y2="{y}"/>'
    return f'{line}<text class="tick" x="{low - 6}" y="{y + 4}" text-anchor="end">{_tick(tick, percent)}</text>'


def _tick(value: float, percent: bool) -> str:
    return f"{100 * value:.0f} %" if percent else f"{value:g}"


def _line(place: _Place, series: Series) -> str:
    points = [place.at(x, y) for x, y, _ in series.points]
    path = " ".join(f"{x},{y}" for x, y in points)
    marks = "".join(
        f'<circle class="c{series.colour}" cx="{x}" cy="{y}" r="{radius:.1f}"><title>{escape(text)}</title></circle>'
        for (x, y), (_, _, text), radius in zip(points, series.points, series.radii, strict=True)
    )
    return f'<polyline class="c{series.colour}" points="{path}"/>{marks}'


def legend(series: Sequence[Series]) -> str:
    """Return the names of the lines beside their colours."""
    items = "".join(f'<span><i class="c{one.colour}"></i>{escape(one.name)}</span>' for one in series)
    return f'<p class="legend">{items}</p>'


def interval_bar(value: float | None, low_high: tuple[float, float] | None, marks: Sequence[tuple[float, str]]) -> str:
    """Return a bar over 0 to 1: a published value with its interval as a line, other values as ticks of a class."""
    parts = [
        '<svg class="bar" viewBox="0 0 120 14" aria-hidden="true"><line class="grid" x1="2" y1="7" x2="118" y2="7"/>'
    ]
    if low_high is not None:
        low, high = (2 + 116 * end for end in low_high)
        parts.append(f'<line class="span" x1="{low:.1f}" y1="7" x2="{high:.1f}" y2="7"/>')
    if value is not None:
        parts.append(f'<circle class="c1" cx="{2 + 116 * value:.1f}" cy="7" r="3"/>')
    parts += [f'<rect class="{kind}" x="{1 + 116 * mark:.1f}" y="1" width="2" height="12"/>' for mark, kind in marks]
    return "".join([*parts, "</svg>"])


def escape(text: object) -> str:
    """Return the text for use in HTML."""
    return html.escape(str(text))
