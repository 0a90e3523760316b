"""Draws of the fitted tables, the parts of an interval, and whether intervals hold what they claim."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from hepagraph.inference import Reasoner, Table, marginals
from hepagraph.inference.compiling import build_tables
from hepagraph.inference.drawing import PARTS, draw_tables
from hepagraph.inference.evaluation.coverage import check_coverage
from hepagraph.inference.interval import draw_posteriors
from hepagraph.inference.network import ENTITY, SUBTYPE

Array = NDArray[np.float64]


def one_draw_after_the_other(
    reasoner: Reasoner, likelihood: Mapping[str, Array], seed: int, draws: int, parts: Collection[str]
) -> Array:
    """The posterior of the entity under each draw, every table built and every network eliminated in full."""
    skeleton, network = reasoner.skeleton, reasoner.network
    names, widening = [*skeleton.contexts, *skeleton.mechanisms, *skeleton.features], skeleton.policy.interval_widening
    drawn = draw_tables(skeleton.reconciliation, names, seed, draws, parts, widening)
    for name in skeleton.contexts:
        drawn[name][:, -1] = skeleton.values[name][-1]
    found = []
    for draw in range(draws):
        values = {name: table[draw] for name, table in drawn.items()}
        upper = {*skeleton.contexts, ENTITY, SUBTYPE, *skeleton.mechanisms}
        tables = build_tables(skeleton, values, upper)
        for name in skeleton.features:
            ratio = values[name][:-1] / skeleton.values[name][:-1]
            table = network.tables[name]
            causes = table.values.ndim - ratio.ndim
            tilted = table.values * ratio.reshape(*ratio.shape[:-1], *(1,) * causes, ratio.shape[-1])
            tables[name] = Table(name, table.parents, tilted / tilted.sum(axis=-1, keepdims=True))
        ordered = {name: tables[name] for name in network.layers}
        found.append(marginals(ordered, likelihood, [ENTITY]).posterior[ENTITY])
    return np.array(found)


@pytest.mark.parametrize("parts", [PARTS, *((part,) for part in PARTS)], ids="-".join)
def test_all_draws_at_once_equal_one_after_the_other(reasoner: Reasoner, parts: tuple[str, ...]) -> None:
    network, rng = reasoner.network, np.random.default_rng(5)
    for _ in range(6):
        names = rng.choice([*network.variables("feature"), *network.variables("context")], size=9, replace=False)
        likelihood = {}
        for name in map(str, names):
            states = len(network.states[name])
            hard, kind = np.eye(states)[rng.integers(states)], rng.integers(3)
            likelihood[name] = (hard, 0.9 * hard + 0.1 * rng.random(states), (rng.random(states) < 0.6) + hard)[kind]
        found = draw_posteriors(reasoner.skeleton, network, likelihood, seed=4, draws=3, parts=parts)
        wanted = one_draw_after_the_other(reasoner, likelihood, 4, 3, parts)
        np.testing.assert_allclose(found, wanted, atol=1e-10, err_msg=str(sorted(likelihood)))


def test_draws_repeat_by_seed_and_do_not_depend_on_what_else_is_drawn(skin: Reasoner) -> None:
    rec, names = skin.skeleton.reconciliation, list(skin.skeleton.features)
    both = draw_tables(rec, names, 7, 5)
    alone = draw_tables(rec, names[-1:], 7, 5)
    np.testing.assert_array_equal(both[names[-1]], alone[names[-1]])
    assert not np.array_equal(both[names[-1]], draw_tables(rec, names[-1:], 8, 5)[names[-1]])


def test_draws_are_distributions_about_the_fitted_log_odds(reasoner: Reasoner) -> None:
    skeleton = reasoner.skeleton
    name = next(f for f in skeleton.features if len(skeleton.states(f)) == 2)
    drawn = draw_tables(skeleton.reconciliation, [name], 1, 2000)[name]
    np.testing.assert_allclose(drawn.sum(axis=-1), 1, atol=1e-12)
    fitted = skeleton.values[name]
    middle = np.median(np.log(drawn[..., 1] / drawn[..., 0]), axis=0)
    np.testing.assert_allclose(middle, np.log(fitted[..., 1] / fitted[..., 0]), atol=0.2)


def test_between_study_draws_spread_log_odds_by_tau(reasoner: Reasoner) -> None:
    skeleton = reasoner.skeleton
    name = next(f for f in skeleton.features if len(skeleton.states(f)) == 2 and not skeleton.conditions(f))
    drawn = draw_tables(skeleton.reconciliation, [name], 1, 4000, ("between_study",))[name]
    spread = np.log(drawn[..., 1] / drawn[..., 0]).std(axis=0)
    np.testing.assert_allclose(spread, skeleton.reconciliation.tau, rtol=0.1)


def test_no_part_no_spread(skin: Reasoner) -> None:
    rec, name = skin.skeleton.reconciliation, skin.skeleton.features[0]
    drawn = draw_tables(rec, [name], 1, 3, ())[name]
    np.testing.assert_allclose(drawn, np.broadcast_to(skin.skeleton.values[name], drawn.shape), atol=1e-12)


def test_parts_are_named_and_none_exceeds_the_whole_by_much(reasoner: Reasoner, expected: dict[str, object]) -> None:
    answer = reasoner.posterior(expected["case"], interval=True, surprise=False, reasons=False).lesions[0]  # type: ignore[arg-type]
    assert answer.interval is not None
    assert answer.interval_parts is not None
    assert tuple(answer.interval_parts) == PARTS
    for entity, (low, high) in answer.interval.items():
        assert 0 <= low <= answer.posterior[entity] + 0.05
        assert high >= answer.posterior[entity] - 0.05
        for part in PARTS:
            a, b = answer.interval_parts[part][entity]
            assert b - a <= 1.3 * (high - low) + 0.02


def test_intervals_hold_the_truth_about_as_often_as_they_claim(skin: Reasoner) -> None:
    """On a toy; benchmarks/interval_coverage.py does the same on the packaged network."""
    entities = skin.network.states[ENTITY]
    checks = check_coverage(skin.skeleton, skin.network, entities, truths=6, lesions=10, findings=2, draws=100)
    assert len(checks) == 60
    covered = np.concatenate([check.covered() for check in checks])
    assert covered.mean() == pytest.approx(0.95, abs=0.08)
