"""The ledger adds up, is the mean over orders, and names for and against the right way round."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hepagraph.inference import Reasoner, marginals
from hepagraph.inference import shapley as module
from hepagraph.inference.causes import SHOWS
from hepagraph.inference.ledger import OTHER_LESIONS, explain
from hepagraph.inference.network import ENTITY, Network
from hepagraph.inference.next_best import next_best
from hepagraph.inference.shapley import shapley
from hepagraph.ontology import UnknownKeyError

Array = NDArray[np.float64]


def log_odds(network: Network, likelihood: dict[str, Array], row: int, rivals: list[int]) -> float:
    values = marginals(network.tables, likelihood, [ENTITY]).posterior[ENTITY]
    return float(np.log(values[row]) - np.log(values[rivals].sum()))


def random_players(network: Network, rng: np.random.Generator, most: int) -> dict[str, Array]:
    names = [*network.variables("feature"), *network.variables("context")]
    chosen = rng.choice(names, size=int(rng.integers(1, most + 1)), replace=False)
    found = {}
    for name in map(str, chosen):
        states = len(network.states[name])
        hard = np.eye(states)[rng.integers(states)]
        found[name] = 0.9 * hard + 0.1 * rng.random(states) if rng.random() < 0.5 else hard
    return found


def test_a_thousand_random_ledgers_add_up(reasoner: Reasoner) -> None:
    network, rng = reasoner.network, np.random.default_rng(0)
    entities = len(network.states[ENTITY])
    for _ in range(1000):
        players = random_players(network, rng, 7)
        row = int(rng.integers(entities))
        rivals = [r for r in range(entities) if r != row]
        values = shapley(network, {}, players, row, rivals)
        assert values.before + sum(values.weights.values()) == pytest.approx(values.after, abs=1e-9)
        assert values.after == pytest.approx(log_odds(network, players, row, rivals), abs=1e-9)
        if len(players) == 1:  # the right way round: the weight is the logarithm of the likelihood ratio
            moved = log_odds(network, players, row, rivals) - log_odds(network, {}, row, rivals)
            assert next(iter(values.weights.values())) == pytest.approx(moved, abs=1e-9)


def test_weights_are_means_over_all_orders(skin: Reasoner) -> None:
    network, rng = skin.network, np.random.default_rng(1)
    for _ in range(5):
        players = random_players(network, rng, 4)
        values = shapley(network, {}, players, 0, [1])
        wanted = dict.fromkeys(players, 0.0)
        orders = list(itertools.permutations(players))
        for order in orders:
            seen: dict[str, Array] = {}
            for name in order:
                before = log_odds(network, seen, 0, [1])
                seen = {**seen, name: players[name]}
                wanted[name] += (log_odds(network, seen, 0, [1]) - before) / len(orders)
        for name, weight in wanted.items():
            assert values.weights[name] == pytest.approx(weight, abs=1e-9)


def test_random_orders_add_up_and_come_close(reasoner: Reasoner, monkeypatch: pytest.MonkeyPatch) -> None:
    network, rng = reasoner.network, np.random.default_rng(2)
    players = {}
    while len(players) < 7:
        players = random_players(network, rng, 8)
    exact = shapley(network, {}, players, 0, [1, 2])
    monkeypatch.setattr(module, "EXACT", 0)
    sampled = shapley(network, {}, players, 0, [1, 2])
    assert sampled.before + sum(sampled.weights.values()) == pytest.approx(sampled.after, abs=1e-9)
    for name, weight in exact.weights.items():
        assert sampled.weights[name] == pytest.approx(weight, abs=0.1)


def test_ledger_of_a_case(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    case = reasoner.read(expected["case"])
    answer = reasoner.posterior(case, surprise=False).lesions[0]
    (ledger,) = explain(reasoner, case)
    assert ledger.entity == answer.leading
    p = answer.posterior[ledger.entity]
    assert ledger.after == pytest.approx(np.log(p) - np.log(sum(answer.posterior.values()) - p), abs=1e-9)
    assert ledger.before + sum(entry.weight for entry in ledger.entries) == pytest.approx(ledger.after, abs=1e-9)
    given = {**case.context, **case.lesions[0].findings}
    assert {entry.variable for entry in ledger.entries} == set(given)
    assert any(entry.statements for entry in ledger.entries)
    grouped = [entry for entries in ledger.by_mechanism().values() for entry in entries]
    assert len(grouped) == sum(bool(entry.mechanisms) for entry in ledger.entries)
    for entry in ledger.entries:
        assert set(entry.mechanisms) <= set(reasoner.network.tables[entry.variable].parents)
        assert (entry.favours == ledger.entity) == (entry.weight >= 0)
        assert not entry.rival_statements or entry.weight < 0
        for statement in entry.rival_statements:
            assert reasoner.network.parent_of.get(statement.given, statement.given) == entry.favours


def test_nothing_known_moves_nothing(reasoner: Reasoner, skin: Reasoner) -> None:
    for chosen in (reasoner, skin):
        (ledger,) = explain(chosen, chosen.read({"lesions": [{"findings": {}}]}))
        assert ledger.entries == () and ledger.before == ledger.after


def test_paths_are_relations_of_the_graph_and_lead_to_what_was_seen(reasoner: Reasoner, root: Any) -> None:
    graph, network, variables = reasoner.graph, reasoner.network, reasoner.reader.variables
    kinds = set()
    for file in sorted((root / "examples").glob("*.json")):
        case = reasoner.read(json.loads(file.read_text(encoding="utf-8")))
        for lesion, ledger in zip(case.lesions, explain(reasoner, case), strict=True):
            for entry in ledger.entries:
                if entry.variable in lesion.findings:
                    assert entry.path, entry.variable
                for link in entry.path:
                    assert link.relation == SHOWS or any(
                        graph.has_edge(*pair, key=link.relation)
                        for pair in ((link.cause, link.effect), (link.effect, link.cause))
                    )
                    kinds.add(link.relation)
                if not entry.path:
                    continue
                ends = {link.effect for link in entry.path}
                own = {s for s, e in network.parent_of.items() if e == entry.favours} | {entry.favours}
                assert own & ({link.cause for link in entry.path} | ends)
                if entry.variable in lesion.findings:
                    variable, seen = variables[entry.variable], lesion.findings[entry.variable].states
                    (name,) = [n for n, node in variable.nodes.items() if node == entry.path[-1].effect]
                    assert {variable.states[position] for position in seen} & set(variable.leaves[name])
    assert len(kinds) == 5  # of the primary, histology, mechanism, effect, and straight from the subtype


def test_two_entities_look_at_each_other_from_both_sides(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    case, (first, second) = reasoner.read(expected["case"]), expected["six"][:2]
    (one,) = explain(reasoner, case, entity=first, against=second)
    (other,) = explain(reasoner, case, entity=second, against=first)
    assert one.after == pytest.approx(-other.after, abs=1e-9)
    weights = {entry.variable: entry.weight for entry in one.entries}
    for entry in other.entries:
        assert entry.weight == pytest.approx(-weights[entry.variable], abs=1e-9)


def test_flips_are_what_the_answer_would_be(reasoner: Reasoner, root: Any) -> None:
    data = json.loads((root / "examples" / "paulatto2020_fig13.json").read_text(encoding="utf-8"))
    data["lesions"] = data["lesions"][:1]
    (ledger,) = explain(reasoner, reasoner.read(data))
    flips = [(entry.variable, flip) for entry in ledger.entries for flip in entry.flips]
    assert flips
    for variable, flip in flips:
        if variable in data["lesions"][0]["findings"]:
            changed = json.loads(json.dumps(data))
            changed["lesions"][0]["findings"][variable] = flip.state
            answer = reasoner.posterior(changed, surprise=False, reasons=False).lesions[0]
            assert answer.leading == flip.entity
            assert answer.posterior[flip.entity] == pytest.approx(flip.probability, abs=1e-9)


def test_lesions_of_one_patient_are_an_entry(reasoner: Reasoner, root: Any) -> None:
    case = reasoner.read(json.loads((root / "examples" / "maino2023_fig7.json").read_text(encoding="utf-8")))
    for ledger in explain(reasoner, case):
        assert OTHER_LESIONS in {entry.variable for entry in ledger.entries}
        assert ledger.before + sum(entry.weight for entry in ledger.entries) == pytest.approx(ledger.after, abs=1e-9)


def test_one_lesion_can_be_asked_for_alone(reasoner: Reasoner, root: Any) -> None:
    case = reasoner.read(json.loads((root / "examples" / "maino2023_fig7.json").read_text(encoding="utf-8")))
    for ask in (explain, next_best):
        whole = ask(reasoner, case)
        assert [ask(reasoner, case, lesion=lesion.id) for lesion in case.lesions] == [(one,) for one in whole]
        with pytest.raises(UnknownKeyError, match="no lesion has the id"):
            ask(reasoner, case, lesion="no such lesion")


@pytest.mark.parametrize("names", [{"entity": "nobody"}, {"against": "nobody"}])
def test_unknown_names_are_refused(reasoner: Reasoner, expected: dict[str, Any], names: dict[str, str]) -> None:
    with pytest.raises(UnknownKeyError, match="not in the differential"):
        explain(reasoner, reasoner.read(expected["case"]), **names)
    with pytest.raises(UnknownKeyError, match="itself"):
        explain(reasoner, reasoner.read(expected["case"]), entity=expected["leading"], against=expected["leading"])
