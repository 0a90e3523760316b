"""Tables of the evaluation page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hepagraph.inference.evaluation.implied import Comparison
from hepagraph.inference.evaluation.report import Evaluation, ModelReport
from hepagraph.service.evaluation_charts import escape, interval_bar
from hepagraph.service.evaluation_text import MEASURES, estimate_text, printed_text

Labels = Mapping[str, str]
_NOTE = (
    "lie inside the published 95 % interval (printed, or Wilson's from n). Orange: published; blue: the network, "
    "exactly; beside it by simulation, with the Monte Carlo standard error. "
    "* The network's tables were made with this statement."
)


def html_table(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Return a table of HTML cells that scrolls sideways where it is too wide; ``numbers`` are set to the right."""
    head = "".join(f"<th{_align(i, numbers)}>{name}</th>" for i, name in enumerate(columns))
    lines = ["".join(f"<td{_align(i, numbers)}>{cell}</td>" for i, cell in enumerate(row)) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _align(position: int, numbers: Sequence[int]) -> str:
    return ' class="n"' if position in numbers else ""


def _small(text: str) -> str:
    """Set the interval in brackets smaller."""
    value, bracket, rest = text.partition(" (")
    return escape(value) + (f" <small>({escape(rest)}</small>" if bracket else "")


def measures_table(evaluation: Evaluation) -> str:
    """Return the measures of all models side by side."""
    rows = []
    for key, (name, share) in MEASURES.items():
        cells = [m.measures.get(key) for m in evaluation.models]
        if any(cells):
            texts = ["" if c is None else estimate_text(c, share, key.endswith("_change")) for c in cells]
            rows.append([escape(name.strip()), *(_small(text) for text in texts)])
    return html_table(["measure", *(escape(m.name) for m in evaluation.models)], rows)


def groups_table(model: ModelReport, labels: Labels) -> str:
    """Return the measures by entity, typicality and number of findings."""
    rows = []
    for group in model.groups:
        name = escape(labels.get(group.name, group.name))
        estimates = [(group.top_1, True), (group.log_loss, False), (group.brier, False)]
        cells = [_small(estimate_text(estimate, share)) for estimate, share in estimates]
        rows.append([escape(group.by), name, str(group.lesions), *cells, f"{group.mean_entropy.value or 0:.2f}"])
    return html_table(["by", "group", "n", "on top", "log loss", "Brier", "entropy, bits"], rows, (2,))


def confusion_table(evaluation: Evaluation, model: ModelReport, labels: Labels) -> str:
    """Return the counts by true and leading entity, shaded by the share of the row."""
    head = "".join(f"<th>{escape(entity)}</th>" for entity in evaluation.entities)
    rows = []
    for row, (entity, counts) in enumerate(zip(evaluation.entities, model.confusion, strict=True)):
        cells = "".join(_count(n, n / max(sum(counts), 1), row == column) for column, n in enumerate(counts))
        rows.append(f'<tr><th title="{escape(labels.get(entity, entity))}">{escape(entity)}</th>{cells}</tr>')
    table = f"<thead><tr><th>true \\ called</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    caption = f"<figcaption>{escape(model.name)}</figcaption>"
    return f'<figure>{caption}<div class="scroll"><table class="heat">{table}</table></div></figure>'


def _count(n: int, share: float, hit: bool) -> str:
    kind = ' class="hit"' if hit else ""
    return f'<td{kind} style="--share: {0.6 * share:.2f}">{n or ""}</td>'


def comparisons_table(comparisons: Sequence[Comparison]) -> str:
    """Return published operating characteristics beside those that the network implies, one sign after the other."""
    known = [c.inside for c in comparisons if c.inside is not None]
    by_sign: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        by_sign.setdefault(comparison.characteristic.id, []).append(comparison)
    head = "".join(f"<th>{name}</th>" for name in ("sign", "measure", "published, %", "network, %", "", "", "source"))
    body = "".join(_sign_rows(group) for group in by_sign.values())
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<p class="soft">{sum(known)} of {len(known)} {_NOTE}</p><div class="scroll">{table}</div>'


def _sign_rows(comparisons: Sequence[Comparison]) -> str:
    about = comparisons[0].characteristic
    differs = f'<br><span class="soft">{escape(about.differs)}</span>' if about.differs else ""
    sign = f'<td class="sign" rowspan="{len(comparisons)}">{escape(about.label)}{differs}</td>'
    rows = [_comparison(comparison) for comparison in comparisons]
    return "".join(f"<tr>{sign if number == 0 else ''}{row}</tr>" for number, row in enumerate(rows))


def _comparison(comparison: Comparison) -> str:
    published, implied = comparison.published, comparison.implied
    span = published.interval
    value = "" if published.value is None else f"{100 * published.value:.1f}"
    low_high = "" if span is None else f" <small>({100 * span[0]:.1f} to {100 * span[1]:.1f})</small>"
    words = {True: '<span class="yes">inside</span>', False: '<span class="no">outside</span>', None: "no interval"}
    drawn = f"simulated {100 * implied.simulated:.1f} &plusmn; {100 * implied.standard_error:.1f}"
    cells = [
        published.measure,
        f"{value}{low_high}<br><small>{escape(printed_text(published))}</small>",
        f"{100 * implied.exact:.1f}<br><small>{drawn}</small>",
        interval_bar(published.value, span, [(implied.exact, "own")]),
        words[comparison.inside],
    ]
    star = " *" if comparison.informed else ""
    source = f'<td class="from">{escape(published.source)} [{escape(published.id)}]{star}</td>'
    return "".join(f"<td>{cell}</td>" for cell in cells) + source
