"""The fit of one variable: gradient, optimum, and what large counts must give back."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepagraph.inference import estimating
from hepagraph.inference.estimating import Design, Precision, fit, implied, precision_of, probabilities
from hepagraph.inference.observations import Observation
from hepagraph.kg import Source, Statement

STATEMENT = Statement("s", "", "ConditionalProbability", True, "x", Source("made_up", "made up"), "A", k=1, n=2)


def design(rows: int, states: int) -> Design:
    """One common effect and one for each row."""
    effects = np.hstack([np.ones((rows, 1)), np.eye(rows)])
    return Design(effects, np.array([1.5, *[2.5] * rows]), (rows, states), (("all",),) * (rows + 1))


def observe(rows: Any, sets: Any, shares: Any, size: float, **more: Any) -> Observation:
    return Observation(
        (STATEMENT,), np.asarray(rows, dtype=float), tuple(map(tuple, sets)), tuple(shares), size, **more
    )


@st.composite
def problems(draw: st.DrawFn) -> tuple[Design, list[Observation], np.ndarray[Any, Any]]:
    rows, states = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    found = []
    for _ in range(draw(st.integers(1, 4))):
        cut = int(rng.integers(1, states))
        order = rng.permutation(states)
        sets, share = (order[:cut], order[cut:]), float(rng.uniform(0.05, 0.95))
        kind = rng.integers(3)
        if kind == 0:
            found.append(observe(rng.dirichlet(np.ones(rows)), sets, (share, 1 - share), float(rng.uniform(1, 30))))
        elif kind == 1:
            whole = rng.dirichlet(np.ones(states))
            found.append(observe(rng.dirichlet(np.ones(rows)), [[i] for i in range(states)], whole, 4.0, elicited=True))
        else:
            parts = rng.dirichlet(np.ones(2 * rows)).reshape(2, rows)
            found.append(observe(np.zeros(rows), (sets[0], sets[0]), (share, 1 - share), 12.0, given=parts))
    return design(rows, states), found, rng.normal(size=(rows + 1, states))


@settings(deadline=None, max_examples=60)
@given(problems())
def test_gradient_is_the_slope_of_the_objective(problem: Any) -> None:
    model, observations, beta = problem
    compiled = estimating._compile(model, observations)
    gradient, information = estimating._scores(model, compiled, beta, 0.7)
    for index in itertools.product(*map(range, beta.shape)):
        step = np.zeros_like(beta)
        step[index] = 1e-5
        up, down = (estimating._objective(model, compiled, beta + s * step, 0.7) for s in (1, -1))
        assert gradient[index] == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-4)
    assert np.linalg.eigvalsh(information).min() > 0


@settings(deadline=None, max_examples=40)
@given(problems())
def test_no_neighbour_of_the_fit_is_better(problem: Any) -> None:
    model, observations, _ = problem
    found = fit(model, observations, 0.7)
    compiled = estimating._compile(model, observations)
    rng = np.random.default_rng(1)
    for scale in (1e-3, 1e-1, 1.0):
        near = found.parameters + scale * rng.normal(size=found.parameters.shape)
        assert estimating._objective(model, compiled, near, 0.7) <= found.objective + 1e-6


def test_large_counts_are_given_back() -> None:
    model = design(2, 3)
    rows = [observe([1, 0], [[0], [1], [2]], (0.2, 0.3, 0.5), 1e6), observe([0, 1], [[0], [1, 2]], (0.9, 0.1), 1e6)]
    table = probabilities(model, fit(model, rows, 0.7).parameters)
    np.testing.assert_allclose(table[0], [0.2, 0.3, 0.5], atol=1e-4)
    assert table[1, 0] == pytest.approx(0.9, abs=1e-4)


def test_a_mixture_of_rows_is_matched_as_a_mixture() -> None:
    model = design(2, 2)
    rows = [observe([0.25, 0.75], [[0], [1]], (0.4, 0.6), 1e6), observe([1, 0], [[0], [1]], (0.1, 0.9), 1e6)]
    table = probabilities(model, fit(model, rows, 0.7).parameters)
    assert 0.25 * table[0, 0] + 0.75 * table[1, 0] == pytest.approx(0.4, abs=1e-4)
    assert table[0, 0] == pytest.approx(0.1, abs=1e-4)


def test_inverse_statement_agrees_with_bayes_theorem() -> None:
    """Prior one to one; of lesions in state 0, 20 % are of row 0; row 1 is in state 0 half of the time."""
    model, prior = design(2, 2), np.array([0.5, 0.5])
    inverse = observe([0, 0], [[0], [0]], (0.2, 0.8), 1e6, given=np.diag(prior))
    table = probabilities(model, fit(model, [inverse, observe([0, 1], [[0], [1]], (0.5, 0.5), 1e6)], 0.7).parameters)
    assert table[0, 0] * 0.5 / (table[0, 0] * 0.5 + table[1, 0] * 0.5) == pytest.approx(0.2, abs=1e-4)
    assert table[0, 0] == pytest.approx(0.125, abs=1e-3)


def test_judged_distribution_yields_to_counts() -> None:
    model = design(1, 2)
    judged = observe([1], [[0], [1]], (0.9, 0.1), 4.0, elicited=True)
    shares = [
        probabilities(model, fit(model, [judged, observe([1], [[0], [1]], (0.5, 0.5), n)], 0.7).parameters)[0, 0]
        for n in (1, 10, 100, 1000)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.8
    assert shares[-1] == pytest.approx(0.5, abs=0.02)


def test_information_splits_into_counts_and_judgement() -> None:
    model = design(2, 2)
    counted = observe([1, 0], [[0], [1]], (0.5, 0.5), 30.0)
    judged = replace(counted, statements=(replace(STATEMENT, grade="D", k=None, n=None, value=0.5),), elicited=True)
    beta = fit(model, [counted, judged], 0.7).parameters
    both, alone = (precision_of(model, rows, beta, 0.7) for rows in ([counted, judged], [counted]))
    np.testing.assert_allclose(both.counted @ both.counted.T, alone.counted @ alone.counted.T, atol=1e-12)
    total = both.counted @ both.counted.T + both.judged @ both.judged.T + np.diag(both.prior**2)
    np.testing.assert_allclose(both.covariance @ total, np.eye(beta.size), atol=1e-9)
    judgement = both.spread["judgement"] @ both.spread["judgement"].T
    sampling = both.spread["sampling"] @ both.spread["sampling"].T
    np.testing.assert_allclose(sampling + judgement, both.covariance, atol=1e-9)
    assert 0 < both.used_by_counts() < beta.size


def test_deviates_have_the_covariance_of_their_part() -> None:
    model = design(1, 2)
    rows = [observe([1], [[0], [1]], (0.3, 0.7), 20.0)]
    precision = precision_of(model, rows, fit(model, rows, 0.7).parameters, 0.7)
    root = precision.counted
    spread = precision.spread["sampling"]
    normal = np.random.default_rng(0).standard_normal((200_000, spread.shape[1]))
    wanted = precision.covariance @ root @ root.T @ precision.covariance
    np.testing.assert_allclose(np.cov(spread @ normal.T), wanted, atol=0.02)


@pytest.mark.parametrize("parts", [1, 4, 6, 20])
def test_covariance_is_the_inverse_however_many_parts_there_are(parts: int) -> None:
    """With fewer parts than parameters it is found in another way."""
    rng = np.random.default_rng(parts)
    root, prior = rng.normal(size=(6, parts)) * 30, rng.uniform(0.3, 3, size=6)
    precision = Precision(root[:, ::2], root[:, 1::2], prior)
    total = root @ root.T + np.diag(prior**2)
    np.testing.assert_allclose(precision.covariance @ total, np.eye(6), atol=1e-8)
    used = np.trace(np.linalg.inv(total) @ root[:, ::2] @ root[:, ::2].T)
    assert precision.used_by_counts() == pytest.approx(used, abs=1e-8)


def test_implied_shares_come_in_the_order_of_the_sets() -> None:
    model = design(1, 3)
    rows = [observe([1], [[2], [0, 1]], (0.7, 0.3), 1e6)]
    shares = implied(model, rows, fit(model, rows, 0.7).parameters)
    assert shares[0] == pytest.approx([0.7, 0.3], abs=1e-4)
