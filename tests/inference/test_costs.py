"""Costs by hand and by brute force, the user's own in place of the ontology's, and what is refused."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rdflib import Graph

from hepagraph.inference import Reasoner, marginals
from hepagraph.inference.costs import Losses, burden_names, changed_costs, costs_json, losses_of
from hepagraph.inference.network import ENTITY
from hepagraph.inference.next_best import next_best
from hepagraph.inference.replicates import reading_error
from hepagraph.kg import build_graph
from hepagraph.kg.costs import read_costs
from hepagraph.ontology import CaseError, OntologyError, find_ontology
from hepagraph.ontology.store import load_ontology
from hepagraph.ontology.validation import validate_graph

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def priced(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Reasoner:
    """The skin toy with costs."""
    folder = shutil.copytree(data / "skin", tmp_path_factory.mktemp("priced") / "skin")
    shutil.copy(data / "costs" / "skin_costs.ttl", folder)
    return Reasoner.load(folder)


def least(table: Array, p: Array) -> float:
    """The least expected loss over managements, by the book."""
    return min(sum(loss * q for loss, q in zip(row, p, strict=True)) for row in table.tolist())


def test_by_hand() -> None:
    losses = Losses(("act", "wait"), np.array([[0.0, 10.0], [100.0, 0.0]]))
    assert losses.best(np.array([0.05, 0.95])) == ("wait", pytest.approx(5.0))
    assert losses.best(np.array([0.5, 0.5])) == ("act", pytest.approx(5.0))
    # a perfect test saves all of it, an unrelated one nothing
    assert losses.saving(np.diag([0.05, 0.95])) == pytest.approx(5.0)
    assert losses.saving(np.outer([0.3, 0.7], [0.05, 0.95])) == pytest.approx(0.0, abs=1e-12)
    # positive in 0.8 of the sick and 0.1 of the well, 5 % sick: 0.135 positive, then act costs 0.95, else wait 1.0
    joint = np.array([[0.05 * 0.8, 0.95 * 0.1], [0.05 * 0.2, 0.95 * 0.9]])
    assert losses.saving(joint) == pytest.approx(5.0 - 0.95 - 1.0)


def test_savings_equal_brute_force(priced: Reasoner) -> None:
    network = priced.network
    table = losses_of(priced.costs or pytest.fail("no costs"), network.states[ENTITY]).table
    (exam,) = (v for v in priced.reader.variables.values() if v.section == "exam")
    case = priced.read({"exam": {exam.name: exam.states[0]}, "lesions": [{"findings": {}}]})
    (found,) = next_best(priced, case)
    (evidence,) = priced.prepare(case, priced.entities())
    now = marginals(network.tables, evidence.likelihood, [ENTITY]).posterior[ENTITY]
    assert found.expected_loss == pytest.approx(least(table, now), abs=1e-12)
    assert found.management in (priced.costs or pytest.fail("no costs")).losses
    (test,) = found.tests
    assert test.saving == pytest.approx(least(table, now) - sum(p * min(c) for p, c in zip(now, table.T, strict=True)))
    assert test.net == pytest.approx(test.saving - 3)

    def after(names: tuple[str, ...]) -> float:
        channels = [
            reading_error(network.base_rates[n], network.reporting_error)
            if n in network.base_rates
            else np.eye(len(network.states[n]))
            for n in names
        ]
        total = loss = 0.0
        for rows in itertools.product(*(range(len(channel)) for channel in channels)):
            seen = {n: c[r] for n, c, r in zip(names, channels, rows, strict=True)}
            answer = marginals(network.tables, {**evidence.likelihood, **seen}, [ENTITY])
            weight = float(np.exp(answer.evidence_log))
            total += weight
            loss += weight * least(table, answer.posterior[ENTITY])
        return loss / total

    assert found.looks
    for look in found.looks:
        assert look.saving == pytest.approx(least(table, now) - after((look.variable,)), abs=1e-9)
    (protocol,) = found.protocols
    assert protocol.saving == pytest.approx(least(table, now) - after(protocol.findings), abs=1e-9)
    assert (protocol.burden, protocol.net) == (1, pytest.approx((protocol.saving or 0) - 1))
    ranked = found.by_saving()
    assert [look.saving for look in ranked.looks] == sorted((look.saving for look in found.looks), reverse=True)
    worth = max([*(look.saving or 0 for look in found.looks)])
    assert found.settled == (worth < 0.1 and (protocol.net or 0) <= 0 and test.net <= 0)


def test_nothing_is_priced_where_nothing_is_said(skin: Reasoner) -> None:
    assert skin.costs is None
    (found,) = next_best(skin, skin.read({"lesions": [{"findings": {}}]}))
    assert (found.management, found.expected_loss, found.settled, found.tests) == (None, None, None, ())
    assert all(look.saving is None for look in found.looks)
    assert json.dumps(found.to_dict())


def test_dear_tests_settle_it(priced: Reasoner) -> None:
    entities = priced.network.states[ENTITY]
    dear = {name: 1000 for name in burden_names(priced)}
    flat = {name: dict.fromkeys(entities, 1) for name in (priced.costs or pytest.fail("no costs")).losses}
    costs = changed_costs(priced.costs, {"losses": flat, "burdens": dear}, entities, burden_names(priced))
    case = priced.read({"lesions": [{"findings": {}}]})
    (found,) = next_best(priced, case, costs=costs)
    assert found.settled and found.expected_loss == 1
    (usual,) = next_best(priced, case)
    assert not usual.settled


def test_every_number_of_the_ontology_is_there_and_graded(reasoner: Reasoner) -> None:
    costs = reasoner.costs
    assert costs is not None and costs == read_costs(reasoner.graph)
    for losses in costs.losses.values():
        assert set(losses) == set(reasoner.network.states[ENTITY])
    assert all(min(losses[e] for losses in costs.losses.values()) <= 10 for e in reasoner.network.states[ENTITY])
    assert costs.tests and set(costs.tests) <= set(costs.burdens)
    assert set(costs.burdens) <= set(burden_names(reasoner))


def test_what_is_shown_can_be_given_back(reasoner: Reasoner) -> None:
    costs = reasoner.costs
    assert costs is not None
    names = reasoner.network.states[ENTITY], (*burden_names(reasoner),)
    assert changed_costs(costs, json.loads(json.dumps(costs_json(costs))), *names) == costs
    gone = next(iter(costs.losses))
    assert gone not in changed_costs(costs, {"losses": {gone: None}}, *names).losses


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([], "not a JSON object"),
        ({"loses": {}}, "did you mean losses"),
        ({"losses": []}, "not a JSON object"),
        ({"losses": {"leave": 3}}, "points by name"),
        ({"losses": {"leave": {"nobody": 3}}}, "not known"),
        ({"losses": {"leaf": {}}}, "did you mean leave"),
        ({"burdens": {"dermoscop": 1}}, "did you mean dermoscopy"),
        ({"burdens": {"dermoscopy": -1}}, "no number of points"),
        ({"burdens": {"dermoscopy": True}}, "no number of points"),
        ({"burdens": {"dermoscopy": float("nan")}}, "no number of points"),
        ({"losses": {"leave": None, "cut_out": None}}, "no management is left"),
    ],
)
def test_bad_costs_are_refused(priced: Reasoner, changes: Any, says: str) -> None:
    with pytest.raises(CaseError, match=says):
        changed_costs(priced.costs, changes, priced.network.states[ENTITY], burden_names(priced))


def test_own_managements_need_no_ontology(skin: Reasoner) -> None:
    entities = skin.network.states[ENTITY]
    losses = {"mine": dict.fromkeys(entities, 2), "other": dict.fromkeys(entities, 3)}
    costs = changed_costs(None, {"losses": losses}, entities, burden_names(skin))
    (found,) = next_best(skin, skin.read({"lesions": [{"findings": {}}]}), costs=costs)
    assert (found.management, found.expected_loss) == ("mine", 2)


@pytest.fixture(scope="module")
def sound(data: Path) -> Graph:
    """A toy whose costs are sound: change nothing in it."""
    rdf = load_ontology(data / "skin")
    priced = rdf + Graph().parse(data / "costs" / "skin_costs.ttl", format="turtle")
    assert validate_graph(priced, find_ontology(data / "skin")) == ()
    return rdf


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("fl:points 100 ;", "fl:points -1 ;", "needs one number of points"),
        ("fl:points 100 ;", "", "needs one number of points"),
        ("fl:ofManagement id:leave ; fl:whenEntity id:nevus", "fl:ofManagement id:leave", "has no loss for"),
        ("fl:burdenOf id:dermoscopy", "fl:burdenOf id:nevus", "a burden is of one modality"),
        ("fl:burdenOf id:dermoscopy", "fl:burdenOf id:histology", "same thing"),
        ("fl:ofManagement id:leave", "fl:ofManagement id:cut_out", "same management"),
    ],
)
def test_bad_costs_in_an_ontology_are_refused(sound: Graph, data: Path, old: str, new: str, says: str) -> None:
    text = (data / "costs" / "skin_costs.ttl").read_text(encoding="utf-8")
    files = find_ontology(data / "skin")
    broken = sound + Graph().parse(data=text.replace(old, new, 1), format="turtle")
    assert old in text
    found = validate_graph(broken, files)
    assert any(says in violation.message for violation in found)
    assert found == validate_graph(broken, files, engine="pyshacl")


def test_an_incomplete_ontology_is_refused(data: Path) -> None:
    text = (data / "costs" / "skin_costs.ttl").read_text(encoding="utf-8")
    for old, says in (("fl:whenEntity id:nevus ;", "has no loss for"), ("fl:points 100 ;", "number of points")):
        rdf = load_ontology(data / "skin") + Graph().parse(data=text.replace(old, "", 1), format="turtle")
        with pytest.raises(OntologyError, match=says):
            read_costs(build_graph(rdf))
