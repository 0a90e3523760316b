"""The joint optimum equals brute force on small networks, and nothing beside it is better on the real one."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hepagraph.inference import Reasoner, marginals
from hepagraph.inference.most_probable import joint_optimum, most_probable
from hepagraph.inference.network import ENTITY, SUBTYPE, Network

Array = NDArray[np.float64]


def log_joint(network: Network, likelihood: dict[str, Array], states: dict[str, int]) -> float:
    """log P(states and evidence), by asking for the probability of the evidence with the states nailed down."""
    nailed = dict(likelihood)
    for name, state in states.items():
        nailed[name] = nailed.get(name, np.ones(len(network.states[name]))) * np.eye(len(network.states[name]))[state]
        if not nailed[name].any():
            return -np.inf
    try:
        return marginals(network.tables, nailed, [ENTITY]).evidence_log
    except ValueError:
        return -np.inf


def test_joint_optimum_equals_brute_force(skin: Reasoner) -> None:
    network, rng = skin.network, np.random.default_rng(0)
    features = network.variables("feature")
    for _ in range(40):
        chosen = rng.choice(features, size=int(rng.integers(1, len(features) + 1)), replace=False)
        likelihood = {str(n): rng.random(len(network.states[str(n)])) for n in chosen}
        targets = [SUBTYPE, *network.variables("mechanism")]
        every = itertools.product(*(range(len(network.states[name])) for name in targets))
        wanted = max(log_joint(network, likelihood, dict(zip(targets, states, strict=True))) for states in every)
        best, log = joint_optimum(network.tables, likelihood, targets)
        assert log == pytest.approx(wanted, abs=1e-9)
        assert log_joint(network, likelihood, best) == pytest.approx(wanted, abs=1e-9)


def test_explanations_of_the_real_network(reasoner: Reasoner, root: Path) -> None:
    network = reasoner.network
    for file in sorted((root / "examples").glob("*.json"))[:6]:
        case = reasoner.read(json.loads(file.read_text(encoding="utf-8")))
        prepared = reasoner.prepare(case, reasoner.entities())
        answers = reasoner.posterior(case, surprise=False, reasons=False).lesions
        for evidence, found, answer in zip(prepared, most_probable(reasoner, case), answers, strict=True):
            assert [e.entity for e in found] != [] and len({e.entity for e in found}) == len(found)
            assert [e.probability for e in found] == sorted((e.probability for e in found), reverse=True)
            assert all(e.probability <= answer.posterior[e.entity] + 1e-12 for e in found)
            likelihood = dict(evidence.likelihood)
            whole = marginals(network.tables, likelihood, [ENTITY]).evidence_log
            best = found[0]
            states = {SUBTYPE: network.states[SUBTYPE].index(best.subtype)}
            states |= dict.fromkeys(best.absent, 0) | dict.fromkeys(best.present, 1)
            assert network.parent_of[best.subtype] == best.entity
            assert np.exp(log_joint(network, likelihood, states) - whole) == pytest.approx(best.probability, abs=1e-9)
            for name in states:  # no neighbour with one of them changed is more probable
                for state in range(len(network.states[name])):
                    near = log_joint(network, likelihood, {**states, name: state})
                    assert np.exp(near - whole) <= best.probability + 1e-9


def test_mechanisms_that_bear_on_nothing_are_left_out(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    (found,) = most_probable(reasoner, reasoner.read({"lesions": [{"findings": {}}]}))
    assert all(not e.present and not e.absent for e in found)
    assert {e.entity for e in found} == set(expected["six"])
