"""Network files come back with every name and number: by pgmpy's readers, and by pyAgrum's on random posteriors."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hepagraph.inference import Reasoner, marginals
from hepagraph.inference.network import ENTITY, Network, Table
from hepagraph.inference.pgmpy_model import FORMATS, network_names, network_text

Array = NDArray[np.float64]
ENDINGS = {"xmlbif": "bifxml"}  # as pyAgrum calls them
# What is lost: XDSL is written with 16 decimals; pyAgrum reads BIF, NET and UAI in single precision.
WRITTEN = {"xdsl": 1e-16}
READ = {"xdsl": 1e-16, "bif": 3.1e-8, "net": 3.1e-8, "uai": 3.1e-8}


@pytest.fixture(scope="module")
def files(reasoner: Reasoner, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("networks")
    found = {name: folder / f"network.{ENDINGS.get(name, name)}" for name in FORMATS}
    for name, path in found.items():
        path.write_text(network_text(reasoner.network, name), encoding="utf-8")
    return found


def read_by_pgmpy(path: Path, file_format: str) -> Any:
    with warnings.catch_warnings(action="ignore"):
        from pgmpy import readwrite

        return getattr(readwrite, f"{file_format.upper()}Reader")(str(path)).get_model()


def numbers(cpd: Any, table: Table, network: Network) -> Array:
    """Return pgmpy's numbers along the table's own axes and states."""
    values = np.transpose(cpd.values, [cpd.variables.index(name) for name in table.scope])
    for axis, name in enumerate(table.scope):
        states = list(cpd.state_names[name])
        assert set(states) == set(network.states[name])
        values = np.take(values, [states.index(state) for state in network.states[name]], axis=axis)
    return np.asarray(values)


def check_by_pgmpy(network: Network, path: Path, file_format: str) -> None:
    again = read_by_pgmpy(path, file_format)
    assert set(again.nodes) == set(network.states)
    for name, table in network.tables.items():
        found = numbers(again.get_cpds(name), table, network)
        np.testing.assert_allclose(found, table.values, rtol=0, atol=WRITTEN.get(file_format, 0), err_msg=name)


@pytest.mark.parametrize("file_format", ["xdsl", "bif", "xmlbif", "net"])
def test_a_toy_comes_back_by_pgmpy(skin: Reasoner, tmp_path: Path, file_format: str) -> None:
    path = tmp_path / "network"
    path.write_text(network_text(skin.network, file_format), encoding="utf-8")
    check_by_pgmpy(skin.network, path, file_format)


@pytest.mark.parametrize("file_format", ["xdsl", "xmlbif"])
def test_the_network_comes_back_by_pgmpy(reasoner: Reasoner, files: dict[str, Path], file_format: str) -> None:
    """Those that pgmpy reads in less than a second; it takes half a minute for the others."""
    check_by_pgmpy(reasoner.network, files[file_format], file_format)


def test_uai_comes_back_by_pgmpy_and_the_names_beside_it(skin: Reasoner, tmp_path: Path) -> None:
    """As a Markov network, whose factors pgmpy reads as the format says; it takes a Bayesian one's out of order."""
    network, path = skin.network, tmp_path / "network.uai"
    text = network_text(network, "uai")
    path.write_text(text.replace("BAYES", "MARKOV", 1), encoding="utf-8")
    described = network_names(network)["variables"]
    again = read_by_pgmpy(path, "uai")
    names = [variable["name"] for variable in described]
    factors = {names[int(f.scope()[-1].removeprefix("var_"))]: f for f in again.get_factors()}
    assert set(factors) == set(network.tables)
    for name, table in network.tables.items():
        assert [names[int(v.removeprefix("var_"))] for v in factors[name].scope()] == list(table.scope)
        np.testing.assert_array_equal(factors[name].values, table.values)
    assert {v["name"]: tuple(v["states"]) for v in described} == dict(network.states)


def read_uai(text: str) -> list[tuple[list[int], Array]]:
    """A reader of its own, from the format's description: the last variable of a scope changes fastest."""
    words = iter(text.split())
    assert next(words) == "BAYES"
    sizes = [int(next(words)) for _ in range(int(next(words)))]
    scopes = [[int(next(words)) for _ in range(int(next(words)))] for _ in range(int(next(words)))]
    found = []
    for scope in scopes:
        values = np.array([float(next(words)) for _ in range(int(next(words)))])
        found.append((scope, values.reshape([sizes[v] for v in scope])))
    assert next(words, None) is None
    return found


def test_uai_of_the_network_holds_every_bit(reasoner: Reasoner, files: dict[str, Path]) -> None:
    names = list(reasoner.network.states)
    for name, (scope, values) in zip(names, read_uai(files["uai"].read_text(encoding="utf-8")), strict=True):
        table = reasoner.network.tables[name]
        assert tuple(names[v] for v in scope) == table.scope
        np.testing.assert_array_equal(values, table.values)


@pytest.mark.parametrize("file_format", FORMATS)
def test_pyagrum_reads_them_and_answers_alike(reasoner: Reasoner, files: dict[str, Path], file_format: str) -> None:
    gum = pytest.importorskip("pyagrum")
    network, read = reasoner.network, gum.loadBN(str(files[file_format]))
    names = list(network.states)
    bn = gum.BayesNet()
    for name, states in network.states.items():
        bn.add(gum.LabelizedVariable(name, name, list(states)))
    for name, table in network.tables.items():
        for parent in table.parents:
            bn.addArc(parent, name)
        as_read = read.variable(names.index(name)).name() if file_format == "uai" else name
        order = list(read.cpt(as_read).names)
        values = read.cpt(as_read).toarray()  # axes from the last name to the first
        if file_format == "uai":
            order = [names[read.idFromName(other)] for other in order]
        else:
            assert set(read.variable(as_read).labels()) == set(network.states[name])
        assert set(order) == set(table.scope)
        if file_format in ("xdsl", "uai"):
            # pyAgrum takes the first parent listed to change fastest, as it writes; the formats say the last.
            shape = [len(network.states[v]) for v in (*reversed(order[1:]), order[0])]
            values = values.reshape([shape[i] for i in (*reversed(range(len(shape) - 1)), len(shape) - 1)])
            order = [order[0], *reversed(order[1:])]
        axes = [list(reversed(order)).index(v) for v in table.scope]
        found = np.transpose(values, axes)
        if file_format != "uai":
            for axis, v in enumerate(table.scope):
                labels = list(read.variable(v).labels())
                found = np.take(found, [labels.index(state) for state in network.states[v]], axis=axis)
        np.testing.assert_allclose(found, table.values, rtol=0, atol=READ.get(file_format, 0), err_msg=name)
        own = list(bn.cpt(name).names)
        bn.cpt(name).fillWith(list(np.transpose(found, [table.scope.index(v) for v in reversed(own)]).ravel()))
    _compare_posteriors(gum, bn, network, 1e-9 if READ.get(file_format, 0) < 1e-12 else 1e-5)


def _compare_posteriors(gum: Any, bn: Any, network: Network, tolerance: float) -> None:
    rng = np.random.default_rng(3)
    seen = [*network.variables("feature"), *network.variables("context")]
    for _ in range(15):
        chosen = map(str, rng.choice(seen, size=rng.integers(1, 12), replace=False))
        likelihood = {name: rng.random(len(network.states[name])) + 0.01 for name in chosen}
        engine = gum.LazyPropagation(bn)
        engine.setEvidence({name: list(vector) for name, vector in likelihood.items()})
        engine.setTargets({ENTITY})
        engine.makeInference()
        found = marginals(network.tables, likelihood, [ENTITY]).posterior[ENTITY]
        np.testing.assert_allclose(engine.posterior(ENTITY).toarray(), found, atol=tolerance)


def test_xdsl_is_the_same_each_time_and_overlaps_nowhere(reasoner: Reasoner, files: dict[str, Path]) -> None:
    text = files["xdsl"].read_text(encoding="utf-8")
    assert text == network_text(reasoner.network, "xdsl")
    places = re.findall(r"<position>([^<]+)</position>", text)
    assert len(set(places)) == len(reasoner.network.states)
    assert "ACADEMIC" not in text
