"""Figures of the evaluation page, all models in one."""

from __future__ import annotations

from collections.abc import Sequence

from hepagraph.inference.evaluation.report import Evaluation
from hepagraph.service.evaluation_charts import Series, legend, line_chart

_COLOURS = 4
Points = Sequence[tuple[float, float, str]]


def reliability_figure(evaluation: Evaluation) -> str:
    """Return stated against observed share, by bin."""
    series = [
        _series(
            number,
            model.name,
            [
                (b.stated, b.observed, f"{b.count}: stated {b.stated:.2f}, right {b.observed:.2f}")
                for b in model.reliability
            ],
            [2.5 + 1.1 * b.count**0.5 for b in model.reliability],
        )
        for number, model in enumerate(evaluation.models)
    ]
    x_label = "stated probability of the leading entity"
    chart = line_chart(series, title="reliability diagram", x_label=x_label, y_label="share right", diagonal=True)
    note = "Ten bins of equal width; a larger mark holds more lesions. On the dashed line, stated comes true."
    return _figure("Reliability", series, chart, note)


def abstention_figure(evaluation: Evaluation) -> str:
    """Return accuracy against the share of lesions answered."""
    series = [
        _series(
            number,
            model.name,
            [(p.coverage, p.accuracy, f"P from {p.threshold:.3f}: {p.answered} answered") for p in model.abstention],
            [1.8] * len(model.abstention),
        )
        for number, model in enumerate(evaluation.models)
    ]
    x_label, y_label = "share of lesions answered", "share right of those"
    chart = line_chart(series, title="abstention curve", x_label=x_label, y_label=y_label)
    note = "Answering only above a confidence: the surest lesions are on the left."
    return _figure("Abstention", series, chart, note)


def flatness_figure(evaluation: Evaluation) -> str:
    """Return the mean largest probability against the number of findings kept."""
    most = max(point.kept for point in evaluation.models[0].flatness)
    series = [
        _series(
            number,
            model.name,
            [
                (p.kept, p.mean_largest, f"{p.kept} kept, {p.lesions} lesions: {p.mean_largest:.3f}")
                for p in model.flatness
            ],
            [1.5 + 0.55 * p.lesions**0.5 for p in model.flatness],
        )
        for number, model in enumerate(evaluation.models)
    ]
    chart = line_chart(
        series,
        title="largest probability by number of findings kept",
        x_label="findings kept, at random",
        y_label="mean largest probability",
        x_range=(0, max(most, 1)),
        x_ticks=list(range(0, most + 1, max(1, most // 6))),
        percent=(False, True),
    )
    note = "Findings are withdrawn one by one, and fewer should give flatter answers; a larger mark holds more lesions."
    return _figure("Fewer findings, flatter answers", series, chart, note)


def _series(number: int, name: str, points: Points, radii: Sequence[float]) -> Series:
    return Series(name, tuple(points), tuple(radii), number % _COLOURS)


def _figure(title: str, series: Sequence[Series], chart: str, note: str) -> str:
    return f"<figure><h3>{title}</h3>{legend(series)}{chart}<figcaption>{note}</figcaption></figure>"
