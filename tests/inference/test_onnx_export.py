"""The ONNX model answers as the scorer does, whatever is missing, and says what it is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hepagraph.inference import Reasoner, marginals
from hepagraph.inference.network import ENTITY
from hepagraph.inference.onnx_export import INPUTS, model_variables, onnx_model
from hepagraph.inference.reporting import reported
from hepagraph.ontology import CaseError, MissingExtraError, OntologyError

onnx = pytest.importorskip("onnx")
ReferenceEvaluator = pytest.importorskip("onnx.reference").ReferenceEvaluator
onnxruntime = pytest.importorskip("onnxruntime")
BATCH = 250


def session(model: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def random_codes(reasoner: Reasoner, rows: int, missing: float, seed: int) -> NDArray[np.int64]:
    """Return codes with a share missing, -1, shape (rows, variables)."""
    rng, sizes = np.random.default_rng(seed), [len(reasoner.network.states[n]) for n in model_variables(reasoner)]
    codes = rng.integers(0, sizes, size=(rows, len(sizes)))
    return np.where(rng.random(codes.shape) < missing, -1, codes)


def by_name(reasoner: Reasoner, codes: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    return {name: codes[:, column] for column, name in enumerate(model_variables(reasoner))}


@pytest.fixture(scope="module")
def model(reasoner: Reasoner) -> bytes:
    return onnx_model(reasoner)


def test_thousands_of_rows_agree_to_1e_5(reasoner: Reasoner, model: bytes) -> None:
    scorer = session(model)
    codes = random_codes(reasoner, 4000, 0.4, 1)
    wanted, wanted_log = reasoner.score(by_name(reasoner, codes))
    for start in range(0, len(codes), BATCH):
        part = slice(start, start + BATCH)
        posterior, log = scorer.run(["posterior", "evidence_log"], {"codes": codes[part]})
        np.testing.assert_allclose(posterior, wanted[part], rtol=0, atol=1e-6)
        np.testing.assert_allclose(log, wanted_log[part], rtol=0, atol=1e-5)


@pytest.mark.parametrize("missing", [0.0, 0.95, 1.0])
def test_everything_and_nothing_seen(reasoner: Reasoner, model: bytes, missing: float) -> None:
    codes = random_codes(reasoner, 40, missing, 2)
    posterior, log = session(model).run(None, {"codes": codes})
    wanted, wanted_log = reasoner.score(by_name(reasoner, codes))
    np.testing.assert_allclose(posterior, wanted, rtol=0, atol=1e-6)
    np.testing.assert_allclose(log, wanted_log, rtol=0, atol=1e-5)


def test_likelihoods_hold_groups_and_soft_findings(reasoner: Reasoner) -> None:
    network, names = reasoner.network, model_variables(reasoner)
    scorer = session(onnx_model(reasoner, inputs="likelihoods"))
    rng, rows, wanted = np.random.default_rng(4), [], []
    entities = reasoner.entities()
    member = np.array([float(e in entities) for e in network.states[ENTITY]])
    for _ in range(60):
        vectors = {n: np.ones(len(network.states[n])) for n in names}
        for name in map(str, rng.choice(names, size=12, replace=False)):
            vectors[name] = (
                rng.random(len(vectors[name])) + 0.01
                if rng.random() < 0.5
                else np.maximum(rng.random(len(vectors[name])) < 0.5, np.arange(len(vectors[name])) == 0).astype(float)
            )
        rows.append(np.concatenate([vectors[n] for n in names]))
        meant = {**reported(network, vectors), ENTITY: member}
        found = marginals(network.tables, meant, [ENTITY]).posterior[ENTITY]
        wanted.append([found[network.states[ENTITY].index(e)] for e in entities])
    posterior, _ = scorer.run(None, {"likelihoods": np.array(rows, dtype=np.float32)})
    np.testing.assert_allclose(posterior, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["coin", "skin"])
def test_other_domains_and_batches_of_any_size(request: pytest.FixtureRequest, name: str) -> None:
    reasoner: Reasoner = request.getfixturevalue(name)
    scorer = session(onnx_model(reasoner))
    for rows in (1, 7, 300):
        codes = random_codes(reasoner, rows, 0.4, rows)
        posterior, log = scorer.run(None, {"codes": codes})
        wanted, wanted_log = reasoner.score(by_name(reasoner, codes))
        np.testing.assert_allclose(posterior, wanted, rtol=0, atol=1e-6)
        np.testing.assert_allclose(log, wanted_log, rtol=0, atol=1e-5)


@pytest.mark.parametrize("inputs", INPUTS)
def test_it_means_the_same_to_another_runtime(skin: Reasoner, inputs: str) -> None:
    """The reference implementation of the format, which is slow and plain."""
    model, codes = onnx_model(skin, inputs=inputs), random_codes(skin, 9, 0.4, 3)
    given = {"codes": codes}
    if inputs == "likelihoods":
        sizes = [len(skin.network.states[name]) for name in model_variables(skin)]
        parts = [np.vstack([np.eye(n), np.ones(n)])[codes[:, i]] for i, n in enumerate(sizes)]
        given = {"likelihoods": np.concatenate(parts, axis=1).astype(np.float32)}
    posterior, log = ReferenceEvaluator(onnx.load_from_string(model)).run(None, given)
    wanted, wanted_log = skin.score(by_name(skin, codes))
    np.testing.assert_allclose(posterior, wanted, rtol=0, atol=1e-6)
    np.testing.assert_allclose(log, wanted_log, rtol=0, atol=1e-5)


def test_a_row_that_rules_everything_out_touches_no_other(reasoner: Reasoner) -> None:
    """Nothing is left open in it, so it has no entry; its answer is none, and its neighbours have theirs."""
    network, names = reasoner.network, model_variables(reasoner)
    hidden = {parent for name in names for parent in network.tables[name].parents} & set(network.variables("feature"))
    assert hidden
    scorer = session(onnx_model(reasoner, inputs="likelihoods"))
    ones = {n: np.ones(len(network.states[n])) for n in names}
    rows = [ones, {**ones, next(iter(hidden)): 0 * ones[next(iter(hidden))]}, ones]
    given = np.array([np.concatenate([row[n] for n in names]) for row in rows], dtype=np.float32)
    posterior, log = scorer.run(None, {"likelihoods": given})
    np.testing.assert_array_equal(posterior[0], posterior[2])
    assert posterior[0].sum() == pytest.approx(1) and np.isfinite(log[[0, 2]]).all()
    assert (posterior[1] == 0).all() and np.isneginf(log[1])


@pytest.mark.parametrize("most", [0, 2**30])
def test_the_context_from_a_table_or_not_is_the_same(
    reasoner: Reasoner, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("hepagraph.inference.onnx_export.MOST_CONTEXTS", most)
    codes = random_codes(reasoner, 40, 0.6, 5)
    posterior, _ = session(onnx_model(reasoner)).run(None, {"codes": codes})
    np.testing.assert_allclose(posterior, reasoner.score(by_name(reasoner, codes))[0], rtol=0, atol=1e-6)


def test_another_differential_has_its_own_entities(reasoner: Reasoner) -> None:
    codes = random_codes(reasoner, 50, 0.6, 8)
    for name in reasoner.network.differentials:
        model = onnx_model(reasoner, differential=name)
        posterior, _ = session(model).run(None, {"codes": codes})
        wanted, _ = reasoner.score(by_name(reasoner, codes), differential=name)
        np.testing.assert_allclose(posterior, wanted, rtol=0, atol=1e-6)
        listed = json.loads(session(model).get_modelmeta().custom_metadata_map["entities"])
        assert [entity["name"] for entity in listed] == list(reasoner.entities(name))


def test_the_model_says_what_it_is_and_is_small(reasoner: Reasoner, model: bytes) -> None:
    assert len(model) < 6_000_000
    loaded = onnx.load_from_string(model)
    onnx.checker.check_model(loaded, full_check=True)
    assert loaded.doc_string == reasoner.model["notice"]
    scorer = session(model)
    known = scorer.get_modelmeta().custom_metadata_map
    for key, value in reasoner.model.items():
        assert known[key] == value
    described = json.loads(known["variables"])
    assert tuple(variable["name"] for variable in described) == model_variables(reasoner)
    for variable in described:
        assert tuple(s["name"] for s in variable["states"]) == reasoner.network.states[variable["name"]]
    assert [(value.name, value.shape) for value in scorer.get_inputs()] == [("codes", ["rows", len(described)])]


def test_a_code_that_is_no_state_is_refused(reasoner: Reasoner, model: bytes) -> None:
    codes = random_codes(reasoner, 1, 1.0, 0)
    codes[0, 0] = len(reasoner.network.states[model_variables(reasoner)[0]])
    with pytest.raises(Exception, match="out of"):
        session(model).run(None, {"codes": codes})


def test_what_cannot_be_made_says_why(coin: Reasoner, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OntologyError, match="no such inputs; allowed: codes, likelihoods"):
        onnx_model(coin, inputs="words")
    with pytest.raises(CaseError, match="differential"):
        onnx_model(coin, differential="nothing")
    monkeypatch.setattr("hepagraph.inference.onnx_export.SMALLEST_LOG10", -1.0)
    with pytest.raises(OntologyError, match="too little to sum unscaled"):
        onnx_model(coin)
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"hepagraph\[onnx\]"):
        onnx_model(coin)
