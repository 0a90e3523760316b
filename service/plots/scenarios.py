"""Scenarios side by side: small multiples, and a grid of two variables as a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hepagraph.inference.what_if import AS_IT_IS, Outcome, WhatIf
from hepagraph.ontology.errors import CaseError, Problem, UnknownKeyError, nearest
from hepagraph.service.plots import canvas
from hepagraph.service.plots.canvas import (
    GAP,
    INK,
    PAPER,
    SMALL,
    STRONG,
    WEAK,
    line_height,
    state_words,
    widest,
    words,
    wrap,
)
from hepagraph.service.plots.heat_map import Heat, draw_heat_map
from hepagraph.service.plots.rows import BAR, ticks
from hepagraph.service.text import percent

if TYPE_CHECKING:
    from hepagraph.service.plots.picture import Picture

NOTE = "Bars: posterior probability; dark where it is the largest of its scenario. Lines: the case as it is."
COLUMNS = 3
LABELS = 1.75  # inches, at most
ROW = 0.25


def what_if_panels(
    found: WhatIf,
    labels: Mapping[str, str],
    *,
    lesion: str | None = None,
    panels: Literal["scenario", "entity"] | None = None,
    title: str | None = None,
) -> Picture:
    """Draw small multiples: a panel for every scenario, or for every entity with a bar for each scenario.

    A line in every panel marks the case as it is.

    Parameters
    ----------
    lesion
        The lesion whose answers are drawn; None: the first.
    panels
        None: by entity where the scenarios are the states of one variable (a sweep), else by scenario.

    Raises
    ------
    CaseError
        There is no such lesion.
    MissingExtraError
        Matplotlib is not installed.
    """
    outcomes = _of_lesion(found, lesion)
    swept = _swept(outcomes, 1)
    by_entity = panels == "entity" or (panels is None and swept is not None)
    base, entities = outcomes[0].posterior, list(outcomes[0].posterior)
    names = [AS_IT_IS, *(_scenario(outcome, swept, labels) for outcome in outcomes[1:])]
    entity_names = [labels.get(entity, entity) for entity in entities]
    if by_entity:
        table = [[outcome.posterior[entity] for outcome in outcomes] for entity in entities]
        marks = [[base[entity]] * len(outcomes) for entity in entities]
        strong = [[max(o.posterior, key=lambda e: o.posterior[e]) == entity for o in outcomes] for entity in entities]
        grid = _Panels(entity_names, names, table, marks, strong)
    else:
        table = [[outcome.posterior[entity] for entity in entities] for outcome in outcomes]
        marks = [list(base.values())] * len(outcomes)
        strong = [[p == max(row) for p in row] for row in table]
        grid = _Panels(names, entity_names, table, marks, strong)
    heading = f"{labels.get(swept[0], words(swept[0]))}" if swept else "what if"
    unseen = _unseen(outcomes, names, labels)
    told = _told(outcomes, names, labels) + unseen
    return _draw(grid, title or f"Lesion {outcomes[0].lesion}: {heading}", NOTE + unseen, told)


def _of_lesion(found: WhatIf, lesion: str | None) -> list[Outcome]:
    known = tuple(dict.fromkeys(outcome.lesion for outcome in found.outcomes))
    chosen = known[0] if lesion is None else lesion
    if chosen not in known:
        what = f"no lesion has the id {chosen!r}"
        raise UnknownKeyError([Problem("unknown_key", "lesion", what, known, nearest(chosen, known))])
    return [outcome for outcome in found.outcomes if outcome.lesion == chosen]


def _swept(outcomes: Sequence[Outcome], count: int) -> tuple[str, ...] | None:
    """Return the ``count`` variables whose states the scenarios are, as ``what_if.sweep`` names them, or None."""
    keys = {
        tuple(part.partition("=")[0] for part in outcome.scenario.split(", "))
        for outcome in outcomes[1:]
        if all("=" in part for part in outcome.scenario.split(", "))
    }
    plain = any("=" not in outcome.scenario for outcome in outcomes[1:])
    found = next(iter(keys)) if len(keys) == 1 and not plain else None
    return found if found is not None and len(found) == count else None


def _scenario(outcome: Outcome, swept: tuple[str, ...] | None, labels: Mapping[str, str]) -> str:
    name = words(outcome.scenario)
    if swept:
        name = state_words(swept[0], outcome.scenario.partition("=")[2], labels)
    count = len(outcome.unseen)
    return f"{name} ({count} {'finding' if count == 1 else 'findings'} not seen)" if count else name


def _unseen(outcomes: Sequence[Outcome], names: Sequence[str], labels: Mapping[str, str]) -> str:
    return "".join(
        f" Not seen in {name.rpartition(' (')[0]}: {', '.join(labels.get(key, words(key)) for key in outcome.unseen)}."
        for outcome, name in zip(outcomes, names, strict=True)
        if outcome.unseen
    )


def _told(outcomes: Sequence[Outcome], names: Sequence[str], labels: Mapping[str, str]) -> str:
    parts = []
    for outcome, name in zip(outcomes, names, strict=True):
        leading = max(outcome.posterior, key=lambda entity: outcome.posterior[entity])
        parts.append(f"{name}: {labels.get(leading, leading)} {percent(outcome.posterior[leading])}")
    return (
        f"Panels of the posterior of lesion {outcomes[0].lesion} under {len(outcomes) - 1} scenarios. "
        + "; ".join(parts)
        + "."
    )


@dataclass(frozen=True, slots=True)
class _Panels:
    """Values by panel and row, where the case as it is lies, and which rows are on top of their scenario."""

    panels: Sequence[str]
    rows: Sequence[str]
    values: Sequence[Sequence[float]]
    marks: Sequence[Sequence[float]]
    strong: Sequence[Sequence[bool]]


def _draw(grid: _Panels, title: str, note: str, alt: str) -> Picture:
    lines = [wrap(row, LABELS, SMALL) for row in grid.rows]
    left = max(widest(found, SMALL) for found in lines) + GAP
    heights = [max(ROW, len(found) * line_height(SMALL) + 0.08) for found in lines]
    places = [sum(heights[:n]) + heights[n] / 2 for n in range(len(lines))]
    columns = min(COLUMNS, len(grid.panels))
    figure_width = widest(["> 99.9 %"], SMALL) + 0.08
    wide = canvas.WIDTH - 2 * canvas.MARGIN - left
    each = wide / columns - GAP
    heads = [wrap(panel, each, SMALL, "bold") for panel in grid.panels]
    foot = line_height(SMALL) + 0.12
    highs = [
        max(map(len, heads[first : first + columns])) * line_height(SMALL) + 0.07 + sum(heights) + foot
        for first in range(0, len(heads), columns)
    ]
    sheet = canvas.sheet(title, note, sum(highs), alt=alt)
    for number, lines_above in enumerate(heads):
        row, column = divmod(number, columns)
        bottom = sum(highs[row + 1 :]) + foot
        axes = sheet.axes(left + column * (each + GAP), bottom, each - figure_width, sum(heights))
        axes.set_xlim(0, 1)
        axes.set_ylim(sum(heights), 0)
        ticks(axes, (0, 0.5, 1), ("0", "50 %", "100 %"))
        if column == 0:
            axes.set_yticks(places)
            axes.set_yticklabels(["\n".join(found) for found in lines], **canvas.font(SMALL), color=INK)
            axes.tick_params(axis="y", pad=4)
        canvas.write(
            axes,
            0,
            1 + 0.05 / sum(heights),
            "\n".join(lines_above),
            size=SMALL,
            weight="bold",
            va="bottom",
            transform=axes.transAxes,
        )
        panel = zip(places, grid.values[number], grid.marks[number], grid.strong[number], strict=True)
        for place, value, mark, strong in panel:
            axes.barh(place, value, BAR * 0.8, color=STRONG if strong else WEAK, edgecolor=STRONG, linewidth=0.6)
            for width, colour in ((3.0, PAPER), (1.4, INK)):
                axes.plot(
                    (mark, mark),
                    (place - BAR * 0.55, place + BAR * 0.55),
                    color=colour,
                    linewidth=width,
                    solid_capstyle="butt",
                    clip_on=False,
                )
            canvas.write(
                axes,
                1 + figure_width / (each - figure_width),
                place,
                percent(value),
                size=SMALL,
                ha="right",
                transform=axes.get_yaxis_transform(),
            )
    return sheet.picture


def what_if_grid(
    found: WhatIf,
    labels: Mapping[str, str],
    *,
    lesion: str | None = None,
    entity: str | None = None,
    title: str | None = None,
) -> Picture:
    """Draw a grid of two variables' states as a heat map of one entity's posterior.

    Parameters
    ----------
    found
        The answers to the scenarios of ``what_if.sweep`` of two variables.
    lesion
        The lesion whose answers are drawn; None: the first.
    entity
        Whose posterior; None: that of the entity on top in the case as it is.

    Raises
    ------
    CaseError
        The scenarios are no grid, or there is no such lesion or entity.
    MissingExtraError
        Matplotlib is not installed.
    """
    outcomes = _of_lesion(found, lesion)
    keys = _swept(outcomes, 2)
    if keys is None:
        raise CaseError([Problem("unknown_key", "scenarios", "they are not a sweep of two variables")])
    base = outcomes[0].posterior
    chosen = entity or max(base, key=lambda name: base[name])
    if chosen not in base:
        what = f"{chosen!r} is not in the differential"
        raise UnknownKeyError([Problem("unknown_key", "entity", what, tuple(base), nearest(chosen, base))])
    cells = {_states(outcome): outcome.posterior for outcome in outcomes[1:]}
    if len({second for _, second in cells}) > len({first for first, _ in cells}):  # the longer one goes down the page
        cells, keys = {(second, first): found for (first, second), found in cells.items()}, keys[::-1]
    down, across = (list(dict.fromkeys(states[axis] for states in cells)) for axis in (0, 1))
    values = [[cells[first, second][chosen] for second in across] for first in down]
    leads = [[max(c, key=lambda e: c[e]) == chosen for c in (cells[f, s] for s in across)] for f in down]
    name, (rows, columns) = labels.get(chosen, chosen), (labels.get(key, words(key)) for key in keys)
    downs, acrosses = (
        [state_words(key, s, labels) for s in some] for key, some in zip(keys, (down, across), strict=True)
    )
    told = "; ".join(
        f"{first} with {second} {percent(value)}"
        for first, row in zip(downs, values, strict=True)
        for second, value in zip(acrosses, row, strict=True)
    )
    return draw_heat_map(
        Heat(downs, acrosses, rows, columns, values, leads),
        title or f"Lesion {outcomes[0].lesion}: {name}, by {rows} and {columns}",
        f"Posterior of {name}; as it is {percent(base[chosen])}. Deeper is more; framed and bold: it is on top there.",
        f"Heat map of the posterior of {name} in lesion {outcomes[0].lesion}, {percent(base[chosen])} as it is, "
        f"by {rows} and {columns}: {told}.",
    )


def _states(outcome: Outcome) -> tuple[str, str]:
    first, second = (part.partition("=")[2] for part in outcome.scenario.split(", "))
    return first, second
