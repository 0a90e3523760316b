"""The check that keeps an ontology's words out of Python, run on a made-up ontology."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "check_terms.py"
ONTOLOGY = """
@prefix fl: <https://w3id.org/hepagraph/schema#> .
@prefix id: <https://w3id.org/hepagraph/id/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
id:blorp a fl:LesionEntity ; skos:prefLabel "quuxian blorp"@en .
id:number_zig a fl:FeatureState ; skos:prefLabel "number"@en .
id:wibble a fl:Source ; skos:prefLabel "not a kind that counts"@en .
"""


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_terms", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    (tmp_path / "ontology" / "src").mkdir(parents=True)
    (tmp_path / "ontology" / "src" / "things.ttl").write_text(ONTOLOGY)
    (tmp_path / "kg").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("source", "line", "term"),
    [
        ("x = 1\nblorp = 2\n", 2, "blorp"),
        ("def is_blorp_like(): ...\n", 1, "blorp"),
        ("class BlorpModel: ...\n", 1, "blorp"),
        ("x = 'a Blorp here'\n", 1, "blorp"),
        ("x = 1\ny = f'the blorp {x}'\n", 2, "blorp"),
        ("x = 1  # rather quuxian\n", 1, "quuxian"),
        ('"""First line.\n\nA blorp on the third.\n"""\n', 3, "blorp"),
        ("my_number_zig = 1\n", 1, "number_zig"),
    ],
)
def test_term_is_reported_with_its_line(
    check: ModuleType, root: Path, capsys: pytest.CaptureFixture[str], source: str, line: int, term: str
) -> None:
    (root / "kg" / "code.py").write_text(source)
    assert check.main(root) == 1
    assert f"kg/code.py:{line}: {term}" in capsys.readouterr().out.splitlines()


def test_clean_sources_pass_with_a_count(check: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "kg" / "code.py").write_text("number = 1  # blorps, blorping and wibble are other words\n")
    (root / "kg" / "ignored.py").write_text("blorp = 1\n")
    assert check.main(root) == 0
    assert capsys.readouterr().out.startswith("1 Python files are free of 3 ")


def test_nothing_to_check_is_a_failure(check: ModuleType, root: Path) -> None:
    assert check.main(root) == 1
