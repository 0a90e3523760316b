"""Many evidence sets at once must equal one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hepagraph.inference import Reasoner, Table, batch, marginals
from hepagraph.inference.batch import batch_marginals
from hepagraph.inference.layers import Layered
from hepagraph.ontology import ImpossibleEvidenceError, OntologyError

Array = NDArray[np.float64]


@st.composite
def batches(draw: st.DrawFn) -> tuple[dict[str, Table], dict[str, Array], int]:
    """A random network and evidence sets of every kind: hard, grouped, soft, missing, shared by all."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size, count = draw(st.integers(1, 6)), draw(st.integers(1, 8))
    cards = [int(rng.integers(2, 5)) for _ in range(count)]
    tables: dict[str, Table] = {}
    likelihood: dict[str, Array] = {}
    for index, card in enumerate(cards):
        parents = [p for p in range(index) if rng.random() < 0.4][:3]
        values = np.asarray(rng.dirichlet(np.ones(card), size=[cards[p] for p in parents]))
        tables[f"v{index}"] = Table(f"v{index}", tuple(f"v{p}" for p in parents), values)
        kind = rng.integers(0, 5)
        if kind == 0:
            likelihood[f"v{index}"] = rng.random(card) + 1e-3
        elif kind < 4:
            rows = [np.eye(card)[rng.integers(card)], rng.random(card) + 1e-3, np.ones(card), np.arange(card) > 0]
            likelihood[f"v{index}"] = np.stack([rows[rng.integers(4)] * 10.0 ** -rng.integers(30) for _ in range(size)])
    likelihood["v0"] = np.ones((size, cards[0]))
    return tables, likelihood, size


def one(likelihood: dict[str, Array], row: int) -> dict[str, Array]:
    return {name: rows[row] if rows.ndim == 2 else rows for name, rows in likelihood.items()}


def check_equal(tables: dict[str, Table], likelihood: dict[str, Array], targets: list[str], size: int) -> None:
    found = batch_marginals(tables, likelihood, targets)
    assert found.evidence_log.shape == (size,)
    for row in range(size):
        wanted = marginals(tables, one(likelihood, row), targets)
        assert found.evidence_log[row] == pytest.approx(wanted.evidence_log, rel=1e-12, abs=1e-10)
        for name in targets:
            np.testing.assert_allclose(found.posterior[name][row], wanted.posterior[name], rtol=0, atol=1e-12)


@settings(max_examples=300, deadline=None)
@given(batches())
def test_random_networks_equal_the_loop(drawn: tuple[dict[str, Table], dict[str, Array], int]) -> None:
    tables, likelihood, size = drawn
    check_equal(tables, likelihood, list(tables), size)
    check_equal(tables, likelihood, list(tables)[-1:], size)


@pytest.mark.parametrize("cells", [batch.CHUNK_CELLS, 2**12])
def test_real_network_equals_the_loop_whole_and_in_chunks(
    reasoner: Reasoner, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    monkeypatch.setattr(batch, "CHUNK_CELLS", cells)
    network, rng, size = reasoner.network, np.random.default_rng(7), 12
    likelihood = {}
    for name in rng.choice(network.variables("feature"), 8, replace=False):
        card = len(network.states[name])
        vectors = [np.eye(card)[rng.integers(card)], np.ones(card), rng.random(card)]
        likelihood[str(name)] = np.stack([vectors[rng.integers(3)] for _ in range(size)])
    first = network.variables("context")[0]
    likelihood[first] = np.eye(len(network.states[first]))[0]
    check_equal(dict(network.tables), likelihood, ["entity", "subtype", *network.variables("mechanism")[:3]], size)


def test_chunks_stay_below_their_size(reasoner: Reasoner, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    forward = batch._forward

    def counted(plan: batch.Plan, factors: list[Layered], cards: list[int]) -> object:
        calls.append(len(factors[0].case))
        return forward(plan, factors, cards)

    monkeypatch.setattr(batch, "_forward", counted)
    monkeypatch.setattr(batch, "CHUNK_CELLS", 2**10)
    name = reasoner.network.variables("feature")[0]
    rows = np.random.default_rng(0).random((300, len(reasoner.network.states[name])))
    batch_marginals(reasoner.network.tables, {name: rows}, [])
    assert sum(calls) == 300
    assert max(calls) < 300


def test_sets_of_very_different_probability_do_not_underflow() -> None:
    tables = {"d": Table("d", (), np.array([0.5, 0.5]))}
    likelihood = {}
    for index in range(300):
        tables[f"f{index}"] = Table(f"f{index}", ("d",), np.array([[0.99, 0.01], [0.999, 0.001]]))
        likelihood[f"f{index}"] = np.array([[0.0, 1.0], [1.0, 0.0]])
    found = batch_marginals(tables, likelihood, ["d"])
    assert found.evidence_log[0] == pytest.approx(300 * np.log(0.01) + np.log(0.5), rel=1e-12)
    assert found.posterior["d"][0] == pytest.approx([1, 0], abs=1e-12)
    assert found.posterior["d"][1, 1] == pytest.approx(1 / (1 + (0.99 / 0.999) ** 300), rel=1e-9)


def test_impossible_sets_are_named_all_at_once_or_marked() -> None:
    tables = {"d": Table("d", (), np.array([0.5, 0.5])), "f": Table("f", ("d",), np.eye(2))}
    likelihood = {"d": np.array([[1.0, 0], [1, 0], [0, 0], [0, 1]]), "f": np.array([[1.0, 0], [0, 1], [1, 1], [1, 1]])}
    with pytest.raises(ImpossibleEvidenceError, match=r"evidence set 1: .*\nevidence set 2: ") as caught:
        batch_marginals(tables, likelihood, ["d"])
    assert len(caught.value.problems) == 2
    found = batch_marginals(tables, likelihood, ["d"], allow_impossible=True)
    np.testing.assert_array_equal(np.isneginf(found.evidence_log), [False, True, True, False])
    np.testing.assert_allclose(found.posterior["d"], [[1, 0], [0, 0], [0, 0], [0, 1]], atol=1e-15)


def test_nothing_asked_and_nothing_seen() -> None:
    tables = {"d": Table("d", (), np.array([0.25, 0.75]))}
    assert batch_marginals(tables, {}, []).evidence_log.tolist() == [0]
    np.testing.assert_allclose(batch_marginals(tables, {}, ["d"]).posterior["d"], [[0.25, 0.75]])
    assert batch_marginals(tables, {"d": np.ones((0, 2))}, ["d"]).posterior["d"].shape == (0, 2)


def test_arrays_of_different_length_are_refused() -> None:
    tables = {name: Table(name, (), np.array([0.5, 0.5])) for name in "ab"}
    with pytest.raises(OntologyError, match=r"\[2, 3\] sets"):
        batch_marginals(tables, {"a": np.ones((2, 2)), "b": np.ones((3, 2))}, [])
