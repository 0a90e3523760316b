"""A ledger as a waterfall: from the odds before any finding, step by step, to the odds after all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hepagraph.inference.ledger import Ledger
from hepagraph.ontology.errors import printable
from hepagraph.service.explain_text import odds, times
from hepagraph.service.plots.canvas import AGAINST, FOR, HATCH, INK, MUTED, SMALL, text_width
from hepagraph.service.plots.rows import BAR, Row, frame, ticks

if TYPE_CHECKING:
    from hepagraph.service.plots.picture import Picture

LEAST = 0.05  # nats: what moves the odds less goes together
LEAST_WIDTH = math.log(10)  # nats: narrower axes would make hardly anything look like much
SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def ledger_waterfall(ledger: Ledger, labels: Mapping[str, str], *, top: int = 12, title: str | None = None) -> Picture:
    """Draw what each finding adds to the log-odds, the heaviest first, with the axis written in odds.

    Findings after the first ``top``, and those that hardly move it, go into one step together, so that the last step
    always ends at the odds after all.

    Raises
    ------
    MissingExtraError
        Matplotlib is not installed.
    """
    entity = labels.get(ledger.entity, ledger.entity)
    rival = "all the others" if ledger.against is None else labels.get(ledger.against, ledger.against)
    shown = [entry for entry in ledger.entries if abs(entry.weight) >= LEAST][:top]
    rest = [entry for entry in ledger.entries if entry not in shown]
    shown, rest = ([*shown, *rest], []) if len(rest) == 1 else (shown, rest)
    steps = [(_label(entry.label, entry.given), entry.weight) for entry in shown]
    if rest:
        steps.append((f"{len(rest)} more together", sum(entry.weight for entry in rest)))
    rows = [
        Row("before any finding", (_odds(ledger.before),), True),
        *(Row(label, (sign(weight),)) for label, weight in steps),
        Row("after all of them", (_odds(ledger.after),), True),
    ]
    told = "; ".join(f"{label} {'for' if weight >= 0 else 'against'}, {sign(weight)}" for label, weight in steps)
    found = frame(
        title or f"Lesion {ledger.lesion}: {entity} against {rival}",
        "Each finding multiplies the odds (to the right, plain: speaks for it) or divides them (to the left, hatched: "
        "speaks against it). The steps add up exactly.",
        rows,
        alt=f"Waterfall of the odds of {entity} against {rival} in lesion {ledger.lesion}: {odds(ledger.before)} "
        f"before any finding, {odds(ledger.after)} after all. Steps: {told or 'none'}.",
        axis="odds, and the probability that they stand for",
        tick_lines=2,
    )
    axes, at = found.axes, ledger.before
    axes.plot(at, found.places[0], "D", color=INK, markersize=7, label="before", zorder=3)
    reached = [at]
    for above, place, (_, weight) in zip(found.places, found.places[1:], steps, strict=False):
        axes.plot((at, at), (above, place), color=MUTED, linewidth=0.8, zorder=1)
        axes.barh(
            place,
            weight,
            BAR,
            left=at,
            color=FOR if weight >= 0 else AGAINST,
            hatch="" if weight >= 0 else HATCH,
            edgecolor=INK,
            linewidth=0.8,
            zorder=2,
        )
        at += weight
        reached.append(at)
    axes.plot((at, at), found.places[-2:], color=MUTED, linewidth=0.8, zorder=1)
    axes.plot(ledger.after, found.places[-1], "D", color=INK, markersize=7, label="after", zorder=3)
    low, high = _limits(min(reached), max(reached))
    axes.set_xlim(low, high)
    marks = odds_ticks(low, high, found.plot_width)
    ticks(axes, marks, [tick_label(mark) for mark in marks])
    axes.axvline(0.0, color=INK, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    return found.sheet.picture


def _label(label: str, given: str) -> str:
    return f"{label}: {printable(given.replace('_', ' '))}" if given else label


def sign(weight: float) -> str:
    """Return a weight of log-odds as a factor in print.

    >>> sign(math.log(2.5)), sign(-math.log(4))
    ('× 2.5', '÷ 4')
    """
    return times(weight).replace("x", "×", 1).replace("/", "÷", 1)


def _odds(log_odds: float) -> str:
    return odds(log_odds).replace(" (", "\n(")


def _limits(low: float, high: float) -> tuple[float, float]:
    lack = max(0.0, LEAST_WIDTH - (high - low)) / 2
    edge = 0.05 * max(high - low, LEAST_WIDTH)
    return low - lack - edge, high + lack + edge


def odds_ticks(low: float, high: float, width: float) -> list[float]:
    """Return round odds as log-odds between two ends, as many as have room in ``width`` inches."""
    series = [(1, 2, 5), (1, 3), (1,)]
    decades = math.ceil(max(abs(low), abs(high)) / math.log(10)) + 1
    for mantissas, every in [*((s, 1) for s in series), *(((1,), n) for n in range(2, decades + 1))]:
        sizes = [math.log(m * 10.0**d) for d in range(0, decades, every) for m in mantissas]
        marks = sorted({0.0, *sizes, *(-s for s in sizes)})
        marks = [mark for mark in marks if low <= mark <= high]
        scale = width / (high - low)
        room = [(b - a) * scale for a, b in itertools.pairwise(marks)]
        needed = [(_tick_width(a) + _tick_width(b)) / 2 + 0.08 for a, b in itertools.pairwise(marks)]
        if all(have >= need for have, need in zip(room, needed, strict=True)):
            return marks
    return [0.0] if low <= 0.0 <= high else []


def _tick_width(mark: float) -> float:
    return max(text_width(line, SMALL) for line in tick_label(mark).split("\n"))


def tick_label(mark: float) -> str:
    r"""Return log-odds as odds over the probability that they stand for.

    >>> tick_label(0.0), tick_label(-math.log(3))
    ('1 : 1\n50 %', '1 : 3\n25 %')
    """
    ratio = math.exp(abs(mark))
    power = round(math.log10(ratio))
    text = f"10{str(power).translate(SUPERSCRIPT)}" if ratio > 99_999 else f"{ratio:,.0f}"
    small = 1 / (1 + ratio)
    rare = f"{100 * small:.3g}" if small >= 0.001 else "< 0.1"
    chance = f"{rare} %" if mark <= 0 else f"{100 * (1 - small):.3g} %" if small >= 0.001 else "> 99.9 %"
    return f"{text} : 1\n{chance}" if mark >= 0 else f"1 : {text}\n{chance}"
