"""Traits are the network's own shares, look-alikes what simulated lesions are taken for, and both are as published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hepagraph.inference import Reasoner, marginals
from hepagraph.inference.archetype import archetype
from hepagraph.inference.network import ENTITY
from hepagraph.ontology import UnknownKeyError


@pytest.fixture(scope="module")
def alike(data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((data / "next_best_cases.json").read_text(encoding="utf-8"))["alike"]
    return found


@pytest.mark.parametrize("toy", ["skin", "reasoner"])
def test_traits_equal_the_networks_shares(toy: str, request: pytest.FixtureRequest) -> None:
    chosen: Reasoner = request.getfixturevalue(toy)
    network, variables = chosen.network, chosen.reader.variables
    entities, states = chosen.entities(), network.states[ENTITY]
    entity = entities[1]
    found = archetype(chosen, entity, lesions=50)
    assert [t.weight for t in found.traits] == sorted((t.weight for t in found.traits), reverse=True)
    assert {t.variable for t in found.traits} == set(network.variables("feature"))
    own = {ENTITY: np.array([float(s == entity) for s in states])}
    rest = {ENTITY: np.array([float(s in entities and s != entity) for s in states])}
    for trait in found.traits[:8]:
        inside = [variables[trait.variable].states.index(x) for x in variables[trait.variable].leaves[trait.state]]
        for given, share in ((own, trait.share), (rest, trait.elsewhere)):
            p = marginals(network.tables, given, [trait.variable]).posterior[trait.variable]
            assert share == pytest.approx(p[inside].sum(), abs=1e-9)
        best = max(
            p * np.log(p / q)
            for leaves in variables[trait.variable].leaves.values()
            if len(leaves) < len(variables[trait.variable].states)
            for p, q in [
                tuple(
                    marginals(network.tables, given, [trait.variable])
                    .posterior[trait.variable][[variables[trait.variable].states.index(x) for x in leaves]]
                    .sum()
                    for given in (own, rest)
                )
            ]
        )
        assert trait.weight == pytest.approx(best, abs=1e-9)


def test_taken_for_is_the_mean_posterior(skin: Reasoner) -> None:
    entity = skin.entities()[1]
    found = archetype(skin, entity, lesions=4000)
    assert sum(found.taken_for.values()) == pytest.approx(1, abs=1e-5)
    assert found.taken_for[found.look_alike] == max(p for e, p in found.taken_for.items() if e != entity)
    assert found.to_dict() == archetype(skin, entity, lesions=4000).to_dict()  # the same seed
    other = archetype(skin, entity, lesions=4000, seed=1)
    for name, p in found.taken_for.items():
        assert other.taken_for[name] == pytest.approx(p, abs=0.03)
    # law of total expectation: rows, each as often as the prior says, of the table of who is taken for whom give the prior back
    network = skin.network
    prior = marginals(network.tables, {}, [ENTITY]).posterior[ENTITY]
    rows = [archetype(skin, e, lesions=4000).taken_for for e in network.states[ENTITY]]
    for column, e in enumerate(network.states[ENTITY]):
        back = sum(p * row[e] for p, row in zip(prior, rows, strict=True))
        assert back == pytest.approx(prior[column], abs=0.02)


def test_as_published(reasoner: Reasoner, alike: dict[str, Any]) -> None:
    modality, agent = alike["exam"].split("/")
    key, state = alike["set"].split("=")
    lesions = [{"findings": {}}]
    anybody = reasoner.read({"exam": {"modality": modality, "contrast_agent": agent}, "lesions": lesions})
    found = archetype(reasoner, alike["entity"], case=anybody)
    assert (found.look_alike, found.separator[0]) == (alike["look_alike"], alike["separator"])
    assert [found.traits[0].variable, found.traits[0].state] == alike["trait"]
    other = reasoner.read({"patient": {key: state}, "lesions": lesions})
    elsewhere = archetype(reasoner, alike["entity"], case=other)
    assert elsewhere.taken_for != found.taken_for
    assert {t.variable for t in found.traits} < {t.variable for t in elsewhere.traits}


def test_an_unknown_entity_is_refused(reasoner: Reasoner) -> None:
    with pytest.raises(UnknownKeyError, match="not in the differential"):
        archetype(reasoner, "nobody")
