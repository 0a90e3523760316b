"""An evaluation as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hepagraph.inference.evaluation.implied import Comparison
from hepagraph.inference.evaluation.report import Evaluation, ModelReport
from hepagraph.service.evaluation_charts import escape
from hepagraph.service.evaluation_figures import abstention_figure, flatness_figure, reliability_figure
from hepagraph.service.evaluation_lists import errors_html, others_html, wrong_html
from hepagraph.service.evaluation_tables import comparisons_table, confusion_table, groups_table, measures_table
from hepagraph.service.html_basics import whole_page

Labels = Mapping[str, str]


def evaluation_page(
    evaluations: Sequence[Evaluation],
    comparisons: Sequence[Comparison],
    labels: Labels,
    model: Mapping[str, str],
    settings: Mapping[str, Any],
) -> str:
    """Return the page; the first evaluation is shown open, further ones folded."""
    notice = escape(model["notice"])
    parts = ["<h1>How good are the answers?</h1>", f'<p class="soft">{notice}</p>']
    for number, evaluation in enumerate(evaluations):
        body, title = _evaluation(evaluation, labels), f"Cases {escape(evaluation.name)}"
        folded = f"<details><summary>{title}: {_result(evaluation)}</summary>{body}</details>"
        parts.append(folded if number else f"<h2>{title}</h2>{body}")
    if comparisons:
        parts.append(
            "<h2>Published operating characteristics beside the network's</h2>" + comparisons_table(comparisons)
        )
    about = f"hepagraph {model['version']}, ontology {model['ontology_sha256'][:12]}; seed {settings['seed']}, "
    about += f"{settings['bootstrap']} bootstrap resamples of patients, 95 % percentile intervals."
    parts.append(f"<footer>{escape(about)} {notice}</footer>")
    return whole_page("hepagraph evaluation", "\n".join(parts), "parts", "page", "evaluation")


def _result(evaluation: Evaluation) -> str:
    return f"{evaluation.models[0].right} of {len(evaluation.lesions)} on top"


def _evaluation(evaluation: Evaluation, labels: Labels) -> str:
    first = evaluation.models[0]
    blocks = [_cards(evaluation, first), "<h3>Models side by side</h3>", measures_table(evaluation)]
    blocks += [errors_html(evaluation, labels)]
    figures = [reliability_figure(evaluation), abstention_figure(evaluation)]
    figures += [flatness_figure(evaluation)] if first.flatness else []
    blocks += ['<div class="pair">', *figures, "</div>", "<h3>True and called</h3>", '<div class="pair">']
    blocks += [confusion_table(evaluation, model, labels) for model in evaluation.models]
    blocks += ["</div>", f"<h3>By group, {escape(first.name)}</h3>", groups_table(first, labels)]
    blocks += [wrong_html(evaluation, first, labels), others_html(evaluation, labels)]
    return "\n".join(blocks)


def _cards(evaluation: Evaluation, model: ModelReport) -> str:
    cards = [
        (f"{model.right} of {len(evaluation.lesions)}", "have the true entity on top"),
        (f"{evaluation.patients}", f"patients; differential {escape(evaluation.differential)}"),
        *((f"{len(kind.flags)} of {kind.at_risk}", escape(kind.error.label)) for kind in model.errors),
        (f"{len(evaluation.others)}", "lesions of other diagnoses, apart"),
    ]
    items = "".join(f'<div class="card"><b>{value}</b>{what}</div>' for value, what in cards)
    return f'<div class="cards">{items}</div>'
