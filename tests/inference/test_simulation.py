"""Drawing forwards against exact inference: two ways to the same numbers, sharing no code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hepagraph.inference import Reasoner
from hepagraph.inference.elimination import marginals
from hepagraph.inference.evaluation.ablations import flat, without_mechanisms
from hepagraph.inference.evaluation.implied import compare_all, exact_share, implied_measure
from hepagraph.inference.evaluation.operating import read_characteristics
from hepagraph.inference.network import ENTITY
from hepagraph.inference.simulation import share_showing, simulate
from hepagraph.ontology.errors import ImpossibleEvidenceError, OntologyError
from hepagraph.ontology.files import PACKAGED


@pytest.fixture(scope="module")
def dice(data: Path) -> Reasoner:
    return Reasoner.load(data / "evaluation" / "dice")


def test_draws_follow_the_marginals(skin: Reasoner) -> None:
    network = skin.network
    draws = simulate(network, 40_000, np.random.default_rng(3))
    exact = marginals(network.tables, {}, list(network.tables)).posterior
    for name, values in exact.items():
        seen = np.bincount(draws[name], minlength=len(values)) / 40_000
        assert seen == pytest.approx(values, abs=4.5 * np.sqrt(0.25 / 40_000))


def test_conditions_on_descendants_and_ancestors_hold(dice: Reasoner) -> None:
    network = dice.network
    given = {"roll": ("six",), "shop": ("casino",)}
    draws = simulate(network, 20_000, np.random.default_rng(4), given=given, variables=[ENTITY])
    assert set(draws) >= {ENTITY, "roll", "shop"} and "balance" not in draws
    assert set(draws["roll"]) == {0} and len(draws[ENTITY]) == 20_000
    one = {name: np.array([float(s in states) for s in network.states[name]]) for name, states in given.items()}
    exact = marginals(network.tables, one, [ENTITY]).posterior[ENTITY]
    seen = np.bincount(draws[ENTITY], minlength=3) / 20_000
    assert seen == pytest.approx(exact, abs=4.5 * np.sqrt(0.25 / 20_000))


def test_same_seed_same_lesions(dice: Reasoner) -> None:
    first, second = (simulate(dice.network, 500, np.random.default_rng(9)) for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)


def test_impossible_condition_is_an_error(dice: Reasoner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hepagraph.inference.simulation.MAXIMUM_BATCHES", 1)
    monkeypatch.setattr("hepagraph.inference.simulation.BATCH", 10)
    with pytest.raises(ImpossibleEvidenceError, match=r"10 draws gave .* of 500 lesions"):
        simulate(dice.network, 500, np.random.default_rng(0), given={"roll": ("six",)})


def test_signs_combine(dice: Reasoner) -> None:
    draws = {"roll": np.array([0, 0, 1, 1]), "balance": np.array([0, 1, 0, 1])}
    sign = {"roll": ("six",), "balance": ("off",)}
    assert share_showing(dice.network, draws, sign).value == 0.25
    assert share_showing(dice.network, draws, sign, every=False).value == 0.75
    assert share_showing(dice.network, draws, sign).standard_error == pytest.approx(np.sqrt(0.25 * 0.75 / 4))


def test_exact_and_simulated_agree_and_published_is_read(dice: Reasoner) -> None:
    found = {
        (c.characteristic.label, c.published.measure): c
        for c in compare_all(dice.network, read_characteristics(dice.graph), seed=1)
    }
    assert len(found) == 5
    for comparison in found.values():
        assert abs(comparison.implied.exact - comparison.implied.simulated) < 4.5 * comparison.implied.standard_error
    specificity = found["a six", "specificity"].published
    assert specificity.value == pytest.approx(1 - 6 / 40) and specificity.complement
    assert specificity.interval is not None and specificity.interval[0] < 0.85 < specificity.interval[1]
    assert found["a six", "sensitivity"].informed and not found["a six and off balance", "sensitivity"].informed
    assert found["a six, of all", "accuracy"].inside is None


def test_one_feature_equals_the_posterior_of_the_feature(dice: Reasoner) -> None:
    six = next(c for c in read_characteristics(dice.graph) if c.label == "a six")
    loaded = np.array([1.0, 0.0, 0.0])
    exact = marginals(dice.network.tables, {ENTITY: loaded}, ["roll"]).posterior["roll"][0]
    assert exact_share(dice.network, six, "loaded", {}) == pytest.approx(exact, abs=1e-12)


def test_a_number_holds_under_the_conditions_of_its_statement_and_of_its_sign(dice: Reasoner) -> None:
    found = {c.characteristic.label: c for c in compare_all(dice.network, read_characteristics(dice.graph), lesions=50)}
    both, either = found["a six and off balance"], found["a worn edge or off balance"]
    assert both.published.given == {"shop": ("casino",)} and either.characteristic.given == {"shop": ("toys",)}
    for comparison, member, given in (
        (both, "loaded", {"shop": ("casino",)}),
        (either, "lead_filled", {"shop": ("toys",)}),
    ):
        exact = exact_share(dice.network, comparison.characteristic, member, given)
        assert comparison.implied.exact == pytest.approx(exact, abs=1e-12)


def test_how_it_was_imaged_becomes_a_condition(reasoner: Reasoner) -> None:
    published = [p for c in read_characteristics(reasoner.graph) for p in c.published]
    derived = {n for n, v in reasoner.reader.variables.items() if v.covers}
    assert any(derived & set(p.given) for p in published) or not derived


def test_accuracy_follows_the_case_mix(dice: Reasoner) -> None:
    mixed = next(c for c in read_characteristics(dice.graph) if c.label == "a six, of all")
    shares = {member: exact_share(dice.network, mixed, member, {}) for member in dice.network.states[ENTITY]}
    found = implied_measure(dice.network, mixed, mixed.published[0], np.random.default_rng(0), 100)
    by_hand = (10 * shares["loaded"] + 20 * (1 - shares["fair_die"]) + 10 * (1 - shares["chipped"])) / 40
    assert found.exact == pytest.approx(by_hand, abs=1e-12)


def test_packaged_characteristics_name_what_exists(reasoner: Reasoner) -> None:
    found = read_characteristics(reasoner.graph)
    assert len(found) >= 20
    names = {*reasoner.network.states[ENTITY], *reasoner.network.parent_of}
    for characteristic in found:
        assert {*characteristic.positive, *characteristic.negative, *characteristic.mix} <= names
        for variable, states in {**characteristic.sign, **characteristic.given}.items():
            assert set(states) < set(reasoner.network.states[variable])


def test_a_characteristic_without_numbers_is_refused(data: Path, tmp_path: Path) -> None:
    text = (data / "evaluation" / "dice" / "dice.ttl").read_text(encoding="utf-8")
    (tmp_path / "dice.ttl").write_text(
        text.replace("fl:publishedSensitivity id:both_in_loaded ;", ""), encoding="utf-8"
    )
    broken = Reasoner.load(tmp_path)
    with pytest.raises(OntologyError, match=r"operating_both: .* needs a published number"):
        read_characteristics(broken.graph)


def test_ablations_keep_what_the_features_are_given_the_entity(skin: Reasoner) -> None:
    network = skin.network
    for smaller in (without_mechanisms(network), flat(network)):
        assert not smaller.variables("mechanism")
        for position in range(len(network.states[ENTITY])):
            one = np.eye(len(network.states[ENTITY]))[position]
            for feature in network.variables("feature"):
                whole = marginals(network.tables, {ENTITY: one}, [feature]).posterior[feature]
                part = marginals(smaller.tables, {ENTITY: one}, [feature]).posterior[feature]
                assert part == pytest.approx(whole, abs=1e-9)
    assert not flat(network).variables("subtype")


def test_statements_behind_the_characteristics_stand_in_the_ontology() -> None:
    assert (PACKAGED / "src" / "operating_characteristics.ttl").exists()
