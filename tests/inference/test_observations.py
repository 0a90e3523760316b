"""From statements to observations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hepagraph.inference import Reasoner
from hepagraph.inference.observations import Reading, effective_size, mixture_rows, observe
from hepagraph.kg import Source, Statement

ROW = np.array([1.0])
BASE = Statement("a", "", "ConditionalProbability", True, "x", Source("src", "title"), "A", k=3, n=10)


def reading(name: str, states: tuple[int, ...], share: float, **more: object) -> tuple[Reading, np.ndarray]:
    statement = replace(BASE, id=name, **more)  # type: ignore[arg-type]
    rest = tuple(p for p in range(4) if p not in states)
    return Reading(statement, ((states, share), (rest, 1 - share)), float(statement.n or 4)), ROW


@pytest.fixture(scope="module")
def variable(reasoner: Reasoner) -> object:
    return next(v for v in reasoner.skeleton.vocabulary.values() if len(v.states) == 4)


def test_what_one_study_counted_in_the_same_lesions_is_one_multinomial(reasoner: Reasoner, variable: object) -> None:
    rows = [reading("a", (0,), 0.3), reading("b", (1, 2), 0.5)]
    (found,) = observe(rows, variable, reasoner.skeleton.policy, 0.5)  # type: ignore[arg-type]
    assert found.sets == ((0,), (1, 2), (3,))
    assert found.shares == pytest.approx((0.3, 0.5, 0.2))
    assert [s.id for s in found.statements] == ["a", "b"]


@pytest.mark.parametrize(
    "second",
    [
        reading("b", (0, 1), 0.5),
        reading("b", (1,), 0.9),
        reading("b", (1,), 0.5, n=11),
        reading("b", (1,), 0.5, source=Source("other", "title")),
        reading("b", (1,), 0.5, context=("c",)),
    ],
    ids=["overlap", "over one", "other lesions", "other study", "other condition"],
)
def test_other_counts_stay_apart(reasoner: Reasoner, variable: object, second: tuple[Reading, np.ndarray]) -> None:
    found = observe([reading("a", (0,), 0.3), second], variable, reasoner.skeleton.policy, 0.5)  # type: ignore[arg-type]
    assert len(found) == 2


def test_judged_shares_of_every_state_are_one_distribution(reasoner: Reasoner, variable: object) -> None:
    judged = {"grade": "D", "k": None, "n": None}
    rows = [reading(str(i), (i,), share, value=share, **judged) for i, share in enumerate((0.4, 0.3, 0.2, 0.1))]
    (whole,) = observe(rows, variable, reasoner.skeleton.policy, 0.5)  # type: ignore[arg-type]
    assert whole.elicited
    assert whole.shares == pytest.approx((0.4, 0.3, 0.2, 0.1))
    (part,) = observe(rows[:1], variable, reasoner.skeleton.policy, 0.5)  # type: ignore[arg-type]
    assert not part.elicited


def test_effective_size_is_that_of_random_effects_meta_analysis(reasoner: Reasoner) -> None:
    """50 of 100 with tau = 1: variance of the log-odds 0.04 + 1, so as good as 4 / 1.04 lesions."""
    policy = reasoner.skeleton.policy
    assert effective_size(100, (0.5, 0.5), "A", 1.0, policy) == pytest.approx(4 / 1.04, rel=1e-3)
    assert effective_size(100, (0.5, 0.5), "A", 0.0, policy) == policy.grade_caps["A"]
    assert effective_size(10, (0.5, 0.5), "A", 0.0, policy) == 10


def test_rows_of_a_mixture_weigh_shares_and_conditions() -> None:
    spread = np.array([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]])
    rows = mixture_rows({"a": 1.0, "b": 3.0}, {"a": 0, "b": 1, "c": 2}, [spread], 3)
    np.testing.assert_allclose(rows, [[0.05, 0.2], [0.375, 0.375], [0, 0]])
    assert rows.sum() == pytest.approx(1)
