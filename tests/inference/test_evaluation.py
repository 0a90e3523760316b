"""Reading proven cases strictly, and whole evaluations of models whose answers are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hepagraph.inference import Reasoner
from hepagraph.inference.case import Case
from hepagraph.inference.evaluation import (
    Evaluation,
    NaiveBayesPredictor,
    NetworkPredictor,
    Prediction,
    Predictor,
    ProvenCase,
    ReasonerPredictor,
    Settings,
    TruthReader,
    evaluate,
)
from hepagraph.inference.evaluation.predictors import check_names
from hepagraph.inference.evaluation.runner import behaviours_of, primary_variables, without_context
from hepagraph.inference.evaluation.safety import read_costly_errors
from hepagraph.inference.naive_bayes import build_naive_bayes
from hepagraph.inference.network import ENTITY
from hepagraph.ontology.errors import CaseError, HepagraphError


@pytest.fixture(scope="module")
def dice(data: Path) -> Reasoner:
    return Reasoner.load(data / "evaluation" / "dice")


@pytest.fixture(scope="module")
def reader(dice: Reasoner) -> TruthReader:
    return TruthReader(dice.reader, dice.network.states[ENTITY], dice.network.parent_of)


@pytest.fixture(scope="module")
def values(data: Path) -> list[tuple[str, Any]]:
    lines = (data / "evaluation" / "proven.jsonl").read_text(encoding="utf-8").splitlines()
    return [(f"line {number}", json.loads(line)) for number, line in enumerate(lines, 1)]


@pytest.fixture(scope="module")
def proven(reader: TruthReader, values: list[tuple[str, Any]]) -> tuple[ProvenCase, ...]:
    return reader.read(values)


@dataclass(frozen=True)
class Fixed:
    """Gives every lesion the same answer."""

    weights: tuple[float, ...]
    name: str = "fixed"
    surprising: bool | None = None

    def predict(self, case: Case, differential: tuple[str, ...], differential_name: str | None) -> list[Prediction]:
        posterior = dict(zip(differential, self.weights, strict=True))
        return [Prediction(posterior, self.surprising) for _ in case.lesions]


def run(dice: Reasoner, proven: Sequence[ProvenCase], predictors: Sequence[Predictor], **changes: Any) -> Evaluation:
    name = changes.pop("differential", dice.network.default_differential)
    entities = dice.entities(name)
    settings = Settings(
        name,
        entities,
        behaviours_of(dice.graph, entities),
        read_costly_errors(dice.graph),
        **{"draws": 20, **changes},
    )
    return evaluate(proven, predictors, settings)


def problems(reader: TruthReader, value: Any, table: Any = None) -> str:
    with pytest.raises(CaseError) as caught:
        reader.read([("line 1", value)], table)
    return str(caught.value)


def test_truth_of_several_lesions(proven: tuple[ProvenCase, ...]) -> None:
    two = next(p for p in proven if len(p.truth) == 2)
    assert [t.entity for t in two.truth.values()] == ["chipped", "loaded"]
    assert two.truth["L2"].subgroup == "shaved" and two.truth["L2"].atypical is None
    assert two.truth["L1"].atypical is False and two.truth["L1"].proof == "opened"


def test_every_problem_is_told_at_once_with_its_place(reader: TruthReader) -> None:
    bad = [
        ("line 1", {"case": {"id": "a", "lesions": [{"findings": {"rol": "six"}}]}, "truth": {"entity": "loaded"}}),
        (
            "line 2",
            {"case": {"id": "b", "lesions": [{"findings": {}}]}, "truth": {"entity": "loadedd", "atypical": "perhaps"}},
        ),
        ("line 3", {"case": {"id": "c", "lesions": [{"findings": {}}]}, "truht": {"entity": "loaded"}}),
        ("line 4", {"case": {"id": "d", "lesions": [{"findings": {}}]}, "truth": {"entity": "shaved"}}),
        (
            "line 5",
            {"case": {"id": "e", "lesions": [{"findings": {}}, {"findings": {}}]}, "truth": {"entity": "loaded"}},
        ),
        ("line 6", {"case": {"id": "f", "lesions": [{"findings": {}}]}, "truth": {"L9": {"entity": "loaded"}}}),
        ("line 7", {"case": {"id": "g", "lesions": [{"findings": {}}]}, "truth": {"entity": ""}}),
    ]
    with pytest.raises(CaseError) as caught:
        reader.read(bad)
    text = str(caught.value)
    for part in (
        "line 1: case a / lesion L1",
        "did you mean roll?",
        "line 2: case b / truth / lesion L1",
        "did you mean loaded?",
        "'perhaps' is neither true nor false",
        "line 3: case c: has no truth; it has the key 'truht' instead",
        "shaved is a subtype",
        "give the entity loaded",
        "line 5: case e / lesion L2: has no truth",
        "the case has no lesion 'L9'",
        "case f / lesion L1: has no truth",
        "line 7: case g / truth / lesion L1: has no entity",
    ):
        assert part in text, part


def test_a_bare_case_needs_a_table(reader: TruthReader) -> None:
    bare = {"id": "a", "lesions": [{"findings": {}}]}
    assert "or a table with --truth" in problems(reader, bare)
    row = {"case_id": "a", "lesion_id": "L1", "entity": "loaded", "atypical": "true"}
    assert reader.read([("line 1", bare)], [("row 2", row)])[0].truth["L1"].atypical is True
    assert "the table has no row for it; did you mean ab1?" in problems(
        reader, {**bare, "id": "ab"}, [("row 2", {**row, "case_id": "ab1"})]
    )
    assert "row 3: a second row" in problems(reader, bare, [("row 2", row), ("row 3", row)])
    assert "row 3: no case has the id 'other'" in problems(
        reader, bare, [("row 2", row), ("row 3", {**row, "case_id": "other"})]
    )
    assert "has no lesion 'L7'" in problems(reader, bare, [("row 2", {**row, "lesion_id": "L7"})])


def test_two_cases_of_one_id_are_refused(reader: TruthReader) -> None:
    value = {"case": {"id": "a", "lesions": [{"findings": {}}]}, "truth": {"entity": "loaded"}}
    with pytest.raises(CaseError, match="two cases have this id"):
        reader.read([("line 1", value), ("line 2", value)])


def test_fixed_answers_are_counted_by_hand(dice: Reasoner, proven: tuple[ProvenCase, ...]) -> None:
    found = run(dice, proven, [Fixed((0.1, 0.85, 0.05), surprising=True)])
    model = found.models[0]
    assert (len(found.lesions), found.patients, [o.entity for o in found.others]) == (9, 8, ["coin"])
    assert model.right == 3 and model.measures["top_1"].value == pytest.approx(3 / 9)
    assert model.measures["top_2"].value == pytest.approx(7 / 9)
    assert model.measures["macro_recall"].value == pytest.approx(1 / 3)
    assert model.measures["calibration_error"].value == pytest.approx(0.85 - 1 / 3)
    assert model.confusion == ((0, 4, 0), (0, 3, 0), (0, 2, 0))
    given_up, harmless = model.errors
    assert (given_up.at_risk, len(given_up.flags)) == (4, 4)  # P(loaded) = 0.1 is under 0.2
    assert (harmless.at_risk, len(harmless.flags)) == (9, 6)
    assert model.out_of_list.flagged == 1 and model.out_of_list.mean_confidence == pytest.approx(0.85)
    assert {(g.by, g.name): g.lesions for g in model.groups if g.by == "typicality"} == {
        ("typicality", "atypical"): 3,
        ("typicality", "typical"): 4,
        ("typicality", "not stated"): 2,
    }
    assert [answer.rank for answer in model.answers].count(1) == 3
    assert model.abstention[0].coverage == 1 and len(model.abstention) == 1


def test_change_against_the_baseline_is_taken_in_the_same_run(dice: Reasoner, proven: tuple[ProvenCase, ...]) -> None:
    better, base = Fixed((0.4, 0.4, 0.2), "better"), Fixed((0.1, 0.85, 0.05), "base")
    first, second = run(dice, proven, [better, base], baseline="base").models
    change = first.measures["log_loss_change"]
    own, other = first.measures["log_loss"].value, second.measures["log_loss"].value
    assert own is not None and other is not None and change.value == pytest.approx((own - other) / other)
    assert "log_loss_change" not in second.measures
    same = run(dice, proven, [base, Fixed((0.1, 0.85, 0.05), "again")], baseline="base").models[1].measures
    assert (same["brier_change"].value, same["brier_change"].low, same["brier_change"].high) == (0, 0, 0)


def test_a_flat_answer_stays_flat_when_findings_go(dice: Reasoner, proven: tuple[ProvenCase, ...]) -> None:
    flatness = run(dice, proven, [Fixed((0.1, 0.85, 0.05))]).models[0].flatness
    assert [p.lesions for p in flatness] == [9, 8, 4, 1]
    assert all(p.mean_largest == pytest.approx(0.85) for p in flatness)
    assert [p.gain for p in flatness] == [None, *[pytest.approx(0)] * 3]
    assert run(dice, proven, [Fixed((0.1, 0.85, 0.05))], flatness=False).models[0].flatness == ()


def test_other_differential_sets_more_apart(dice: Reasoner, proven: tuple[ProvenCase, ...]) -> None:
    found = run(dice, proven, [Fixed((0.5, 0.5))], differential="two_dice")
    assert (len(found.lesions), sorted(o.entity for o in found.others)) == (7, ["chipped", "chipped", "coin"])
    none = [p for p in proven if p.case.id == "d9"]
    with pytest.raises(HepagraphError, match="none of the 1 lesions"):
        run(dice, none, [Fixed((0.5, 0.5))], differential="two_dice")


def test_real_models_run_side_by_side_and_repeat(dice: Reasoner, proven: tuple[ProvenCase, ...]) -> None:
    models = [
        ReasonerPredictor(dice),
        NetworkPredictor(dice.network, "network"),
        NaiveBayesPredictor(build_naive_bayes(dice.graph)),
    ]
    first, second = (run(dice, proven, models, baseline="naive Bayes", seed=3) for _ in range(2))
    assert first == second
    for model in first.models:
        for answer in model.answers:
            assert sum(answer.posterior.values()) == pytest.approx(1, abs=1e-9)


def test_names_must_tell_the_models_apart(dice: Reasoner, proven: tuple[ProvenCase, ...]) -> None:
    with pytest.raises(ValueError, match="distinct names"):
        check_names([Fixed((1.0,)), Fixed((1.0,))])
    with pytest.raises(ValueError, match="none of the predictors"):
        run(dice, proven, [Fixed((0.5, 0.3, 0.2))], baseline="other")


def test_without_the_primary(dice: Reasoner, reasoner: Reasoner, proven: tuple[ProvenCase, ...]) -> None:
    names = primary_variables(dice.graph)
    assert names == ("shop",)
    assert any(p.case.context for p in proven)
    assert not any(p.case.context for p in without_context(proven, names))
    assert len(primary_variables(reasoner.graph)) == 1
