"""The version is the one that the package was installed with, found without importlib.metadata."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from hepagraph.ontology.version import package_version


def test_same_as_the_installed_one() -> None:
    package_version.cache_clear()
    assert package_version() == importlib.metadata.version("hepagraph")


def test_first_on_the_path_counts_and_none_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "hepagraph-9.8.7.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.4\nName: hepagraph\nVersion: 9.8.7\n\nVersion: 0\n")
    try:
        for path, wanted in (([str(tmp_path)], "9.8.7"), ([str(tmp_path / "nowhere")], "0+unknown")):
            monkeypatch.setattr(sys, "path", path)
            package_version.cache_clear()
            assert package_version() == wanted
    finally:
        package_version.cache_clear()
