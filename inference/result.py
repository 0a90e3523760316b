"""The answer to a case: one object, from which every writer works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hepagraph.inference.surprise import SurpriseReport
from hepagraph.kg import Statement

NOTICE = "For research and teaching; not a medical device, and no diagnosis."


@dataclass(frozen=True, slots=True)
class ResultWarning:
    """Something the reader of a result should know; level is info or warning."""

    level: str
    message: str


@dataclass(frozen=True, slots=True)
class Reason:
    """How much one finding moves the leading entity.

    ``likelihood_ratio_log`` is the natural logarithm of the leading entity's odds with all findings over its odds
    without this one. ``statements`` are the evidence for the finding in that entity.
    """

    variable: str
    label: str
    given: str
    likelihood_ratio_log: float
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class LesionResult:
    """The posterior of one lesion. Probabilities are in (0, 1); ``interval`` holds 95 % credible intervals.

    ``posterior_alone`` is the answer without what the patient's other lesions say (None where there are none).
    ``interval_parts`` holds the interval that each source of uncertainty alone would give: sampling, between_study
    and judgement.
    """

    id: str
    posterior: Mapping[str, float]
    subtype: Mapping[str, float]
    mechanisms: Mapping[str, float]
    evidence_log: float
    reasons: tuple[Reason, ...] = ()
    interval: Mapping[str, tuple[float, float]] | None = None
    interval_parts: Mapping[str, Mapping[str, tuple[float, float]]] | None = None
    posterior_alone: Mapping[str, float] | None = None
    surprise: SurpriseReport | None = None
    warnings: tuple[ResultWarning, ...] = ()

    @property
    def leading(self) -> str:
        """The entity with the largest posterior."""
        return max(self.posterior, key=lambda entity: self.posterior[entity])

    def to_dict(self) -> dict[str, Any]:
        """Return the lesion in the fixed result format."""
        result: dict[str, Any] = {"id": self.id, "posterior": dict(self.posterior)}
        if self.interval is not None:
            result["interval"] = {entity: list(bounds) for entity, bounds in self.interval.items()}
        if self.interval_parts is not None:
            result["interval_parts"] = {
                part: {entity: list(bounds) for entity, bounds in found.items()}
                for part, found in self.interval_parts.items()
            }
        result["subtype"] = dict(self.subtype)
        result["mechanisms"] = dict(self.mechanisms)
        if self.posterior_alone is not None:
            result["posterior_alone"] = dict(self.posterior_alone)
        if self.surprise is not None:
            result["surprise"] = self.surprise.to_dict()
        result["reasons"] = [_reason(reason) for reason in self.reasons]
        result["warnings"] = [{"level": w.level, "message": w.message} for w in self.warnings]
        return result


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The answer to one case, with the model that gave it."""

    id: str
    lesions: tuple[LesionResult, ...]
    model: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the case in the fixed result format."""
        return {"id": self.id, "lesions": [lesion.to_dict() for lesion in self.lesions], "model": dict(self.model)}


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "finding": reason.variable,
        "given": reason.given,
        "log_likelihood_ratio": reason.likelihood_ratio_log,
        "statements": [
            {"id": s.id, "figure": s.figure(), "grade": s.grade, "source": s.source.short()} for s in reason.statements
        ],
    }
