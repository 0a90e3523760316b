"""Does less knowledge give a flatter answer? Findings are withdrawn one by one, in random order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hepagraph.inference.case import Case
from hepagraph.inference.evaluation.metrics import entropies
from hepagraph.inference.evaluation.predictors import Predictor


@dataclass(frozen=True, slots=True)
class FlatnessPoint:
    """All lesions with at least ``kept`` findings, with so many kept at random.

    ``gain`` is how much the last of them raised the largest probability, in the same lesions; None at zero.
    """

    kept: int
    lesions: int
    mean_largest: float
    mean_entropy: float
    gain: float | None


def flatness(
    predictor: Predictor, cases: Sequence[Case], entities: tuple[str, ...], differential: str | None, seed: int
) -> tuple[FlatnessPoint, ...]:
    """Return the mean largest probability and entropy (bits) by number of findings kept.

    One random order a lesion, the same for every predictor with the same seed; the patient's context and the other
    lesions of the case stay.
    """
    largest: dict[int, dict[tuple[int, int], float]] = defaultdict(dict)
    entropy: dict[int, list[float]] = defaultdict(list)
    for number, case in enumerate(cases):
        for position, lesion in enumerate(case.lesions):
            rng = np.random.default_rng([seed, number, position])
            order = [list(lesion.findings)[i] for i in rng.permutation(len(lesion.findings))]
            for kept in range(len(order) + 1):
                thinned = _keep(case, position, set(order[:kept]))
                answer = predictor.predict(thinned, entities, differential)[position].posterior
                values = np.array([[answer[entity] for entity in entities]])
                largest[kept][number, position] = float(values.max())
                entropy[kept].append(float(entropies(values)[0]))
    return tuple(
        FlatnessPoint(
            kept,
            len(found),
            float(np.mean(list(found.values()))),
            float(np.mean(entropy[kept])),
            float(np.mean([value - largest[kept - 1][key] for key, value in found.items()])) if kept else None,
        )
        for kept, found in sorted(largest.items())
    )


def _keep(case: Case, position: int, names: set[str]) -> Case:
    lesion = case.lesions[position]
    thinned = replace(lesion, findings={name: f for name, f in lesion.findings.items() if name in names})
    return replace(case, lesions=(*case.lesions[:position], thinned, *case.lesions[position + 1 :]))
