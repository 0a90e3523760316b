"""Posteriors against numbers worked out by hand, in fractions, from the counts in tests/data/coin/coin.ttl."""

from __future__ import annotations

from fractions import Fraction

import pytest

from hepagraph.inference import Reasoner

FLOOR = Fraction(1, 10**6)  # fl:tableFloor: a subtype of the other entity keeps this weight
ROOT = Fraction(1, 2)  # fl:rootSampleSize


def pooled(heads: int, tosses: int, root_mean: Fraction) -> Fraction:
    return (heads + ROOT * root_mean) / (tosses + ROOT)


def hand_computed() -> tuple[Fraction, Fraction]:
    """P(biased) and P(heads) prior to any toss, and P(biased | heads)."""
    first = [pooled(30, 40, Fraction(1, 2)), pooled(4, 40, Fraction(1, 2))]  # with an even root
    root_mean = sum(first) / 2
    of_biased, of_fair = pooled(30, 40, root_mean), pooled(4, 40, root_mean)
    own, other = 1 / (1 + FLOOR), FLOOR / (1 + FLOOR)
    biased = Fraction(1, 4) * (own * of_biased + other * of_fair)
    fair = Fraction(3, 4) * (own * of_fair + other * of_biased)
    return biased + fair, biased / (biased + fair)


def test_numbers_on_paper() -> None:
    # 30.2130/40.5 = 0.7460 and 4.2130/40.5 = 0.1040; 0.25 x 0.7460 = 0.1865, 0.75 x 0.1040 = 0.0780; 0.1865 / 0.2645 = 0.7051
    heads, posterior = hand_computed()
    assert float(heads) == pytest.approx(0.2645, abs=5e-5)
    assert float(posterior) == pytest.approx(0.7051, abs=5e-5)


def test_posterior_equals_hand_computation(coin: Reasoner) -> None:
    _, posterior = hand_computed()
    answer = coin.posterior({"lesions": [{"findings": {"toss": "heads"}}]}).lesions[0]
    assert answer.posterior["biased"] == pytest.approx(float(posterior), abs=1e-12)


def test_soft_finding_weighs_both_states(coin: Reasoner) -> None:
    heads, posterior = hand_computed()
    tails_biased = Fraction(1, 4) - posterior * heads
    wanted = (posterior * heads + tails_biased / 4) / (heads + (1 - heads) / 4)
    answer = coin.posterior({"lesions": [{"findings": {"toss": {"heads": 0.8, "tails": 0.2}}}]}).lesions[0]
    assert answer.posterior["biased"] == pytest.approx(float(wanted), abs=1e-12)


def test_no_finding_and_any_state_answer_the_prior(coin: Reasoner) -> None:
    for findings in ({}, {"toss": ["heads", "tails"]}, {"toss": "not_assessable"}):
        answer = coin.posterior({"lesions": [{"findings": findings}]}).lesions[0]
        assert answer.posterior["biased"] == pytest.approx(0.25, abs=1e-12)


def test_unobserved_finding_is_predicted(coin: Reasoner) -> None:
    heads, _ = hand_computed()
    case = coin.read({"lesions": [{"findings": {}}]})
    assert coin.query(case, case.lesions[0], ["toss"])["toss"]["heads"] == pytest.approx(float(heads), abs=1e-12)
