"""Everything that a report on one patient says, asked for once: answers, ledgers, scenarios, outlook, rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hepagraph.inference.case import Case
from hepagraph.inference.ledger import Ledger, explain
from hepagraph.inference.most_probable import Explanation, most_probable
from hepagraph.inference.next_best import NextBest, next_best
from hepagraph.inference.reasoner import Reasoner
from hepagraph.inference.result import CaseResult, LesionResult
from hepagraph.inference.rules import recommend
from hepagraph.inference.rules_circumstances import RuleCase
from hepagraph.inference.rules_result import CaseRecommendations
from hepagraph.inference.sensitivity import Sensitivity, sensitivity
from hepagraph.inference.what_if import WITHDRAWN, Scenario, WhatIf, what_if
from hepagraph.inference.withdrawal import Withdrawals, withdrawals
from hepagraph.kg.costs import Costs
from hepagraph.kg.rules import RuleBook


@dataclass(frozen=True, slots=True)
class LesionReport:
    """What is said of one lesion: the answer, why, what would change it, what to look at next, on what it hangs.

    ``rival`` is the ledger against the second in rank, None where there is none. ``withdrawn`` holds this lesion's
    answers as it is and with each thing known of it or the patient withdrawn, ``explanations`` the best story within
    each entity, and ``withdrawals`` the papers that move the answer most, where that was asked for.
    """

    result: LesionResult
    ledger: Ledger
    rival: Ledger | None
    withdrawn: WhatIf
    next_best: NextBest
    sensitivity: Sensitivity
    explanations: tuple[Explanation, ...]
    withdrawals: Withdrawals | None


@dataclass(frozen=True, slots=True)
class PatientReport:
    """What is said of one patient; ``entities`` are those of the differential that was asked for.

    ``prior`` are the weights that stood in place of the model's, ``own_costs`` says whether losses and burdens did.
    """

    case: RuleCase
    result: CaseResult
    entities: tuple[str, ...]
    lesions: tuple[LesionReport, ...]
    advice: CaseRecommendations
    prior: Mapping[str, float] | None = None
    own_costs: bool = False


def gather(
    reasoner: Reasoner,
    book: RuleBook,
    data: Mapping[str, Any],
    found: RuleCase,
    *,
    differential: str | None = None,
    interval: bool = True,
    prior: Mapping[str, float] | None = None,
    costs: Costs | None = None,
    withdraw: bool = False,
) -> PatientReport:
    """Return everything that a report on one patient says.

    Parameters
    ----------
    data, found
        The JSON value of a case, and the case read from it.
    differential, interval, prior
        As in ``Reasoner.posterior``.
    costs
        Losses and burdens; None: those of the ontology.
    withdraw
        Find the papers that move the answer most when withdrawn, which takes seconds a lesion.

    Raises
    ------
    CaseError
        The differential is not known, the prior is bad, or the findings have probability zero.
    """
    case = found.case
    given: dict[str, Any] = {"differential": differential, "prior": prior}
    result = reasoner.posterior(case, interval=interval, **given)
    ledgers = explain(reasoner, case, **given)
    rivals = _rivals(reasoner, case, result, given)
    looks = next_best(reasoner, case, costs=reasoner.costs if costs is None else costs, **given)
    hangs = sensitivity(reasoner, case, **given)
    stories = most_probable(reasoner, case, **given)
    papers = withdrawals(reasoner, case, **given) if withdraw else [None] * len(case.lesions)
    plain = _without_circumstances(data, book)
    lesions = tuple(
        LesionReport(
            result.lesions[i],
            ledgers[i],
            rivals[i],
            _withdrawn(reasoner, plain, case, i, given),
            looks[i],
            hangs[i],
            stories[i],
            papers[i],
        )
        for i in range(len(case.lesions))
    )
    advice = recommend(reasoner, found, book=book, **given)
    return PatientReport(found, result, reasoner.entities(differential), lesions, advice, prior, costs is not None)


def _rivals(reasoner: Reasoner, case: Case, result: CaseResult, given: Mapping[str, Any]) -> list[Ledger | None]:
    """Return for each lesion the ledger of the first in rank against the second."""
    pairs = [sorted(lesion.posterior, key=lambda e: -lesion.posterior[e])[:2] for lesion in result.lesions]
    return [
        explain(reasoner, case, entity=pair[0], against=pair[1], **given)[i] if len(pair) > 1 else None
        for i, pair in enumerate(pairs)
    ]


def _withdrawn(
    reasoner: Reasoner, data: Mapping[str, Any], case: Case, position: int, given: Mapping[str, Any]
) -> WhatIf:
    """Return one lesion's answers as it is and with each thing withdrawn, what moves the leading entity most first."""
    lesion, labels = case.lesions[position], reasoner.network.labels
    derived = {name for name, variable in reasoner.reader.variables.items() if variable.covers}
    names = [*lesion.findings, *(name for name in case.context if name not in derived)]
    scenarios = [Scenario(f"without {labels[name]}", {name: WITHDRAWN}) for name in names]
    found = what_if(reasoner, data, scenarios, lesion=lesion.id, **given)
    base, *others = [outcome for outcome in found.outcomes if outcome.lesion == lesion.id]
    leading = max(base.posterior, key=lambda entity: base.posterior[entity])
    others.sort(key=lambda outcome: -abs(outcome.posterior[leading] - base.posterior[leading]))
    return WhatIf((base, *others))


def _without_circumstances(data: Mapping[str, Any], book: RuleBook) -> dict[str, Any]:
    """Return the JSON value of a case without the keys that rules alone read."""
    lesions = [{k: v for k, v in lesion.items() if k not in book.circumstances} for lesion in data["lesions"]]
    patient = {k: v for k, v in (data.get("patient") or {}).items() if k not in book.circumstances}
    return {**data, "patient": patient, "lesions": lesions}
