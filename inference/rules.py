"""Recommend what to do next: apply the ontology's rules to a case and its posterior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hepagraph.inference.case import Case
from hepagraph.inference.reasoner import Reasoner
from hepagraph.inference.rules_circumstances import RuleCase, read_rule_case
from hepagraph.inference.rules_facts import Facts, lesion_facts, patient_facts
from hepagraph.inference.rules_logic import Verdict, evaluate
from hepagraph.inference.rules_result import (
    Advised,
    Blocked,
    CaseRecommendations,
    LesionRecommendations,
    Recommendation,
)
from hepagraph.kg.rules import Rule, RuleBook
from hepagraph.kg.rules_reading import read_rules

_PATIENT_SECTIONS = ("patient", "exam", "derived")


def recommend(
    reasoner: Reasoner,
    case: Case | RuleCase | Mapping[str, Any],
    *,
    book: RuleBook | None = None,
    differential: str | None = None,
    interval: bool = False,
    prior: Mapping[str, float] | None = None,
) -> CaseRecommendations:
    """Return what the rules recommend for a case.

    Parameters
    ----------
    case
        The JSON value of a case, which may hold circumstances (keys that rules alone read); or a case already read.
    book
        The rules; None reads those of the reasoner's ontology. Pass one to answer many cases.
    differential, interval, prior
        As in ``Reasoner.posterior``; the interval only adds to the words of why a rule fired.

    Raises
    ------
    CaseError
        The case or the prior is bad, the differential is not known, or the findings have probability zero.
    """
    rules = read_rules(reasoner.graph) if book is None else book
    found = case if isinstance(case, RuleCase) else _read(rules, reasoner, case)
    result = reasoner.posterior(found.case, differential=differential, interval=interval, prior=prior)
    assessability = reasoner.reader.assessability
    patient = patient_facts(found.case, rules, assessability, found.patient)
    lesions = [
        LesionRecommendations(
            answer.id,
            answer.posterior,
            _advised(reasoner, rules, found.case, lesion_facts(patient, lesion, answer, rules.variables, own), False),
        )
        for lesion, answer, own in zip(found.case.lesions, result.lesions, found.lesions, strict=True)
    ]
    return CaseRecommendations(
        result.id, _advised(reasoner, rules, found.case, patient, True), tuple(lesions), result.model
    )


def about_patient(rule: Rule, book: RuleBook) -> bool:
    """Return whether a rule reads nothing of a lesion, so that it is given once for the patient."""
    names = [name for condition in rule.conditions for name in condition.reads()]
    sections = {book.variables[name].section for name in names}
    return sections <= set(_PATIENT_SECTIONS) and not any(c.asks_posterior for c in rule.conditions)


def _read(book: RuleBook, reasoner: Reasoner, case: Case | Mapping[str, Any]) -> RuleCase:
    if isinstance(case, Case):
        return RuleCase(case, {}, tuple({} for _ in case.lesions))
    return read_rule_case(book, reasoner.reader, case)


def _advised(reasoner: Reasoner, book: RuleBook, case: Case, facts: Facts, patient: bool) -> Advised:
    fired: list[Recommendation] = []
    blocked: list[Blocked] = []
    for rule in book.rules:
        if about_patient(rule, book) is not patient:
            continue
        verdicts = [evaluate(condition, facts, book) for condition in rule.conditions]
        unknown = [position for position, v in enumerate(verdicts) if v.holds is None]
        if any(v.holds is False for v in verdicts):
            continue
        if not unknown:
            fired.append(Recommendation(rule, tuple(v.why for v in verdicts), _cutoff(rule)))
        elif len(unknown) == 1 and rule.prompts:
            blocked.append(_blocked(reasoner, book, case, rule, verdicts[unknown[0]], unknown[0]))
    silenced = frozenset().union(*(found.rule.overrides for found in fired))
    return Advised(
        tuple(found for found in fired if found.rule.id not in silenced),
        tuple(found for found in blocked if found.rule.id not in silenced),
    )


def _cutoff(rule: Rule) -> str:
    """Return the weakest grade of the rule's thresholds, or nothing where it has none."""
    return max((condition.grade for condition in rule.conditions), default="")


def _blocked(reasoner: Reasoner, book: RuleBook, case: Case, rule: Rule, verdict: Verdict, position: int) -> Blocked:
    found = Blocked(rule, verdict.missing, rule.conditions[position].label)
    variables = [book.variables[name] for name in verdict.missing]
    features = [v for v in variables if v.section in ("findings", "lesion") and v.kind != "Circumstance"]
    if not case.exams or len(features) < len(variables):
        return found
    reasons = [reasoner.reader.assessability.reason_against(v, v.states, case.exams) for v in features]
    return replace(found, other_exam=reasons[0]) if all(reasons) and reasons[0] else found
