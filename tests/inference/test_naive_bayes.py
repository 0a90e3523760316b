"""The baseline against a computation in fractions, and against what it promises."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hepagraph.inference import Reasoner
from hepagraph.inference.naive_bayes import PUBLISHED, build_naive_bayes


def test_posterior_equals_hand_computation(coin: Reasoner) -> None:
    weight = Fraction(coin.graph.graph["policy"].default_sample_size)
    alone = [(30 + Fraction(1, 2)) / 41, (4 + Fraction(1, 2)) / 41]  # under one even pseudo-count
    root = sum(alone) / 2
    heads = [(k + weight * root + Fraction(1, 4)) / (40 + weight + Fraction(1, 2)) for k in (30, 4)]
    biased = Fraction(1, 4) * heads[0] / (Fraction(1, 4) * heads[0] + Fraction(3, 4) * heads[1])
    case = coin.read({"lesions": [{"findings": {"toss": "heads"}}]})
    answer = build_naive_bayes(coin.graph).posterior(case)["L1"]
    assert answer["biased"] == pytest.approx(float(biased), abs=1e-12)
    assert sum(answer.values()) == pytest.approx(1, abs=1e-12)


def test_prior_without_findings_is_that_of_the_setting(root_dice: Reasoner) -> None:
    model = build_naive_bayes(root_dice.graph)
    bare = {"lesions": [{"findings": {}}]}
    casino = root_dice.read({"patient": {"shop": "casino"}, **bare})
    assert list(model.posterior(casino)["L1"].values()) == pytest.approx([0.6, 0.3, 0.1])
    assert list(model.posterior(root_dice.read(bare))["L1"].values()) == pytest.approx([0.35, 0.55, 0.1])
    mixed = root_dice.read({"patient": {"shop": {"casino": 1, "toys": 1}}, **bare})
    assert list(model.posterior(mixed)["L1"].values()) == pytest.approx([0.35, 0.55, 0.1])


def test_findings_multiply_and_soft_ones_weigh(root_dice: Reasoner) -> None:
    model = build_naive_bayes(root_dice.graph)

    def answer(**findings: object) -> np.ndarray:
        case = root_dice.read({"patient": {"shop": "toys"}, "lesions": [{"findings": findings}]})
        return np.array(list(model.posterior(case)["L1"].values()))

    prior, one, two, both = answer(), answer(roll="six"), answer(balance="off"), answer(roll="six", balance="off")
    product = one * two / prior
    assert both == pytest.approx(product / product.sum(), abs=1e-12)
    assert answer(roll={"six": 1, "other_face": 1}) == pytest.approx(prior, abs=1e-12)


def test_statements_of_subtypes_count_for_their_entity(root_dice: Reasoner) -> None:
    model, weight = build_naive_bayes(root_dice.graph), root_dice.graph.graph["policy"].default_sample_size
    # 36 of 40 and, of a subtype, 39 of 40; the other two entities show it in 2 and 20 of 40
    root = ((75 + 0.5) / 81 + (2 + 0.5) / 41 + (20 + 0.5) / 41) / 3
    table = np.exp(model.tables_log["balance"])
    off = (75 + weight * root + 0.25) / (80 + weight + 0.5)
    assert table[model.entities.index("loaded"), 0] == pytest.approx(off, abs=1e-9)
    assert table.sum(axis=1) == pytest.approx(1)


def test_chosen_entities_share_one(reasoner: Reasoner, expected: dict[str, dict[str, object]]) -> None:
    model = build_naive_bayes(reasoner.graph)
    entities = reasoner.entities()
    for posterior in model.posterior(reasoner.read(expected["case"]), entities).values():
        assert tuple(posterior) == entities
        assert sum(posterior.values()) == pytest.approx(1, abs=1e-12)
        assert all(0 < p < 1 for p in posterior.values())


def test_no_judgement_enters_the_tables() -> None:
    assert set(PUBLISHED) == {"A", "B", "C"}


@pytest.fixture(scope="module")
def root_dice(data: object) -> Reasoner:
    return Reasoner.load(str(data) + "/evaluation/dice")
