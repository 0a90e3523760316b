"""The answer to a case of treated lesions: one object, from which every writer works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hepagraph.inference.result import ResultWarning
from hepagraph.kg.response import Basis, Pitfall


@dataclass(frozen=True, slots=True)
class Support:
    """One number or effect of the network that bears on a reason: what it says, how much, and on what grounds."""

    id: str
    label: str
    figure: str
    grade: str
    source: str
    basis: tuple[Basis, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class ResponseReason:
    """How much one observation moves the leading state.

    ``likelihood_ratio_log`` is the natural logarithm of the leading state's odds with everything over its odds without
    this observation.
    """

    variable: str
    label: str
    given: str
    likelihood_ratio_log: float
    support: tuple[Support, ...]


@dataclass(frozen=True, slots=True)
class ResponseLesionResult:
    """The posterior of one treated lesion.

    ``answers`` and ``interval`` hold, by answer variable and state, the probability and its 95 % credible interval;
    ``causes`` and ``cause_interval`` the same for the presence of every hidden cause.
    """

    id: str
    answers: Mapping[str, Mapping[str, float]]
    interval: Mapping[str, Mapping[str, tuple[float, float]]]
    causes: Mapping[str, float]
    cause_interval: Mapping[str, tuple[float, float]]
    evidence_log: float
    reasons: tuple[ResponseReason, ...]
    pitfalls: tuple[Pitfall, ...]
    warnings: tuple[ResultWarning, ...] = ()

    @property
    def leading(self) -> tuple[str, str]:
        """The first answer variable and its likeliest state."""
        name, posterior = next(iter(self.answers.items()))
        return name, max(posterior, key=lambda state: posterior[state])

    def to_dict(self) -> dict[str, Any]:
        """Return the lesion as JSON values."""
        return {
            "id": self.id,
            "answers": {name: dict(posterior) for name, posterior in self.answers.items()},
            "interval": {n: {s: list(ends) for s, ends in found.items()} for n, found in self.interval.items()},
            "causes": dict(self.causes),
            "cause_interval": {name: list(ends) for name, ends in self.cause_interval.items()},
            "reasons": [_reason(reason) for reason in self.reasons],
            "pitfalls": [_pitfall(pitfall) for pitfall in self.pitfalls],
            "warnings": [{"level": w.level, "message": w.message} for w in self.warnings],
        }


@dataclass(frozen=True, slots=True)
class ResponseCaseResult:
    """The answer to one case, with the model that gave it."""

    id: str
    lesions: tuple[ResponseLesionResult, ...]
    model: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the case as JSON values."""
        return {"id": self.id, "lesions": [lesion.to_dict() for lesion in self.lesions], "model": dict(self.model)}


def _reason(reason: ResponseReason) -> dict[str, Any]:
    return {
        "finding": reason.variable,
        "given": reason.given,
        "log_likelihood_ratio": reason.likelihood_ratio_log,
        "support": [
            {
                "id": found.id,
                "label": found.label,
                "figure": found.figure,
                "grade": found.grade,
                "source": found.source,
                "derived_from": [_basis(basis) for basis in found.basis],
                "note": found.note,
            }
            for found in reason.support
        ],
    }


def _pitfall(pitfall: Pitfall) -> dict[str, Any]:
    return {
        "id": pitfall.id,
        "label": pitfall.label,
        "text": pitfall.text,
        "sources": list(pitfall.sources),
        "statements": [_basis(basis) for basis in pitfall.basis],
    }


def _basis(basis: Basis) -> dict[str, str]:
    return {"id": basis.id, "text": basis.text, "grade": basis.grade, "source": basis.source}
