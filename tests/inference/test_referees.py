"""The real network against pgmpy's variable elimination and against pyAgrum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hepagraph.inference import Reasoner, marginals
from hepagraph.inference.network import ENTITY, SUBTYPE, Network
from hepagraph.inference.pgmpy_model import pgmpy_posterior, to_pgmpy
from hepagraph.inference.reporting import reported

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def model(reasoner: Reasoner) -> Any:
    return to_pgmpy(reasoner.network)


def random_evidence(network: Network, rng: np.random.Generator, most: int) -> dict[str, Array]:
    """Hard, grouped, soft and missing evidence on features and context."""
    names = [*network.variables("feature"), *network.variables("context")]
    chosen = rng.choice(names, size=rng.integers(0, most + 1), replace=False)
    likelihood = {}
    for name in map(str, chosen):
        size, kind = len(network.states[name]), rng.integers(3)
        hard = np.eye(size)[rng.integers(size)]
        group = np.where(rng.random(size) < 0.5, 1.0, 0.0)
        likelihood[name] = (hard, group if group.any() else hard, rng.random(size) + 0.01)[kind]
    return likelihood


def test_pgmpy_agrees_on_the_real_network(reasoner: Reasoner, model: Any) -> None:
    rng = np.random.default_rng(11)
    for round_ in range(60):
        likelihood = random_evidence(reasoner.network, rng, 12)
        mechanism = str(rng.choice(reasoner.network.variables("mechanism")))
        target = (ENTITY, SUBTYPE, mechanism)[round_ % 3]
        wanted = pgmpy_posterior(model, reasoner.network, likelihood, target)
        found = marginals(reasoner.network.tables, likelihood, [target]).posterior[target]
        np.testing.assert_allclose(found, wanted, atol=1e-9, err_msg=str(sorted(likelihood)))


def test_pgmpy_agrees_on_a_case_with_every_kind_of_finding(
    reasoner: Reasoner, model: Any, expected: dict[str, Any]
) -> None:
    case = reasoner.read(expected["case"])
    seen = {**case.context, **case.lesions[0].findings}
    likelihood = reported(reasoner.network, {name: np.array(finding.likelihood) for name, finding in seen.items()})
    member = [float(e in expected["six"]) for e in reasoner.network.states[ENTITY]]
    wanted = pgmpy_posterior(model, reasoner.network, {**likelihood, ENTITY: np.array(member)}, ENTITY)
    answer = reasoner.posterior(case).lesions[0]
    for entity, probability in answer.posterior.items():
        assert probability == pytest.approx(wanted[reasoner.network.states[ENTITY].index(entity)], abs=1e-9)
    assert answer.leading == expected["leading"]


def test_pyagrum_agrees_on_the_real_network(reasoner: Reasoner) -> None:
    gum = pytest.importorskip("pyagrum")
    network = reasoner.network
    bn = gum.BayesNet()
    for name, states in network.states.items():
        bn.add(gum.LabelizedVariable(name, name, list(states)))
    for name, table in network.tables.items():
        for parent in table.parents:
            bn.addArc(parent, name)
        cpt, order = bn.cpt(name), list(bn.cpt(name).names)
        axes = [table.scope.index(variable) for variable in reversed(order)]
        cpt.fillWith(list(np.transpose(table.values, axes).ravel()))
    rng = np.random.default_rng(5)
    for _ in range(60):
        likelihood = random_evidence(network, rng, 12)
        engine = gum.LazyPropagation(bn)
        engine.setEvidence({name: list(vector) for name, vector in likelihood.items()})
        engine.setTargets({ENTITY})
        engine.makeInference()
        wanted = engine.posterior(ENTITY).toarray()
        found = marginals(network.tables, likelihood, [ENTITY]).posterior[ENTITY]
        np.testing.assert_allclose(found, wanted, atol=1e-9)
