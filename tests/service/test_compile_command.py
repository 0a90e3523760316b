"""``hepagraph compile`` keeps a fit where it is found again, or leaves nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from hepagraph.inference import Reasoner
from hepagraph.inference.artifact import cached_path, read_artifact
from hepagraph.service.cli import main


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["compile", *map(str, arguments)])


def test_the_file_holds_the_fit_of_every_variable(data: Path, tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "made" / "fit.npz"
    result = run("--ontology", data / "skin", "-o", path, "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    artifact = read_artifact(path)
    assert artifact is not None
    assert (summary["file"], summary["key"]) == (str(path), artifact.key)
    assert summary["variables"] == len(artifact.parameters)
    assert summary["parameters_fitted"] == sum(values.size for values in artifact.parameters.values())
    assert summary["between_study_sd_of_log_odds"] == artifact.tau
    assert 0 <= summary["counted_statements_within_interval"] <= 1
    assert not cache.exists()
    fitted = Reasoner.load(data / "skin").skeleton.reconciliation.estimates
    assert set(fitted) == set(artifact.parameters)
    for name, values in artifact.parameters.items():
        np.testing.assert_allclose(values, fitted[name].parameters, atol=1e-9)
    assert [p.name for p in path.parent.iterdir()] == ["fit.npz"]


def test_without_a_file_it_is_kept_in_the_cache_and_found_again(data: Path, cache: Path) -> None:
    asked: list[str] = []
    before = Reasoner.compile(data / "skin", progress=lambda done, total, name: asked.append(name))
    assert asked
    summary = json.loads(run("--ontology", data / "skin", "--json").stdout)
    stored = {cached_path(summary["key"]), Path(summary["model_file"])}
    assert stored < set((cache / "hepagraph").iterdir())
    asked.clear()
    for ask in (Reasoner.compile, Reasoner.load):
        after = ask(data / "skin", progress=lambda done, total, name: asked.append(name))
        assert asked == []
        for name, table in before.network.tables.items():
            np.testing.assert_allclose(after.network.tables[name].values, table.values, atol=1e-9)


def test_text_has_a_line_for_each_figure(data: Path, tmp_path: Path) -> None:
    lines = run("--ontology", data / "coin", "-o", tmp_path / "fit.npz").stdout.splitlines()
    assert len(lines) == len({line.split(": ")[0] for line in lines}) == 9
    assert "variables: 1" in lines


def test_a_place_that_cannot_be_written_leaves_nothing(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = run("--ontology", data / "coin", "-o", tmp_path / "file" / "fit.npz")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot be written" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_bad_ontology_is_an_error_and_nothing_is_written(data: Path, tmp_path: Path) -> None:
    text = (data / "coin" / "coin.ttl").read_text(encoding="utf-8")
    (tmp_path / "coin.ttl").write_text(text.replace("a fl:RootEntity", "a fl:LesionEntity"), encoding="utf-8")
    result = run("--ontology", tmp_path, "-o", tmp_path / "fit.npz")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "root entities" in result.stderr
    assert not (tmp_path / "fit.npz").exists()
