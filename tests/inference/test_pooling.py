from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepagraph.inference import Reasoner
from hepagraph.inference.coupling import couple
from hepagraph.inference.network import ENTITY, SUBTYPE
from hepagraph.inference.pooling import bound_mean, observe, pool
from hepagraph.kg import Policy, Source, Statement, Variable
from hepagraph.kg.vocabulary import Band, Measure

POLICY = Policy(
    default_sample_size=10, bound_sample_size=5, bound_quantile=0.95, mean_sample_size=15, root_sample_size=0.5,
    parent_sample_size=6, table_floor=1e-6, other_primary_share=0.02, implied_setting_share=0.9, propensity_limit=2.0,
    common_scale=1.5, entity_scale=2.5, subtype_scale=1.2, condition_scale=0.7, entity_condition_scale=1.5,
    judgement_scale=0.7, judgement_sample_size=4, reporting_error=0.1, study_spread=0.7, interval_widening=1.0,
    grade_caps={"A": 40.0, "C": 8.0}, odds_multipliers={},
)  # fmt: skip
LENGTH = Variable(
    "length", "length", "ImagingFeature", "lesion", ("short", "middle", "long"),
    {"short": ("short",), "middle": ("middle",), "long": ("long",), "not_short": ("middle", "long")},
    {"short": "length_short", "middle": "length_middle", "long": "length_long", "not_short": "length_not_short"},
    {}, Measure("length_mm", "mm", 0, 100, (Band("short", 0, 10), Band("middle", 10, 20), Band("long", 20, np.inf))), None, {},
)  # fmt: skip


def statement(**given: object) -> Statement:
    base = {"id": "s", "iri": "", "quantity": "ConditionalProbability", "may_reach_cpt": True, "given": "g",
            "source": Source("src", "title"), "grade": "A", "states": ("length_short",)}  # fmt: skip
    return Statement(**{**base, **given})  # type: ignore[arg-type]


def test_counts_are_capped_by_grade() -> None:
    assert observe(statement(k=30, n=60), LENGTH, POLICY) == (((0,), 20.0), ((1, 2), 20.0))


def test_group_becomes_the_set_of_its_leaves() -> None:
    assert observe(statement(k=3, n=4, states=("length_not_short",)), LENGTH, POLICY) == (((1, 2), 3.0), ((0,), 1.0))


def test_word_uses_the_scheme_and_its_size() -> None:
    seen = observe(statement(grade="C", words="usually", word_mean=0.75, word_size=4.0), LENGTH, POLICY)
    assert seen == (((0,), 3.0), ((1, 2), 1.0))


def test_interval_gives_the_size_it_claims() -> None:
    seen = observe(
        statement(value=0.5, ci=(0.4, 0.6), grade="A"),
        LENGTH,
        replace(POLICY, grade_caps={"A": 1000.0}),
    )
    assert seen is not None
    assert sum(count for _, count in seen) == pytest.approx(0.25 * (2 * 1.96 / 0.2) ** 2)


def test_upper_bound_is_a_quantile_and_no_mean() -> None:
    seen = observe(statement(value=0.47, bound="UpperBound"), LENGTH, POLICY)
    assert seen is not None
    mean = seen[0][1] / 5
    assert mean == pytest.approx(bound_mean(0.47, 0.95, 5))
    draws = np.random.default_rng(0).beta(mean * 5, (1 - mean) * 5, 200_000)
    assert np.quantile(draws, 0.95) == pytest.approx(0.47, abs=0.01)


def test_mean_and_sd_fill_the_bands() -> None:
    seen = observe(statement(quantity="MeanAndSd", states=(), mean=15.0, sd=5.0, n=100), LENGTH, POLICY)
    assert seen is not None
    counts = {states[0]: count for states, count in seen}
    assert sum(counts.values()) == pytest.approx(15)
    assert counts[1] / 15 == pytest.approx(0.6827 / (1 - 0.00135), abs=2e-3)


def test_statement_without_number_is_not_used() -> None:
    assert observe(statement(), LENGTH, POLICY) is None
    assert observe(statement(quantity="MeanAndSd", mean=15.0), LENGTH, POLICY) is None


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sets(st.integers(0, 3), min_size=1, max_size=3), st.floats(0.01, 50)), max_size=6),
    st.floats(0.1, 5),
)
def test_pooling_keeps_every_count_and_is_a_fixed_point(rows: list[tuple[set[int], float]], weight: float) -> None:
    observations = [((tuple(sorted(states)), count),) for states, count in rows]
    prior = np.full(4, weight / 4)
    counts = pool(observations, prior)
    assert counts.sum() == pytest.approx(weight + sum(count for _, count in rows))
    mean = counts / counts.sum()
    again = prior + sum(
        (np.isin(range(4), list(s)) * mean * c / mean[list(s)].sum() for s, c in rows), start=np.zeros(4)
    )
    np.testing.assert_allclose(again, counts, atol=1e-6)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_coupling_keeps_what_was_counted(seed: int, mechanisms: int) -> None:
    rng = np.random.default_rng(seed)
    feature = rng.dirichlet(np.ones(4), size=3) * 0.98 + 0.005
    present = rng.uniform(0.02, 0.98, (3, mechanisms))
    table = couple(feature, present, np.exp(rng.normal(0, 1.5, (mechanisms, 4))))
    np.testing.assert_allclose(table.sum(axis=-1), 1, atol=1e-12)
    mixed = table
    for column in range(mechanisms):
        weight = present[:, column].reshape([3] + [1] * (mixed.ndim - 2))
        mixed = mixed[:, 0] * (1 - weight) + mixed[:, 1] * weight
    np.testing.assert_allclose(mixed, feature, atol=1e-8)


def test_coupling_makes_one_cause_count_once() -> None:
    """Two signs of one cause: the second adds less than the first, and far less than it would if independent."""
    present, multipliers = np.array([[0.2]]), np.array([[1.0, 20.0]])
    table = couple(np.array([[0.8, 0.2]]), present, multipliers)[0]
    first = 0.2
    second = (0.8 * table[0, 1] ** 2 + 0.2 * table[1, 1] ** 2) / first
    assert second > 1.5 * first


def test_evidence_margins_survive_in_the_compiled_network(reasoner: Reasoner) -> None:
    """P(feature | subtype, conditions), mechanisms summed out, equals the fitted table for every feature."""
    network, skeleton = reasoner.network, reasoner.skeleton
    for name in network.variables("feature"):
        table, causes = network.tables[name], skeleton.causes_of[name]
        wanted = skeleton.values[name][:-1]
        mixed, conditions = table.values, wanted.ndim - 2
        for cause in causes:
            weight = network.tables[cause].values[:, 1].reshape([-1] + [1] * (mixed.ndim - 2))
            axis = [slice(None)] * (1 + conditions)
            mixed = mixed[(*axis, 0)] * (1 - weight) + mixed[(*axis, 1)] * weight
        np.testing.assert_allclose(mixed, wanted, atol=2e-5, err_msg=name)


def test_no_table_holds_zero_one_or_nan_but_that_of_the_subtype(reasoner: Reasoner) -> None:
    network = reasoner.network
    for name, table in network.tables.items():
        if name != SUBTYPE:
            assert np.all((table.values > 0) & (table.values < 1)), name
    table = network.tables[SUBTYPE]
    own = np.array([[network.parent_of[s] == e for s in network.states[SUBTYPE]] for e in network.states[ENTITY]])
    possible = np.moveaxis(table.values, table.parents.index(ENTITY), 0) > 0
    assert np.array_equal(possible, np.broadcast_to(own[:, None, None], possible.shape))


def test_quantities_that_are_not_frequencies_never_reach_a_table(reasoner: Reasoner) -> None:
    used = {statement.quantity for statements in reasoner.network.evidence.values() for statement in statements}
    assert used <= {
        "ConditionalProbability",
        "VerbalFrequency",
        "MeanAndSd",
        "PriorWeight",
        "Prevalence",
        "NotMeasured",
    }
    assert all(
        s.may_reach_cpt and not s.selected and not s.duplicate
        for found in reasoner.network.evidence.values()
        for s in found
    )


def test_a_cell_that_nobody_measured_is_listed_and_adds_nothing(reasoner: Reasoner) -> None:
    """Where an entity is named as not measured only, its observations hold nothing of its own."""
    estimates = reasoner.skeleton.reconciliation.estimates
    silent = [
        (name, given)
        for name, estimate in estimates.items()
        for given, found in estimate.evidence.items()
        if found and all(statement.quantity == "NotMeasured" for statement in found)
    ]
    assert silent
    for name, entity in silent:
        assert not [o for o in estimates[name].observations if o.statements[0].given == entity]


def test_every_cell_of_the_default_differential_has_a_statement(reasoner: Reasoner) -> None:
    network = reasoner.network
    entities = network.differentials[network.default_differential]
    acting = reasoner.skeleton.acting_on("EntityNode") + reasoner.skeleton.acting_on("SubtypeNode")
    cells = [(name, e) for name in (*network.variables("feature"), *acting) for e in entities]
    missing = [cell for cell in cells if not network.evidence[cell]]
    assert missing == []
