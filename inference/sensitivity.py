"""On which numbers the answer hangs: ranges by variable, and the smallest change of one number that flips it.

The range of a variable is that of the leading entity's posterior when only this variable's numbers are drawn from
their uncertainty (a tornado). A flip asks by how much one number, the probability of what was seen under one subtype,
must change until another entity is as probable: the posterior of a subtype is proportional to that number, so the
factor is found exactly (one-way sensitivity; Laskey 1995, van der Gaag and Renooij 2001).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.drawing import PARTS
from hepagraph.inference.engine.whatifs import Survey
from hepagraph.inference.interval import draw_posteriors
from hepagraph.inference.network import ENTITY, SUBTYPE, Network

if TYPE_CHECKING:
    from hepagraph.inference.case import Case, Lesion
    from hepagraph.inference.preparing import Prepared
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.kg.model import Statement

Array = NDArray[np.float64]
LEAST_FACTOR = 1e-6


@dataclass(frozen=True, slots=True)
class Range:
    """The 95 % range of the leading entity's posterior when only one variable's numbers are drawn."""

    variable: str
    label: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Turn:
    """One number that could turn the answer: P(what was seen | subtype, all else), as it is and as it would have to be.

    ``entity`` is the one that then is as probable as the leading one; ``statements`` are the evidence behind the
    number.
    """

    variable: str
    label: str
    given: str
    subtype: str
    now: float
    needed: float
    entity: str
    statements: tuple[Statement, ...]

    @property
    def factor(self) -> float:
        """By how much the number would have to be multiplied."""
        return self.needed / self.now


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """On which numbers one lesion's answer hangs, the heaviest first."""

    lesion: str
    leading: str
    posterior: float
    ranges: tuple[Range, ...]
    turns: tuple[Turn, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "id": self.lesion,
            "leading": self.leading,
            "posterior": self.posterior,
            "ranges": [{"variable": r.variable, "low": r.low, "high": r.high} for r in self.ranges],
            "turns": [
                {
                    "finding": turn.variable,
                    "given": turn.given,
                    "subtype": turn.subtype,
                    "now": turn.now,
                    "needed": turn.needed,
                    "entity": turn.entity,
                    "statements": [
                        {"id": s.id, "figure": s.figure(), "grade": s.grade, "source": s.source.short()}
                        for s in turn.statements
                    ],
                }
                for turn in self.turns
            ],
        }


def sensitivity(
    reasoner: Reasoner,
    case: Case,
    *,
    differential: str | None = None,
    prior: Mapping[str, float] | None = None,
    draws: int = 200,
    seed: int = 0,
) -> tuple[Sensitivity, ...]:
    """Return for each lesion on which numbers its answer hangs.

    Raises
    ------
    CaseError
        The case, the differential or the prior is bad.
    """
    entities = reasoner.entities(differential)
    prepared = reasoner.prepare(case, entities, prior)
    return tuple(
        _of_lesion(reasoner, case, lesion, evidence, entities, draws, seed)
        for lesion, evidence in zip(case.lesions, prepared, strict=True)
    )


def _of_lesion(
    reasoner: Reasoner,
    case: Case,
    lesion: Lesion,
    evidence: Prepared,
    entities: Sequence[str],
    draws: int,
    seed: int,
) -> Sensitivity:
    network = reasoner.network
    states = network.states[ENTITY]
    findings = [name for name in lesion.findings if name in evidence.likelihood]
    survey = network.engine.survey(evidence.likelihood, findings)
    leading = states[max((states.index(e) for e in entities), key=lambda row: float(survey.entity[row]))]
    turns = [
        turn for name in findings for turn in _turns(reasoner, survey, evidence.likelihood[name], lesion, name, leading)
    ]
    turns.sort(key=lambda turn: (abs(np.log(turn.factor)), turn.variable, turn.subtype))
    ranges = _ranges(reasoner, evidence, [*findings, *case.context], states.index(leading), draws, seed)
    return Sensitivity(lesion.id, leading, float(survey.entity[states.index(leading)]), tuple(ranges), tuple(turns))


def _ranges(
    reasoner: Reasoner, evidence: Prepared, names: Sequence[str], row: int, draws: int, seed: int
) -> list[Range]:
    network, found = reasoner.network, []
    causes = {c for name in names for c in network.tables[name].parents if network.layers[c] == "mechanism"}
    for name in dict.fromkeys([*names, *sorted(causes)]):
        if name not in network.tables:
            continue
        posteriors = draw_posteriors(
            reasoner.skeleton, network, evidence.likelihood, seed=seed, draws=draws, parts=PARTS, only=(name,)
        )
        low, high = np.quantile(posteriors[:, row], [0.025, 0.975]).tolist()
        found.append(Range(name, network.labels[name], low, high))
    return sorted(found, key=lambda r: (r.low - r.high, r.variable))


def _turns(reasoner: Reasoner, survey: Survey, seen: Array, lesion: Lesion, name: str, leading: str) -> list[Turn]:
    """Return for one finding the numbers that could turn the answer: one for each subtype where any change could."""
    network = reasoner.network
    pairs, lanes = survey.program.pairs, survey.joints.lanes
    by_state = survey.lane_joint(name)
    rest = by_state.sum(axis=0)
    now = np.divide(seen @ by_state, rest, out=np.zeros_like(rest), where=rest > 0)
    top = network.states[ENTITY].index(leading)
    entity = survey.entity
    rivals = [row for row in range(len(entity)) if row != top and entity[row] > 0]
    if not rivals:
        return []
    second = max(rivals, key=lambda row: float(entity[row]))
    found = []
    for lane, (own, subtype) in enumerate(pairs.tolist()):
        if lanes[lane] <= 0 or now[lane] <= 0:
            continue
        if own == top:  # the leading entity would have to become rarer, down to the second
            factor, rival = 1 - (entity[top] - entity[second]) / lanes[lane], second
        else:
            factor, rival = 1 + (entity[top] - entity[own]) / lanes[lane], own
        needed = float(factor * now[lane])
        if factor > LEAST_FACTOR and needed <= _most(network, name, seen):
            statements = reasoner.statements_of(name, network.states[SUBTYPE][subtype], lesion.findings[name])
            found.append(
                Turn(
                    name,
                    network.labels[name],
                    lesion.findings[name].given,
                    network.states[SUBTYPE][subtype],
                    float(now[lane]),
                    needed,
                    network.states[ENTITY][rival],
                    statements,
                )
            )
    return found


def _most(network: Network, name: str, seen: Array) -> float:
    """Return the largest probability that a report of what was seen can have."""
    return float(np.max(seen)) if name in network.base_rates else 1.0
