"""The public interface changes on purpose only, and can be asked for in any order."""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import hepagraph.inference


def test_the_public_interface_is_as_written_down(root: Path) -> None:
    """After a change on purpose: python tests/update_public_api.py."""
    path = root / "tests" / "update_public_api.py"
    spec = importlib.util.spec_from_file_location("update_public_api", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = json.loads((root / "tests" / "data" / "public_api.json").read_text(encoding="utf-8"))
    assert module.public_interface() == written
    assert {"Reasoner", "Case", "explain", "what_if"} <= written["hepagraph.inference"].keys()


@pytest.mark.parametrize("name", hepagraph.inference.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(hepagraph.inference, name)
    assert found.__name__ == name
    assert found.__doc__


def test_functions_named_like_their_modules_stay_functions_whatever_is_imported_first() -> None:
    names = [n for n in hepagraph.inference.__all__ if importlib.util.find_spec(f"hepagraph.inference.{n}")]
    assert len(names) == 5
    lines = ["import importlib, types, hepagraph.inference as package"]
    for name in names:
        lines += [
            f"module = importlib.import_module('hepagraph.inference.{name}')",
            f"from hepagraph.inference import {name} as found",
            f"assert found is module.{name} and package.{name} is found, {name!r}",
            "assert isinstance(module, types.ModuleType) and not isinstance(found, types.ModuleType)",
        ]
    for order in (lines, [lines[0], *itertools.chain(*(lines[i : i + 4] for i in range(len(lines) - 4, 0, -4)))]):
        subprocess.run([sys.executable, "-c", "\n".join(order)], check=True)


def test_what_is_not_public_is_refused_by_name() -> None:
    assert isinstance(hepagraph.inference, ModuleType)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hepagraph.inference.nothing  # type: ignore[attr-defined]
