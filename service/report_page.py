"""A report on one patient as one self-contained HTML page, for the screen and for A4 paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hepagraph.inference.ledger import Ledger
from hepagraph.inference.reasoner import Reasoner
from hepagraph.inference.result import LesionResult
from hepagraph.inference.rules_result import Advised, Blocked, Recommendation
from hepagraph.inference.surprise import SurpriseReport
from hepagraph.inference.what_if import WhatIf
from hepagraph.kg.rules import RuleBook
from hepagraph.service.html_answer import explanations_html, interval_parts_html, posterior_html, what_if_html
from hepagraph.service.html_basics import Labels, chance, chances, named, said, spoken, table, text, whole_page
from hepagraph.service.html_ledger import ledger_html
from hepagraph.service.html_outlook import next_best_html, sensitivity_html, withdrawals_html
from hepagraph.service.report_gathering import LesionReport, PatientReport
from hepagraph.service.report_given import given_html, own_numbers_html
from hepagraph.service.report_references import References

_LIKELY = 0.5  # a cause from this probability on is named
_SUBTYPE = 0.1
_FLIPS = 8
_BLOCKED = 5
_HOW = (
    "A bar is a probability. The line with ends across it is its 95 % interval: it counts everything that the evidence "
    "leaves open, how studies differ, how far judgements may be off, and how few were counted.",
    "× 5 beside a finding: it makes the odds five times larger; ÷ 5: five times smaller. What a finding weighs depends "
    "on what else is known, so this is its mean over all orders in which the findings might have come in. The odds "
    "before, times and divided by all the factors, are the odds after.",
    "Through: the hidden causes whose own probability the finding moved. With arrows: how what was seen comes about.",
    "A bit is what the answer to a fair yes-or-no question tells. Points are how bad a wrong management is, and how "
    "much of a burden an examination is, as the ontology judges it (hepagraph next-best --show-costs) unless other "
    "numbers were given.",
    "Grade A: a primary study's count; B: a secondary source; C: words; D: judgement of the developers, queued for "
    "review. A number in brackets is that of the reference.",
)


@dataclass(frozen=True, slots=True)
class _Page:
    """What every part of a page needs."""

    reasoner: Reasoner
    book: RuleBook
    labels: Labels
    references: References


def report_page(report: PatientReport, reasoner: Reasoner, book: RuleBook, *, date: str | None = None) -> str:
    """Return the page; without a date the same case gives the same page.

    Parameters
    ----------
    date
        As it is to stand on the page.
    """
    page = _Page(reasoner, book, spoken(reasoner), References(reasoner.graph))
    case = report.case.case
    several = len(report.lesions) > 1
    parts = [
        f"<header><h1>Case {text(case.id)}</h1>",
        f'<p class="notice">{text(report.result.model["notice"])}</p></header>',
        f"<main>{_summary(report.lesions, page.labels)}{_reading()}",
        f"<section><h2>What was given</h2>{given_html(report.case, book, reasoner, page.labels)}"
        f"{own_numbers_html(report.prior, report.own_costs, page.labels)}</section>",
        *(
            _lesion(number, lesion, report.advice.lesions[number - 1].advised, several, page)
            for number, lesion in enumerate(report.lesions, 1)
        ),
        _patient_advice(report.advice.patient, page),
        f"<section><h2>References</h2>{page.references.html()}</section>",
        f"<section><h2>The model</h2>{_model(report, page, date)}</section></main>",
    ]
    return whole_page(f"Case {case.id}", "\n".join(part for part in parts if part), "parts", "page", "report")


def _summary(lesions: Sequence[LesionReport], labels: Labels) -> str:
    rows = []
    for number, lesion in enumerate(lesions, 1):
        found = lesion.result
        top = found.leading
        interval = chances(*found.interval[top]) if found.interval is not None else "not asked for"
        second = sorted(found.posterior, key=lambda e: -found.posterior[e])[1:2]
        rival = "".join(f"{named(e, labels)} {chance(found.posterior[e])}" for e in second)
        link = f'<a href="#lesion-{number}">{text(found.id)}</a>'
        rows.append([link, f"<b>{named(top, labels)}</b>", f"<b>{chance(found.posterior[top])}</b>", interval, rival])
    columns = ["lesion", "most probable", "#probability", "95 % interval", "next"]
    return f"<section><h2>At a glance</h2>{table('The answer for each lesion', columns, rows, kind='stack')}</section>"


def _lesion(number: int, lesion: LesionReport, advised: Advised, several: bool, page: _Page) -> str:
    found, labels, cite = lesion.result, page.labels, page.references.statement
    top = named(found.leading, labels)
    parts = [
        f"<h2>Lesion {text(found.id)}: {top} {chance(found.posterior[found.leading])}</h2>",
        posterior_html(found, labels),
        _about(found, several, page),
        _folded(f"What makes the interval of {top} so wide", interval_parts_html(found, labels)),
        f"<h3>Why {top}</h3>",
        ledger_html(lesion.ledger, labels, cite, page.references.step),
        _folded(*_against(lesion.rival, page)),
        explanations_html(lesion.explanations, labels),
        "<h3>What would change it</h3>",
        _flips(lesion.ledger, labels),
        _withdrawn(lesion.withdrawn, labels),
        "<h3>What to look at next</h3>",
        next_best_html(lesion.next_best, labels),
        "<h3>On which numbers it hangs</h3>",
        sensitivity_html(lesion.sensitivity, labels, cite),
        "" if lesion.withdrawals is None else withdrawals_html(lesion.withdrawals, labels, page.references.source),
        f"<h3>Recommendations for this lesion</h3>{_advised(advised, page)}",
    ]
    return f'<section class="lesion-report" id="lesion-{number}">{"".join(parts)}</section>'


def _about(found: LesionResult, several: bool, page: _Page) -> str:
    items, labels = [], page.labels
    subtype = max(found.subtype, key=lambda name: found.subtype[name], default=None)
    if subtype is not None and found.subtype[subtype] >= _SUBTYPE and subtype != found.leading:
        items.append(("likeliest subtype", f"{named(subtype, labels)} {chance(found.subtype[subtype])}"))
    likely = sorted((m for m, p in found.mechanisms.items() if p >= _LIKELY), key=lambda m: -found.mechanisms[m])
    if likely:
        causes = ", ".join(f"{named(m, labels)} {chance(found.mechanisms[m])}" for m in likely)
        items.append(("probable causes behind the findings", causes))
    if found.posterior_alone is not None:
        alone, probability = max(found.posterior_alone.items(), key=lambda item: item[1])
        items.append(("without the patient's other lesions", f"{named(alone, labels)} {chance(probability)}"))
    elif several:
        items.append(("without the patient's other lesions", "the same: they say nothing about each other"))
    if found.surprise is not None:
        items.append(("do the findings fit", _fit(found.surprise, page)))
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in items)
    warned = "".join(
        f'<p class="warned {w.level}"><b>{text(w.level)}:</b> {text(w.message)}</p>' for w in found.warnings
    )
    return (f'<dl class="facts">{listed}</dl>' if listed else "") + warned


def _fit(surprise: SurpriseReport, page: _Page) -> str:
    shares = ", ".join(f"{named(e, page.labels)} {p:.3f}" for e, p in surprise.by_entity.items())
    limit = page.reasoner.compiled.surprise.surprise_threshold
    return (
        f"predictive p-value {surprise.p_value:.3f} for this patient (below {limit:g} is unusual); under each "
        f"plausible entity alone: {shares}"
    )


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>{body}</details>" if body else ""


def _against(ledger: Ledger | None, page: _Page) -> tuple[str, str]:
    if ledger is None or ledger.against is None:
        return "", ""
    title = f"{named(ledger.entity, page.labels)} against {named(ledger.against, page.labels)} alone, the next in rank"
    return title, ledger_html(ledger, page.labels, page.references.statement, page.references.step)


def _flips(ledger: Ledger, labels: Labels) -> str:
    flips = [(entry, flip) for entry in ledger.entries for flip in entry.flips]
    if not flips:
        return "<p>No other report of any single finding would put another entity on top.</p>"
    rows = [
        [
            text(entry.label),
            said(entry.variable, entry.given, labels),
            said(entry.variable, flip.state, labels),
            named(flip.entity, labels),
            chance(flip.probability),
        ]
        for entry, flip in flips[:_FLIPS]
    ]
    rest = f"; {len(flips) - _FLIPS} more are left out" if len(flips) > _FLIPS else ""
    caption = f"Had one of these been reported otherwise, another entity would be on top{rest}"
    return table(caption, ["finding", "reported", "had it been", "then on top", "#probability"], rows, kind="stack")


def _withdrawn(found: WhatIf, labels: Labels) -> str:
    if len(found.outcomes) < 2:
        return "<p>There is nothing to withdraw.</p>"
    return f"<p>Had one of these not been known, all else as it is:</p>{what_if_html(found, labels)}"


def _patient_advice(advised: Advised, page: _Page) -> str:
    if not advised.recommendations and not advised.blocked:
        return ""
    return f"<section><h2>Recommendations for the patient</h2>{_advised(advised, page)}</section>"


def _advised(advised: Advised, page: _Page) -> str:
    parts = [_recommendation(found, page) for found in advised.recommendations]
    if not parts:
        parts.append("<p>No rule applies to what is stated.</p>")
    if advised.blocked:
        items = "".join(_blocked(found, page) for found in advised.blocked[:_BLOCKED])
        more = len(advised.blocked) - _BLOCKED
        rest = f'<li class="soft">and {more} more</li>' if more > 0 else ""
        parts.append(f'<div class="blocked"><p>Would also apply if it were known that</p><ul>{items}{rest}</ul></div>')
    return "".join(parts)


def _recommendation(found: Recommendation, page: _Page) -> str:
    rule = found.rule
    grade = f"grade {text(rule.grade)}" + (f", cut-off grade {text(found.cutoff_grade)}" if found.cutoff_grade else "")
    cited = "; ".join(dict.fromkeys(page.references.rule_source(source) for source in rule.sources))
    return (
        f'<div class="rule"><h4>{text(rule.label)}</h4><p class="soft">{text(rule.kind.replace("_", "-"))}, {grade}</p>'
        f"<p>{text(rule.advice)}</p><p>{text(rule.rationale)}</p>"
        f'<p class="because">Because of: {text("; ".join(found.why))}.</p>'
        + (f'<p class="soft">Source: {cited}</p></div>' if cited else "</div>")
    )


def _blocked(found: Blocked, page: _Page) -> str:
    keys = ", ".join(text(page.book.variables[name].label) for name in found.missing)
    exam = f"; needs another examination: {text(found.other_exam)}" if found.other_exam else ""
    return f"<li>{text(found.wanted)} <small>({keys}{exam})</small>: {text(found.rule.label)}</li>"


def _reading() -> str:
    items = "".join(f"<li>{line}</li>" for line in _HOW)
    return f'<details class="reading"><summary>How to read this page</summary><ul>{items}</ul></details>'


def _model(report: PatientReport, page: _Page, date: str | None) -> str:
    model = report.result.model
    entities = ", ".join(named(entity, page.labels) for entity in report.entities)
    items = [("hepagraph", text(model["version"])), ("ontology", f"<code>{text(model['ontology_sha256'])}</code>")]
    items.append(("chosen between", f"{entities}; nothing else is considered"))
    items += [("date", text(date))] if date is not None else []
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in items)
    return f'<dl class="facts">{listed}</dl>'
