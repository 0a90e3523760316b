from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

# As the command does: before NumPy is imported here, and for the processes that tests start.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# What tests and the processes that they start compile is kept away from the user's own cache, and goes with them.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="hepagraph-tests-")

import pytest
from rdflib import Graph

from hepagraph.inference import Reasoner
from hepagraph.inference.response import ResponseReasoner
from hepagraph.kg import build_graph
from hepagraph.ontology.store import load_ontology

if TYPE_CHECKING:
    import networkx as nx

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data"
CACHE = os.environ["XDG_CACHE_HOME"]


def pytest_unconfigure() -> None:
    shutil.rmtree(CACHE, ignore_errors=True)


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
def rdf() -> Graph:
    """The packaged ontology, loaded once for all tests: add nothing to it."""
    return load_ontology()


@pytest.fixture(scope="session")
def kg(rdf: Graph) -> nx.MultiDiGraph[str]:
    """The knowledge graph of the packaged ontology, made once for all tests: change nothing in it."""
    return build_graph(rdf)


@pytest.fixture(scope="session")
def reasoner() -> Reasoner:
    return Reasoner.load()


@pytest.fixture(scope="session")
def response_reasoner() -> ResponseReasoner:
    return ResponseReasoner.load()


@pytest.fixture(scope="session")
def coin() -> Reasoner:
    return Reasoner.load(DATA / "coin")


@pytest.fixture(scope="session")
def skin() -> Reasoner:
    return Reasoner.load(DATA / "skin")
