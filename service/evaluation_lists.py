"""The lists of the evaluation page: the errors that cost most, the wrong lesions and those of other diagnoses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hepagraph.inference.evaluation.report import Answer, Evaluation, ModelReport, ProvenLesion
from hepagraph.service.evaluation_charts import escape
from hepagraph.service.evaluation_text import flag_text
from hepagraph.service.text import percent

Labels = Mapping[str, str]


def errors_html(evaluation: Evaluation, labels: Labels) -> str:
    """Return the lesions of each kind of error that the ontology wants listed, model by model."""
    parts = ["<h3>Errors that cost most</h3>"] if evaluation.models[0].errors else []
    for model in evaluation.models:
        for kind in model.errors:
            count = f"{len(kind.flags)} of {kind.at_risk}"
            items = "".join(f"<li>{escape(flag_text(evaluation, flag, labels))}</li>" for flag in kind.flags)
            listed = f"<ul>{items}</ul>" if items else ""
            parts.append(f"<p><b>{escape(model.name)}</b>, {escape(kind.error.label)}: {count}</p>{listed}")
    return "".join(parts)


def wrong_html(evaluation: Evaluation, model: ModelReport, labels: Labels) -> str:
    """Return the lesions whose true entity is not on top, the surest error first, with their posteriors."""
    pairs = zip(evaluation.lesions, model.answers, strict=True)
    wrong = sorted(((lesion, a) for lesion, a in pairs if a.rank != 1), key=lambda pair: -pair[1].confidence)
    if not wrong:
        return ""
    items = "".join(_lesion(lesion, answer, labels, lesion.entity) for lesion, answer in wrong)
    return f"<h3>Not on top, {escape(model.name)} ({len(wrong)})</h3>{items}"


def others_html(evaluation: Evaluation, labels: Labels) -> str:
    """Return the lesions whose diagnosis is outside the list, folded, with how each model took them."""
    if not evaluation.others:
        return ""
    lines = []
    for model in evaluation.models:
        out = model.out_of_list
        flagged = "it does not say" if out.flagged is None else f"{out.flagged} of {len(evaluation.others)}"
        lines.append(
            f"<li><b>{escape(model.name)}</b>: flagged as surprising: {flagged}; largest probability "
            f"{out.mean_confidence or 0:.2f} on average, at most {escape(percent(out.highest_confidence or 0.0))}</li>"
        )
    answers: Sequence[Answer] = evaluation.models[0].out_of_list.answers
    items = "".join(_lesion(lesion, a, labels, None) for lesion, a in zip(evaluation.others, answers, strict=True))
    summary = f"The {len(evaluation.others)} lesions, {escape(evaluation.models[0].name)}"
    note = "Outside the list, so never right: a good model is unsure or surprised."
    fold = f"<details><summary>{summary}</summary>{items}</details>"
    return f"<h3>Other diagnoses</h3><p>{note}</p><ul>{''.join(lines)}</ul>{fold}"


def _lesion(lesion: ProvenLesion, answer: Answer, labels: Labels, true: str | None) -> str:
    ranked = sorted(answer.posterior.items(), key=lambda item: -item[1])
    shown = [(entity, p) for entity, p in ranked if p >= 0.01 or entity == true]
    rows = "".join(_bar(labels.get(entity, entity), p, _kind(entity, true, answer)) for entity, p in shown)
    diagnosis = labels.get(lesion.entity, lesion.entity)
    diagnosis += f", {lesion.subgroup.replace('_', ' ')}" if lesion.subgroup else ""
    notes = [f"{lesion.findings} findings"]
    notes += ["atypical" if lesion.atypical else "typical"] if lesion.atypical is not None else []
    notes += ["flagged as surprising"] if answer.surprising else []
    about = f'<span class="soft">({", ".join(notes)})</span>'
    return f'<div class="lesion"><p><b>{_place(lesion)}</b>: {escape(diagnosis)} {about}</p>{rows}</div>'


def _kind(entity: str, true: str | None, answer: Answer) -> str:
    if entity == true:
        return " true"
    return " called" if true is not None and entity == answer.leading else ""


def _bar(label: str, probability: float, kind: str) -> str:
    width = f'<span><i style="width: {100 * probability:.1f}%"></i></span>'
    return f'<div class="row{kind}"><span>{escape(label)}</span>{width}<b>{escape(percent(probability))}</b></div>'


def _place(lesion: ProvenLesion) -> str:
    return escape(f"{lesion.case} / {lesion.lesion}")
