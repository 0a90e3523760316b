"""An answer as HTML: bars with their intervals, and the answers of several scenarios side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hepagraph.inference.most_probable import Explanation
from hepagraph.inference.result import LesionResult
from hepagraph.inference.what_if import AS_IT_IS, Outcome, WhatIf
from hepagraph.service.html_basics import Labels, chance, chances, fragment, named, place, table, text

_FEW = 7  # columns whose heads can stand upright on a narrow page
_PARTS = {  # what each part of an interval counts, for a reader
    "sampling": "few lesions counted",
    "between_study": "studies differ",
    "judgement": "our judgements may be off",
}


def posterior_html(lesion: LesionResult, labels: Labels) -> str:
    """Return a bar for each entity, the likeliest first, with its 95 % interval where the result holds one.

    The bars are drawn; every number stands beside them as text.
    """
    return fragment("answer", bars_html(lesion.posterior, lesion.interval, labels))


def bars_html(
    posterior: Mapping[str, float], interval: Mapping[str, tuple[float, float]] | None, labels: Labels
) -> str:
    """Return a list of entities with bars; probabilities in [0, 1], intervals as (low, high)."""
    ranked = sorted(posterior, key=lambda entity: -posterior[entity])
    kind = "bars" if interval is not None else "bars bare"
    return f'<ol class="{kind}">' + "".join(_bar(e, posterior[e], interval, labels) for e in ranked) + "</ol>"


def _bar(entity: str, value: float, interval: Mapping[str, tuple[float, float]] | None, labels: Labels) -> str:
    said, whisker, shown = chance(value), "", ""
    if interval is not None:
        low, high = interval[entity]
        said += f", 95 % interval {chances(low, high)}"
        whisker = f'<span class="whisker" style="left:{place(low)};width:{place(high - low)}"></span>'
        shown = f'<span class="interval">{chances(low, high)}</span>'
    drawn = (
        f'<span class="track" role="meter" aria-label="{named(entity, labels)}" aria-valuemin="0" aria-valuemax="100"'
        f' aria-valuenow="{100 * value:.1f}" aria-valuetext="{said}"><span class="fill" style="width:{place(value)}">'
        f"</span>{whisker}</span>"
    )
    return f'<li><span class="name">{named(entity, labels)}</span><b>{chance(value)}</b>{drawn}{shown}</li>'


def interval_parts_html(lesion: LesionResult, labels: Labels) -> str:
    """Return what each source of uncertainty alone leaves open of the leading entity; nothing without intervals."""
    if lesion.interval is None or lesion.interval_parts is None:
        return ""
    rows = [
        [text(_PARTS.get(part, part)), chances(*ends[lesion.leading])] for part, ends in lesion.interval_parts.items()
    ]
    rows.append(["all of it", chances(*lesion.interval[lesion.leading])])
    caption = f"95 % interval of {named(lesion.leading, labels)}, by what it counts"
    return fragment("interval-parts", table(caption, ["what is counted", "interval"], rows))


def explanations_html(found: Sequence[Explanation], labels: Labels, *, top: int = 3) -> str:
    """Return the best story within each entity, subtype and causes together, with the probability of all of it."""
    rows = [
        [
            named(one.subtype, labels),
            ", ".join(named(cause, labels) for cause in one.present) or "none of those that bear on it",
            chance(one.probability),
        ]
        for one in found[:top]
    ]
    caption = "The best story within each entity, and the probability of all of it at once"
    return fragment("explanations", table(caption, ["subtype", "hidden causes at work", "#probability"], rows))


def what_if_html(found: WhatIf, labels: Labels) -> str:
    """Return one table for each lesion: a row for each scenario, a column for each entity, the leading one marked."""
    lesions = dict.fromkeys(outcome.lesion for outcome in found.outcomes)
    return fragment("what-if", *(_scenarios(found, lesion, labels) for lesion in lesions))


def _scenarios(found: WhatIf, lesion: str, labels: Labels) -> str:
    own = [outcome for outcome in found.outcomes if outcome.lesion == lesion]
    ranked = sorted(own[0].posterior, key=lambda entity: -own[0].posterior[entity])
    rows = [[_scenario(outcome, labels), *_cells(outcome, ranked)] for outcome in own]
    columns = ["scenario", *(f"#{named(entity, labels)}" for entity in ranked)]
    kind = "scenarios" if len(ranked) <= _FEW else "scenarios many"
    return table(f"Lesion {text(lesion)}; ▲ marks the entity on top", columns, rows, kind=kind)


def _cells(outcome: Outcome, ranked: list[str]) -> list[str]:
    top = max(ranked, key=lambda entity: outcome.posterior[entity])
    shown = ((chance(outcome.posterior[entity]), entity == top) for entity in ranked)
    return [f'<b class="top">▲&nbsp;{value}</b>' if on_top else value for value, on_top in shown]


def _scenario(outcome: Outcome, labels: Labels) -> str:
    name = f"<b>{AS_IT_IS}</b>" if outcome.scenario == AS_IT_IS else text(outcome.scenario)
    if not outcome.unseen:
        return name
    unseen = ", ".join(named(key, labels) for key in outcome.unseen)
    return f"{name}<br><small>not visible there, so withdrawn: {unseen}</small>"
