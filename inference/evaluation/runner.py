"""Run any number of models over proven cases and report them side by side."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hepagraph.inference.evaluation import calibration, metrics
from hepagraph.inference.evaluation.flatness import FlatnessPoint, flatness
from hepagraph.inference.evaluation.measuring import (
    Scores,
    answers_of,
    as_row,
    measure,
    measure_groups,
    out_of_list,
    score,
)
from hepagraph.inference.evaluation.predictors import Prediction, Predictor, check_names
from hepagraph.inference.evaluation.proven import ProvenCase
from hepagraph.inference.evaluation.report import Evaluation, ModelReport, ProvenLesion
from hepagraph.inference.evaluation.safety import CostlyError, count_errors
from hepagraph.kg import read_vocabulary
from hepagraph.kg.vocabulary import literal, targets
from hepagraph.ontology.errors import CaseError, HepagraphError, Problem

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class Settings:
    """How to measure: the differential, its entities and their behaviours, errors to list, baseline, draws and seed."""

    differential: str
    entities: tuple[str, ...]
    behaviours: tuple[str, ...] = ()
    errors: tuple[CostlyError, ...] = ()
    baseline: str | None = None
    draws: int = 1000
    seed: int = 0
    flatness: bool = True


def evaluate(
    cases: Sequence[ProvenCase],
    predictors: Sequence[Predictor],
    settings: Settings,
    *,
    name: str = "as given",
    progress: Callable[[str], None] = lambda what: None,
) -> Evaluation:
    """Return the reports of all models on the same lesions.

    ``progress`` is told what is about to be done.

    Raises
    ------
    HepagraphError
        No lesion has a true entity within the differential.
    CaseError
        A model cannot answer a case; the error names it.
    ValueError
        The predictors' names are not distinct, or the baseline is none of them.
    """
    check_names(predictors)
    if settings.baseline is not None and settings.baseline not in [p.name for p in predictors]:
        raise ValueError(f"the baseline {settings.baseline} is none of the predictors")
    lesions = tuple(lesion for case in cases for lesion in _lesions(case))
    inside = [lesion.entity in settings.entities for lesion in lesions]
    if not any(inside):
        allowed = ", ".join(settings.entities)
        what = f"none of the {len(lesions)} lesions has a true entity of the differential {settings.differential}"
        raise HepagraphError(f"{what} ({allowed})")
    predictions = {}
    for predictor in predictors:
        progress(f"{name}: answering with {predictor.name}")
        predictions[predictor.name] = _predict(predictor, cases, settings)
    kept = tuple(itertools.compress(lesions, inside))
    truth = np.array([settings.entities.index(lesion.entity) for lesion in kept])
    scores = {
        model: score(
            np.stack([as_row(p.posterior, settings.entities) for p in itertools.compress(found, inside)]), truth
        )
        for model, found in predictions.items()
    }
    reports = []
    for predictor in predictors:
        progress(f"{name}: measuring {predictor.name}")
        flat = _flatness(predictor, cases, settings)
        reports.append(_report(predictor.name, predictions[predictor.name], lesions, scores, settings, flat))
    patients = len({lesion.case for lesion in kept})
    others = tuple(itertools.compress(lesions, [not member for member in inside]))
    return Evaluation(
        name, settings.differential, settings.entities, settings.baseline, patients, kept, others, tuple(reports)
    )


def _lesions(proven: ProvenCase) -> list[ProvenLesion]:
    found = []
    for lesion in proven.case.lesions:
        truth = proven.truth[lesion.id]
        count = len(lesion.findings)
        found.append(
            ProvenLesion(proven.case.id, lesion.id, truth.entity, truth.subgroup, truth.proof, truth.atypical, count)
        )
    return found


def _predict(predictor: Predictor, cases: Sequence[ProvenCase], settings: Settings) -> list[Prediction]:
    """Return the answer to every lesion of every case; all cases that cannot be answered are reported together."""
    found: list[Prediction] = []
    problems: list[Problem] = []
    for proven in cases:
        try:
            found += predictor.predict(proven.case, settings.entities, settings.differential)
        except CaseError as error:
            problems += [replace(p, where=f"case {proven.case.id}: {p.where}") for p in error.problems]
    if problems:
        raise CaseError(problems)
    return found


def _flatness(predictor: Predictor, cases: Sequence[ProvenCase], settings: Settings) -> tuple[FlatnessPoint, ...]:
    if not settings.flatness:
        return ()
    own = [c.case for c in cases if any(t.entity in settings.entities for t in c.truth.values())]
    return flatness(predictor, own, settings.entities, settings.differential, settings.seed)


def _report(
    name: str,
    predictions: Sequence[Prediction],
    lesions: Sequence[ProvenLesion],
    scores: Mapping[str, Scores],
    settings: Settings,
    flat: tuple[FlatnessPoint, ...],
) -> ModelReport:
    entities, own = settings.entities, scores[name]
    probabilities, truth = own.probabilities, own.truth
    answers = answers_of(predictions, [lesion.entity for lesion in lesions], entities)
    kept = [lesion for lesion in lesions if lesion.entity in entities]
    base = None if settings.baseline in (None, name) else scores[str(settings.baseline)]
    points = calibration.abstention_curve(probabilities, truth)
    return ModelReport(
        name=name,
        right=int(own.hit_1.sum()),
        measures=measure(own, base, [lesion.case for lesion in kept], settings.draws, settings.seed),
        confusion=tuple(tuple(row) for row in metrics.confusion(probabilities, truth).tolist()),
        groups=measure_groups(own, kept, entities, settings.draws, settings.seed),
        reliability=calibration.reliability(probabilities.max(axis=1), own.hit_1),
        reliability_by_entity={
            entity: calibration.reliability(probabilities[:, column], (truth == column).astype(np.float64))
            for column, entity in enumerate(entities)
        },
        abstention=points,
        abstention_area=calibration.area_under_abstention(points),
        errors=count_errors(
            probabilities, truth, entities, settings.behaviours or ("",) * len(entities), settings.errors
        ),
        flatness=flat,
        answers=tuple(a for a in answers if a.rank is not None),
        out_of_list=out_of_list(tuple(a for a in answers if a.rank is None)),
    )


def behaviours_of(graph: nx.MultiDiGraph[str], entities: Sequence[str]) -> tuple[str, ...]:
    """Return each entity's behaviour as the ontology names it, "" where it says nothing."""
    return tuple(str(literal(graph, entity, "behaviour", "")) for entity in entities)


def primary_variables(graph: nx.MultiDiGraph[str]) -> tuple[str, ...]:
    """Return the context variables of which a state names a primary."""
    variables = read_vocabulary(graph).values()
    return tuple(v.name for v in variables if any(targets(graph, node, "primary") for node in v.nodes.values()))


def without_context(cases: Sequence[ProvenCase], names: Sequence[str]) -> tuple[ProvenCase, ...]:
    """Return the cases as if these context variables had not been given."""
    return tuple(
        replace(
            proven,
            case=replace(proven.case, context={n: f for n, f in proven.case.context.items() if n not in names}),
        )
        for proven in cases
    )
