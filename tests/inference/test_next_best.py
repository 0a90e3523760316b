"""Information by hand and by brute force, and the direction that is published."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hepagraph.inference import Reasoner, marginals
from hepagraph.inference.network import ENTITY
from hepagraph.inference.next_best import entropy, information, joint_reports, next_best
from hepagraph.inference.replicates import reading_error

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def told(data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((data / "next_best_cases.json").read_text(encoding="utf-8"))
    return found


def test_information_by_hand() -> None:
    assert entropy(np.array([0.25] * 4)) == 2
    assert information(np.full((2, 2), 0.25)) == 0
    assert information(np.diag([0.25, 0.75])) == pytest.approx(entropy(np.array([0.25, 0.75])))


def brute(reasoner: Reasoner, given: dict[str, Array], channels: dict[str, Array]) -> float:
    """The mutual information from the probability of every combination of reports, one network query each."""
    joint = []
    for reports in itertools.product(*(range(len(channel)) for channel in channels.values())):
        seen = {n: c[r] for (n, c), r in zip(channels.items(), reports, strict=True)}
        found = marginals(reasoner.network.tables, {**given, **seen}, [ENTITY])
        joint.append(found.posterior[ENTITY] * np.exp(found.evidence_log))
    p = np.array(joint) / np.sum(joint)
    apart = p.sum(axis=0, keepdims=True) * p.sum(axis=1, keepdims=True)
    return float(sum(x * np.log2(x / y) for x, y in zip(p.ravel(), apart.ravel(), strict=True) if x > 0))


def test_information_of_findings_together_equals_brute_force(skin: Reasoner) -> None:
    network, rng = skin.network, np.random.default_rng(0)
    features = network.variables("feature")
    for _ in range(6):
        names = [str(n) for n in rng.choice(features, size=min(3, len(features)), replace=False)]
        channels = {n: reading_error(rng.dirichlet(np.ones(len(network.states[n]))), 0.2) for n in names[:2]}
        given = {names[-1]: rng.random(len(network.states[names[-1]]))} if len(names) > 2 else {}
        found = information(joint_reports(skin, given, channels))
        assert found == pytest.approx(brute(skin, given, channels), abs=1e-9)


def test_looks_equal_brute_force_on_the_real_network(reasoner: Reasoner, told: dict[str, Any]) -> None:
    network = reasoner.network
    case = reasoner.read(told["slow_one"]["case"])
    (found,) = next_best(reasoner, case)
    (evidence,) = reasoner.prepare(case, reasoner.entities())
    now = marginals(network.tables, evidence.likelihood, [ENTITY]).posterior[ENTITY]
    assert found.uncertainty == pytest.approx(entropy(now), abs=1e-9)
    assert found.looks == tuple(sorted(found.looks, key=lambda look: (-look.information, look.variable)))
    for look in found.looks[:6]:
        base = network.base_rates.get(look.variable)
        size = len(network.states[look.variable])
        channel = np.eye(size) if base is None else reading_error(base, network.reporting_error)
        wanted = brute(reasoner, dict(evidence.likelihood), {look.variable: channel})
        assert look.information == pytest.approx(wanted, abs=1e-9)
        assert sum(p for _, p, _ in look.outcomes) == pytest.approx(1, abs=1e-9)
        changed = sum(p for _, p, entity in look.outcomes if entity != found.leading)
        assert look.chance_of_change == pytest.approx(changed, abs=1e-12)


def test_what_separates_the_two_best(reasoner: Reasoner, told: dict[str, Any]) -> None:
    network = reasoner.network
    case = reasoner.read(told["slow_one"]["case"])
    (found,) = next_best(reasoner, case)
    (evidence,) = reasoner.prepare(case, reasoner.entities())
    assert found.rival is not None and found.separator is not None
    pair = np.array([float(entity in (found.leading, found.rival)) for entity in network.states[ENTITY]])
    given = {**evidence.likelihood, ENTITY: evidence.likelihood[ENTITY] * pair}
    worth = {}
    for name in network.variables("feature"):
        if name not in case.lesions[0].findings:
            base, size = network.base_rates.get(name), len(network.states[name])
            channel = np.eye(size) if base is None else reading_error(base, network.reporting_error)
            worth[name] = brute(reasoner, given, {name: channel})
    assert found.separator[0] == max(worth, key=lambda name: worth[name])
    assert found.separator[1] == pytest.approx(max(worth.values()), abs=1e-9)


@pytest.mark.parametrize("name", ["agent_tells_two_apart", "slow_one"])
def test_the_published_direction(reasoner: Reasoner, told: dict[str, Any], name: str) -> None:
    """Published: which agent settles which question. Other modalities may tell more; among agents of one
    modality the published one comes first."""
    case = told[name]["case"]
    (found,) = next_best(reasoner, reasoner.read(case), prior=told[name]["prior"])
    own = [p for p in found.protocols if p.modality == case["exam"][0]["modality"]]
    assert own[0].agent == told[name]["first"]
    assert told[name]["finding"] in own[0].findings
    assert all(look.variable not in case["lesions"][0]["findings"] for look in found.looks)


def test_nothing_further_is_said_where_nothing_is_open(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    lesion = {"findings": next(iter(expected["typical"].values()))}
    case = reasoner.read({"lesions": [lesion]})
    (found,) = next_best(reasoner, case)
    assert found.enough == all(look.information < 0.05 for look in found.looks)
    assert found.protocols == ()  # no examination was listed, so everything is assessable already
    assert json.dumps(found.to_dict())
