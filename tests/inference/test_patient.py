"""Several lesions of one patient against the written-out joint, and a single lesion against the ordinary answer."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hepagraph.inference import Reasoner, marginals
from hepagraph.inference.patient import patient_marginals, split_patient_level
from hepagraph.inference.sharing import shared_posterior, sharing_kernel, subtype_evidence
from hepagraph.kg.surprise import SharingPolicy, patient_level_features, read_sharing_policy
from hepagraph.ontology import ContradictionError, ImpossibleEvidenceError

Array = NDArray[np.float64]
HALF = SharingPolicy(0.5, 0.2)


def brute_force(prior: Array, likelihood: Array, kernel: Array) -> tuple[Array, Array, float]:
    """Posteriors of every lesion and of the dominant subtype, and log P, by writing out the whole joint."""
    lesions, states = likelihood.shape
    joint = np.zeros((states,) * (lesions + 1))
    for c, *kinds in itertools.product(range(states), repeat=lesions + 1):
        joint[(c, *kinds)] = prior[c] * np.prod([kernel[c, s] * likelihood[i, s] for i, s in enumerate(kinds)])
    axes = range(lesions + 1)
    margins = [joint.sum(axis=tuple(a for a in axes if a != axis)) / joint.sum() for axis in axes]
    return np.array(margins[1:]), margins[0], float(np.log(joint.sum()))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 5))
def test_random_likelihoods_equal_the_joint(seed: int, lesions: int, states: int) -> None:
    rng = np.random.default_rng(seed)
    prior = rng.dirichlet(np.ones(states))
    groups = [str(rng.integers(2)) for _ in range(states)]
    shares = rng.dirichlet(np.ones(3))
    kernel = sharing_kernel(prior, groups, SharingPolicy(float(shares[0]), float(shares[1])))
    np.testing.assert_allclose(kernel.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(prior @ kernel, prior, atol=1e-12)
    likelihood = rng.random((lesions, states)) * (rng.random((lesions, states)) > 0.2) + np.eye(states)[0] * 1e-6
    with np.errstate(divide="ignore"):
        found = shared_posterior(prior, np.log(likelihood), kernel)
    posterior, dominant, log = brute_force(prior, likelihood, kernel)
    np.testing.assert_allclose(found.lesions, posterior, atol=1e-12)
    np.testing.assert_allclose(found.dominant, dominant, atol=1e-12)
    assert found.evidence_log == pytest.approx(log, abs=1e-10)


def test_two_lesions_by_hand() -> None:
    # prior 1/2 each, share 1/2: P(second alike | first) = 1/2 + 1/2 x 1/2 = 3/4
    prior = np.array([0.5, 0.5])
    kernel = sharing_kernel(prior, ["a", "b"], SharingPolicy(0.5, 0.0))
    with np.errstate(divide="ignore"):
        found = shared_posterior(prior, np.log([[1.0, 0.0], [1.0, 1.0]]), kernel)
    # P(c = first) = 3/4 after the sure lesion, so the other is of the first kind with 3/4 x 3/4 + 1/4 x 1/4 = 5/8
    np.testing.assert_allclose(found.lesions, [[1.0, 0.0], [5 / 8, 3 / 8]], atol=1e-15)
    np.testing.assert_allclose(found.dominant, [3 / 4, 1 / 4], atol=1e-15)


def test_a_thousand_lesions_neither_underflow_nor_lose_the_answer() -> None:
    prior = np.array([0.5, 0.5])
    log = np.tile([-800.0, -801.0], (1000, 1))
    found = shared_posterior(prior, log, sharing_kernel(prior, ["a", "b"], SharingPolicy(1.0, 0.0)))
    assert found.evidence_log == pytest.approx(np.log(0.5) - 800_000)
    np.testing.assert_allclose(found.lesions[0], [1, 0], atol=1e-12)


def test_sharing_nothing_keeps_lesions_apart_and_sharing_all_makes_them_one() -> None:
    prior, likelihood = np.array([0.2, 0.8]), np.array([[0.9, 0.1], [0.5, 0.6]])
    apart = shared_posterior(prior, np.log(likelihood), sharing_kernel(prior, ["a", "b"], SharingPolicy(0.0, 0.0)))
    own = prior * likelihood
    np.testing.assert_allclose(apart.lesions, own / own.sum(axis=1, keepdims=True), atol=1e-12)
    alike = shared_posterior(prior, np.log(likelihood), sharing_kernel(prior, ["a", "b"], SharingPolicy(1.0, 0.0)))
    both = prior * likelihood.prod(axis=0)
    np.testing.assert_allclose(alike.lesions, [both / both.sum()] * 2, atol=1e-12)


def test_lesions_that_cannot_be_together_are_a_typed_error() -> None:
    prior = np.array([0.5, 0.5])
    with np.errstate(divide="ignore"):
        log = np.log(np.eye(2))
    with pytest.raises(ImpossibleEvidenceError, match="all lesions together"):
        shared_posterior(prior, log, sharing_kernel(prior, ["a", "b"], SharingPolicy(1.0, 0.0)))


def random_lesions(reasoner: Reasoner, count: int) -> tuple[dict[str, Array], list[dict[str, Array]]]:
    network, rng = reasoner.network, np.random.default_rng(count)
    context = {name: rng.random(len(network.states[name])) + 0.1 for name in network.variables("context")}
    names = network.variables("feature")
    return context, [
        {n: rng.random(len(network.states[n])) + 0.01 for n in names if rng.random() < 0.6} for _ in range(count)
    ]


@pytest.mark.parametrize("toy", ["coin", "skin"])
def test_one_lesion_keeps_its_ordinary_answer(toy: str, request: pytest.FixtureRequest) -> None:
    reasoner: Reasoner = request.getfixturevalue(toy)
    context, lesions = random_lesions(reasoner, 1)
    (found,), shared = patient_marginals(
        reasoner.network, context, lesions, reasoner.network.states, HALF, patient_level=list(lesions[0])[:1]
    )
    wanted = marginals(reasoner.network.tables, {**context, **lesions[0]}, reasoner.network.states)
    assert found.evidence_log == pytest.approx(wanted.evidence_log, abs=1e-12)
    for name in reasoner.network.states:
        np.testing.assert_allclose(found.posterior[name], wanted.posterior[name], atol=1e-12)
    np.testing.assert_allclose(shared.lesions[0], wanted.posterior["subtype"], atol=1e-12)


@pytest.mark.parametrize("toy", ["coin", "skin"])
def test_two_lesions_of_a_toy_equal_the_joint(toy: str, request: pytest.FixtureRequest) -> None:
    network = request.getfixturevalue(toy).network
    context, lesions = random_lesions(request.getfixturevalue(toy), 2)
    answers, _ = patient_marginals(network, context, lesions, network.states, HALF)
    prior = marginals(network.tables, context, ["subtype"])
    kernel = sharing_kernel(prior.posterior["subtype"], [network.parent_of[s] for s in network.states["subtype"]], HALF)
    likelihood = np.zeros((2, len(prior.posterior["subtype"])))
    for i, s in itertools.product(range(2), range(likelihood.shape[1])):  # P(findings | s) by conditioning on s itself
        fixed = {"subtype": np.eye(likelihood.shape[1])[s]}
        given_s = marginals(network.tables, {**context, **fixed}, []).evidence_log
        likelihood[i, s] = np.exp(
            marginals(network.tables, {**context, **lesions[i], **fixed}, []).evidence_log - given_s
        )
    posterior, _, _ = brute_force(prior.posterior["subtype"], likelihood, kernel)
    for i in range(2):
        np.testing.assert_allclose(answers[i].posterior["subtype"], posterior[i], atol=1e-12)
        for name in network.states:  # the law of total probability over the subtype
            total = np.zeros(len(network.states[name]))
            for s, weight in enumerate(posterior[i]):
                fixed = {"subtype": np.eye(likelihood.shape[1])[s]}
                total += weight * marginals(network.tables, {**context, **lesions[i], **fixed}, [name]).posterior[name]
            np.testing.assert_allclose(answers[i].posterior[name], total, atol=1e-11)


def test_a_sure_lesion_draws_a_doubtful_one_towards_itself(coin: Reasoner) -> None:
    heads = np.array([1.0, 0.0])
    biased = coin.network.states["entity"].index("biased")
    alone = marginals(coin.network.tables, {"toss": heads}, ["entity"]).posterior["entity"][biased]
    (first, second), _ = patient_marginals(coin.network, {}, [{"toss": heads}, {}], ["entity"], HALF)
    assert first.posterior["entity"][biased] == pytest.approx(alone, abs=1e-12)
    assert 0.25 < second.posterior["entity"][biased] < alone
    (first, second), _ = patient_marginals(coin.network, {}, [{"toss": heads}] * 2, ["entity"], HALF)
    assert first.posterior["entity"][biased] > alone


def test_findings_of_the_patient_count_once() -> None:
    one, two = {"n": np.array([0.0, 1, 1]), "f": np.array([1.0, 0])}, {"n": np.array([0.0, 1, 1])}
    shared, rest = split_patient_level([one, two, {"f": np.array([0.0, 1])}], ["n"])
    np.testing.assert_array_equal(shared["n"], [0, 1, 1])
    assert [list(lesion) for lesion in rest] == [["f"], [], ["f"]]
    with pytest.raises(ContradictionError, match="lesions / finding n"):
        split_patient_level([one, {"n": np.array([1.0, 0, 0])}], ["n"])


def test_impossible_findings_name_the_lesion(coin: Reasoner) -> None:
    with pytest.raises(ImpossibleEvidenceError, match="lesion 2: "):
        patient_marginals(coin.network, {}, [{}, {"toss": np.zeros(2)}], ["entity"], HALF)


def test_subtype_evidence_undoes_the_earlier_posterior() -> None:
    after, before = np.array([0.6, 0.4, 0.0]), np.array([0.2, 0.8, 0.0])
    moved = before * subtype_evidence(after, before)
    np.testing.assert_allclose(moved / moved.sum(), after, atol=1e-15)


def test_the_ontology_says_how_alike_lesions_are_and_what_describes_the_patient(reasoner: Reasoner) -> None:
    sharing = read_sharing_policy(reasoner.graph)
    assert 0 < sharing.same_subtype_share + sharing.same_entity_share < 1
    features = patient_level_features(reasoner.graph)
    assert features
    assert set(features) <= set(reasoner.network.variables("feature"))
