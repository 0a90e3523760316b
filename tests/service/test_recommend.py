"""``hepagraph recommend`` writes what fired, why and on whose word; nothing where anything is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hepagraph.inference import Reasoner
from hepagraph.inference.result import NOTICE
from hepagraph.service.cli import main


@pytest.fixture
def path(tmp_path: Path, rule_cases: dict[str, Any]) -> Path:
    found = tmp_path / "case.json"
    found.write_text(json.dumps(rule_cases["seen"]["case"]), encoding="utf-8")
    return found


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch: pytest.MonkeyPatch, reasoner: Reasoner) -> None:
    """Let the command find the packaged ontology loaded already, which takes it five seconds otherwise."""
    load = Reasoner.load
    monkeypatch.setattr(Reasoner, "load", lambda folder=None, **more: load(folder, **more) if folder else reasoner)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["recommend", *map(str, arguments)])


def test_text(path: Path, rule_cases: dict[str, Any]) -> None:
    result = run(path)
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    expected = rule_cases["seen"]
    for part in (expected["why"], expected["primary"], expected["source"], "because:", "would also apply if", NOTICE):
        assert part in text
    assert max(map(len, result.output.splitlines())) <= 120


def test_json_is_one_object_a_case(path: Path, rule_cases: dict[str, Any]) -> None:
    result = run(path, path, "--json")
    first, second = map(json.loads, result.stdout.splitlines())
    assert first == second
    assert first["patient"]["recommendations"][0]["rule"] == rule_cases["seen"]["patient"]
    lesion = first["lesions"][0]
    found = lesion["recommendations"][0]
    assert found["rule"] == rule_cases["seen"]["first"] and rule_cases["seen"]["why"] in found["why"]
    assert {"id", "source", "locator", "figure"} == set(found["sources"][0])
    assert lesion["would_fire_if_known"] and 0 < sum(lesion["posterior"].values()) < 1.001
    assert first["model"]["notice"] == NOTICE


def test_all_shows_no_less(path: Path) -> None:
    assert len(run(path, "--all").output) >= len(run(path).output)


def test_a_bad_case_writes_nothing(path: Path, tmp_path: Path, rule_cases: dict[str, Any]) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(rule_cases["bad"]), encoding="utf-8")
    result = run(path, bad)
    assert (result.exit_code, result.stdout) == (2, "")
    assert all(word in result.stderr for word in rule_cases["bad_says"])
    assert "bad.json" in result.stderr


def test_an_unknown_differential_is_an_error(path: Path) -> None:
    result = run(path, "--differential", "wid")
    assert (result.exit_code, result.stdout) == (2, "") and "did you mean wide" in result.stderr


def test_an_ontology_without_rules_says_so(data: Path, tmp_path: Path) -> None:
    asked = tmp_path / "toss.json"
    asked.write_text('{"lesions": [{"findings": {}}]}', encoding="utf-8")
    result = run(asked, "--ontology", data / "coin")
    assert result.exit_code == 0 and "No rule of this ontology applies" in result.output
