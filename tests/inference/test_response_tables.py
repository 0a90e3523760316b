"""The compiled response network: the toy against arithmetic, and the packaged one against its own rows and joint."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hepagraph.inference.elimination import marginals
from hepagraph.inference.network import Table
from hepagraph.inference.response import ResponseReasoner
from hepagraph.inference.response_interval import draw_tables, intervals
from hepagraph.inference.response_tables import CompiledResponse, compile_response
from hepagraph.kg import build_graph
from hepagraph.kg.response_reading import read_response
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.files import find_ontology
from hepagraph.ontology.store import load_ontology

DATA = Path(__file__).resolve().parents[1] / "data" / "response"
EXPECTED = json.loads((DATA / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def garden() -> ResponseReasoner:
    return ResponseReasoner.load(DATA / "garden")


@pytest.fixture
def packaged(response_reasoner: ResponseReasoner) -> ResponseReasoner:
    return response_reasoner


def compiled(folder: Path, text: str) -> CompiledResponse:
    (folder / "garden.ttl").write_text(text, encoding="utf-8")
    graph = build_graph(rdf := load_ontology(find_ontology(folder)))
    model = read_response(rdf, graph)
    assert model is not None
    return compile_response(model, graph.graph["policy"])


def test_rows_are_the_numbers(garden: ResponseReasoner) -> None:
    tables = garden.compiled.tables
    assert tables["recovery"].parents == ("water",)
    assert tables["recovery"].values == pytest.approx(np.array([[0.8, 0.2], [0.4, 0.6]]), abs=1e-6)
    assert tables["roots"].values == pytest.approx(np.array([[0.7, 0.3], [0.1, 0.9]]), abs=1e-6)


def test_a_definition_leaves_only_its_states(garden: ResponseReasoner) -> None:
    table = garden.compiled.tables["step"].values
    assert table[0].tolist() == [1.0, 0.0, 0.0]
    assert table[1] == pytest.approx([0.0, 0.75, 0.25], abs=1e-6)


def test_disagreeing_numbers_of_one_row_are_weighed_by_their_sizes(garden: ResponseReasoner) -> None:
    counts = garden.compiled.pieces["bud"].rows.counts[0]
    assert counts.sum() == pytest.approx(10 + 30 + 4, abs=1e-6)
    opened, fallen = counts[1], counts[2]
    # the EM fixed point: open gets its own 8 + 6 and its share of the four cases not fallen
    assert opened == pytest.approx(8 + 6 + 0.92 * 4 * opened / (opened + counts[0]), abs=1e-6)
    assert fallen == pytest.approx(0.08 * 4 + (2 + 24) * fallen / (fallen + counts[0]), abs=1e-6)


def test_an_effect_multiplies_odds_and_keeps_the_row(garden: ResponseReasoner) -> None:
    table = garden.compiled.tables["leaf"].values
    odds = table[:, 1] / table[:, 0]
    assert odds[1] / odds[0] == pytest.approx(4, rel=1e-6)
    # P(roots) = 0.4 x 0.9 + 0.6 x 0.3; 0.46 o / (1 + o) + 0.54 x 4 o / (1 + 4 o) = 1 / 2 has the root o
    o = (-0.12 + (0.12**2 + 4) ** 0.5) / 4
    assert table[:, 1] == pytest.approx([o / (1 + o), 4 * o / (1 + 4 * o)], abs=1e-6)


def test_the_posterior_is_bayes_rule_by_hand(garden: ResponseReasoner) -> None:
    o = (-0.12 + (0.12**2 + 4) ** 0.5) / 4
    absent, present = o / (1 + o), 4 * o / (1 + 4 * o)
    full = 0.4 * (0.9 * present + 0.1 * absent)
    answer = garden.posterior({"lesions": [{"response": {"leaf": "green"}}]}).lesions[0].answers
    assert answer["recovery"]["full"] == pytest.approx(full / 0.5, abs=1e-6)
    assert answer["step"]["s2"] == pytest.approx(0.25 * full / 0.5, abs=1e-6)
    assert answer["step"]["s0"] == pytest.approx(1 - full / 0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (
            "fl:fromState id:v_roots_present ; fl:toState id:v_leaf_green",
            "fl:fromState id:v_recovery_full ; fl:toState id:v_roots_present",
            "keep one",
        ),
        (
            "fl:fromState id:v_roots_present ; fl:toState id:v_leaf_green",
            "fl:fromState id:v_leaf_green ; fl:toState id:v_water_much",
            "cycle",
        ),
        (
            "fl:ofState id:v_step_s1, id:v_step_s2 ; fl:underCondition id:v_recovery_full",
            "fl:ofState id:v_step_s1 ; fl:underCondition id:v_recovery_no",
            "leave no state",
        ),
        ("fl:underCondition id:v_water_little ", "fl:underCondition id:v_water_much ", "no number says how common"),
    ],
)
def test_a_network_that_cannot_be_compiled_says_why(tmp_path: Path, before: str, after: str, says: str) -> None:
    text = (DATA / "garden" / "garden.ttl").read_text(encoding="utf-8")
    if says == "cycle":
        text = text.replace(
            "id:n_roots_no a",
            "id:e_turn a fl:ResponseEffect ; fl:fromState id:v_water_much ; fl:toState id:v_leaf_green ; fl:multiplier 2 ; fl:effectiveSampleSize 8 ; fl:grade fl:GradeD ; prov:wasQuotedFrom id:made_up .\nid:n_roots_no a",
        )
    assert before in text
    with pytest.raises(OntologyError, match=says):
        compiled(tmp_path, text.replace(before, after))


def test_every_row_of_the_packaged_network_keeps_its_pooled_numbers(packaged: ResponseReasoner) -> None:
    tables = packaged.compiled.tables
    for name, piece in packaged.compiled.pieces.items():
        states = [packaged.compiled.states[parent] for parent in piece.rows.parents]
        for row, configuration in enumerate(itertools.product(*(range(len(s)) for s in states))):
            seen = {p: np.eye(len(s))[c] for p, s, c in zip(piece.rows.parents, states, configuration, strict=True)}
            assert marginals(tables, seen, [name]).posterior[name] == pytest.approx(piece.rows.mean[row], abs=1e-8)


def test_tables_are_distributions_and_zero_only_by_definition(packaged: ResponseReasoner) -> None:
    defined = {found.variable for found in packaged.model.definitions}
    for name, table in packaged.compiled.tables.items():
        assert np.allclose(table.values.sum(axis=-1), 1)
        assert (table.values >= 0).all() and (name in defined or (table.values > 0).all())


@pytest.mark.parametrize("evidence", EXPECTED["brute_force"])
def test_elimination_agrees_with_the_joint(packaged: ResponseReasoner, evidence: Mapping[str, list[str]]) -> None:
    tables, states = packaged.compiled.tables, packaged.compiled.states
    likelihood = {n: np.array([float(s in seen) for s in states[n]]) for n, seen in evidence.items()}
    needed = _ancestors(tables, evidence)
    joint = _joint({name: tables[name] for name in needed}, likelihood)
    answer = marginals(tables, likelihood, needed)
    assert answer.evidence_log == pytest.approx(np.log(joint.sum()), abs=1e-9)
    for axis, name in enumerate(needed):
        other = tuple(i for i in range(joint.ndim) if i != axis)
        assert answer.posterior[name] == pytest.approx(joint.sum(axis=other) / joint.sum(), abs=1e-9)


def test_intervals_hold_the_answer_and_repeat(packaged: ResponseReasoner) -> None:
    likelihood: dict[str, Any] = {}
    answers = packaged.model.of_role("ResponseAnswer")
    draws = [
        intervals(draw_tables(packaged.compiled, np.random.default_rng(7), 60), likelihood, answers) for _ in range(2)
    ]
    middle = marginals(packaged.compiled.tables, likelihood, answers).posterior
    for name in answers:
        low, high = draws[0][name]
        assert np.array_equal(draws[0][name], draws[1][name])
        assert (low <= middle[name]).all() and (middle[name] <= high).all() and (high - low > 0.01).all()


def test_a_drawn_table_keeps_definitions(packaged: ResponseReasoner) -> None:
    for tables in draw_tables(packaged.compiled, np.random.default_rng(1), 3):
        for name, table in tables.items():
            assert ((table.values > 0) <= (packaged.compiled.tables[name].values > 0)).all()
            assert np.allclose(table.values.sum(axis=-1), 1)


def _ancestors(tables: Mapping[str, Table], seeds: Mapping[str, Any]) -> list[str]:
    keep, stack = set(), list(seeds)
    while stack:
        name = stack.pop()
        if name not in keep:
            keep.add(name)
            stack.extend(tables[name].parents)
    return [name for name in tables if name in keep]


def _joint(tables: Mapping[str, Table], likelihood: Mapping[str, Any]) -> np.ndarray:
    names = list(tables)
    cards = [table.values.shape[-1] for table in tables.values()]
    assert np.prod(cards) < 5e6
    joint = np.ones(cards)
    for table in tables.values():
        axes = [names.index(name) for name in table.scope]
        ordered = np.transpose(table.values, np.argsort(axes))
        joint *= ordered.reshape([card if i in axes else 1 for i, card in enumerate(cards)])
    for name, vector in likelihood.items():
        joint *= vector.reshape([-1 if n == name else 1 for n in names])
    return joint
