from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hepagraph.inference import Reasoner, marginals
from hepagraph.inference.network import ENTITY
from hepagraph.ontology import OntologyError, UnknownKeyError


def test_result_has_the_fixed_shape(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    result = reasoner.posterior(expected["case"]).to_dict()
    lesion = result["lesions"][0]
    assert result["id"] == expected["case"]["id"]
    assert list(lesion["posterior"]) == expected["six"]
    assert sum(lesion["posterior"].values()) == pytest.approx(1, abs=1e-12)
    assert sum(lesion["subtype"].values()) == pytest.approx(1, abs=1e-4)
    assert all(0 < p < 1 for p in lesion["mechanisms"].values())
    assert set(result["model"]) == {"version", "ontology_sha256", "notice"}
    assert len(result["model"]["ontology_sha256"]) == 64
    assert [w["level"] for w in lesion["warnings"]] == ["info"]
    json.dumps(result, allow_nan=False)


def test_wide_differential_adds_its_entities(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    six = reasoner.posterior(expected["case"]).lesions[0].posterior
    wide = reasoner.posterior(expected["case"], differential="wide").lesions[0].posterior
    assert list(wide) == expected["six"] + expected["wide_adds"]
    shared = sum(wide[entity] for entity in six)
    for entity, probability in six.items():
        assert wide[entity] / shared == pytest.approx(probability, abs=1e-12)


def test_unknown_differential_names_the_nearest(reasoner: Reasoner) -> None:
    with pytest.raises(UnknownKeyError, match="did you mean six"):
        reasoner.posterior({"lesions": [{"findings": {}}]}, differential="sixx")


def test_empty_findings_answer_the_prior_with_a_warning(reasoner: Reasoner) -> None:
    answer = reasoner.posterior({"lesions": [{"findings": {}}]}).lesions[0]
    assert [w.level for w in answer.warnings] == ["warning"]
    entities = reasoner.entities()
    member = np.array([float(e in entities) for e in reasoner.network.states[ENTITY]])
    prior = marginals(reasoner.network.tables, {ENTITY: member}, [ENTITY]).posterior[ENTITY]
    assert answer.posterior == pytest.approx(
        dict(zip(reasoner.network.states[ENTITY][:6], prior[:6], strict=True)), abs=1e-12
    )


def test_textbook_findings_put_their_entity_on_top(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    for entity, findings in expected["typical"].items():
        answer = reasoner.posterior({"lesions": [{"findings": findings}]}).lesions[0]
        assert answer.leading == entity, (entity, answer.posterior)
        assert answer.posterior[entity] > 0.5, (entity, answer.posterior)


def test_context_moves_the_prior(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    wanted = expected["context"]
    (name, (none, known)), entity = next(iter(wanted["states"].items())), wanted["entity"]
    priors = [
        reasoner.posterior({"patient": {name: state}, "lesions": [{"findings": {}}]}).lesions[0]
        for state in (none, known)
    ]
    assert priors[1].posterior[entity] > 3 * priors[0].posterior[entity]


def test_signs_of_one_mechanism_are_dependent_within_a_subtype(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    """P(a, b | subtype) exceeds P(a | subtype) P(b | subtype) where one hidden cause makes both."""
    row, network = expected["one_cause_twice"], reasoner.network
    subtype = np.array([float(s == row["given"]) for s in network.states["subtype"]])

    def evidence_log(*names: str) -> float:
        seen = {n: np.array([float(s == row["findings"][n]) for s in network.states[n]]) for n in names}
        return marginals(network.tables, {"subtype": subtype, **seen}, ["subtype"]).evidence_log

    both, base = list(row["findings"]), evidence_log()
    gain = evidence_log(*both) + base - sum(evidence_log(name) for name in both)
    assert gain > math.log(1.5)


def test_reasons_weigh_findings_by_withdrawal_and_cite(reasoner: Reasoner, expected: dict[str, Any]) -> None:
    answer = reasoner.posterior(expected["case"]).lesions[0]
    weights = [abs(reason.likelihood_ratio_log) for reason in answer.reasons]
    assert weights == sorted(weights, reverse=True)
    imaging = [reason for reason in answer.reasons if reason.variable in reasoner.network.variables("feature")]
    assert imaging
    assert all(reason.statements and reason.statements[0].source.title for reason in imaging)
    strongest = imaging[0]
    case = json.loads(json.dumps(expected["case"]))
    findings = case["lesions"][0]["findings"]
    findings.pop(strongest.variable, None) or findings.pop(f"{strongest.variable}_mm2_s", None) or case["lesions"][
        0
    ].pop(f"{strongest.variable}_mm")
    without = reasoner.posterior(case).lesions[0].posterior[answer.leading]
    full = answer.posterior[answer.leading]
    change = math.log(full / (1 - full)) - math.log(without / (1 - without))
    assert strongest.likelihood_ratio_log == pytest.approx(change, abs=1e-6)


def test_interval_holds_the_posterior_and_repeats_with_its_seed(skin: Reasoner) -> None:
    case = {"lesions": [{"diameter_mm": 9, "findings": {"border": "irregular", "colours": "several"}}]}
    first = skin.posterior(case, interval=True).lesions[0]
    again = skin.posterior(case, interval=True).lesions[0]
    assert first.interval == again.interval
    assert first.interval is not None
    for entity, (low, high) in first.interval.items():
        assert 0 < low < first.posterior[entity] < high < 1
    other = skin.posterior(case, interval=True, seed=1).lesions[0]
    assert other.interval != first.interval


def test_more_evidence_narrows_the_interval(data: Path, tmp_path: Path) -> None:
    text = (data / "coin" / "coin.ttl").read_text()
    (tmp_path / "coin.ttl").write_text(
        text.replace("fl:k 30 ; fl:n 40", "fl:k 3 ; fl:n 4").replace("fl:k 4 ; fl:n 40", "fl:k 1 ; fl:n 10")
    )
    case = {"lesions": [{"findings": {"toss": "heads"}}]}
    widths = []
    for folder in (data / "coin", tmp_path):
        interval = Reasoner.load(folder).posterior(case, interval=True).lesions[0].interval
        assert interval is not None
        widths.append(interval["biased"][1] - interval["biased"][0])
    assert widths[0] < 0.9 * widths[1]


def test_another_field_compiles_and_answers_without_new_code(skin: Reasoner) -> None:
    case = {
        "patient": {"sun_exposure": "high"},
        "exam": {"method": "dermoscopy"},
        "lesions": [
            {"diameter_mm": 9, "findings": {"border": "irregular", "colours": "several", "pigment_network": True}}
        ],
    }
    answer = skin.posterior(case).lesions[0]
    assert sum(answer.posterior.values()) == pytest.approx(1, abs=1e-12)
    assert answer.leading == list(answer.posterior)[1]
    assert answer.mechanisms["radial_growth"] > 0.5
    case["exam"] = {"method": "naked_eye"}
    with pytest.raises(ValueError, match="only dermoscopy shows"):
        skin.read(case)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("id:coin a fl:RootEntity", "id:coin a fl:Thing", "root entities"),
        ("id:toss", "id:subtype", "the network itself uses this name"),
        ("id:fair a fl:LesionEntity ; fl:subtypeOf id:coin", "id:fair a fl:LesionEntity", "needs at least two"),
        (
            "id:toss_tails a fl:FeatureState ; fl:stateOf id:toss ;",
            "id:toss_tails a fl:FeatureState ;",
            "toss: has 1 leaf states",
        ),
        (
            "fl:quantity fl:PriorWeight ; fl:given id:fair",
            "fl:quantity fl:Prevalence ; fl:given id:fair",
            "no prior weight",
        ),
    ],
)
def test_an_ontology_that_cannot_carry_a_network_says_why(
    data: Path, tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = (data / "coin" / "coin.ttl").read_text()
    assert old in text
    (tmp_path / "coin.ttl").write_text(text.replace(old, new))
    with pytest.raises(OntologyError, match=says):
        Reasoner.load(tmp_path)


def test_a_mechanism_with_its_states_the_wrong_way_round_is_refused(data: Path, tmp_path: Path) -> None:
    text = (data / "skin" / "skin.ttl").read_text()
    for name, order, flag in (("absent", 0, "false"), ("present", 1, "true")):
        old = f"id:radial_growth_{name} a fl:FeatureState ; fl:stateOf id:radial_growth ; fl:order {order} ;"
        assert old in text
        text = text.replace(old, old.replace(f"fl:order {order}", f"fl:order {1 - order} ; fl:booleanValue {flag}"))
    (tmp_path / "skin.ttl").write_text(text)
    with pytest.raises(OntologyError, match="absent then present"):
        Reasoner.load(tmp_path)


def test_figure_cases_are_answered_and_the_readme_says_how_many_rightly(reasoner: Reasoner, root: Path) -> None:
    rows = [line.split("\t") for line in (root / "examples" / "diagnoses.tsv").read_text().splitlines()[1:]]
    truth = {(row[0], row[1]): row[2] for row in rows}
    right = 0
    for path in sorted((root / "examples").glob("*.json")):
        result = reasoner.posterior(json.loads(path.read_text()))
        for lesion in result.lesions:
            right += lesion.leading == truth.pop((result.id, lesion.id))
    assert truth == {}
    assert f"{right} of the {len(rows)} lesions" in (root / "README.md").read_text()


def test_development_cases_are_all_answered(reasoner: Reasoner, root: Path) -> None:
    folder = root / "examples" / "development"
    truth = {line.split("\t")[0] for line in (folder / "truth.tsv").read_text().splitlines()[1:]}
    cases = [json.loads(line) for line in (folder / "cases.jsonl").read_text().splitlines()]
    assert {case["id"] for case in cases} == truth
    for case in cases:
        for lesion in reasoner.posterior(case, differential="wide").lesions:
            assert sum(lesion.posterior.values()) == pytest.approx(1, abs=1e-12)
