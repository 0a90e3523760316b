"""A turn turns the answer exactly; a range is that of one variable's draws; both name their evidence."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from hepagraph.inference import Reasoner, marginals
from hepagraph.inference.interval import draw_posteriors
from hepagraph.inference.network import ENTITY, SUBTYPE
from hepagraph.inference.sensitivity import sensitivity


def test_a_turn_makes_two_entities_equally_probable(reasoner: Reasoner, root: Any, expected: dict[str, Any]) -> None:
    network, turned = reasoner.network, 0
    cases = [expected["case"], json.loads((root / "examples" / "paulatto2020_fig13.json").read_text(encoding="utf-8"))]
    for data in cases:
        case = reasoner.read(data)
        for lesion, evidence in zip(
            sensitivity(reasoner, case, draws=20), reasoner.prepare(case, reasoner.entities()), strict=True
        ):
            for turn in lesion.turns[:8]:
                assert 0 < turn.needed <= 1
                change = np.ones(len(network.states[SUBTYPE]))
                change[network.states[SUBTYPE].index(turn.subtype)] = turn.factor
                changed = {**evidence.likelihood, SUBTYPE: change * evidence.likelihood.get(SUBTYPE, 1.0)}
                found = marginals(network.tables, changed, [ENTITY]).posterior[ENTITY]
                top, rival = (network.states[ENTITY].index(name) for name in (lesion.leading, turn.entity))
                assert found[top] == pytest.approx(found[rival], rel=1e-6)
                turned += 1
            sizes = [abs(np.log(turn.factor)) for turn in lesion.turns]
            assert sizes == sorted(sizes)
    assert turned >= 8


def test_the_number_of_a_turn_is_the_probability_of_what_was_seen(reasoner: Reasoner, root: Any) -> None:
    data = json.loads((root / "examples" / "paulatto2020_fig13.json").read_text(encoding="utf-8"))
    case = reasoner.read(data)
    (evidence,) = reasoner.prepare(case, reasoner.entities())
    (lesion,) = sensitivity(reasoner, case, draws=20)
    tables, states = reasoner.network.tables, reasoner.network.states[SUBTYPE]
    for turn in lesion.turns[:5]:
        hard = np.eye(len(states))[states.index(turn.subtype)]
        rest = {n: v for n, v in evidence.likelihood.items() if n != turn.variable}
        with_it = marginals(tables, {**evidence.likelihood, SUBTYPE: hard}, []).evidence_log
        without = marginals(tables, {**rest, SUBTYPE: hard}, []).evidence_log
        assert turn.now == pytest.approx(np.exp(with_it - without), rel=1e-9)


def test_ranges_are_those_of_one_variable(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    case = reasoner.read(expected["case"])
    (lesion,) = sensitivity(reasoner, case, draws=40, seed=3)
    (evidence,) = reasoner.prepare(case, reasoner.entities())
    row = reasoner.network.states[ENTITY].index(lesion.leading)
    for found in lesion.ranges[:3]:
        draws = draw_posteriors(
            reasoner.skeleton, reasoner.network, evidence.likelihood, seed=3, draws=40, only=(found.variable,)
        )
        assert [found.low, found.high] == pytest.approx(np.quantile(draws[:, row], [0.025, 0.975]).tolist())
    widths = [found.high - found.low for found in lesion.ranges]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 0
    assert {found.variable for found in lesion.ranges} >= set(case.lesions[0].findings)
    assert json.dumps(lesion.to_dict())


def test_no_variable_no_range(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    case = reasoner.read(expected["case"])
    (evidence,) = reasoner.prepare(case, reasoner.entities())
    draws = draw_posteriors(reasoner.skeleton, reasoner.network, evidence.likelihood, seed=0, draws=5, only=())
    point = marginals(reasoner.network.tables, evidence.likelihood, [ENTITY]).posterior[ENTITY]
    np.testing.assert_allclose(draws, np.broadcast_to(point, draws.shape), atol=1e-9)
