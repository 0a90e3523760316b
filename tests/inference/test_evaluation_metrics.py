"""Measures against numbers worked out by hand, and properties that hold for any predictions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hepagraph.inference.evaluation import calibration, metrics
from hepagraph.inference.evaluation.bootstrap import Estimate, bootstrap
from hepagraph.inference.evaluation.intervals import wilson
from hepagraph.inference.evaluation.safety import CostlyError, count_errors

Array = NDArray[np.float64]

P = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.3, 0.3, 0.4], [0.05, 0.9, 0.05]])
TRUTH = np.array([0, 1, 2, 0])


@st.composite
def predictions(draw: st.DrawFn) -> tuple[Array, NDArray[np.int64]]:
    size, entities = draw(st.integers(1, 12)), draw(st.integers(2, 5))
    weight = st.floats(1e-6, 1.0)
    rows = draw(st.lists(st.lists(weight, min_size=entities, max_size=entities), min_size=size, max_size=size))
    truth = draw(st.lists(st.integers(0, entities - 1), min_size=size, max_size=size))
    values = np.array(rows)
    return values / values.sum(axis=1, keepdims=True), np.array(truth)


def test_hand_computed_scores() -> None:
    assert metrics.top_hits(P, TRUTH).tolist() == [1, 0, 1, 0]
    assert metrics.top_hits(P, TRUTH, 2).tolist() == [1, 1, 1, 1]  # in the last, the earlier of two equals is second
    assert metrics.ranks_of_truth(P, TRUTH).tolist() == [0, 1, 0, 1]
    # (1 - .7)^2 + .2^2 + .1^2 = 0.14 ...
    assert metrics.brier_scores(P, TRUTH) == pytest.approx([0.14, 0.62, 0.54, 1.715])
    assert metrics.log_losses(P, TRUTH) == pytest.approx([-math.log(p) for p in (0.7, 0.4, 0.4, 0.05)])
    assert metrics.entropies(np.array([[0.5, 0.25, 0.25]])) == pytest.approx([1.5])


def test_top_2_of_equals_prefers_the_earlier() -> None:
    assert metrics.ranks_of_truth(np.array([[0.2, 0.4, 0.4]]), np.array([2])).tolist() == [1]
    assert metrics.ranks_of_truth(np.array([[0.05, 0.9, 0.05]]), np.array([2])).tolist() == [2]


def test_confusion_and_recall() -> None:
    assert metrics.confusion(P, TRUTH).tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert metrics.recalls(P, TRUTH).tolist() == [0.5, 0, 1]
    assert metrics.macro_recall(P, TRUTH) == pytest.approx(0.5)
    assert metrics.macro_recall(P[:1], TRUTH[:1]) == 1  # entities that do not occur do not count


def test_log_loss_is_clipped() -> None:
    assert metrics.log_losses(np.array([[1.0, 0.0]]), np.array([1]))[0] == pytest.approx(-math.log(1e-12))


def test_calibration_by_hand() -> None:
    stated, came = np.array([0.15, 0.12, 0.95, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])
    # bins 0.1-0.2: stated 0.135, observed 0.5; 0.9-1.0: stated 0.975, observed 0.5; half the lesions in each
    assert calibration.calibration_error(stated, came) == pytest.approx(0.5 * 0.365 + 0.5 * 0.475)
    found = calibration.reliability(stated, came)
    assert [(b.low, b.count, b.observed) for b in found] == [(0.1, 2, 0.5), (0.9, 2, 0.5)]
    assert [b.stated for b in found] == pytest.approx([0.135, 0.975])


def test_classwise_error_by_hand() -> None:
    p, truth = np.array([[0.8, 0.2], [0.8, 0.2]]), np.array([0, 1])
    assert calibration.classwise_error(p, truth) == pytest.approx((0.3 + 0.3) / 2)
    assert calibration.top_label_error(p, truth) == pytest.approx(0.3)


def test_abstention_by_hand() -> None:
    curve = calibration.abstention_curve(P, TRUTH)  # confidence 0.7 right, 0.5 wrong, 0.4 right, 0.9 wrong
    assert [(p.threshold, p.answered, p.accuracy) for p in curve] == [
        (0.4, 4, 0.5),
        (0.5, 3, pytest.approx(1 / 3)),
        (0.7, 2, 0.5),
        (0.9, 1, 0),
    ]
    # flat at 0 up to a quarter, then trapezoids 0 -> 1/2 -> 1/3 -> 1/2
    assert calibration.area_under_abstention(curve) == pytest.approx(0.25 * (0 + 0.25 + 5 / 12 + 5 / 12))


@settings(max_examples=60, deadline=None)
@given(predictions())
def test_scores_keep_within_their_bounds(case: tuple[Array, NDArray[np.int64]]) -> None:
    p, truth = case
    assert ((metrics.brier_scores(p, truth) >= 0) & (metrics.brier_scores(p, truth) <= 2)).all()
    assert (metrics.log_losses(p, truth) >= 0).all()
    assert (metrics.top_hits(p, truth, 1) <= metrics.top_hits(p, truth, 2)).all()
    assert metrics.top_hits(p, truth, p.shape[1]).all()
    assert metrics.confusion(p, truth).sum() == len(truth)
    assert np.trace(metrics.confusion(p, truth)) == metrics.top_hits(p, truth).sum()
    assert 0 <= calibration.top_label_error(p, truth) <= 1
    assert (metrics.entropies(p) <= math.log2(p.shape[1]) + 1e-9).all()


@settings(max_examples=60, deadline=None)
@given(predictions())
def test_calibration_error_follows_from_the_bins(case: tuple[Array, NDArray[np.int64]]) -> None:
    p, truth = case
    stated, came = p.max(axis=1), metrics.top_hits(p, truth)
    found = calibration.reliability(stated, came)
    assert sum(b.count for b in found) == len(truth)
    mean = sum(b.count * abs(b.stated - b.observed) for b in found) / len(truth)
    assert calibration.calibration_error(stated, came) == pytest.approx(mean, abs=1e-9)
    curve = calibration.abstention_curve(p, truth)
    assert curve[0].coverage == 1 and curve[0].accuracy == pytest.approx(came.mean())
    assert [x.coverage for x in curve] == sorted((x.coverage for x in curve), reverse=True)


@settings(max_examples=30, deadline=None)
@given(predictions())
def test_truth_told_as_it_is_loses_nothing(case: tuple[Array, NDArray[np.int64]]) -> None:
    p, truth = case
    exact = np.eye(p.shape[1])[truth]
    assert metrics.brier_scores(exact, truth).sum() == metrics.log_losses(exact, truth).sum() == 0
    assert calibration.classwise_error(exact, truth) == 0 and metrics.macro_recall(exact, truth) == 1


def test_bootstrap_draws_patients_and_not_lesions() -> None:
    values = np.array([0.0, 0.0, 0.0, 1.0])
    whole = bootstrap(lambda rows: np.array([values[rows].mean(), len(rows)]), ["a", "a", "a", "b"], 500, 1)
    # two patients: a resample holds a twice, b twice or both
    assert whole[0] == Estimate(0.25, 0.0, 1.0)
    assert whole[1] == Estimate(4.0, 2.0, 6.0)


def test_bootstrap_is_repeatable_and_near_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(size=200)
    patients = [str(n) for n in range(200)]

    def mean(rows: NDArray[np.int64]) -> Array:
        return np.array([values[rows].mean()])

    first, second = bootstrap(mean, patients, 2000, 7)[0], bootstrap(mean, patients, 2000, 7)[0]
    assert first == second and first != bootstrap(mean, patients, 2000, 8)[0]
    half = 1.96 * values.std() / math.sqrt(200)
    assert first.low == pytest.approx(values.mean() - half, abs=0.02)
    assert first.high == pytest.approx(values.mean() + half, abs=0.02)


def test_bootstrap_says_nothing_where_nothing_is_defined() -> None:
    assert bootstrap(lambda rows: np.array([np.nan]), ["a"], 10, 0) == (Estimate(None),)
    assert bootstrap(lambda rows: np.array([2.0]), ["a"], 0, 0) == (Estimate(2.0),)


def test_wilson_interval() -> None:
    # 8 of 10: Wilson 1927 gives 0.490 to 0.943
    assert wilson(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=5e-4)
    assert wilson(0.0, 20)[0] == 0 and wilson(1.0, 20)[1] == 1


def test_costly_errors_by_hand() -> None:
    given_up = CostlyError("a", "given up", true_behaviour="bad", believed_below=0.1)
    reassured = CostlyError("b", "reassured", called_behaviour="good", called_from=0.9)
    p = np.array([[0.02, 0.98], [0.2, 0.8], [0.05, 0.95], [0.95, 0.05]])
    counts = count_errors(p, np.array([0, 0, 1, 1]), ["x", "y"], ["bad", "good"], [given_up, reassured])
    assert [(c.at_risk, [f.row for f in c.flags]) for c in counts] == [(2, [0]), (2, [0])]
    assert counts[0].flags[0].true == "x" and counts[0].flags[0].leading == "y"


def test_a_calibrated_model_shows_an_error_by_chance_that_vanishes_with_lesions() -> None:
    few, many = (calibration.error_if_calibrated(np.full(size, 0.7), 200, 0).mean() for size in (20, 20_000))
    assert few > 0.05
    assert many < 0.005
