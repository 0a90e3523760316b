"""Docstring examples run, and the documents say what is true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import hepagraph.inference
import hepagraph.kg
import hepagraph.ontology
import hepagraph.service

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


def test_notebooks_run(root: Path) -> None:
    paths = sorted((root / "notebooks").glob("*.ipynb"))
    assert paths
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(
            notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
        ).execute()


def test_no_file_names_this_machine_or_an_index(root: Path) -> None:
    listed = [
        p for p in root.rglob("*") if p.suffix in (".toml", ".lock", ".md", ".cff", ".yml") and ".venv" not in p.parts
    ]
    assert len(listed) > 5
    for path in listed:
        text = path.read_text(encoding="utf-8")
        assert re.search(r"--(extra-)?index.url|find.links", text) is None, path
        assert str(root) not in text, path
