"""Do the intervals hold what they claim? Evidence simulated from a known truth, fitted anew, and asked about lesions.

A truth is drawn from the uncertainty of the fit. From it every statement is made again: counts of a study whose
population differs by the between-study spread, judged distributions with the spread of judgement, words with the size
of their scheme. The network is fitted to those statements, and the interval that it gives for a simulated lesion
is compared with the posterior under the truth in the lesion's own population.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.compiling import Skeleton, build_tables, compile_skeleton
from hepagraph.inference.drawing import draw_tables
from hepagraph.inference.elimination import marginals
from hepagraph.inference.estimating import fit, implied_by, probabilities
from hepagraph.inference.interval import posterior_interval
from hepagraph.inference.network import ENTITY, Network
from hepagraph.inference.observations import Observation
from hepagraph.inference.reconciling import Estimate, Reconciliation
from hepagraph.inference.reporting import reported
from hepagraph.inference.simulation import simulate

Array = NDArray[np.float64]
LEAST = 1e-4


@dataclass(frozen=True, slots=True)
class Check:
    """One simulated lesion: interval, answer and true posterior of its entities, shape (entities,) each."""

    low: Array
    high: Array
    answer: Array
    truth: Array

    @property
    def leading(self) -> int:
        """The entity that the answer puts on top; the truth's would be picked for lying high."""
        return int(self.answer.argmax())

    def covered(self) -> NDArray[np.bool_]:
        """Return for each entity whether the interval holds its true posterior."""
        return (self.low <= self.truth) & (self.truth <= self.high)


def check_coverage(
    skeleton: Skeleton,
    network: Network,
    entities: Sequence[str],
    *,
    truths: int,
    lesions: int,
    findings: int,
    draws: int = 200,
    seed: int = 0,
) -> list[Check]:
    """Return the checks of ``truths`` x ``lesions`` simulated lesions with ``findings`` reported features each."""
    found = []
    for number in range(truths):
        rng = np.random.default_rng([seed, number])
        drawn = draw_tables(skeleton.reconciliation, list(skeleton.values), seed + number, 1, ("sampling", "judgement"))
        values = _as_given(skeleton, _one(drawn))
        learnt = _fitted_to_new_statements(skeleton, values, rng)
        guess = compile_skeleton(learnt)
        for lesion in range(lesions):
            shifted = _population(skeleton, values, seed + 1000 * (number + 1) + lesion)
            tables = build_tables(skeleton, shifted)
            true = replace(network, tables={name: tables[name] for name in network.layers})
            found.append(_check(skeleton, true, learnt, guess, entities, findings, draws, seed, rng))
    return found


def _one(drawn: Mapping[str, Array]) -> dict[str, Array]:
    return {name: values[0] for name, values in drawn.items()}


def _population(skeleton: Skeleton, values: Mapping[str, Array], seed: int) -> dict[str, Array]:
    """Return the true tables in another population: the between-study part of a draw, applied to them."""
    drawn = _one(draw_tables(skeleton.reconciliation, list(values), seed, 1, ("between_study",)))
    fitted = skeleton.values
    moved = {name: values[name] * drawn[name] / fitted[name] for name in values}
    return _as_given(skeleton, {name: table / table.sum(axis=-1, keepdims=True) for name, table in moved.items()})


def _as_given(skeleton: Skeleton, values: dict[str, Array]) -> dict[str, Array]:
    """Return the tables with the make-up of the patients as it is given, since no interval claims to cover that."""
    for name in skeleton.contexts:
        values[name] = np.concatenate([values[name][:-1], skeleton.values[name][-1:]])
    return values


def _fitted_to_new_statements(skeleton: Skeleton, values: Mapping[str, Array], rng: np.random.Generator) -> Skeleton:
    old = skeleton.reconciliation
    estimates = {name: _refit(e, values[name], old.tau, rng) for name, e in old.estimates.items()}
    tables = _as_given(skeleton, {name: estimate.table for name, estimate in estimates.items()})
    estimates = {name: replace(estimate, table=tables[name]) for name, estimate in estimates.items()}
    return replace(skeleton, reconciliation=Reconciliation(old.frame, estimates, old.tau))


def _refit(estimate: Estimate, table: Array, tau: float, rng: np.random.Generator) -> Estimate:
    """Return the estimate that statements simulated from a true table lead to."""
    design, scale = estimate.design, estimate.judgement_scale
    if not estimate.observations:
        return estimate
    flat = table.reshape(-1, design.states)
    shares = implied_by(design, estimate.observations, flat)
    observations = tuple(
        _restated(observation, share, tau, scale, rng)
        for observation, share in zip(estimate.observations, shares, strict=True)
    )
    parameters = fit(design, observations, scale, estimate.parameters).parameters
    found = probabilities(design, parameters).reshape(design.shape)
    return replace(estimate, observations=observations, parameters=parameters, table=found)


def _restated(
    observation: Observation, share: Array, tau: float, judgement: float, rng: np.random.Generator
) -> Observation:
    """Return the observation as it might have come out, given the true shares of its sets."""
    share = np.maximum(share, LEAST) / np.maximum(share, LEAST).sum()
    statement = observation.statements[0]
    noise = rng.standard_normal(len(share))
    if observation.elicited:
        seen = _judged(share, judgement * noise)
    elif statement.grade in ("A", "B") and observation.size > 0:
        moved = share * np.exp(tau / np.sqrt(2) * noise)
        count = max(round(float(statement.n or observation.size)), 1)
        seen = rng.multinomial(count, moved / moved.sum()).astype(np.float64)
    else:
        seen = rng.dirichlet(np.maximum(share * max(observation.size, 1.0), LEAST))
    return replace(observation, shares=tuple(float(x) for x in seen / seen.sum()))


def _judged(share: Array, noise: Array) -> Array:
    """Return a judged distribution: each state's share off by the noise on the log scale, the commonest takes the rest.

    That is what the fit takes a judgement to be: the logarithm of the commonest state's share is hardly ever far off.
    """
    seen = share * np.exp(noise)
    common = int(share.argmax())
    rest = float(seen.sum() - seen[common])
    seen[common] = max(1 - rest, float(share[common]) / 4)
    return seen


def _check(
    skeleton: Skeleton,
    true: Network,
    learnt: Skeleton,
    guess: Network,
    entities: Sequence[str],
    findings: int,
    draws: int,
    seed: int,
    rng: np.random.Generator,
) -> Check:
    """Draw one lesion from the truth, report some of its features, and compare the answers."""
    features = true.variables("feature")
    lesion = simulate(true, 1, rng, given={ENTITY: tuple(entities)}, variables=features)
    chosen = sorted(rng.choice(len(features), size=min(findings, len(features)), replace=False))
    seen = {features[i]: np.eye(len(true.states[features[i]]))[lesion[features[i]][0]] for i in chosen}
    member = np.array([float(entity in entities) for entity in true.states[ENTITY]])
    likelihood = {ENTITY: member, **reported(guess, seen)}
    posterior = marginals(true.tables, likelihood, [ENTITY]).posterior[ENTITY]
    interval = posterior_interval(learnt, guess, likelihood, seed=seed, draws=draws, parts=False)
    inside = member > 0
    answer = guess.engine.marginals(likelihood, [ENTITY]).posterior[ENTITY]
    return Check(interval.ends[0][inside], interval.ends[1][inside], answer[inside], posterior[inside])
