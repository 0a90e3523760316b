"""The compiled engine against the brute-force joint, general elimination, and itself in its other forms."""

from __future__ import annotations

import itertools
import logging
import math
import os
import subprocess
import sys
import threading
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hepagraph.inference import Reasoner, Table, marginals
from hepagraph.inference.batch import batch_marginals
from hepagraph.inference.engine import Engine
from hepagraph.inference.engine.evidence import evidence_rows
from hepagraph.inference.engine.native import LEVELS, NativeKernel, level, library
from hepagraph.inference.engine.program import TooWideError, compile_program, fold_private
from hepagraph.inference.network import ENTITY, SUBTYPE, Network
from hepagraph.inference.reporting import reported
from hepagraph.ontology import ImpossibleEvidenceError, OntologyError

Array = NDArray[np.float64]
Tables = dict[str, Table]
KERNELS = [
    pytest.param(True, id="native", marks=pytest.mark.skipif(library() is None, reason="the kernel was not built")),
    pytest.param(False, id="numpy"),
]


def joint_of(tables: Mapping[str, Table], likelihood: Mapping[str, Array]) -> Array:
    """P(all variables, evidence), one axis a variable, by multiplying everything out."""
    names = list(tables)
    joint = np.ones([tables[name].values.shape[-1] for name in names])
    for name, table in tables.items():
        order = np.argsort([names.index(v) for v in table.scope])
        shape = [tables[v].values.shape[-1] if v in table.scope else 1 for v in names]
        joint = joint * np.transpose(table.values, order).reshape(shape)
        if name in likelihood:
            joint = joint * likelihood[name].reshape([-1 if v == name else 1 for v in names])
    return joint


def marginal_of(joint: Array, names: list[str], *wanted: str) -> Array:
    """The sum over all other variables, the axes in the order asked for."""
    kept = [names.index(name) for name in wanted]
    summed = joint.sum(axis=tuple(a for a in range(joint.ndim) if a not in kept))
    return np.transpose(summed, np.argsort(np.argsort(kept)))


def random_tables(rng: np.random.Generator) -> Tables:
    """Contexts over entity over subtype over hidden causes over findings, with zeros and cards of any size."""
    entities, subtypes = int(rng.integers(2, 4)), int(rng.integers(3, 6))
    cards: dict[str, int] = {}
    tables: Tables = {}

    def add(name: str, card: int, parents: list[str]) -> None:
        values = rng.dirichlet(np.ones(card), size=[cards[p] for p in parents])
        if rng.random() < 0.2:  # some states are impossible
            values = np.where(rng.random(values.shape) < 0.3, 0, values) + 1e-300
            values[..., 0] += 1e-3
            values = np.where(values < 1e-200, 0, values)
            values = values / values.sum(axis=-1, keepdims=True)
        cards[name] = card
        tables[name] = Table(name, tuple(parents), np.asarray(values))

    contexts = [f"c{i}" for i in range(rng.integers(0, 4))]
    for i, name in enumerate(contexts):
        add(name, int(rng.integers(2, 4)), [p for p in contexts[:i] if rng.random() < 0.3])
    add(ENTITY, entities, [c for c in contexts if rng.random() < 0.6])
    cards[SUBTYPE] = subtypes
    parents = [ENTITY, *(c for c in contexts if rng.random() < 0.3)]
    owner = np.concatenate([np.arange(entities), rng.integers(entities, size=subtypes - entities)])
    values = rng.random([*(cards[p] for p in parents), subtypes]) + 0.01
    if rng.random() < 0.8:
        member = (owner[None] == np.arange(entities)[:, None]) * 1.0
        values = values * member.reshape(entities, *(1,) * (len(parents) - 1), subtypes)
    tables[SUBTYPE] = Table(SUBTYPE, tuple(parents), values / values.sum(axis=-1, keepdims=True))
    causes = [f"m{i}" for i in range(rng.integers(0, 4))]
    for i, name in enumerate(causes):
        more = [p for p in (*contexts, *causes[:i]) if rng.random() < 0.25]
        add(name, int(rng.integers(2, 4)), [*([SUBTYPE] if rng.random() < 0.9 else []), *more])
    for i in range(rng.integers(1, 5)):
        above = [p for p in (*contexts, *causes) if rng.random() < 0.4][:3]
        add(f"f{i}", int(rng.integers(2, 5)), [*([SUBTYPE] if rng.random() < 0.9 else []), *above])
    return tables


def random_evidence(rng: np.random.Generator, tables: Tables) -> dict[str, Array]:
    """Hard, grouped, soft and missing evidence on any variable."""
    found = {}
    for name, table in tables.items():
        card, kind = table.values.shape[-1], int(rng.integers(0, 6))
        vector = {
            1: np.eye(card)[rng.integers(card)],
            2: (rng.random(card) + 1e-3) * rng.random(),
            3: (rng.random(card) > 0.4) * 1.0,
            4: np.eye(card)[rng.integers(card)] * 0.3,
        }.get(kind)
        if vector is not None and vector.any():
            found[name] = vector
    return found


@st.composite
def problems(draw: st.DrawFn) -> tuple[Tables, list[dict[str, Array]]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tables = random_tables(rng)
    return tables, [random_evidence(rng, tables) for _ in range(3)]


@pytest.mark.parametrize("native", KERNELS)
@settings(max_examples=100, deadline=None)
@given(problem=problems())
def test_random_networks_equal_the_joint(native: bool, problem: tuple[Tables, list[dict[str, Array]]]) -> None:
    tables, cases = problem
    names = list(tables)
    engine = Engine(tables, [name for name in names if name.startswith("m")], native=native)
    assert engine.program is not None
    for likelihood in cases:
        joint = joint_of(tables, likelihood)
        total = joint.sum()
        if total == 0:
            with pytest.raises(ImpossibleEvidenceError):
                engine.marginals(likelihood, [ENTITY])
            continue
        found = engine.marginals(likelihood, names)
        assert found.evidence_log == pytest.approx(math.log(total), abs=1e-9)
        for name in names:
            np.testing.assert_allclose(found.posterior[name], marginal_of(joint, names, name) / total, atol=1e-12)
        lanes = engine.marginals(likelihood, [SUBTYPE, ENTITY])
        assert list(lanes.posterior) == [SUBTYPE, ENTITY]
        for name in (ENTITY, SUBTYPE):
            np.testing.assert_allclose(lanes.posterior[name], marginal_of(joint, names, name) / total, atol=1e-12)
        below = [n for n in names if n not in likelihood and engine.program.position.get(n) is not None]
        some = engine.marginals(likelihood, [ENTITY, *below])
        for name in below:
            np.testing.assert_allclose(some.posterior[name], marginal_of(joint, names, name) / total, atol=1e-12)


@pytest.mark.parametrize("native", KERNELS)
@settings(max_examples=60, deadline=None)
@given(problem=problems())
def test_every_what_if_is_a_posterior_of_its_own(native: bool, problem: tuple[Tables, list[dict[str, Array]]]) -> None:
    tables, cases = problem
    names = list(tables)
    engine = Engine(tables, native=native)
    for likelihood in cases:
        total = joint_of(tables, likelihood).sum()
        if total == 0:
            continue
        survey = engine.survey(likelihood)
        assert survey.evidence_log == pytest.approx(math.log(total), abs=1e-9)
        information = survey.information()
        for name, joint in survey.what_ifs().items():
            rest = {n: v for n, v in likelihood.items() if n != name}
            wanted = marginal_of(joint_of(tables, rest), names, name, ENTITY)
            np.testing.assert_allclose(joint, wanted / wanted.sum(), atol=1e-12, err_msg=name)
            np.testing.assert_allclose(survey.joint(name), joint, atol=1e-15)
            if name not in likelihood or np.ptp(likelihood[name]) == 0:
                p = wanted / wanted.sum()
                apart = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
                mutual = sum(x * math.log(x / y) for x, y in zip(p.ravel(), apart.ravel(), strict=True) if x > 0)
                assert information[name] == pytest.approx(max(mutual, 0), abs=1e-10)
            else:
                assert name not in information


@pytest.mark.parametrize("native", KERNELS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_batches_equal_one_case_at_a_time(native: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = random_tables(rng)
    cases = [random_evidence(rng, tables) for _ in range(12)]
    names = sorted({name for case in cases for name in case})
    cards = {name: tables[name].values.shape[-1] for name in tables}
    likelihood = {name: np.stack([case.get(name, np.ones(cards[name])) for case in cases]) for name in names}
    found = Engine(tables, native=native).batch_marginals(likelihood, [ENTITY, SUBTYPE], allow_impossible=True)
    wanted = batch_marginals(tables, likelihood, [ENTITY, SUBTYPE], allow_impossible=True)
    np.testing.assert_allclose(found.evidence_log, wanted.evidence_log, atol=1e-9)
    for name in (ENTITY, SUBTYPE):
        np.testing.assert_allclose(found.posterior[name], wanted.posterior[name], atol=1e-12)


def sampled_codes(network: Network, rows: int, rng: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """Codes of features and contexts drawn at random, four in ten of them missing."""
    names = [*network.variables("feature"), *network.variables("context")]
    return {n: np.where(rng.random(rows) < 0.4, -1, rng.integers(len(network.states[n]), size=rows)) for n in names}


def vectors_of(network: Network, codes: Mapping[str, NDArray[np.int64]]) -> dict[str, Array]:
    found = {}
    for name, code in codes.items():
        size = len(network.states[name])
        found[name] = np.where((code < 0)[:, None], 1.0, np.eye(size)[np.maximum(code, 0)])
    return found


@pytest.mark.parametrize("native", KERNELS)
def test_scores_of_codes_on_the_real_network(reasoner: Reasoner, native: bool) -> None:
    network = reasoner.network
    codes = sampled_codes(network, 300, np.random.default_rng(1))
    engine = Engine(network.tables, network.variables("mechanism"), native=native)
    wanted = batch_marginals(network.tables, vectors_of(network, codes), [ENTITY])
    double, double_log = engine.score(codes, dtype=np.float64)
    single, single_log = engine.score(codes, threads=2)
    np.testing.assert_allclose(double, wanted.posterior[ENTITY], atol=1e-12)
    np.testing.assert_allclose(double_log, wanted.evidence_log, atol=1e-9)
    np.testing.assert_allclose(single, wanted.posterior[ENTITY], atol=1e-6)
    np.testing.assert_allclose(single_log, wanted.evidence_log, atol=1e-4)


def test_codes_that_mean_vectors_and_evidence_for_all_rows(reasoner: Reasoner) -> None:
    network = reasoner.network
    engine = network.engine
    rng = np.random.default_rng(2)
    codes = sampled_codes(network, 50, rng)
    features = [name for name in network.variables("feature") if name in network.base_rates]
    meanings = {
        name: np.stack([reported(network, {name: row})[name] for row in np.eye(len(network.states[name]))])
        for name in features
    }
    context = network.variables("context")[0]
    del codes[context]
    given = {ENTITY: np.arange(len(network.states[ENTITY])) % 2 * 1.0, context: np.ones(len(network.states[context]))}
    given[context][0] = 0.2
    likelihood = {**vectors_of(network, codes), **given}
    for name in features:
        seen = codes[name] >= 0
        likelihood[name] = np.where(seen[:, None], meanings[name][np.maximum(codes[name], 0)], 1.0)
    lower = {name: code for name, code in codes.items() if network.layers[name] == "feature"}
    likelihood = {name: v for name, v in likelihood.items() if name in lower or name in given}
    found, log = engine.score(lower, meanings=meanings, given=given, dtype=np.float64)
    wanted = batch_marginals(network.tables, likelihood, [ENTITY])
    np.testing.assert_allclose(found, wanted.posterior[ENTITY], atol=1e-12)
    np.testing.assert_allclose(log, wanted.evidence_log, atol=1e-9)


def test_scores_of_the_reasoner_are_its_posteriors(reasoner: Reasoner) -> None:
    """Reader error and the differential count as in a case."""
    network, rng = reasoner.network, np.random.default_rng(9)
    features = [n for n in network.variables("feature") if network.tables[n].parents == (SUBTYPE,)]
    patient = next(n for n in network.variables("context") if reasoner.reader.variables[n].section == "patient")
    names = [*features[:4], patient]
    codes = {n: rng.integers(-1, len(network.states[n]), size=12) for n in names}
    found, _ = reasoner.score(codes, threads=2)
    for row in range(12):
        said = {n: network.states[n][code[row]] for n, code in codes.items() if code[row] >= 0}
        case = {"patient": {n: s for n, s in said.items() if n == patient}}
        case["lesions"] = [{"findings": {n: s for n, s in said.items() if n != patient}}]  # type: ignore[assignment]
        wanted = reasoner.posterior(case, surprise=False, reasons=False).lesions[0].posterior
        np.testing.assert_allclose(found[row], [wanted[e] for e in reasoner.entities()], atol=1e-6)


def test_chunks_give_what_one_call_gives(reasoner: Reasoner) -> None:
    codes = sampled_codes(reasoner.network, 90, np.random.default_rng(3))
    whole, _ = reasoner.network.engine.score(codes)
    parts = [{name: code[start : start + 40] for name, code in codes.items()} for start in (0, 40, 80)]
    found = np.concatenate([answer for answer, _ in reasoner.network.engine.score_chunks(parts)])
    np.testing.assert_array_equal(found, whole)
    assert list(reasoner.network.engine.score_chunks([])) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nothing": [0, 1]}, "no variable 'nothing'"),
        ({"FEATURE": [0, 1, 1]}, "rows; give each variable one code a row"),
        ({"FEATURE": [0, 99]}, "must be integers below"),
        ({"FEATURE": [0.5, 1.0]}, "must be integers below"),
    ],
)
def test_bad_codes_are_refused(reasoner: Reasoner, change: dict[str, list[float]], message: str) -> None:
    first, second = reasoner.network.variables("feature")[:2]
    codes = {first: np.zeros(2, dtype=np.int64)}
    codes |= {second if name == "FEATURE" else name: np.asarray(code) for name, code in change.items()}
    with pytest.raises(OntologyError, match=message):
        reasoner.network.engine.score(codes)


@pytest.mark.parametrize(
    ("vector", "message"), [([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], "shape"), ([-1.0], "shape|negative")]
)
def test_bad_likelihoods_are_refused(reasoner: Reasoner, vector: list[float], message: str) -> None:
    name = reasoner.network.variables("feature")[0]
    with pytest.raises(OntologyError, match=message):
        reasoner.network.engine.survey({name: np.array(vector)})


@pytest.mark.skipif(library() is None, reason="the kernel was not built")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_instruction_sets_agree(reasoner: Reasoner, dtype: type[np.floating]) -> None:
    network = reasoner.network
    program = compile_program(network.tables, network.variables("mechanism"))
    codes = sampled_codes(network, 200, np.random.default_rng(4))
    rows = evidence_rows(program, vectors_of(network, codes), 200).rows
    answers = [NativeKernel(program, dtype, instructions).run(rows) for instructions in range(level() + 1)]
    assert len(answers) == LEVELS.index(LEVELS[level()]) + 1
    tolerance = 1e-6 if dtype is np.float32 else 1e-13
    for answer in answers[1:]:
        np.testing.assert_allclose(answer.entity, answers[0].entity, atol=tolerance)


@pytest.mark.parametrize("native", KERNELS)
@pytest.mark.parametrize("rate", [0.01, 1e-6])
def test_six_hundred_rare_findings_stay_exact(native: bool, rate: float) -> None:
    """Each finding is seen in a share of one lane, then of the other: the products differ by far more than a float."""
    count = 600
    tables: Tables = {
        ENTITY: Table(ENTITY, (), np.array([0.5, 0.5])),
        SUBTYPE: Table(SUBTYPE, (ENTITY,), np.eye(2)),
    }
    for i in range(count):
        common = i % 2
        seen = np.array([0.5, rate])[[common, 1 - common]]
        tables[f"f{i}"] = Table(f"f{i}", (SUBTYPE,), np.stack([1 - seen, seen], axis=-1))
    order = sorted(range(count), key=lambda i: i % 2)  # all that favour the one first, then all that favour the other
    likelihood = {f"f{i}": np.array([0.0, 1.0]) for i in order}
    engine = Engine(tables, native=native)
    found = engine.marginals(likelihood, [ENTITY])
    assert found.evidence_log == pytest.approx(count / 2 * math.log(0.5 * rate), rel=1e-12)
    np.testing.assert_allclose(found.posterior[ENTITY], [0.5, 0.5], atol=1e-9)
    log = engine.batch_marginals({n: v[None] for n, v in likelihood.items()}, []).evidence_log
    assert log[0] == pytest.approx(found.evidence_log, rel=1e-12)
    for dtype in (np.float32, np.float64):
        scores, _ = engine.score({name: np.ones(3, dtype=np.int64) for name in likelihood}, dtype=dtype)
        np.testing.assert_allclose(scores, 0.5, atol=1e-5 if dtype is np.float32 else 1e-9)


def test_impossible_rows_are_told_apart_from_rare_ones() -> None:
    tables = random_tables(np.random.default_rng(0))
    tables = {name: table for name, table in tables.items() if name in (ENTITY, SUBTYPE) or not table.parents}
    tables[ENTITY] = Table(ENTITY, (), np.array([0.5, 0.5]))
    tables[SUBTYPE] = Table(SUBTYPE, (ENTITY,), np.eye(2))
    tables["f"] = Table("f", (SUBTYPE,), np.array([[1.0, 0.0], [1.0, 0.0]]))
    tables = {name: tables[name] for name in (ENTITY, SUBTYPE, "f")}
    scores, log = Engine(tables).score({"f": np.array([0, 1, -1])})
    np.testing.assert_allclose(scores, [[0.5, 0.5], [0, 0], [0.5, 0.5]])
    assert np.isneginf(log).tolist() == [False, True, False]
    with pytest.raises(ImpossibleEvidenceError) as caught:
        Engine(tables).batch_marginals({"f": np.eye(2)}, [ENTITY])
    assert "evidence set 1" in str(caught.value)


def test_a_network_of_another_shape_goes_to_general_elimination() -> None:
    rng = np.random.default_rng(5)
    tables = {
        f"v{i}": Table(f"v{i}", (f"v{i - 1}",) if i else (), rng.dirichlet([1, 1], size=[2] * bool(i)))
        for i in range(5)
    }
    engine = Engine(tables)
    assert engine.program is None
    evidence = {"v4": np.array([0.0, 1.0])}
    wanted = marginals(tables, evidence, ["v0"]).posterior["v0"]
    np.testing.assert_allclose(engine.marginals(evidence, ["v0"]).posterior["v0"], wanted)
    with pytest.raises(TooWideError):
        engine.survey(evidence)
    tables[ENTITY], evidence = Table(ENTITY, ("v4",), np.array([[0.2, 0.8], [0.7, 0.3]])), {"v0": np.array([1.0, 0.0])}
    wanted = marginals(tables, evidence, [ENTITY]).posterior[ENTITY]
    scores, _ = Engine(tables).score({"v0": np.array([0, 0])})
    np.testing.assert_allclose(scores, [wanted, wanted])


def test_too_many_bits_and_too_wide_steps_go_to_general_elimination(monkeypatch: pytest.MonkeyPatch) -> None:
    def wide(causes: int, together: int) -> Tables:
        tables: Tables = {
            ENTITY: Table(ENTITY, (), np.array([0.5, 0.5])),
            SUBTYPE: Table(SUBTYPE, (ENTITY,), np.eye(2)),
        }
        rng = np.random.default_rng(6)
        for i in range(causes):
            tables[f"m{i}"] = Table(f"m{i}", (SUBTYPE,), rng.dirichlet([1, 1], size=2))
        for i, pair in enumerate(itertools.combinations(range(together), 2)):
            parents = tuple(f"m{m}" for m in pair)
            tables[f"f{i}"] = Table(f"f{i}", (SUBTYPE, *parents), rng.dirichlet([1, 1], size=(2, 2, 2)))
        for i in range(together, causes):
            tables[f"g{i}"] = Table(f"g{i}", (SUBTYPE, f"m{i}"), rng.dirichlet([1, 1], size=(2, 2)))
        return tables

    many = wide(63, 3)
    assert Engine(many).program is None
    seen = {name: np.array([0.0, 1.0]) for name in many if name[0] in "fg"}
    wanted = marginals(many, seen, [ENTITY])
    np.testing.assert_allclose(Engine(many).marginals(seen, [ENTITY]).posterior[ENTITY], wanted.posterior[ENTITY])
    monkeypatch.setattr("hepagraph.inference.engine.native.SCRATCH_BYTES", 2**15)
    monkeypatch.setattr("hepagraph.inference.engine.numpy_kernel.MAXIMUM_STEP_BITS", 6)
    monkeypatch.setattr("hepagraph.inference.engine.survey.MAXIMUM_STEP_BITS", 6)
    broad = wide(10, 10)
    seen = {name: np.array([0.0, 1.0]) for name in broad if name[0] == "f"}
    wanted = marginals(broad, seen, [ENTITY])
    for native in {library() is not None, False}:
        engine = Engine(broad, native=native)
        assert engine.program is not None
        found = engine.marginals(seen, [ENTITY])
        np.testing.assert_allclose(found.posterior[ENTITY], wanted.posterior[ENTITY], atol=1e-9)
        scores, logs = engine.score({name: np.array([1, 1]) for name in seen})
        np.testing.assert_allclose(scores, [wanted.posterior[ENTITY]] * 2, atol=1e-9)
        np.testing.assert_allclose(logs, wanted.evidence_log, atol=1e-9)
        with pytest.raises(TooWideError):
            engine.survey(seen)
        log = engine.batch_marginals({n: v[None] for n, v in seen.items()}, [ENTITY]).evidence_log
        assert log[0] == pytest.approx(wanted.evidence_log, abs=1e-9)


def test_folding_keeps_the_distribution_of_what_is_left(reasoner: Reasoner) -> None:
    network = reasoner.network
    folded = fold_private(network.tables, network.variables("mechanism"))
    assert len(folded) < len(network.tables)
    rng = np.random.default_rng(7)
    names = [n for n in network.variables("feature") if rng.random() < 0.3]
    likelihood = {n: rng.random(len(network.states[n])) for n in names}
    wanted = marginals(network.tables, likelihood, [ENTITY, SUBTYPE])
    found = marginals(folded, likelihood, [ENTITY, SUBTYPE])
    assert found.evidence_log == pytest.approx(wanted.evidence_log, abs=1e-12)
    np.testing.assert_allclose(found.posterior[SUBTYPE], wanted.posterior[SUBTYPE], atol=1e-12)


def test_threads_share_one_engine(reasoner: Reasoner) -> None:
    network = reasoner.network
    rng = np.random.default_rng(8)
    cases = []
    for _ in range(24):
        chosen = rng.choice(network.variables("feature"), size=6, replace=False)
        cases.append({str(n): np.eye(len(network.states[n]))[rng.integers(len(network.states[n]))] for n in chosen})
    engine = Engine(network.tables, network.variables("mechanism"))
    wanted = [marginals(network.tables, case, [ENTITY]).posterior[ENTITY] for case in cases]
    worst: list[float] = []

    def work(start: int) -> None:
        for i in range(200):
            at = (start + i) % len(cases)
            found = engine.marginals(cases[at], [ENTITY]).posterior[ENTITY]
            worst.append(float(np.abs(found - wanted[at]).max()))

    threads = [threading.Thread(target=work, args=(7 * i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(worst) == 1200
    assert max(worst) < 1e-12


def test_without_the_native_kernel_it_says_so_once_and_answers_alike(reasoner: Reasoner) -> None:
    script = (
        "import logging, sys; logging.basicConfig(stream=sys.stderr)\n"
        "import numpy as np\n"
        "from hepagraph.inference.engine import Engine\n"
        "from hepagraph.inference.network import Table\n"
        "tables = {'entity': Table('entity', (), np.array([.25, .75])),"
        " 'subtype': Table('subtype', ('entity',), np.eye(2)),"
        " 'f': Table('f', ('subtype',), np.array([[.5, .5], [.1, .9]]))}\n"
        "for _ in range(3): print(Engine(tables).score({'f': np.array([0])})[0].tolist())\n"
    )
    environment = {**os.environ, "HEPAGRAPH_NATIVE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    lines = done.stdout.split("\n")[:3]
    assert len(set(lines)) == 1
    np.testing.assert_allclose(np.array(eval(lines[0])), [[0.125 / 0.2, 0.075 / 0.2]], atol=1e-6)  # noqa: S307
    assert done.stderr.count("native kernel") == 1


def test_the_kernel_is_built_here() -> None:
    """CI has a compiler; a build that silently fell back would make every other test compare NumPy with itself."""
    if os.environ.get("HEPAGRAPH_NATIVE") == "0":
        pytest.skip("switched off")
    assert library() is not None
    assert logging.getLogger("hepagraph.inference.engine").handlers == []
