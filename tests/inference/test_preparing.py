"""What reaches the network besides the findings: reporting error, a prior of one's own, other lesions, the examination."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hepagraph.inference import Reasoner, marginals
from hepagraph.inference.network import ENTITY
from hepagraph.inference.reporting import reported
from hepagraph.ontology import CaseError, UnknownKeyError


def typical(expected: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in expected["case"].items() if key != "id"}


def test_a_second_typical_lesion_informs_the_first(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    case = typical(expected)
    bare = {"id": "bare", "findings": {}}
    alone = reasoner.posterior({**case, "lesions": [bare]}).lesions[0]
    leading = reasoner.posterior(case).lesions[0].leading
    first = {**case["lesions"][0], "id": "typical"}
    both = reasoner.posterior({**case, "lesions": [bare, first]}).lesions
    assert alone.posterior_alone is None
    assert both[0].posterior_alone == pytest.approx(alone.posterior, abs=1e-9)
    assert both[0].posterior[leading] > alone.posterior[leading] + 0.05


def test_one_lesion_given_twice_is_not_two_witnesses_of_itself(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    """The other lesion says something, but less than the same findings once more on the same lesion would."""
    case = typical(expected)
    lesion = {key: value for key, value in case["lesions"][0].items() if key != "id"}
    one = reasoner.posterior({**case, "lesions": [lesion]}).lesions[0]
    two = reasoner.posterior({**case, "lesions": [lesion, lesion]}).lesions[0]
    assert two.posterior[one.leading] > one.posterior[one.leading]
    assert sum(two.posterior.values()) == pytest.approx(1, abs=1e-12)


def test_reporting_error_bounds_what_one_finding_can_do(reasoner: Reasoner) -> None:
    network = reasoner.network
    for name in network.base_rates:
        for state in range(len(network.states[name])):
            vector = np.eye(len(network.states[name]))[state]
            seen = reported(network, {name: vector})[name]
            assert seen.min() == pytest.approx(network.reporting_error * network.base_rates[name][state])
            assert seen.max() == pytest.approx(1 - network.reporting_error + seen.min())


def test_measured_and_context_variables_are_taken_as_they_are(reasoner: Reasoner) -> None:
    names = [n for n in reasoner.network.states if n not in reasoner.network.base_rates and n != ENTITY]
    assert set(names) >= set(reasoner.network.variables("context"))
    for name in names:
        vector = np.eye(len(reasoner.network.states[name]))[0]
        np.testing.assert_array_equal(reported(reasoner.network, {name: vector})[name], vector)


def test_prior_of_ones_own_is_the_answer_without_findings(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    entities = reasoner.entities()
    prior = {entity: weight + 1.0 for weight, entity in enumerate(entities)}
    patient = typical(expected)["patient"]
    answer = reasoner.posterior({"patient": patient, "lesions": [{"findings": {}}]}, prior=prior).lesions[0]
    total = sum(prior.values())
    assert answer.posterior == pytest.approx({e: w / total for e, w in prior.items()}, abs=1e-9)


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), 10**400, "y", None, [], True])
def test_bad_prior_is_refused(reasoner: Reasoner, weight: Any) -> None:
    entities = reasoner.entities()
    case = {"lesions": [{"findings": {}}]}
    with pytest.raises(CaseError, match="no positive number"):
        reasoner.posterior(case, prior=dict.fromkeys(entities, weight))
    with pytest.raises(CaseError, match=f"no weight for .*{entities[-1]}"):
        reasoner.posterior(case, prior=dict.fromkeys(entities[:-1], 1.0))
    with pytest.raises(UnknownKeyError, match=f"did you mean {entities[0]}"):
        reasoner.posterior(case, prior={**dict.fromkeys(entities, 1.0), entities[0][:-1]: 1.0})


@pytest.mark.parametrize("weight", [1.7e308, 5e-324])
def test_only_the_ratios_of_a_prior_count(reasoner: Reasoner, weight: float) -> None:
    case, entities = {"lesions": [{"findings": {}}]}, reasoner.entities()
    (lesion,) = reasoner.posterior(case, prior=dict.fromkeys(entities, weight)).lesions
    assert lesion.posterior == pytest.approx(dict.fromkeys(entities, 1 / len(entities)))


def test_the_examination_decides_what_it_can(reasoner: Reasoner) -> None:
    """A variable whose states modalities or agents cover is set by the examination, and by nothing else."""
    derived = {name: v for name, v in reasoner.reader.variables.items() if v.covers}
    assert derived
    nodes = {node: (v.name, n) for v in reasoner.reader.variables.values() for n, node in v.nodes.items()}
    for name, variable in derived.items():
        for state, covered in variable.covers.items():
            for node in covered:
                exam_key, notation = nodes[node]
                case = reasoner.read({"exam": {exam_key: notation}, "lesions": [{"findings": {}}]})
                seen = dict(zip(variable.states, case.context[name].likelihood, strict=True))
                assert seen == {s: float(s == state) for s in variable.states}
        assert name not in reasoner.read({"lesions": [{"findings": {}}]}).context


def test_conditions_reach_the_features_that_evidence_ties_to_them(reasoner: Reasoner) -> None:
    """Every declared condition that some statement speaks of is a parent, and changes the feature's distribution."""
    skeleton, network = reasoner.skeleton, reasoner.network
    pairs = [(c, f) for f in skeleton.features for c in skeleton.conditions(f)]
    assert len(pairs) >= 15
    for condition, feature in pairs:
        assert condition in network.tables[feature].parents
        answers = [
            marginals(network.tables, {condition: np.eye(len(network.states[condition]))[state]}, [feature]).posterior
            for state in range(len(network.states[condition]))
        ]
        assert np.ptp(np.stack([a[feature] for a in answers]), axis=0).max() > 1e-3
