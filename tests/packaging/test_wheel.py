"""The wheel as a user gets it: built, installed in an empty environment, and run from somewhere else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("kg", "ontology", "inference", "service")
DATA = {".ttl", ".rq", ".csv", ".json", ".tsv", ".md"}
CASE = ROOT / "examples" / "maino2023_fig7.json"


def run(*command: str | Path, cwd: Path, more: dict[str, str] | None = None) -> str:
    """Return what the command printed; fail with its messages if it failed."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "HEPAGRAPH_ONTOLOGY")
    environment = {key: value for key, value in os.environ.items() if key not in hidden} | (more or {})
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f"{command[0]} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy, so that nothing left by an earlier build can slip into the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-ontology"):
        shutil.copy(ROOT / name, source)
    build = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation")
    run(*build, "--wheel-dir", folder, source, cwd=folder)
    return next(folder.glob("hepagraph-*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path) -> Path:
    """Install the wheel in an empty environment, with locked dependencies or those of this environment.

    The latter are lent by putting this environment's site-packages on the path; its own .pth files, and so
    the editable install, are not processed there.
    """
    folder = wheel.parent / "environment"
    run(sys.executable, "-m", "venv", folder, cwd=wheel.parent)
    pip = (folder / "bin" / "python", "-m", "pip", "install")
    if os.environ.get("HEPAGRAPH_FULL_INSTALL") == "1":
        run(*pip, "--require-hashes", "-r", ROOT / "requirements" / "core.lock", cwd=wheel.parent)
    else:
        (site_packages(folder) / "lent.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    run(*pip, "--no-deps", "--no-index", "--ignore-installed", wheel, cwd=wheel.parent)
    return folder


def site_packages(environment: Path) -> Path:
    return next(environment.glob("lib/python3*/site-packages"))


def test_wheel_holds_every_data_file_and_marker(wheel: Path) -> None:
    expected = {
        f"hepagraph/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "ontology").rglob("*")
        if path.suffix in DATA
    }
    expected |= {f"hepagraph/{name}/py.typed" for name in PACKAGES}
    expected |= {
        f"hepagraph/{path.relative_to(ROOT)}" for path in (ROOT / "service" / "data").rglob("*") if path.is_file()
    }
    expected |= {"hepagraph/inference/data/reconciled.npz"}
    names = set(zipfile.ZipFile(wheel).namelist())
    assert len(expected) > 10
    assert expected <= names, sorted(expected - names)
    assert "hepagraph/__init__.py" not in names


def test_wheel_holds_every_module_and_no_test(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    written = {path.relative_to(ROOT).as_posix() for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert any(name.startswith("inference/evaluation/") for name in written)
    modules = {name.removeprefix("hepagraph/") for name in names if name.endswith(".py")}
    assert modules == written
    assert {name.split("/")[0].rsplit(".", 1)[-1] for name in names} == {"hepagraph", "dist-info"}
    elsewhere = {"tests", "examples", "notebooks", "benchmarks", "docs", "__pycache__"}
    strange = [name for name in names if elsewhere & set(name.split("/")) or re.search(r"/(test_\w+|conftest)\.", name)]
    assert strange == []


def test_no_bare_package_lands_in_site_packages(environment: Path) -> None:
    site = site_packages(environment)
    assert {path.name for path in (site / "hepagraph").iterdir() if path.is_dir()} == set(PACKAGES)
    assert not [name for name in PACKAGES if (site / name).exists() or (site / f"{name}.py").exists()]
    assert list((site / "hepagraph" / "ontology").rglob("*.ttl"))


def test_modules_come_from_the_wheel(environment: Path, tmp_path: Path) -> None:
    code = "import hepagraph.service.cli as m, sys; print(m.__file__); print('kg' in sys.modules)"
    where, bare = run(environment / "bin" / "python", "-c", code, cwd=tmp_path).split()
    assert Path(where).is_relative_to(environment)
    assert bare == "False"


def test_installed_package_brings_the_fit_of_its_own_evidence(environment: Path, tmp_path: Path) -> None:
    """Otherwise every answer would begin with a fit of ten seconds."""
    code = (
        "from hepagraph.inference import Reasoner\n"
        "fits = []\n"
        "Reasoner.load(progress=lambda done, total, name: fits.append(name))\n"
        "print(len(fits))"
    )
    hidden = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert run(environment / "bin" / "python", "-c", code, cwd=tmp_path, more=hidden).strip() == "0"


def test_installed_command_answers_a_case_from_elsewhere(environment: Path, tmp_path: Path) -> None:
    case = Path(shutil.copy(CASE, tmp_path / "case.json"))
    printed = run(environment / "bin" / "hepagraph", "posterior", case, "--json", cwd=tmp_path)
    lesions = [lesion for line in printed.splitlines() for lesion in json.loads(line)["lesions"]]
    assert lesions
    for lesion in lesions:
        assert sum(lesion["posterior"].values()) == pytest.approx(1, abs=1e-6)


def test_installed_demo_brings_its_own_case(environment: Path, tmp_path: Path) -> None:
    assert run(environment / "bin" / "hepagraph", "demo", cwd=tmp_path).strip()
