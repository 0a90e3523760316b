"""Docstring examples run, and the documents say what is true."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import pkgutil
import re
import tomllib
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

import hepagraph.inference
import hepagraph.kg
import hepagraph.ontology
import hepagraph.service
from hepagraph.inference import Reasoner

PACKAGES = (hepagraph.ontology, hepagraph.kg, hepagraph.inference, hepagraph.service)
NATIVE = "hepagraph.inference.engine._kernel"  # a plain library, not a module
MODULES = [m.name for p in PACKAGES for m in pkgutil.walk_packages(p.__path__, f"{p.__name__}.") if m.name != NATIVE]


def test_docstring_examples() -> None:
    attempted = 0
    for name in MODULES:
        result = doctest.testmod(importlib.import_module(name))
        assert result.failed == 0, name
        attempted += result.attempted
    assert attempted >= 8


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_for(name: str) -> None:
    assert importlib.import_module(name).__doc__


@pytest.fixture(scope="module")
def runner(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_notebooks", root / "docs" / "run_notebooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_notebooks_run_and_say_what_is_committed(root: Path, runner: ModuleType, reasoner: Reasoner) -> None:
    """``reasoner`` is asked for so that the compiled model is there before several kernels want it."""
    paths = runner.find_notebooks(root)
    assert len(paths) >= 8
    wrong = []
    for path, executed in zip(paths, runner.execute_all(paths), strict=True):
        wrong += runner.differences(path.name, nbformat.read(path, as_version=4), executed)
        wrong += runner.problems(path.name, executed)
    assert not wrong


def test_what_a_notebook_must_not_say_is_found(runner: ModuleType) -> None:
    def notebook(*outputs: nbformat.NotebookNode) -> nbformat.NotebookNode:
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", id="one", outputs=list(outputs))])

    said, warned = (nbformat.v4.new_output("stream", name=name, text="42") for name in ("stdout", "stderr"))
    path = nbformat.v4.new_output("stream", name="stdout", text=str(runner.ROOT / "x"))
    tall, wide = (
        nbformat.v4.new_output("display_data", {"image/png": data, "text/plain": data}) for data in ("tall", "wide")
    )
    other = nbformat.v4.new_output("stream", name="stdout", text="43")
    assert runner.problems("n", notebook(said)) == []
    assert "standard error" in runner.problems("n", notebook(warned))[0]
    assert "path" in runner.problems("n", notebook(path))[0]
    assert "bytes" in runner.problems("n", notebook(nbformat.v4.new_output("stream", text="x" * runner.LARGEST)))[0]
    assert runner.differences("n", notebook(said), notebook(said)) == []
    assert "cell one" in runner.differences("n", notebook(said), notebook(other))[0]
    assert runner.differences("n", notebook(tall), notebook(wide)) == []


def test_no_file_names_this_machine_or_an_index(root: Path) -> None:
    listed = [
        p for p in root.rglob("*") if p.suffix in (".toml", ".lock", ".md", ".cff", ".yml") and ".venv" not in p.parts
    ]
    assert len(listed) > 5
    for path in listed:
        text = path.read_text(encoding="utf-8")
        assert re.search(r"--(extra-)?index.url|find.links", text) is None, path
        assert str(root) not in text, path


def test_readme_lists_every_extra_with_what_it_brings(root: Path) -> None:
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    table = (root / "README.md").read_text(encoding="utf-8").split("## Extras")[1]
    rows = [
        [cell.strip(" `") for cell in line.split("|")[1:3]] for line in table.splitlines() if line.startswith("| `")
    ]
    asked = {name: {re.split(r"[<>=]", one)[0] for one in libraries} for name, libraries in extras.items()}
    assert {name: set(libraries.split(", ")) for name, libraries in rows} == asked
