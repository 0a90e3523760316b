"""``hepagraph evidence report``: statements beside the network, how each is used, and what was left out."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hepagraph.service.cli import main

FIELDS = {
    *("statement", "row_id", "grade", "variable", "given", "context", "states", "stated", "network"),
    *("residual_log_odds", "z", "interval_sampling", "interval_study", "inside_sampling", "inside_study", "source"),
}


@pytest.fixture(scope="module")
def judged(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The coin toy with a second feature, and with judged distributions."""
    folder = tmp_path_factory.mktemp("judged")
    for path in (data / "coin" / "coin.ttl", data / "coin_judged.ttl"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evidence", "report", *map(str, arguments)])


def rows(*arguments: object) -> list[dict[str, Any]]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_json_holds_each_statement_with_the_networks_value(judged: Path) -> None:
    found = rows("--ontology", judged)
    assert {row["statement"] for row in found} == {"heads_of_biased", "heads_of_fair"}
    for row in found:
        assert set(row) == FIELDS
        low, high = row["interval_sampling"]
        assert 0 <= low < row["stated"] < high <= 1 and row["inside_sampling"] == (low <= row["network"] <= high)
        assert row["interval_study"][0] <= low and high <= row["interval_study"][1]
        assert math.copysign(1, row["z"]) == math.copysign(1, row["residual_log_odds"])
    assert [abs(row["z"]) for row in found] == sorted((abs(row["z"]) for row in found), reverse=True)
    stated = {row["statement"]: row["stated"] for row in found}
    assert stated == pytest.approx({"heads_of_biased": 0.75, "heads_of_fair": 0.1})


def test_grades_choose_the_statements(judged: Path) -> None:
    everything = rows("--ontology", judged, "--grade", "abcd")
    only = rows("--ontology", judged, "--grade", "D")
    assert {row["grade"] for row in everything} == {"A", "D"}
    assert only == [row for row in everything if row["grade"] == "D"]
    assert {row["statement"] for row in only} == {
        *(
            "judged_heads",
            "judged_tails",
            "judged_heads_in_storm",
            "judged_tails_in_storm",
            "judged_calm",
            "judged_storm",
        )
    }
    under = {row["statement"]: row["context"] for row in only}
    assert under["judged_heads_in_storm"] == ["wind_storm"] and under["judged_heads"] == []
    assert rows("--ontology", judged, "--grade", "B") == []


def test_text_has_a_line_by_grade_and_the_worst_first(judged: Path) -> None:
    text = run("--ontology", judged, "--grade", "AD", "--top", 1).stdout
    assert "between-study spread" in text
    assert [line.split()[:2] for line in text.splitlines() if line[:1] in "AD" and "%" in line] == [
        ["A", "2"],
        ["D", "6"],
    ]
    worst = rows("--ontology", judged, "--grade", "AD")[0]
    assert worst["statement"] in text and text.endswith("7 more\n")
    whole = run("--ontology", judged, "--grade", "AD", "--top", 0).stdout
    assert " more\n" not in whole and all(name in whole for name in ("judged_storm", "if wind_storm", "heads_of_fair"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--grade", "AX"], "A, B, C, D"),
        (["--grade", ""], "A, B, C, D"),
        (["--top", "-1"], "x>=0"),
        (["--top", "x"], "integer"),
    ],
)
def test_a_bad_option_is_refused(data: Path, arguments: list[str], says: str) -> None:
    result = run("--ontology", data / "coin", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


def test_use_says_of_every_statement_what_becomes_of_it(judged: Path, tmp_path: Path) -> None:
    assert {row["use"] for row in rows("--ontology", judged, "--use")} == {"in the network"}
    text = (judged / "coin.ttl").read_text(encoding="utf-8")
    changed = text.replace("id:heads_of_fair a", "id:heads_of_fair fl:selectedSubset true ; a", 1)
    changed = changed.replace(
        "fl:quantity fl:ConditionalProbability ; fl:feature", "fl:quantity fl:Sensitivity ; fl:feature", 1
    )
    (tmp_path / "coin.ttl").write_text(changed, encoding="utf-8")
    (tmp_path / "judged.ttl").write_bytes((judged / "coin_judged.ttl").read_bytes())
    uses = {row["statement"]: row["use"] for row in rows("--ontology", tmp_path, "--use")}
    assert uses["heads_of_biased"] == "this kind of figure never enters"
    assert uses["heads_of_fair"] == "a selected sample, which does not stand for the whole"
    assert uses["prior_fair"] == uses["judged_heads_in_storm"] == "in the network"
    lines = run("--ontology", tmp_path, "--use").stdout.splitlines()
    assert lines[2].split() == ["in", "the", "network", "8"]
    assert any(line.split()[-1] == "2" and "a reason of its own" in line for line in lines)
