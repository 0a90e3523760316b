"""The engine against the brute-force joint on random networks and on the toy from another field."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hepagraph.inference import Reasoner, Table, marginals
from hepagraph.ontology import ImpossibleEvidenceError, OntologyError

Array = NDArray[np.float64]


def brute_force(tables: Mapping[str, Table], likelihood: Mapping[str, Array]) -> tuple[dict[str, Array], float]:
    """Every marginal and log P(evidence), by writing out the whole joint."""
    names = list(tables)
    cards = [tables[name].values.shape[-1] for name in names]
    joint = np.zeros(cards)
    for states in itertools.product(*(range(card) for card in cards)):
        at = dict(zip(names, states, strict=True))
        weight = 1.0
        for name, table in tables.items():
            weight *= table.values[tuple(at[v] for v in table.scope)]
            if name in likelihood:
                weight *= likelihood[name][at[name]]
        joint[states] = weight
    total = joint.sum()
    axes = range(len(names))
    return {n: joint.sum(axis=tuple(a for a in axes if a != i)) / total for i, n in enumerate(names)}, float(
        np.log(total)
    )


@st.composite
def networks(draw: st.DrawFn) -> tuple[dict[str, Table], dict[str, Array]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 7))
    cards = [int(rng.integers(2, 4)) for _ in range(count)]
    tables: dict[str, Table] = {}
    for index in range(count):
        parents = [p for p in range(index) if rng.random() < 0.5][:3]
        values = rng.dirichlet(np.ones(cards[index]), size=[cards[p] for p in parents])
        tables[f"v{index}"] = Table(f"v{index}", tuple(f"v{p}" for p in parents), np.asarray(values))
    likelihood = {}
    for index, card in enumerate(cards):
        kind = rng.integers(0, 4)
        vector = {
            1: np.eye(card)[rng.integers(card)],
            2: rng.random(card) + 1e-3,
            3: (rng.random(card) > 0.4) * 1.0,
        }.get(int(kind))
        if vector is not None and vector.any():
            likelihood[f"v{index}"] = vector
    return tables, likelihood


@settings(max_examples=300, deadline=None)
@given(networks())
def test_random_networks_equal_the_joint(drawn: tuple[dict[str, Table], dict[str, Array]]) -> None:
    tables, likelihood = drawn
    wanted, evidence_log = brute_force(tables, likelihood)
    found = marginals(tables, likelihood, tables)
    assert found.evidence_log == pytest.approx(evidence_log, abs=1e-9)
    for name in tables:
        np.testing.assert_allclose(found.posterior[name], wanted[name], atol=1e-12)


def test_toy_of_another_field_equals_the_joint(skin: Reasoner) -> None:
    network = skin.network
    rng = np.random.default_rng(3)
    for _ in range(20):
        likelihood = {n: rng.random(len(s)) for n, s in network.states.items() if rng.random() < 0.5}
        wanted, _ = brute_force(network.tables, likelihood)
        found = marginals(network.tables, likelihood, network.states).posterior
        for name in network.states:
            np.testing.assert_allclose(found[name], wanted[name], atol=1e-12)


def test_six_hundred_rare_findings_neither_underflow_nor_lose_the_answer() -> None:
    tables = {"d": Table("d", (), np.array([0.5, 0.5]))}
    likelihood = {}
    for index in range(600):
        tables[f"f{index}"] = Table(
            f"f{index}",
            ("d",),
            np.array([[0.99, 0.01], [0.99, 0.01 if index else 0.02]]) / [[1.0], [1.0 if index else 1.01]],
        )
        likelihood[f"f{index}"] = np.array([0.0, 1.0])
    found = marginals(tables, likelihood, ["d"])
    second = 0.02 / 1.01
    assert found.posterior["d"][1] == pytest.approx(second / (second + 0.01), abs=1e-12)
    assert found.evidence_log == pytest.approx(599 * np.log(0.01) + np.log((0.01 + second) / 2), rel=1e-12)


def test_impossible_evidence_is_a_typed_error_and_never_nan() -> None:
    tables = {"d": Table("d", (), np.array([0.5, 0.5]))}
    with pytest.raises(ImpossibleEvidenceError, match="probability is zero"):
        marginals(tables, {"d": np.zeros(2)}, ["d"])


def test_a_joint_beyond_memory_is_refused_with_its_size() -> None:
    parents = tuple(f"p{i}" for i in range(30))
    tables = {p: Table(p, (), np.array([0.5, 0.5])) for p in parents}
    for i, p in enumerate(parents):
        for q in parents[i + 1 :]:
            tables[f"{p}{q}"] = Table(f"{p}{q}", (p, q), np.full((2, 2, 2), 0.5))
    seen = {name: np.array([0.3, 0.7]) for name in tables if name not in parents}
    with pytest.raises(OntologyError, match="joint table of"):
        marginals(tables, seen, ["p0"])
