"""The predictive check against exact enumeration, its nominal rate, and conflicts worked out by hand."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from hepagraph.inference import Network, Reasoner, Table, marginals
from hepagraph.inference.replicates import draw_states, reading_error, report_channel
from hepagraph.inference.surprise import check_findings, find_conflicts, mid_p
from hepagraph.kg.surprise import SurprisePolicy, read_sharing_policy, read_surprise_policy
from hepagraph.ontology import ImpossibleEvidenceError, OntologyError

Array = NDArray[np.float64]
POLICY = SurprisePolicy(4000, 0.05, 0.05, 0.01, 2.0)


def toy(coin: Reasoner, prior: list[float], signs: dict[str, list[list[float]]]) -> Network:
    """A network of entities that are their own subtypes, and features that depend on them alone."""
    entities = tuple(f"e{i}" for i in range(len(prior)))
    tables = {
        "entity": Table("entity", (), np.array(prior)),
        "subtype": Table("subtype", ("entity",), np.eye(len(prior))),
        **{name: Table(name, ("subtype",), np.array(rows)) for name, rows in signs.items()},
    }
    states = {"entity": entities, "subtype": entities, **{n: tuple("abcdef"[: len(r[0])]) for n, r in signs.items()}}
    layers = {"entity": "entity", "subtype": "subtype", **dict.fromkeys(signs, "feature")}
    parents = {entity: entity for entity in entities}
    return replace(coin.network, states=states, layers=layers, tables=tables, parent_of=parents)


def test_a_report_is_a_channel() -> None:
    np.testing.assert_allclose(report_channel(np.array([0.0, 1, 0])), [[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(report_channel(np.array([0.0, 1, 1])), [[0, 1, 1], [1, 0, 0]])
    np.testing.assert_allclose(report_channel(np.ones(3)), [[1, 1, 1]])
    np.testing.assert_allclose(
        report_channel(np.array([0.4, 0.1, 0])), [[1.0, 0.25, 0.0], [0.0, 0.75, 0.0], [0.0, 0.0, 1.0]]
    )
    noisy = report_channel(np.array([1.0, 0]), reading_error(np.array([0.2, 0.8]), 0.1))
    np.testing.assert_allclose(noisy, [[0.92, 0.02], [0.08, 0.98]])


def test_states_are_drawn_from_the_posterior(skin: Reasoner) -> None:
    network, rng = skin.network, np.random.default_rng(4)
    given = {name: rng.random(len(network.states[name])) + 0.1 for name in (*network.variables("context"), "entity")}
    features = network.variables("feature")
    batch = {**given, "entity": np.tile(given["entity"], (40_000, 1))}
    drawn = draw_states(network.tables, batch, features, np.random.default_rng(0))
    for name in network.states:
        if name in drawn:
            wanted = marginals(network.tables, given, [name]).posterior[name]
            shares = np.bincount(drawn[name], minlength=len(wanted)) / 40_000
            np.testing.assert_allclose(shares, wanted, atol=0.012)
    for first, second in itertools.combinations(features[:3], 2):  # and together, not only one by one
        seen = {**given, first: np.eye(len(network.states[first]))[0]}
        wanted = marginals(network.tables, seen, [second]).posterior[second]
        inside = drawn[second][drawn[first] == 0]
        np.testing.assert_allclose(np.bincount(inside, minlength=len(wanted)) / len(inside), wanted, atol=0.04)


def exact_p(network: Network, context: dict[str, Array], findings: dict[str, Array]) -> float:
    """The mid-p value by writing out every possible set of reports."""
    channels = [report_channel(vector) for vector in findings.values()]
    base = marginals(network.tables, context, []).evidence_log

    def log(rows: tuple[int, ...]) -> float:
        seen = {n: c[r] for n, c, r in zip(findings, channels, rows, strict=True)}
        return marginals(network.tables, {**context, **seen}, []).evidence_log - base

    logs = np.array([log(rows) for rows in itertools.product(*(range(len(c)) for c in channels))])
    assert np.exp(logs).sum() == pytest.approx(1)
    gap = logs - logs[0]
    return float(np.exp(logs[gap < -1e-9]).sum() + np.exp(logs[np.abs(gap) <= 1e-9]).sum() / 2)


@pytest.mark.parametrize("seed", range(4))
def test_p_values_equal_the_enumeration(skin: Reasoner, seed: int) -> None:
    network, rng = skin.network, np.random.default_rng(seed)
    findings = {}
    for name in network.variables("feature")[:4]:
        card = len(network.states[name])
        kinds = [np.eye(card)[rng.integers(card)], np.eye(card)[:2].sum(axis=0), rng.random(card)]
        findings[name] = kinds[rng.integers(3)]
    context = {name: np.eye(len(network.states[name]))[0] for name in network.variables("context")}
    report = check_findings(network, context, findings, POLICY, seed=seed)
    assert report.p_value == pytest.approx(exact_p(network, context, findings), abs=4 * 0.5 / 4000**0.5 + 3e-4)
    for entity, p_value in report.by_entity.items():
        under = {**context, "entity": np.eye(len(network.states["entity"]))[network.states["entity"].index(entity)]}
        assert p_value == pytest.approx(exact_p(network, under, findings), abs=4 * 0.5 / 4000**0.5 + 3e-4)


def test_false_flags_are_nominal(coin: Reasoner) -> None:
    rng = np.random.default_rng(1)
    signs = {f"f{i}": rng.dirichlet(np.ones(4), size=3).tolist() for i in range(6)}
    network = toy(coin, [0.6, 0.3, 0.1], signs)
    lesions = draw_states(network.tables, {"entity": np.ones((300, 3))}, signs, rng)
    policy = replace(POLICY, replicate_draws=200)
    reports = []
    for i in range(300):
        findings = {name: np.eye(4)[lesions[name][i]] for name in signs}
        reports.append(check_findings(network, {}, findings, policy, seed=i))
    p_values = np.array([report.p_value for report in reports])
    for level in (0.05, 0.2, 0.5, 0.8):
        assert np.mean(p_values < level) == pytest.approx(level, abs=3.5 * (level * (1 - level) / 300) ** 0.5 + 0.01)
    assert np.mean([report.none_of_these for report in reports]) < 0.07


def test_a_lesion_that_fits_nothing_is_flagged_and_a_rare_one_that_fits_is_not_called_alien(coin: Reasoner) -> None:
    signs = {f"f{i}": [[0.95, 0.05], [0.95, 0.05], [0.05, 0.95]] for i in range(4)}
    signs |= {f"g{i}": [[0.95, 0.05], [0.05, 0.95], [0.95, 0.05]] for i in range(4)}
    network = toy(coin, [0.49, 0.49, 0.02], signs)

    def check(f: int, g: int) -> tuple[bool, bool]:
        seen = {name: np.eye(2)[f if name[0] == "f" else g] for name in signs}
        report = check_findings(network, {}, seen, POLICY)
        return report.flag, report.none_of_these

    assert check(0, 1) == (False, False)
    assert check(1, 0) == (False, False)
    assert check(1, 1) == (True, True)


def test_vague_findings_are_compared_as_vaguely(coin: Reasoner) -> None:
    network = toy(coin, [0.5, 0.5], {"f": [[0.48, 0.48, 0.04], [0.48, 0.48, 0.04]]})
    assert check_findings(network, {}, {"f": np.array([0.0, 0, 1])}, POLICY).p_value == pytest.approx(0.02, abs=0.01)
    vague = check_findings(network, {}, {"f": np.array([1.0, 1, 0])}, POLICY)
    assert vague.p_value == pytest.approx(0.04 + 0.96 / 2, abs=0.01)
    assert check_findings(network, {}, {"f": np.ones(3)}, POLICY).p_value == 0.5
    assert check_findings(network, {}, {}, POLICY).to_dict()["flag"] is False


def test_mid_p_counts_ties_by_half_and_is_never_zero() -> None:
    found = mid_p(np.array([[-3.0, -2, -2, -1], [-3, -2, -2, -1]]), np.array([-2.0, -9]))
    np.testing.assert_allclose(found, [(1 + 1.5) / 5, 0.5 / 5])


def test_conflicts_by_hand(coin: Reasoner) -> None:
    rows = [[0.9, 0.1], [0.1, 0.9]]
    network = toy(coin, [0.5, 0.5], {"f": rows, "g": rows})
    clash = {"f": np.array([1.0, 0]), "g": np.array([0.0, 1])}
    # P(f) = P(g) = 1/2, P(f, g) = 0.9 x 0.1; neither entity makes both as probable as 1/4
    (conflict,) = find_conflicts(network, {}, clash, 2.0)
    assert conflict.findings == ("f", "g")
    assert conflict.ratio == pytest.approx(0.25 / 0.09)
    assert conflict.explained_by is None
    assert find_conflicts(network, {}, clash, 3.0) == ()
    assert find_conflicts(network, {}, {"f": clash["f"], "g": clash["f"]}, 2.0) == ()


def test_a_rare_entity_may_explain_a_conflict(coin: Reasoner) -> None:
    network = toy(coin, [0.49, 0.49, 0.02], {"f": [[0.95, 0.05], [0.05, 0.95], [0.9, 0.1]], "g": [[0.95, 0.05], [0.05, 0.95], [0.1, 0.9]]})  # fmt: skip
    (conflict,) = find_conflicts(network, {}, {"f": np.array([1.0, 0]), "g": np.array([0.0, 1])}, 2.0)
    assert conflict.explained_by == "e2"


def test_same_seed_same_report_and_the_first_keys_are_fixed(skin: Reasoner) -> None:
    name = skin.network.variables("feature")[0]
    seen = {name: np.eye(len(skin.network.states[name]))[0]}
    policy = read_surprise_policy(skin.graph)
    first = check_findings(skin.network, {}, seen, policy, seed=3)
    assert first == check_findings(skin.network, {}, seen, policy, seed=3)
    assert list(first.to_dict())[:2] == ["p_value", "flag"]
    assert first.standard_error == pytest.approx((first.p_value * (1 - first.p_value) / policy.replicate_draws) ** 0.5)


def test_impossible_findings_are_a_typed_error(coin: Reasoner) -> None:
    with pytest.raises(ImpossibleEvidenceError):
        check_findings(coin.network, {"entity": np.zeros(2)}, {"toss": np.array([1.0, 0])}, POLICY)


def test_a_bad_policy_is_refused_with_what_is_wrong(skin: Reasoner) -> None:
    graph = skin.graph.copy()
    node = next(n for n, kind in graph.nodes(data="kind") if kind == "SurprisePolicy")
    literals = graph.nodes[node]["literals"]
    for change, message in (({"fitThreshold": (2,)}, "fitThreshold = 2"), ({"replicateDraws": (1.5,)}, "whole number")):
        graph.nodes[node]["literals"] = literals | change
        with pytest.raises(OntologyError, match=message):
            read_surprise_policy(graph)
    graph.nodes[node]["literals"] = {key: value for key, value in literals.items() if key != "conflictRatio"}
    with pytest.raises(OntologyError, match="lacks conflictRatio"):
        read_surprise_policy(graph)
    graph.remove_node(next(n for n, kind in graph.nodes(data="kind") if kind == "SharingPolicy"))
    with pytest.raises(OntologyError, match="0 things of class fl:SharingPolicy"):
        read_sharing_policy(graph)
