"""An evaluation as JSON; the schema is in docs/evaluation.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hepagraph.inference.evaluation.implied import Comparison
from hepagraph.inference.evaluation.report import Evaluation

FORMAT = "hepagraph-evaluation/1"


def evaluation_value(
    evaluations: Sequence[Evaluation],
    comparisons: Sequence[Comparison],
    model: Mapping[str, str],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the whole result as JSON values."""
    return {
        "format": FORMAT,
        "model": dict(model),
        "settings": dict(settings),
        "evaluations": [_evaluation(evaluation) for evaluation in evaluations],
        "operating_characteristics": [asdict(comparison) for comparison in comparisons],
    }


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    value = asdict(evaluation)
    for model in value["models"]:
        model["confusion"] = [list(row) for row in model["confusion"]]
    return value
