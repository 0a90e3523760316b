"""``hepagraph response`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from hepagraph.inference.result import NOTICE
from hepagraph.service.cli import main

ROOT = Path(__file__).resolve().parents[2]
GARDEN = str(ROOT / "tests" / "data" / "response" / "garden")


def test_text_has_grades_intervals_reasons_pitfalls_and_notice() -> None:
    case = json.dumps({"id": "g", "patient": {"water_ml": 30}, "lesions": [{"response": {"leaf": "green"}}]})
    done = CliRunner().invoke(main, ["response", "-", "--ontology", GARDEN], input=case)
    assert done.exit_code == 0, done.output
    for part in (
        "Case g",
        "95 % interval",
        "why recovery",
        "leaf: green",
        "pitfall: green leaves",
        "[ev_recovered]",
        NOTICE,
        "taken for granted: plant: fern",
    ):
        assert part in done.stdout


def test_json_is_one_object_a_line() -> None:
    lines = "\n".join(json.dumps({"id": name, "lesions": [{}]}) for name in ("a", "b"))
    done = CliRunner().invoke(main, ["response", "-", "--json", "--ontology", GARDEN], input=lines)
    assert done.exit_code == 0, done.output
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["a", "b"]


def test_one_bad_case_and_nothing_is_written() -> None:
    lines = "\n".join(
        [json.dumps({"id": "a", "lesions": [{}]}), json.dumps({"id": "b", "lesions": [{"response": {"leaf": "gren"}}]})]
    )
    done = CliRunner().invoke(main, ["response", "-", "--ontology", GARDEN], input=lines)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "line 2" in done.stderr and "did you mean green?" in done.stderr
