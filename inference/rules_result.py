"""What the rules recommend for a case: one object, from which every writer works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hepagraph.kg.rules import Rule


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A rule that fired, and why, one phrase a condition; ``cutoff_grade`` is the weakest grade of its thresholds."""

    rule: Rule
    why: tuple[str, ...]
    cutoff_grade: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the recommendation for JSON."""
        rule = self.rule
        sources = [{"id": s.id, "source": s.title, "locator": s.locator, "figure": s.figure} for s in rule.sources]
        return {
            "rule": rule.id,
            "label": rule.label,
            "kind": rule.kind,
            "priority": rule.priority,
            "advice": rule.advice,
            "rationale": rule.rationale,
            "grade": rule.grade,
            "cutoff_grade": self.cutoff_grade or None,
            "why": list(self.why),
            "sources": sources,
        }


@dataclass(frozen=True, slots=True)
class Blocked:
    """A rule that would fire if one more thing were known.

    ``missing`` are the variables that would settle it, ``wanted`` what would have to hold, and ``other_exam`` says why
    the listed examinations cannot show it, if they cannot.
    """

    rule: Rule
    missing: tuple[str, ...]
    wanted: str
    other_exam: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the blocked rule for JSON."""
        return {
            "rule": self.rule.id,
            "label": self.rule.label,
            "kind": self.rule.kind,
            "priority": self.rule.priority,
            "missing": list(self.missing),
            "if": self.wanted,
            "other_exam": self.other_exam or None,
        }


@dataclass(frozen=True, slots=True)
class Advised:
    """The rules that fired, by priority, and those worth asking for that one unstated item keeps from firing."""

    recommendations: tuple[Recommendation, ...] = ()
    blocked: tuple[Blocked, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return both lists for JSON."""
        return {
            "recommendations": [found.to_dict() for found in self.recommendations],
            "would_fire_if_known": [found.to_dict() for found in self.blocked],
        }


@dataclass(frozen=True, slots=True)
class LesionRecommendations:
    """What the rules say of one lesion, with the posterior that they read."""

    id: str
    posterior: Mapping[str, float]
    advised: Advised


@dataclass(frozen=True, slots=True)
class CaseRecommendations:
    """What the rules say of a patient and of each lesion, with the model that gave the posterior."""

    id: str
    patient: Advised
    lesions: tuple[LesionRecommendations, ...]
    model: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the case for JSON."""
        lesions = [
            {"id": lesion.id, "posterior": dict(lesion.posterior), **lesion.advised.to_dict()}
            for lesion in self.lesions
        ]
        return {"id": self.id, "patient": self.patient.to_dict(), "lesions": lesions, "model": dict(self.model)}
