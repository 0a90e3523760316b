"""An evaluation as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hepagraph.inference.evaluation.bootstrap import Estimate
from hepagraph.inference.evaluation.implied import Comparison
from hepagraph.inference.evaluation.operating import Published
from hepagraph.inference.evaluation.report import Evaluation, ModelReport
from hepagraph.inference.evaluation.safety import Flag
from hepagraph.ontology.errors import printable
from hepagraph.service.tables import table as counted_table
from hepagraph.service.text import percent

MEASURES = {
    "top_1": ("on top", True),
    "top_2": ("among the first two", True),
    "macro_recall": ("macro recall", True),
    "log_loss": ("log loss (natural, clipped at 1e-12)", False),
    "log_loss_change": ("log loss, change against the baseline", True),
    "brier": ("Brier score (sum over entities)", False),
    "brier_change": ("Brier score, change against the baseline", True),
    "calibration_error": ("calibration error, top label", False),
    "calibration_error_if_calibrated": ("  a perfectly calibrated model would show", False),
    "classwise_calibration_error": ("calibration error, classwise", False),
}
Labels = Mapping[str, str]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an aligned table without the count of rows that query results end with."""
    return counted_table(columns, rows).rsplit("(", 1)[0]


def evaluation_text(evaluation: Evaluation, labels: Labels) -> str:
    """Return the tables of one evaluation."""
    first = evaluation.models[0]
    blocks = [measures_text(evaluation), errors_text(evaluation, labels)]
    blocks += [_groups(first, labels), _confusion(evaluation, first), _reliability(first), _abstention(first)]
    blocks += [_flatness(evaluation)] if first.flatness else []
    blocks += [_others(evaluation)] if evaluation.others else []
    blocks += [_wrong(evaluation, first, labels)]
    return "\n".join(block for block in blocks if block)


def estimate_text(estimate: Estimate, share: bool, signed: bool = False) -> str:
    """Return a measure with its interval.

    >>> estimate_text(Estimate(0.5, 0.25, 0.75), True), estimate_text(Estimate(1.25), False)
    ('50.0 % (25.0 to 75.0)', '1.250')
    """
    if estimate.value is None:
        return "-"
    scale, digits, unit = (100.0, 1, " %") if share else (1.0, 3, "")
    sign = "+" if signed else ""
    text = f"{scale * estimate.value:{sign}.{digits}f}{unit}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} ({scale * estimate.low:{sign}.{digits}f} to {scale * estimate.high:{sign}.{digits}f})"


def _head(evaluation: Evaluation) -> str:
    apart = f"; {_count(len(evaluation.others), 'lesion')} of other diagnoses apart" if evaluation.others else ""
    count = f"{_count(len(evaluation.lesions), 'lesion')} of {_count(evaluation.patients, 'patient')}"
    return f"Evaluation, cases {evaluation.name}: {count}, differential {evaluation.differential}{apart}\n"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def measures_text(evaluation: Evaluation) -> str:
    """Return how many lesions there are, and the measures of all models side by side."""
    rows = []
    for key, (name, share) in MEASURES.items():
        cells = [m.measures.get(key) for m in evaluation.models]
        if any(cells):
            signed = key.endswith("_change")
            rows.append((name, *("" if c is None else estimate_text(c, share, signed) for c in cells)))
    typical = [_typical(model) for model in evaluation.models]
    rows += [("typical lesions on top", *typical)] if any(typical) else []
    columns = ("95 % intervals by bootstrap of patients", *(m.name for m in evaluation.models))
    return _head(evaluation) + "\n" + table(columns, rows)


def _typical(model: ModelReport) -> str:
    groups = [group for group in model.groups if (group.by, group.name) == ("typicality", "typical")]
    return "".join(f"{group.right} of {group.lesions}" for group in groups)


def errors_text(evaluation: Evaluation, labels: Labels) -> str:
    """Return the errors that the ontology wants counted, model by model, and the lesions that make them."""
    counts = [model.errors for model in evaluation.models]
    rows = [
        (kinds[0].error.label, *(f"{len(kind.flags)} of {kind.at_risk}" for kind in kinds))
        for kinds in zip(*counts, strict=True)
    ]
    if not rows:
        return ""
    columns = ("errors that cost most", *(model.name for model in evaluation.models))
    lines = [
        f"  {model.name}, {kind.error.label}: {flag_text(evaluation, flag, labels)}"
        for model in evaluation.models
        for kind in model.errors
        for flag in kind.flags
    ]
    return table(columns, rows) + "".join(f"{line}\n" for line in lines)


def flag_text(evaluation: Evaluation, flag: Flag, labels: Labels) -> str:
    """Return which lesion it is, what it is, and what it was called."""
    lesion = evaluation.lesions[flag.row]
    true, leading = labels.get(flag.true, flag.true), labels.get(flag.leading, flag.leading)
    true += f" ({flag.true_behaviour.lower()})" if flag.true_behaviour else ""
    place = f"{printable(lesion.case)} / {printable(lesion.lesion)}"
    return f"{place}: {true} {percent(flag.true_probability)}, called {leading} {percent(flag.leading_probability)}"


def _groups(model: ModelReport, labels: Labels) -> str:
    rows = [
        (
            f"{group.by}: {labels.get(group.name, group.name)}",
            str(group.lesions),
            str(group.right),
            estimate_text(group.top_1, True),
            estimate_text(group.log_loss, False),
            estimate_text(group.brier, False),
            f"{group.mean_entropy.value or 0:.2f}",
        )
        for group in model.groups
    ]
    return table((f"{model.name}, by group", "n", "right", "on top", "log loss", "Brier", "entropy, bits"), rows)


def _confusion(evaluation: Evaluation, model: ModelReport) -> str:
    rows = [
        (entity, *(str(n) if n else "." for n in counts))
        for entity, counts in zip(evaluation.entities, model.confusion, strict=True)
    ]
    return table((f"{model.name}: true (row), called (column)", *evaluation.entities), rows)


def _reliability(model: ModelReport) -> str:
    rows = [
        (f"{b.low:.1f} to {b.high:.1f}", str(b.count), f"{b.stated:.3f}", f"{b.observed:.3f}")
        for b in model.reliability
    ]
    return table((f"{model.name}: leading P", "n", "mean stated", "right"), rows)


def _abstention(model: ModelReport) -> str:
    rows = []
    for wanted in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.3):
        point = min(model.abstention, key=lambda p: (p.coverage < wanted, p.coverage))
        rows.append(
            (
                f"{100 * point.coverage:.0f} %",
                str(point.answered),
                percent(point.threshold),
                f"{100 * point.accuracy:.1f} %",
            )
        )
    rows = list(dict.fromkeys(rows))
    return table((f"{model.name}: answered", "n", "only from P", "right"), rows)


def _flatness(evaluation: Evaluation) -> str:
    first = evaluation.models[0].flatness
    columns = (
        "findings kept at random",
        "n",
        *(f"{m.name}: mean largest P" for m in evaluation.models),
        "gain of the last",
    )
    rows = []
    for position, point in enumerate(first):
        largest = (f"{m.flatness[position].mean_largest:.3f}" for m in evaluation.models)
        gain = "" if point.gain is None else f"{point.gain:+.3f}"
        rows.append((str(point.kept), str(point.lesions), *largest, gain))
    return table(columns, rows)


def _others(evaluation: Evaluation) -> str:
    rows = []
    for model in evaluation.models:
        out = model.out_of_list
        flagged = "does not say" if out.flagged is None else f"{out.flagged} of {len(evaluation.others)}"
        rows.append((model.name, flagged, f"{out.mean_confidence or 0:.3f}", percent(out.highest_confidence or 0.0)))
    return table(("out of the list", "flagged as surprising", "mean largest P", "highest"), rows)


def _wrong(evaluation: Evaluation, model: ModelReport, labels: Labels) -> str:
    rows = [
        (
            f"{printable(lesion.case)} / {printable(lesion.lesion)}",
            labels.get(lesion.entity, lesion.entity),
            percent(answer.posterior[lesion.entity]),
            labels.get(answer.leading, answer.leading),
            percent(answer.confidence),
        )
        for lesion, answer in zip(evaluation.lesions, model.answers, strict=True)
        if answer.rank != 1
    ]
    return table((f"{model.name}: not on top", "true", "its P", "called", "P"), rows) if rows else ""


def comparisons_text(comparisons: Sequence[Comparison]) -> str:
    """Return published operating characteristics beside those that the network implies."""
    rows = [
        (
            c.characteristic.label,
            c.published.measure,
            _published(c.published),
            "-"
            if c.published.interval is None
            else "{:.1f} to {:.1f}".format(*(100 * e for e in c.published.interval)),
            f"{100 * c.implied.exact:.1f}",
            f"{100 * c.implied.simulated:.1f} +- {100 * c.implied.standard_error:.1f}",
            {True: "yes", False: "NO", None: "-"}[c.inside],
            c.published.id + (" *" if c.informed else ""),
        )
        for c in comparisons
    ]
    columns = ("sign", "measure", "published, %", "95 % interval", "network", "simulated", "inside", "statement")
    known = [c.inside for c in comparisons if c.inside is not None]
    inside = f"{sum(known)} of {len(known)} inside the published interval"
    return f"{table(columns, rows)}{inside}; * the network's tables were made with this statement\n"


def printed_text(published: Published) -> str:
    """Return what was printed; a false-positive rate stands as "1 - ..."."""
    return f"1 - {published.figure}" if published.complement else published.figure


def _published(published: Published) -> str:
    value = "-" if published.value is None else f"{100 * published.value:.1f}"
    return f"{value} ({printed_text(published)})"
