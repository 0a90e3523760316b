"""What an evaluation found, as plain values from which every writer works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hepagraph.inference.evaluation.bootstrap import Estimate
from hepagraph.inference.evaluation.calibration import AbstentionPoint, Bin
from hepagraph.inference.evaluation.flatness import FlatnessPoint
from hepagraph.inference.evaluation.safety import ErrorCount


@dataclass(frozen=True, slots=True)
class ProvenLesion:
    """One lesion under evaluation and what it was proven to be; ``findings`` counts what is stated of it."""

    case: str
    lesion: str
    entity: str
    subgroup: str
    proof: str
    atypical: bool | None
    findings: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer to one lesion; ``rank`` is 1 where the truth leads, and None outside the list."""

    posterior: Mapping[str, float]
    leading: str
    confidence: float
    rank: int | None
    surprising: bool | None


@dataclass(frozen=True, slots=True)
class Group:
    """Measures of some of the lesions; ``by`` is what they are grouped by."""

    by: str
    name: str
    lesions: int
    right: int
    top_1: Estimate
    log_loss: Estimate
    brier: Estimate
    mean_entropy: Estimate


@dataclass(frozen=True, slots=True)
class OutOfList:
    """Lesions of other diagnoses: how many the model flags as surprising (None: it never says), how sure it is."""

    flagged: int | None
    mean_confidence: float | None
    highest_confidence: float | None
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model on one set of lesions.

    ``measures`` holds top_1, top_2, macro_recall, log_loss, brier, calibration_error, classwise_calibration_error and,
    save for the baseline itself, log_loss_change and brier_change (relative to the baseline, negative is better).
    ``confusion`` counts by true entity (row) and leading entity (column).
    """

    name: str
    right: int
    measures: Mapping[str, Estimate]
    confusion: tuple[tuple[int, ...], ...]
    groups: tuple[Group, ...]
    reliability: tuple[Bin, ...]
    reliability_by_entity: Mapping[str, tuple[Bin, ...]]
    abstention: tuple[AbstentionPoint, ...]
    abstention_area: float
    errors: tuple[ErrorCount, ...]
    flatness: tuple[FlatnessPoint, ...]
    answers: tuple[Answer, ...]
    out_of_list: OutOfList


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All models on the same lesions; ``name`` says how the cases were given."""

    name: str
    differential: str
    entities: tuple[str, ...]
    baseline: str | None
    patients: int
    lesions: tuple[ProvenLesion, ...]
    others: tuple[ProvenLesion, ...]
    models: tuple[ModelReport, ...]
