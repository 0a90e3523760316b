"""A reliability diagram: does a stated probability come true."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

from hepagraph.inference.evaluation.calibration import BINS, Bin
from hepagraph.inference.evaluation.report import Evaluation, ModelReport
from hepagraph.ontology.errors import Problem, UnknownKeyError, nearest
from hepagraph.service.plots import canvas
from hepagraph.service.plots.canvas import GAP, GRID, INK, MUTED, SERIES, SMALL, Sheet, line_height, widest, wrap
from hepagraph.service.plots.rows import ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hepagraph.service.plots.picture import Picture

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("solid", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
HEIGHT = 3.4  # inches
NAMES = 1.7
EDGE = 0.04  # of the share, so that marks at the ends stay clear of the labels
Z = 1.959964  # of a 95 % interval


def reliability_diagram(
    evaluation: Evaluation, *, models: Sequence[str] | None = None, title: str | None = None
) -> Picture:
    """Draw the share right against the stated probability of the leading entity, by bin, with the lesions in each.

    The line at a mark is Wilson's 95 % interval of the share, for how few lesions stand behind it; it is drawn for one
    or two models, as with more it could not be read.

    Parameters
    ----------
    models
        Names of the models to draw; None: all.

    Raises
    ------
    CaseError
        The evaluation has no such model.
    MissingExtraError
        Matplotlib is not installed.
    """
    chosen = _chosen(evaluation, models)
    names = ["\n".join(wrap(model.name, NAMES, SMALL)) for model in chosen]
    left = max(widest([*names, "lesions in each bin"], SMALL) + 0.55, 0.9)
    deep = [max(name.count("\n") + 1, 1) * line_height(SMALL) + 0.06 for name in names]
    foot = 2 * line_height(SMALL) + 0.1
    counts = sum(deep) + line_height(SMALL) + 0.1
    note = (
        "Ten bins of the probability stated for the leading entity; a mark is at the mean stated and at the share "
        "right. On the dashed line, what is stated comes true."
    )
    if len(chosen) <= 2:
        note += " Upright lines: 95 % interval of the share."
    sheet = canvas.sheet(
        title or f"Reliability: {evaluation.name}", note, HEIGHT + foot + counts + 0.1, alt=_told(evaluation, chosen)
    )
    width = sheet.width - left - 0.3
    axes = sheet.axes(left, foot + counts, width, HEIGHT)
    axes.set_xlim(0, 1)
    axes.set_ylim(-EDGE, 1 + EDGE)
    ends = [number / BINS for number in range(BINS + 1)]
    ticks(axes, ends, [f"{100 * end:.0f} %" for end in ends])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_yticklabels(["0 %", "25 %", "50 %", "75 %", "100 %"], **canvas.font(SMALL), color=MUTED)
    axes.yaxis.grid(True, color=GRID, linewidth=0.8)
    axes.set_xlabel(
        "stated probability of the leading entity", **canvas.font(SMALL), color=MUTED, loc="left", labelpad=2
    )
    axes.set_ylabel("share right", **canvas.font(SMALL), color=MUTED)
    axes.plot((0, 1), (0, 1), color=INK, linewidth=1.0, linestyle=(0, (4, 3)), label="ideal")
    for number, model in enumerate(chosen):
        _draw(axes, model, number, intervals=len(chosen) <= 2)
    _counts(sheet, chosen, names, deep, (left, width))
    return sheet.picture


def _chosen(evaluation: Evaluation, models: Sequence[str] | None) -> list[ModelReport]:
    by_name = {model.name: model for model in evaluation.models}
    for name in models or ():
        if name not in by_name:
            what = f"{name!r} was not evaluated"
            raise UnknownKeyError([Problem("unknown_key", "models", what, tuple(by_name), nearest(name, by_name))])
    return list(by_name.values()) if models is None else [by_name[name] for name in models]


def _draw(axes: Axes, model: ModelReport, number: int, *, intervals: bool) -> None:
    stated, observed = [b.stated for b in model.reliability], [b.observed for b in model.reliability]
    colour = SERIES[number % len(SERIES)]
    axes.plot(
        stated,
        observed,
        color=colour,
        linestyle=LINES[number % len(LINES)],
        linewidth=1.6,
        marker=MARKERS[number % len(MARKERS)],
        markersize=6,
        markeredgecolor=INK,
        markeredgewidth=0.6,
        clip_on=False,
        label=model.name,
        zorder=3,
    )
    if intervals:
        for b in model.reliability:
            axes.plot((b.stated, b.stated), wilson(b), color=colour, linewidth=1.0, label="_interval", clip_on=False)


def wilson(found: Bin) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a bin's share that came true.

    >>> tuple(round(end, 3) for end in wilson(Bin(0.5, 0.6, 10, 0.55, 0.5)))
    (0.237, 0.763)
    """
    share, count = found.observed, found.count
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z * sqrt(share * (1 - share) / count + Z**2 / (4 * count**2)) / (1 + Z**2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def _counts(
    sheet: Sheet,
    models: Sequence[ModelReport],
    names: Sequence[str],
    deep: Sequence[float],
    across: tuple[float, float],
) -> None:
    """Write under each bin how many lesions it holds, a line for each model beside its mark."""
    left, width = across
    axes = sheet.axes(0, 0, left + width, sum(deep) + line_height(SMALL) + 0.05)
    axes.set_xlim(0, left + width)
    axes.set_ylim(sum(deep) + line_height(SMALL) + 0.05, 0)
    canvas.write(axes, 0, line_height(SMALL) / 2, "lesions in each bin", size=SMALL, color=MUTED)
    top = line_height(SMALL) + 0.05
    for number, (model, name, high) in enumerate(zip(models, names, deep, strict=True)):
        y = top + high / 2
        axes.plot(
            (0.0, 0.34),
            (y, y),
            color=SERIES[number % len(SERIES)],
            linestyle=LINES[number % len(LINES)],
            linewidth=1.6,
            clip_on=False,
        )
        axes.plot(
            0.17,
            y,
            MARKERS[number % len(MARKERS)],
            color=SERIES[number % len(SERIES)],
            markersize=6,
            markeredgecolor=INK,
            markeredgewidth=0.6,
        )
        canvas.write(axes, 0.34 + GAP / 2, y, name, size=SMALL)
        held = {round(b.low * BINS): b.count for b in model.reliability}
        for bin_number in range(BINS):
            x = left + width * (bin_number + 0.5) / BINS
            canvas.write(axes, x, y, str(held.get(bin_number, 0) or "·"), size=SMALL, ha="center")
        top += high


def _told(evaluation: Evaluation, models: Sequence[ModelReport]) -> str:
    parts = []
    for model in models:
        bins = ", ".join(f"{b.stated:.2f} stated {b.observed:.2f} right of {b.count}" for b in model.reliability)
        parts.append(f"{model.name} ({model.right} of {len(evaluation.lesions)} right): {bins}")
    return f"Reliability diagram of {evaluation.name}. {'; '.join(parts)}."
