"""Do the findings fit? A predictive check against replicate lesions, each entity on its own, and pairs that clash.

The overall p-value is the share of replicate lesions, drawn from the network given the context, whose findings are at
most as probable as those at hand (Box 1980). Each plausible entity gets the same check under itself alone; their
mean weighed by posterior says how well the answer fits, whatever its prior (a posterior predictive p-value: Meng
1994). Ties count half. Two findings conflict by the measure of Jensen et al. (1991): P(f) P(g) / P(f, g).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from hepagraph.inference.layers import Array
from hepagraph.inference.network import ENTITY, Network
from hepagraph.inference.replicates import draw_reports, draw_under, report_channel
from hepagraph.kg.surprise import SurprisePolicy

TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two findings that occur together ``ratio`` times less often than if they were independent.

    ``explained_by`` names the entity that would resolve the clash: under it both together are at least as probable
    as independent findings would be.
    """

    findings: tuple[str, str]
    ratio: float
    explained_by: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the conflict as a JSON object."""
        return {"findings": list(self.findings), "ratio": round(self.ratio, 2), "explained_by": self.explained_by}


@dataclass(frozen=True, slots=True)
class SurpriseReport:
    """How surprising the findings are.

    ``p_value`` is the overall predictive p-value and ``flag`` whether it is below the policy's threshold.
    ``by_entity`` holds the p-value under each plausible entity, ``fit_p_value`` their mean weighed by posterior, and
    ``none_of_these`` whether that is below the policy's threshold. Every p-value rests on ``draws`` replicates.
    """

    p_value: float
    flag: bool
    by_entity: Mapping[str, float]
    fit_p_value: float
    none_of_these: bool
    conflicts: tuple[Conflict, ...]
    draws: int

    @property
    def standard_error(self) -> float:
        """The Monte Carlo standard error of ``p_value``."""
        return float(np.sqrt(self.p_value * (1 - self.p_value) / self.draws))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a JSON object; its first two keys are the case format's."""
        return {
            "p_value": round(self.p_value, 4),
            "flag": self.flag,
            "standard_error": round(self.standard_error, 4),
            "fit_p_value": round(self.fit_p_value, 4),
            "none_of_these": self.none_of_these,
            "by_entity": {entity: round(value, 4) for entity, value in self.by_entity.items()},
            "conflicts": [conflict.to_dict() for conflict in self.conflicts],
        }


def check_findings(
    network: Network,
    context: Mapping[str, Array],
    findings: Mapping[str, Array],
    policy: SurprisePolicy,
    *,
    confusion: Mapping[str, Array] | None = None,
    seed: int = 0,
) -> SurpriseReport:
    """Return how surprising one lesion's findings are.

    Parameters
    ----------
    network
        The compiled network.
    context
        Likelihood vectors, shape (states,), of what is conditioned upon: the patient, and the entities of the
        differential as a vector on the entity.
    findings
        Likelihood vectors, shape (states,), of what was reported, before any noise of observation is added.
    confusion
        For features that readers misread, P(state read | true state), shape (states read, states).
    seed
        The same seed gives the same report.

    Raises
    ------
    ImpossibleEvidenceError
        The context and the findings have probability zero.
    """
    rng = np.random.default_rng(seed)
    noise = confusion or {}
    channels = {name: report_channel(vector, noise.get(name)) for name, vector in findings.items()}
    seen = {name: channel[0] for name, channel in channels.items()}
    given = {**context, ENTITY: np.asarray(context.get(ENTITY, np.ones(len(network.states[ENTITY]))))}
    posterior = network.engine.marginals({**given, **seen}, [ENTITY]).posterior[ENTITY]
    plausible = np.flatnonzero(posterior >= min(policy.plausible_posterior, posterior.max()))
    conditions = np.vstack([given[ENTITY], np.eye(len(posterior))[plausible] * given[ENTITY]])
    p_values = _p_values(network, given, conditions, channels, policy.replicate_draws, rng)
    fit = float(np.average(p_values[1:], weights=posterior[plausible]))
    return SurpriseReport(
        p_value=float(p_values[0]),
        flag=bool(p_values[0] < policy.surprise_threshold),
        by_entity={network.states[ENTITY][e]: float(p) for e, p in zip(plausible, p_values[1:], strict=True)},
        fit_p_value=fit,
        none_of_these=bool(fit < policy.fit_threshold),
        conflicts=find_conflicts(network, given, seen, policy.conflict_ratio),
        draws=policy.replicate_draws,
    )


def _p_values(
    network: Network,
    given: Mapping[str, Array],
    conditions: Array,
    channels: Mapping[str, Array],
    draws: int,
    rng: np.random.Generator,
) -> Array:
    """Return one predictive p-value for each row of ``conditions``, vectors on the entity, shape (conditions,).

    All replicates, and what was seen under each condition as the last ones, are one batch.
    """
    states = draw_under(network, given, conditions, draws, channels, rng)
    reports = {name: draw_reports(states[name], channel, rng) for name, channel in channels.items()}
    under = np.append(np.repeat(np.arange(len(conditions)), draws), np.arange(len(conditions)))
    seen = {name: np.append(report, np.zeros(len(conditions), dtype=np.int64)) for name, report in reports.items()}
    log = network.engine.evidence_logs({**seen, ENTITY: under}, {**channels, ENTITY: conditions}, given)
    return mid_p(log[: -len(conditions)].reshape(len(conditions), draws), log[-len(conditions) :])


def mid_p(replicates: Array, observed: Array) -> Array:
    """Return the share of replicates, shape (rows, draws), below what was observed, shape (rows,).

    Ties count half, and what was observed counts as one replicate more, so that no p-value is zero.
    """
    gap = replicates - observed[:, None]
    ties = (np.abs(gap) <= TIE).sum(axis=1)
    return np.asarray(((gap < -TIE).sum(axis=1) + 0.5 * (ties + 1)) / (replicates.shape[1] + 1), dtype=np.float64)


def find_conflicts(
    network: Network, given: Mapping[str, Array], seen: Mapping[str, Array], ratio: float
) -> tuple[Conflict, ...]:
    """Return the pairs of findings whose conflict is at least ``ratio``, the worst first.

    ``given`` and ``seen`` are likelihood vectors, shape (states,), of the context and of the findings.
    """
    names = list(seen)
    sets = [(), *((name,) for name in names), *combinations(names, 2)]
    evidence = {name: np.stack([seen[name] if name in s else np.ones_like(seen[name]) for s in sets]) for name in names}
    found = network.engine.batch_marginals({**given, **evidence}, [ENTITY])
    log = dict(zip(sets, found.evidence_log - found.evidence_log[0], strict=True))
    conflicts = []
    for row, pair in enumerate(sets):
        if len(pair) == 2:
            size = float(np.exp(log[pair[:1]] + log[pair[1:]] - log[pair]))
            if size >= ratio:
                by = _explained(network.states[ENTITY], found.posterior[ENTITY][row], found.posterior[ENTITY][0], size)
                conflicts.append(Conflict((pair[0], pair[1]), size, by))
    return tuple(sorted(conflicts, key=lambda conflict: -conflict.ratio))


def _explained(entities: Sequence[str], posterior: Array, prior: Array, ratio: float) -> str | None:
    """Return the entity with P(f, g | entity) >= P(f) P(g), the likeliest, or None."""
    resolves = (posterior >= ratio * prior) & (posterior > 0)
    return entities[int(np.argmax(posterior * resolves))] if resolves.any() else None
