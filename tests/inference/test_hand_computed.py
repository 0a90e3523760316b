"""Posteriors against numbers worked out apart from the engine, from the counts in tests/data/coin/coin.ttl.

The method's numbers (ontology/schema/method.ttl): effects of all lesions and of an entity have standard deviations 1.5
and 2.5, studies differ by 0.7, a report errs one time in ten, and another entity's subtype keeps one in a million.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from hepagraph.inference import Reasoner

ALL, ENTITY, BETWEEN, ERROR, FLOOR = 1.5, 2.5, 0.7, 0.1, 1e-6


def effective(heads: int, tosses: int) -> float:
    smoothed = (heads + 0.5) / (tosses + 1)
    return tosses / (1 + tosses * BETWEEN**2 * smoothed * (1 - smoothed))


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function crosses zero."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return (low + high) / 2


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def fitted() -> tuple[float, float]:
    """P(heads) of either coin: where counts pull as hard as the priors on the log-odds push.

    An effect d on the log-odds of two states is shared as +d/2 and -d/2, so its prior pulls with d / (2 sd^2).
    """
    counts = [(30 / 40, effective(30, 40)), (4 / 40, effective(4, 40))]

    def own(common: float, share: float, size: float) -> float:
        return root(lambda d: size * (share - logistic(common + d)) - d / (2 * ENTITY**2), -20, 20)

    def pull(common: float) -> float:
        parts = [size * (share - logistic(common + own(common, share, size))) for share, size in counts]
        return sum(parts) - common / (2 * ALL**2)

    common = root(pull, -20, 20)
    biased, fair = (logistic(common + own(common, *count)) for count in counts)
    return biased, fair


def hand_computed(error: float = ERROR) -> tuple[float, float]:
    """P(heads) and P(biased | a report of heads) with P(biased) = 1/4."""
    biased, fair = fitted()
    names = (biased + fair) / 2  # how often a report that errs says heads
    own, other = 1 / (1 + FLOOR), FLOOR / (1 + FLOOR)
    of_biased, of_fair = own * biased + other * fair, own * fair + other * biased
    reported = [(1 - error) * p + error * names for p in (of_biased, of_fair)]
    total = 0.25 * reported[0] + 0.75 * reported[1]
    return 0.25 * of_biased + 0.75 * of_fair, 0.25 * reported[0] / total


def test_fit_lies_between_counts_and_priors() -> None:
    biased, fair = fitted()
    assert 0.10 < fair < 0.13
    assert 0.72 < biased < 0.75


def test_posterior_equals_hand_computation(coin: Reasoner) -> None:
    _, posterior = hand_computed()
    answer = coin.posterior({"lesions": [{"findings": {"toss": "heads"}}]}).lesions[0]
    assert answer.posterior["biased"] == pytest.approx(posterior, abs=1e-6)


def test_soft_finding_weighs_both_states(coin: Reasoner) -> None:
    biased, fair = fitted()
    names = (biased + fair) / 2

    def likelihood(p: float) -> float:
        sharp = 0.8 * p + 0.2 * (1 - p)
        return (1 - ERROR) * sharp + ERROR * (0.8 * names + 0.2 * (1 - names))

    wanted = 0.25 * likelihood(biased) / (0.25 * likelihood(biased) + 0.75 * likelihood(fair))
    answer = coin.posterior({"lesions": [{"findings": {"toss": {"heads": 0.8, "tails": 0.2}}}]}).lesions[0]
    assert answer.posterior["biased"] == pytest.approx(wanted, abs=1e-5)


def test_no_finding_and_any_state_answer_the_prior(coin: Reasoner) -> None:
    for findings in ({}, {"toss": ["heads", "tails"]}, {"toss": "not_assessable"}):
        answer = coin.posterior({"lesions": [{"findings": findings}]}).lesions[0]
        assert answer.posterior["biased"] == pytest.approx(0.25, abs=1e-12)


def test_own_prior_replaces_the_models(coin: Reasoner) -> None:
    """Even odds instead of one to three: the likelihood ratio stays what it was."""
    case = {"lesions": [{"findings": {"toss": "heads"}}]}
    _, posterior = hand_computed()
    ratio = posterior / (1 - posterior) * 3
    answer = coin.posterior(case, prior={"biased": 2, "fair": 2}).lesions[0].posterior["biased"]
    assert answer == pytest.approx(ratio / (1 + ratio), abs=1e-5)


def test_unobserved_finding_is_predicted(coin: Reasoner) -> None:
    heads, _ = hand_computed()
    case = coin.read({"lesions": [{"findings": {}}]})
    assert coin.query(case, case.lesions[0], ["toss"])["toss"]["heads"] == pytest.approx(heads, abs=1e-6)
