"""``hepagraph posterior --prior`` answers under the user's own prior, or says what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hepagraph.inference import Reasoner
from hepagraph.service.cli import main


def ask(data: Path, findings: dict[str, str], *arguments: str) -> Result:
    case = json.dumps({"lesions": [{"findings": findings}]})
    command = ["posterior", "-", "--json", "--ontology", str(data / "coin"), *arguments]
    return CliRunner().invoke(main, command, input=case)


def posterior(result: Result) -> dict[str, float]:
    assert result.exit_code == 0, result.stderr
    found: dict[str, float] = json.loads(result.stdout)["lesions"][0]["posterior"]
    return found


@pytest.mark.parametrize(
    ("prior", "share"),
    [
        ("biased=0.5,fair=0.5", 0.5),
        ("biased=3, fair = 1", 0.75),
        ("fair=2,biased=2", 0.5),
        ("biased=1e-3,fair=1", 1 / 1001),
    ],
)
def test_without_findings_the_answer_is_the_prior_whatever_it_sums_to(data: Path, prior: str, share: float) -> None:
    assert posterior(ask(data, {}, "--prior", prior))["biased"] == pytest.approx(share, abs=1e-9)


def test_findings_multiply_its_odds_as_they_do_those_of_the_model(data: Path, coin: Reasoner) -> None:
    own = coin.posterior({"lesions": [{"findings": {}}]}).lesions[0].posterior
    seen = posterior(ask(data, {"toss": "heads"}))
    even = posterior(ask(data, {"toss": "heads"}, "--prior", "biased=1,fair=1"))
    ratio = seen["biased"] / seen["fair"] / (own["biased"] / own["fair"])
    assert even["biased"] / even["fair"] == pytest.approx(ratio, rel=1e-9)


@pytest.mark.parametrize(
    ("prior", "says"),
    [
        ("biased=0.5", "no weight for fair"),
        ("biased=1,fair=1,fare=1", "did you mean fair"),
        ("biased=1,fair=0", "fair: 0.0 is no positive number"),
        ("biased=-1,fair=1", "biased: -1.0 is no positive number"),
        ("biased=inf,fair=1", "biased: inf is no positive number"),
        ("biased=half,fair=1", "cannot read 'biased=half'"),
        ("biased=nan,fair=1", "cannot read 'biased=nan'"),
        ("biased=1,fair=1,fair=2", "cannot read 'fair=2'"),
        ("0.5", "cannot read '0.5'"),
        ("", "cannot read ''"),
    ],
)
def test_a_bad_prior_is_refused_and_says_why(data: Path, prior: str, says: str) -> None:
    result = ask(data, {"toss": "heads"}, "--prior", prior)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


def test_all_that_is_wrong_with_a_prior_is_said_at_once(data: Path) -> None:
    result = ask(data, {}, "--prior", "biasedd=1,fair=0")
    assert all(says in result.stderr for says in ("did you mean biased", "fair: 0.0", "no weight for biased"))
