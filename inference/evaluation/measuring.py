"""From the answers of one model to its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hepagraph.inference.evaluation import calibration, metrics
from hepagraph.inference.evaluation.bootstrap import Estimate, bootstrap
from hepagraph.inference.evaluation.metrics import Array, Index
from hepagraph.inference.evaluation.predictors import Prediction
from hepagraph.inference.evaluation.report import Answer, Group, OutOfList, ProvenLesion

FINDING_BINS = ((0, 3), (4, 6), (7, None))
TYPICAL = {True: "atypical", False: "typical", None: "not stated"}


@dataclass(frozen=True, slots=True)
class Scores:
    """The answers of one model as arrays: probabilities (n, entities), truth (n,), and what is had of each row (n,)."""

    probabilities: Array
    truth: Index
    hit_1: Array
    hit_2: Array
    log_loss: Array
    brier: Array
    entropy: Array


def score(probabilities: Array, truth: Index) -> Scores:
    """Return the scores of each row."""
    return Scores(
        probabilities,
        truth,
        metrics.top_hits(probabilities, truth, 1),
        metrics.top_hits(probabilities, truth, 2),
        metrics.log_losses(probabilities, truth),
        metrics.brier_scores(probabilities, truth),
        metrics.entropies(probabilities),
    )


def measure(
    scores: Scores, baseline: Scores | None, patients: Sequence[str], draws: int, seed: int
) -> dict[str, Estimate]:
    """Return the measures of a model with their intervals; changes are taken within each resample."""

    def statistic(rows: Index) -> Array:
        probabilities, truth = scores.probabilities[rows], scores.truth[rows]
        found = [
            scores.hit_1[rows].mean(),
            scores.hit_2[rows].mean(),
            metrics.macro_recall(probabilities, truth),
            scores.log_loss[rows].mean(),
            scores.brier[rows].mean(),
            calibration.top_label_error(probabilities, truth),
            calibration.classwise_error(probabilities, truth),
        ]
        if baseline is not None:
            found += [_change(scores.log_loss[rows], baseline.log_loss[rows])]
            found += [_change(scores.brier[rows], baseline.brier[rows])]
        return np.array(found)

    names = ["top_1", "top_2", "macro_recall", "log_loss", "brier", "calibration_error", "classwise_calibration_error"]
    names += ["log_loss_change", "brier_change"] if baseline is not None else []
    found = dict(zip(names, bootstrap(statistic, patients, draws, seed), strict=True))
    chance = calibration.error_if_calibrated(scores.probabilities.max(axis=1), max(draws, 100), seed)
    low, high = np.quantile(chance, [0.025, 0.975])
    return {**found, "calibration_error_if_calibrated": Estimate(float(chance.mean()), float(low), float(high))}


def _change(own: Array, other: Array) -> float:
    base = float(other.mean())
    return (float(own.mean()) - base) / base if base > 0 else float("nan")


def group_lesions(lesions: Sequence[ProvenLesion], entities: Sequence[str]) -> list[tuple[str, str, list[int]]]:
    """Return (by, name, rows) of every group that is reported, empty ones left out."""
    keys: list[tuple[str, str, Callable[[ProvenLesion], str]]] = []
    keys += [("entity", entity, lambda lesion: lesion.entity) for entity in entities]
    keys += [("typicality", name, lambda lesion: TYPICAL[lesion.atypical]) for name in TYPICAL.values()]
    keys += [("findings", bin_name(low), lambda lesion: bin_name(lesion.findings)) for low, _ in FINDING_BINS]
    numbers = sorted({lesion.findings for lesion in lesions})
    keys += [("number of findings", str(number), lambda lesion: str(lesion.findings)) for number in numbers]
    found = [(by, name, [row for row, lesion in enumerate(lesions) if key(lesion) == name]) for by, name, key in keys]
    return [group for group in found if group[2]]


def bin_name(findings: int) -> str:
    """Return the bin that a number of findings falls into.

    >>> bin_name(5), bin_name(12)
    ('4 to 6', '7 or more')
    """
    low, high = next(b for b in FINDING_BINS if b[1] is None or findings <= b[1])
    return f"{low} or more" if high is None else f"{low} to {high}"


def measure_groups(
    scores: Scores, lesions: Sequence[ProvenLesion], entities: Sequence[str], draws: int, seed: int
) -> tuple[Group, ...]:
    """Return the measures of every group; a recall of an entity is the top-1 of its group."""
    columns = np.stack([scores.hit_1, scores.log_loss, scores.brier, scores.entropy], axis=1)
    return tuple(
        _group(by, name, columns[rows], [lesions[row].case for row in rows], draws, seed)
        for by, name, rows in group_lesions(lesions, entities)
    )


def _group(by: str, name: str, columns: Array, patients: Sequence[str], draws: int, seed: int) -> Group:
    estimates = bootstrap(lambda rows: columns[rows].mean(axis=0), patients, draws, seed)
    return Group(by, name, len(columns), int(columns[:, 0].sum()), *estimates)


def answers_of(predictions: Sequence[Prediction], truth: Sequence[str], entities: Sequence[str]) -> tuple[Answer, ...]:
    """Return each lesion's answer; ``truth`` may be outside the entities."""
    found = []
    for prediction, true in zip(predictions, truth, strict=True):
        values = as_row(prediction.posterior, entities)
        best = int(values.argmax())
        rank = None
        if true in entities:
            rank = 1 + int(metrics.ranks_of_truth(values[None, :], np.array([list(entities).index(true)]))[0])
        found.append(
            Answer(dict(prediction.posterior), entities[best], float(values[best]), rank, prediction.surprising)
        )
    return tuple(found)


def as_row(posterior: Mapping[str, float], entities: Sequence[str]) -> Array:
    """Return the probabilities in the order of the entities, shape (entities,)."""
    return np.array([posterior[entity] for entity in entities], dtype=np.float64)


def out_of_list(answers: tuple[Answer, ...]) -> OutOfList:
    """Return how the model took lesions whose diagnosis it cannot give."""
    if not answers:
        return OutOfList(None, None, None, ())
    said = [answer.surprising for answer in answers]
    confidence = [answer.confidence for answer in answers]
    flagged = None if any(flag is None for flag in said) else sum(bool(flag) for flag in said)
    return OutOfList(flagged, float(np.mean(confidence)), max(confidence), answers)
