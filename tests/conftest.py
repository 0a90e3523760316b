from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hepagraph.inference import Reasoner
from hepagraph.ontology.files import PACKAGED

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data"


def load_json(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    return DATA


@pytest.fixture(scope="session")
def expected() -> dict[str, Any]:
    """Cases and answers that name things of an ontology; Python itself names none."""
    return load_json("expected.json")


@pytest.fixture(scope="session")
def rule_cases() -> dict[str, Any]:
    """Cases for the rules, which name things of an ontology."""
    return load_json("rules_cases.json")


@pytest.fixture(scope="session")
def reasoner() -> Reasoner:
    return Reasoner.load()


@pytest.fixture(scope="session")
def coin() -> Reasoner:
    return Reasoner.load(DATA / "coin")


@pytest.fixture(scope="session")
def skin() -> Reasoner:
    return Reasoner.load(DATA / "skin")


@pytest.fixture
def ontology_copy(tmp_path: Path) -> Path:
    """A writable copy of the packaged ontology's data files."""
    for path in PACKAGED.rglob("*.ttl"):
        target = tmp_path / "ontology" / path.relative_to(PACKAGED)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return tmp_path / "ontology"
