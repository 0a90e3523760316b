"""What the explorer shows, as HTML: bars before and after, what has to wait, scenarios, and a still picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from hepagraph.inference.result import NOTICE, LesionResult, ResultWarning
from hepagraph.service.explorer.fields import LESION, Field, Group
from hepagraph.service.explorer.saying import Stated, stated
from hepagraph.service.explorer.selections import Selections
from hepagraph.service.explorer.state import ExplorerState, Kept
from hepagraph.service.explorer.troubles import Trouble
from hepagraph.service.html_basics import chance, fragment, named, place, table, text

Labels = Mapping[str, str]
_BLOCKS = 16


def bars_html(state: ExplorerState) -> str:
    """Return for each entity of the shown lesion its probability now and before the last change, side by side.

    The entities keep their order, so that a bar grows and shrinks where it stands. Where the choices cannot be
    combined, the last answer is shown faintly.
    """
    labels = state.reasoner.network.labels
    now, before = state.answer().lesion(state.lesion.id), state.previous()
    shown = now or before
    title = f"Lesion {text(state.lesion.id)}"
    if shown is None:
        return fragment("twin", f"<h4>{title}</h4>", '<p class="soft">no answer yet</p>')
    if now is None:
        before, title = None, f"{title}: the last answer"
    rows = "".join(_row(entity, shown, before, labels) for entity in state.entities if entity in shown.posterior)
    key = '<p class="key"><i class="now"></i> now <i class="was"></i> before the last change</p>' if before else ""
    kind = "twin" if now is not None else "twin stale"
    return fragment(kind, f"<h4>{title}</h4>", f"<ol>{rows}</ol>", key, _beside(shown, labels))


def _row(entity: str, now: LesionResult, before: LesionResult | None, labels: Labels) -> str:
    value, top = now.posterior[entity], ' class="top"' if entity == now.leading else ""
    was = None if before is None else before.posterior.get(entity)
    said = chance(value) if was is None else f"{chance(value)}, before {chance(was)}"
    drawn = f'<span class="now" style="width:{place(value)}"></span>'
    if was is not None:
        drawn += f'<span class="was" style="width:{place(was)}"></span>'
    meter = (
        f'<span class="pair" role="meter" aria-label="{named(entity, labels)}" aria-valuemin="0" aria-valuemax="100"'
        f' aria-valuenow="{100 * value:.1f}" aria-valuetext="{said}">{drawn}</span>'
    )
    moved = "" if was is None else chance(was)
    return (
        f'<li{top} data-entity="{text(entity)}"><span class="name">{named(entity, labels)}</span>'
        f'<span class="before">{moved}</span><b>{chance(value)}</b>{meter}</li>'
    )


def _beside(lesion: LesionResult, labels: Labels) -> str:
    """Return the likeliest subtype, and the answer without the other lesions, as small lines."""
    subtype, probability = next(iter(lesion.subtype.items()))
    lines = [f"subtype: {named(subtype, labels)} {chance(probability)}"]
    if lesion.posterior_alone is not None:
        alone, value = max(lesion.posterior_alone.items(), key=lambda item: item[1])
        lines.append(f"without the other lesions: {named(alone, labels)} {chance(value)}")
    return "".join(f'<p class="soft">{line}</p>' for line in lines)


def troubles_html(
    troubles: Sequence[Trouble], head: str = "These choices cannot be combined. Nothing is lost: change one of them."
) -> str:
    """Return what is wrong under a heading, or nothing."""
    if not troubles:
        return ""
    items = "".join(f"<li>{text(trouble.text)}</li>" for trouble in troubles)
    return fragment("trouble", f'<div role="alert"><p><b>{text(head)}</b></p><ul>{items}</ul></div>')


def warnings_html(warnings: Sequence[ResultWarning]) -> str:
    """Return what a reader of the answer should know, or nothing."""
    if not warnings:
        return ""
    items = "".join(f'<li class="{w.level}">{text(w.message)}</li>' for w in warnings)
    return fragment("warnings", f"<ul>{items}</ul>")


def group_note(group: Group, state: ExplorerState, closed: Mapping[str, str], waiting: Mapping[str, str]) -> str:
    """Return what of a group cannot be seen on the examinations, why, and what is kept until it can; or nothing."""
    reasons: dict[str, list[str]] = {}
    for field in group.fields:
        reason = closed.get(field.name) or waiting.get(field.name)
        if reason is not None:
            reasons.setdefault(reason, []).append(_unseen(field, state, waiting))
    lines = (f"<li><b>not assessable:</b> {', '.join(names)} ({text(why)})</li>" for why, names in reasons.items())
    return fragment("note", f"<ul>{''.join(lines)}</ul>") if reasons else ""


def _unseen(field: Field, state: ExplorerState, waiting: Mapping[str, str]) -> str:
    kept = f": <i>{text(field.said(state.value(field.name)))}</i> is kept" if field.name in waiting else ""
    return f"{text(field.label)}{kept}"


def scenarios_html(state: ExplorerState) -> str:
    """Return the kept scenarios and what is chosen now as columns, for the shown lesion."""
    kept = list(state.scenarios)
    if not kept:
        return fragment("kept", '<p class="soft">Keep a scenario to compare it with what you choose next.</p>')
    labels, lesion = state.reasoner.network.labels, state.lesion.id
    if state.answer().result is not None and all(one.selections != state.selections for one in kept):
        kept.append(Kept("now", state.selections, state.answer()))
    found = [(one.name, one.answer.lesion(lesion)) for one in kept]
    columns = ["", *(f"#{text(name)}" for name, _ in found)]
    rows = [[named(e, labels), *(_cell(answer, e) for _, answer in found)] for e in state.entities]
    first, *others = kept
    changes = [(one.name, differences(first, one, state)) for one in others]
    items = "".join(f"<li><b>{text(name)}</b>: {text(', '.join(said) or 'the same')}</li>" for name, said in changes)
    listed = f'<p class="soft">Compared with {text(first.name)}:</p><ul class="soft">{items}</ul>' if items else ""
    return fragment("kept", table(f"Lesion {text(lesion)}; ▲ marks the entity on top", columns, rows), listed)


def _cell(answer: LesionResult | None, entity: str) -> str:
    if answer is None or entity not in answer.posterior:
        return "–"
    value = answer.posterior[entity]
    bar = f'<span class="mini" aria-hidden="true"><i style="width:{place(value)}"></i></span>'
    return (f"<b>▲&nbsp;{chance(value)}</b>" if entity == answer.leading else chance(value)) + bar


def differences(first: Kept, second: Kept, state: ExplorerState) -> list[str]:
    """Return what the second scenario has chosen otherwise, as text, a line for each variable."""
    one, other = _all_values(first, state), _all_values(second, state)
    names = [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]
    return [f"{name}: {other.get(name, 'not stated')}" for name in names]


def _all_values(kept: Kept, state: ExplorerState) -> dict[str, str]:
    """Return what is counted of a scenario, as text by a name that no other value has."""
    several = len(kept.selections.lesions) > 1
    return {
        f"{part.id} {name}" if several and part.kind == LESION else name: said
        for part in _counted(kept.selections, state)
        for name, said in part.values.items()
    }


def _counted(selections: Selections, state: ExplorerState) -> Iterator[Stated]:
    """Yield what is counted, as text by label, for the patient, the examinations and every lesion."""
    yield from stated(state.visibility.counted(selections), state.form)


def case_html(state: ExplorerState) -> str:
    """Return the case that is counted as JSON text; one click selects all of it."""
    written = text_of(state)
    return fragment("json", f'<pre tabindex="0">{text_lines(written)}</pre>')


def text_of(state: ExplorerState) -> str:
    """Return the case that is counted as JSON."""
    return json.dumps(state.counted(), indent=2, ensure_ascii=False)


def text_lines(written: str) -> str:
    """Return text of several lines as HTML."""
    return "\n".join(text(line) for line in written.splitlines())


def snapshot_html(state: ExplorerState) -> str:
    """Return what is chosen and the answer as plain tables, which read well without a style sheet or a kernel."""
    parts = []
    for part in _counted(state.selections, state):
        said = "; ".join(f"{text(name)}: {text(value)}" for name, value in part.values.items())
        parts.append(f"<p><b>{text(part.title)}</b>: {said or 'nothing is stated'}</p>")
    waiting = state.waiting()
    if waiting:
        kept = ", ".join(
            f"{text(state.fields[n].label)}: {text(state.fields[n].said(state.value(n)))}" for n in waiting
        )
        parts.append(f"<p>Kept, but not visible on these examinations: {kept}</p>")
    parts.append(troubles_html(state.answer().troubles))
    result = state.answer().result
    if result is not None:
        labels = state.reasoner.network.labels
        columns = ["", *(column for lesion in result.lesions for column in (f"#{text(lesion.id)}", ""))]
        rows = [
            [named(e, labels), *(cell for lesion in result.lesions for cell in _drawn(lesion, e))]
            for e in state.entities
        ]
        parts.append(table("The answer; ▲ marks the entity on top", columns, rows))
    if state.scenarios:
        parts.append(scenarios_html(state))
    return fragment("snapshot", *parts, f"<p><small>{NOTICE}</small></p>")


def _drawn(lesion: LesionResult, entity: str) -> tuple[str, str]:
    value = lesion.posterior[entity]
    shown = f"<b>▲&nbsp;{chance(value)}</b>" if entity == lesion.leading else chance(value)
    return shown, "█" * round(_BLOCKS * value)
