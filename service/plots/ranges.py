"""A tornado: how far the leading entity's posterior moves when one variable's numbers alone are uncertain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hepagraph.inference.sensitivity import Sensitivity
from hepagraph.service.plots.canvas import AGAINST, FOR, HATCH, INK
from hepagraph.service.plots.rows import BAR, Row, frame, percent_axis
from hepagraph.service.text import percent

if TYPE_CHECKING:
    from hepagraph.service.plots.picture import Picture

LEAST_WIDTH = 0.2  # of probability: narrower axes would make hardly anything look like much


def tornado(found: Sensitivity, labels: Mapping[str, str], *, top: int = 10, title: str | None = None) -> Picture:
    """Draw the ranges of the first ``top`` variables around the posterior, the widest first.

    Raises
    ------
    MissingExtraError
        Matplotlib is not installed.
    """
    leading, ranges = labels.get(found.leading, found.leading), found.ranges[:top]
    figures = [f"{percent(r.low)} to {percent(r.high)}" for r in ranges]
    rows = [Row(r.label, (figure,)) for r, figure in zip(ranges, figures, strict=True)]
    told = "; ".join(f"{row.label} {row.figures[0]}" for row in rows)
    drawn = frame(
        title or f"Lesion {found.lesion}: on which numbers {leading} {percent(found.posterior)} hangs",
        "95 % range of its posterior when one variable's numbers alone are drawn from their uncertainty; below the "
        "answer hatched, above it plain. Dashed: the answer.",
        rows or [Row("nothing was found or known")],
        alt=f"Tornado around {leading} {percent(found.posterior)} in lesion {found.lesion}, widest range first: "
        f"{told or 'no ranges'}.",
        axis="its posterior probability",
    )
    axes, answer = drawn.axes, found.posterior
    percent_axis(axes, *_limits([answer, *(r.low for r in ranges), *(r.high for r in ranges)]))
    for place, r in zip(drawn.places, ranges, strict=False):  # without ranges, a row says so
        middle = min(max(answer, r.low), r.high)
        axes.barh(place, middle - r.low, BAR, left=r.low, color=AGAINST, hatch=HATCH, edgecolor=INK, linewidth=0.8)
        axes.barh(place, r.high - middle, BAR, left=middle, color=FOR, edgecolor=INK, linewidth=0.8)
    axes.axvline(answer, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
    return drawn.sheet.picture


def _limits(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    lack = max(0.0, LEAST_WIDTH - (high - low)) / 2 + 0.02
    low, high = low - lack, high + lack
    low, high = (low - max(0.0, high - 1), min(high, 1.0)) if high > 1 else (low, high)
    return (0.0, min(1.0, high - low)) if low < 0 else (low, high)
