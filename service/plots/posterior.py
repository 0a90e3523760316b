"""Posterior probabilities as bars, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hepagraph.inference.result import LesionResult
from hepagraph.service.plots.canvas import INK, PAPER, STRONG, WEAK
from hepagraph.service.plots.rows import BAR, Row, frame, percent_axis
from hepagraph.service.text import percent

if TYPE_CHECKING:
    from hepagraph.service.plots.picture import Picture


def posterior_bars(lesion: LesionResult, labels: Mapping[str, str], *, title: str | None = None) -> Picture:
    """Draw a lesion's posterior, the most probable entity first.

    Where the lesion has intervals, a line shows each; where other lesions of the patient had a say, a diamond shows
    the answer without them.

    Raises
    ------
    MissingExtraError
        Matplotlib is not installed.
    """
    ranked = sorted(lesion.posterior, key=lambda entity: -lesion.posterior[entity])
    names = [labels.get(entity, entity) for entity in ranked]
    figures = [_figures(lesion, entity) for entity in ranked]
    rows = [Row(name, figure, number == 0) for number, (name, figure) in enumerate(zip(names, figures, strict=True))]
    told = "; ".join(f"{name} {', 95 % interval '.join(figure)}" for name, figure in zip(names, figures, strict=True))
    found = frame(
        title or f"Lesion {lesion.id}: {names[0]} {percent(lesion.posterior[ranked[0]])}",
        _note(lesion),
        rows,
        alt=f"Bars of the posterior probability of lesion {lesion.id}, largest first: {told}.",
        axis="posterior probability",
    )
    axes = found.axes
    percent_axis(axes)
    for place, entity in zip(found.places, ranked, strict=True):
        probability, first = lesion.posterior[entity], entity == ranked[0]
        axes.barh(place, probability, BAR, color=STRONG if first else WEAK, edgecolor=STRONG, linewidth=0.8)
        if lesion.interval is not None:
            ends = lesion.interval[entity]
            if first:  # a light edge, so that the line is seen on the dark bar
                axes.plot(ends, (place, place), color=PAPER, linewidth=3.4, clip_on=False)
            line: dict[str, Any] = {
                "color": INK,
                "linewidth": 1.3,
                "marker": "|",
                "markersize": 8,
                "markeredgewidth": 1.3,
            }
            axes.plot(ends, (place, place), **line, clip_on=False, label="interval")
        if lesion.posterior_alone is not None:
            mark: dict[str, Any] = {"color": PAPER, "markeredgecolor": INK, "markersize": 5}
            axes.plot(lesion.posterior_alone[entity], place + BAR / 2, "D", **mark, clip_on=False, label="alone")
    return found.sheet.picture


def _figures(lesion: LesionResult, entity: str) -> tuple[str, ...]:
    text = percent(lesion.posterior[entity])
    if lesion.interval is None:
        return (text,)
    low, high = lesion.interval[entity]
    return text, f"{percent(low)} to {percent(high)}"


def _note(lesion: LesionResult) -> str:
    parts = ["Bars: posterior probability."]
    if lesion.interval is not None:
        parts.append("Lines: 95 % interval, for what the evidence leaves open.")
    if lesion.posterior_alone is not None:
        parts.append("Diamonds: without the patient's other lesions.")
    return " ".join(parts)
