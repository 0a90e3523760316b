"""``hepagraph explain``, ``what-if`` and ``next-best``: text, JSON, and errors that leave standard output empty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hepagraph.inference import Reasoner
from hepagraph.inference.ledger import explain as ledgers
from hepagraph.inference.most_probable import most_probable
from hepagraph.inference.next_best import next_best
from hepagraph.inference.result import NOTICE
from hepagraph.inference.sensitivity import sensitivity
from hepagraph.service.cli import main


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch: pytest.MonkeyPatch, reasoner: Reasoner) -> None:
    load = Reasoner.load
    monkeypatch.setattr(Reasoner, "load", lambda folder=None, **more: load(folder, **more) if folder else reasoner)


@pytest.fixture(scope="module")
def told(data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((data / "next_best_cases.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def case(told: dict[str, Any], root: Path) -> Path:
    return root / "examples" / str(told["what_if"]["file"])


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_explain(case: Path, reasoner: Reasoner) -> None:
    result = run("explain", case)
    assert result.exit_code == 0
    for part in ("speaks for it", "speaks against it", "before any of this", "through", "were it", "grade", NOTICE):
        assert part in result.output
    (answer,) = map(json.loads, run("explain", case, "--json").stdout.splitlines())
    for lesion in answer["lesions"]:
        total = lesion["log_odds_before"] + sum(entry["weight"] for entry in lesion["entries"])
        assert total == pytest.approx(lesion["log_odds_after"], abs=1e-9)
    rival = reasoner.entities()[1]
    assert reasoner.network.labels[rival] in run("explain", case, "--against", rival).output.splitlines()[2]


def test_next_best(case: Path, told: dict[str, Any], tmp_path: Path) -> None:
    result = run("next-best", case, "--top", 2)
    assert result.exit_code == 0
    for part in ("a test that is never wrong", "on the examinations at hand", "another examination", "bits", NOTICE):
        assert part in result.output
    path = tmp_path / "case.json"
    path.write_text(json.dumps(told["slow_one"]["case"]), encoding="utf-8")
    (answer,) = map(json.loads, run("next-best", path, "--json").stdout.splitlines())
    assert answer["lesions"][0]["protocols"][0]["information"] > 0.05


def test_what_if(case: Path, told: dict[str, Any]) -> None:
    spec = told["what_if"]
    (key, value) = next(iter(spec["change"].items()))
    changes = ("--set", f"{key}={value}", "--drop", spec["withdraw"])
    together = run("what-if", case, *changes)
    assert together.exit_code == 0
    assert f"{key}={value}, without {spec['withdraw']}" in together.output
    apart = run("what-if", case, *changes, "--exam", spec["exam"][0]["modality"], "--each", "--sweep", spec["sweep"])
    assert "not visible there, so withdrawn" in apart.output and NOTICE in apart.output
    rows = [json.loads(line) for line in run("what-if", case, *changes, "--each", "--json").stdout.splitlines()]
    assert {row["scenario"] for row in rows} == {"as it is", f"{key}={value}", f"without {spec['withdraw']}"}
    assert sum(row["posterior"] for row in rows if row["scenario"] == "as it is") == pytest.approx(2)  # two lesions


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("what-if", "CASE"), "nothing is to be changed"),
        (("what-if", "CASE", "--set", "x"), "cannot read"),
        (("what-if", "CASE", "--set", "qq=1"), "unknown key"),
        (("what-if", "CASE", "--sweep", "qq"), "unknown variable"),
        (("what-if", "CASE", "--drop", "sex", "--lesion", "qq"), "no lesion has the id"),
        (("explain", "CASE", "--against", "qq"), "not in the differential"),
        (("next-best", "CASE", "--differential", "qq"), "not known"),
    ],
)
def test_errors_leave_nothing_behind(case: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run(*(case if argument == "CASE" else argument for argument in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_sensitivity(case: Path) -> None:
    result = run("sensitivity", case, "--top", 2)
    assert result.exit_code == 0
    for part in ("drawn from their uncertainty", "->", "now from", NOTICE):
        assert part in result.output
    (answer,) = map(json.loads, run("sensitivity", case, "--json").stdout.splitlines())
    assert all(lesion["ranges"] for lesion in answer["lesions"])


def test_costs_on_the_command_line(case: Path, reasoner: Reasoner, tmp_path: Path) -> None:
    shown = json.loads(run("next-best", "--show-costs").stdout)
    management = next(iter(shown["losses"]))
    assert run("next-best", case, "--by", "cost").output.count("saves") > 3
    flat = {name: dict.fromkeys(losses, 7) for name, losses in shown["losses"].items()}
    path = tmp_path / "costs.json"
    path.write_text(json.dumps({"losses": flat}), encoding="utf-8")
    (answer,) = map(json.loads, run("next-best", case, "--costs", path, "--json").stdout.splitlines())
    assert all(lesion["settled"] and lesion["expected_loss"] == pytest.approx(7) for lesion in answer["lesions"])
    assert "save more than it costs" in run("next-best", case, "--costs", path).output
    (usual,) = map(json.loads, run("next-best", case, "--json", "--by", "cost").stdout.splitlines())
    for lesion in usual["lesions"]:
        savings = [found["saving"] for found in lesion["findings"]]
        assert savings == sorted(savings, reverse=True) and lesion["management"] in shown["losses"]
    path.write_text(json.dumps({"losses": {management: {"nobody": 1}}}), encoding="utf-8")
    refused = run("next-best", case, "--costs", path)
    assert refused.exit_code == 2 and refused.stdout == "" and "is not known" in refused.stderr
    assert run("next-best").exit_code == 2
    assert "no case was given" in run("next-best").stderr


def test_paths_and_stories_are_told(case: Path) -> None:
    result = run("explain", case)
    assert " -> " in result.output and "the best story of each entity" in result.output
    (answer,) = map(json.loads, run("explain", case, "--json").stdout.splitlines())
    for lesion in answer["lesions"]:
        assert lesion["explanations"][0]["probability"] > 0
        assert any(entry["path"] for entry in lesion["entries"])


def test_papers_are_withdrawn(case: Path) -> None:
    (with_papers,) = map(json.loads, run("sensitivity", case, "--json", "--papers", 1).stdout.splitlines())
    assert all(len(lesion["withdrawals"]["papers"]) == 1 for lesion in with_papers["lesions"])
    (without,) = map(json.loads, run("sensitivity", case, "--json", "--papers", 0).stdout.splitlines())
    assert all("withdrawals" not in lesion for lesion in without["lesions"])
    assert "when withdrawn" in run("sensitivity", case, "--papers", 1).output


def test_archetype(told: dict[str, Any], reasoner: Reasoner) -> None:
    alike = told["alike"]
    result = run("archetype", alike["entity"], "--exam", alike["exam"], "--top", 3)
    assert result.exit_code == 0 and "closest look-alike" in result.output and NOTICE in result.output
    (found,) = map(json.loads, run("archetype", alike["entity"], "--exam", alike["exam"], "--json").stdout.splitlines())
    assert found["look_alike"] == alike["look_alike"] and found["separator"]["finding"] == alike["separator"]
    assert len(run("archetype", "--json").stdout.splitlines()) == len(reasoner.entities())
    for wrong in (["nobody"], ["--set", "x"], ["--set", "nobody=1"], ["--exam", "nobody"]):
        refused = run("archetype", *wrong)
        assert refused.exit_code == 2 and refused.stdout == "" and refused.stderr


def test_every_command_that_answers_a_case_takes_a_prior(case: Path, reasoner: Reasoner) -> None:
    data = json.loads(case.read_text(encoding="utf-8"))
    prior = {entity: 1.0 + position for position, entity in enumerate(reasoner.entities())}
    text = ",".join(f"{entity}={weight}" for entity, weight in prior.items())
    read, given = reasoner.read(data), {"prior": prior}
    posteriors = [lesion.posterior for lesion in reasoner.posterior(data, **given).lesions]  # type: ignore[arg-type]
    wanted: dict[str, list[Any]] = {
        "explain": [
            {**ledger.to_dict(), "explanations": [story.to_dict() for story in stories]}
            for ledger, stories in zip(
                ledgers(reasoner, read, **given),  # type: ignore[arg-type]
                most_probable(reasoner, read, **given),  # type: ignore[arg-type]
                strict=True,
            )
        ],
        "next-best": [
            found.to_dict()
            for found in next_best(reasoner, read, costs=reasoner.costs, **given)  # type: ignore[arg-type]
        ],
        "sensitivity": [found.to_dict() for found in sensitivity(reasoner, read, **given)],  # type: ignore[arg-type]
    }
    more = {"sensitivity": ("--papers", 0)}
    for command, lesions in wanted.items():
        options = more.get(command, ())
        (answer,) = map(json.loads, run(command, case, "--json", "--prior", text, *options).stdout.splitlines())
        assert answer["lesions"] == json.loads(json.dumps(lesions)), command
        (plain,) = map(json.loads, run(command, case, "--json", *options).stdout.splitlines())
        assert plain != answer, command
    rows = [
        json.loads(line)
        for line in run("what-if", case, "--json", "--prior", text, "--set", "age=30").stdout.splitlines()
    ]
    as_it_is = [row for row in rows if row["scenario"] == "as it is"]
    assert [row["posterior"] for row in as_it_is] == [p for found in posteriors for p in found.values()]
    (advice,) = map(json.loads, run("recommend", case, "--json", "--prior", text).stdout.splitlines())
    assert [lesion["posterior"] for lesion in advice["lesions"]] == posteriors
    for command in ("posterior", *wanted, "what-if", "recommend", "report"):
        bad = run(command, case, "--prior", "nothing=1", *(("--set", "age=30") if command == "what-if" else ()))
        assert (bad.exit_code, bad.stdout) == (2, ""), command
        assert "no weight for" in bad.stderr, command


def test_a_file_of_costs_that_holds_several_values_is_refused(case: Path, tmp_path: Path) -> None:
    path = tmp_path / "costs.jsonl"
    path.write_text("{}\n{}\n", encoding="utf-8")
    for command in ("next-best", "report"):
        bad = run(command, case, "--costs", path)
        assert (bad.exit_code, bad.stdout) == (2, ""), command
        assert "holds 2 JSON values; give one object" in bad.stderr
