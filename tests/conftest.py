from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
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
from hepagraph.kg import Variable, build_graph
from hepagraph.ontology.store import load_ontology

if TYPE_CHECKING:
    import networkx as nx

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data"
CACHE = os.environ["XDG_CACHE_HOME"]


def pytest_unconfigure() -> None:
    shutil.rmtree(CACHE, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Notebooks come first: they take longest, and want memory for kernels that other tests have not filled yet."""
    items.sort(key=lambda item: "notebooks_run" not in item.name)


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


@pytest.fixture(scope="session")
def random_rows(reasoner: Reasoner) -> Callable[..., list[dict[str, Any]]]:
    """Make rows of single lesions as tables hold them: cells of every kind, none that exclude each other."""
    excluded = {first for first, *_ in reasoner.reader.exclusions}
    variables = [v for v in reasoner.reader.inputs("patient", "findings", "lesion").values() if v.name not in excluded]
    columns = {v.measure.key if v.measure else v.name: v for v in variables}

    def cell(rng: Any, key: str, variable: Variable) -> Any:
        if rng.random() < 0.5:
            return None
        measure = variable.measure
        if measure is not None and key == measure.key:
            return float(rng.uniform(measure.minimum, min(measure.maximum, 1000.0)))
        kind = rng.integers(5)
        if kind == 0:
            pair = rng.choice(variable.states, 2, replace=False)
            return [str(state) for state in pair]
        if kind == 1:
            return {state: float(rng.uniform(0.1, 1)) for state in variable.states}
        if kind == 2 and variable.booleans:
            return bool(rng.integers(2))
        return str(rng.choice(list(variable.leaves)))

    def make(rng: Any, count: int) -> list[dict[str, Any]]:
        return [{key: cell(rng, key, variable) for key, variable in columns.items()} for _ in range(count)]

    return make


@pytest.fixture(scope="session")
def as_case(reasoner: Reasoner) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Turn such a row into a case."""
    sections = {name: reasoner.reader.inputs(name) for name in ("patient", "exam")}

    def case(row: dict[str, Any]) -> dict[str, Any]:
        stated = {key: value for key, value in row.items() if value is not None}
        parts = {name: {k: v for k, v in stated.items() if k in keys} for name, keys in sections.items()}
        findings = {k: v for k, v in stated.items() if not any(k in keys for keys in sections.values())}
        exam = {"exam": [parts["exam"]]} if parts["exam"] else {}
        return {"patient": parts["patient"], **exam, "lesions": [{"findings": findings}]}

    return case
