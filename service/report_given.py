"""What a report was given, as HTML: patient, examinations, lesions with their findings, what was not assessable."""

from __future__ import annotations

from collections.abc import Mapping

from hepagraph.inference.case import Finding, Lesion
from hepagraph.inference.reasoner import Reasoner
from hepagraph.inference.rules_circumstances import RuleCase
from hepagraph.kg.rules import RuleBook
from hepagraph.service.html_basics import Labels, chance, named, said, table, text


def given_html(found: RuleCase, book: RuleBook, reasoner: Reasoner, labels: Labels) -> str:
    """Return what is known of the patient, the examinations, and a table of each lesion's findings."""
    case = found.case
    derived = {name for name, variable in reasoner.reader.variables.items() if variable.covers}
    facts = [(labels[n], said(n, f.given, labels)) for n, f in case.context.items() if n not in derived]
    facts += _circumstances(found.patient, book)
    exams = [", ".join(named(node, labels) for node in (e.modality, e.agent) if node) for e in case.exams]
    items = [*((text(label), value) for label, value in facts)] or [("known of the patient", "nothing")]
    items.append(
        (
            "examinations",
            "; ".join(exam or "of a kind not stated" for exam in exams) or "not stated: any may have been done",
        )
    )
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in items)
    tables = [_lesion(lesion, own, book, labels) for lesion, own in zip(case.lesions, found.lesions, strict=True)]
    return f'<dl class="facts">{listed}</dl><div class="given">{"".join(tables)}</div>'


def own_numbers_html(prior: Mapping[str, float] | None, own_costs: bool, labels: Labels) -> str:
    """Return what stood in place of the model's own numbers; nothing where nothing did."""
    items = []
    if prior is not None:
        total = sum(prior.values())
        shares = ", ".join(f"{named(entity, labels)} {chance(weight / total)}" for entity, weight in prior.items())
        items.append(("prior, in place of the model's", shares))
    if own_costs:
        items.append(("losses and burdens", "some were given in place of the ontology's"))
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in items)
    return f'<dl class="facts">{listed}</dl>' if listed else ""


def _lesion(lesion: Lesion, own: Mapping[str, frozenset[str]], book: RuleBook, labels: Labels) -> str:
    rows = [[named(name, labels), _finding(finding, labels)] for name, finding in lesion.findings.items()]
    rows += [[text(label), value] for label, value in _circumstances(own, book)]
    rows += [[named(name, labels), "not assessable"] for name in lesion.not_assessable]
    return table(f"Lesion {text(lesion.id)}", ["finding", "as reported"], rows or [["no finding", "none was reported"]])


def _finding(finding: Finding, labels: Labels) -> str:
    return said(finding.variable, finding.given, labels)


def _circumstances(stated: Mapping[str, frozenset[str]], book: RuleBook) -> list[tuple[str, str]]:
    """Return what rules alone read: label, and the states that are possible as HTML text."""
    found = []
    for name, nodes in stated.items():
        label = book.variables[name].label
        states = (book.labels.get(node, node).removeprefix(f"{label}: ") for node in sorted(nodes))
        found.append((label, text(" or ".join(states))))
    return found
