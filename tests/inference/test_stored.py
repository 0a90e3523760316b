"""The stored model: the same model again, current or not used, whole or not used, and never code."""

from __future__ import annotations

import datetime
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hepagraph.inference import Reasoner, model_cache, stored
from hepagraph.inference.knowledge import Knowledge
from hepagraph.inference.model import CompiledModel
from hepagraph.inference.model_cache import find_graph, find_model, keep_model
from hepagraph.inference.reconciling import _Stored
from hepagraph.inference.sensitivity import sensitivity
from hepagraph.inference.stored import read_graph, read_model
from hepagraph.inference.stored_writing import write_model
from hepagraph.inference.withdrawal import withdrawals
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.signatures import SETTLED_NS

if TYPE_CHECKING:
    import networkx as nx

CASE = {"lesions": [{"findings": {"toss": "heads"}}]}
LONG_AGO_NS = SETTLED_NS * 1000


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of its own, with files that count as settled however young they are.

    How young files are treated is tested apart; a change within one tick of the clock is not made here.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("hepagraph.ontology.signatures.SETTLED_NS", -LONG_AGO_NS)
    return tmp_path / "cache" / "hepagraph"


@pytest.fixture
def toy(data: Path, tmp_path: Path) -> Path:
    """A copy of a small ontology that a test may change."""
    return shutil.copytree(data / "coin", tmp_path / "coin")


def answer(folder: Path) -> str:
    return json.dumps(Reasoner.load(folder).posterior(CASE).to_dict())


def compiles(folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Return whether loading the ontology in a folder compiles it."""
    called = []
    with monkeypatch.context() as patched:
        whole = Reasoner.compile
        patched.setattr(Reasoner, "compile", lambda *given, **named: (called.append(1), whole(*given, **named))[1])
        Reasoner.load(folder)
    return bool(called)


def same_model(found: CompiledModel, wanted: CompiledModel) -> None:
    """Compare every part of two models, so that a part that is added and not stored is noticed."""
    for part in CompiledModel.__dataclass_fields__:
        if part not in ("network", "fit", "programs"):
            assert getattr(found, part) == getattr(wanted, part), part
    for part in type(wanted.network).__dataclass_fields__:
        a, b = getattr(found.network, part), getattr(wanted.network, part)
        if part == "base_rates":
            assert list(a) == list(b)
            assert all(np.array_equal(a[name], b[name]) for name in b)
        elif part == "tables":
            assert [(t.child, t.parents) for t in a.values()] == [(t.child, t.parents) for t in b.values()]
            assert all(np.array_equal(a[name].values, b[name].values) for name in b)
        else:
            assert a == b, part
            assert part in ("default_differential", "ontology_sha256", "reporting_error") or list(a) == list(b), part
    assert list(found.programs) == list(wanted.programs)
    for name, program in wanted.programs.items():
        same_program(found.programs[name], program)
    assert (found.fit.tau, found.fit.key) == (wanted.fit.tau, wanted.fit.key)
    assert all(np.array_equal(found.fit.parameters[n], p) for n, p in wanted.fit.parameters.items())


def same_program(found: object, wanted: object) -> None:
    """Compare two programs or their parts field by field."""
    for item in fields(wanted):  # type: ignore[arg-type]
        a, b = getattr(found, item.name), getattr(wanted, item.name)
        if isinstance(b, np.ndarray):
            assert np.array_equal(a, b) and a.dtype == b.dtype, item.name
        elif isinstance(b, tuple) and b and is_dataclass(b[0]):
            assert len(a) == len(b)
            for x, y in zip(a, b, strict=True):
                same_program(x, y)
        else:
            assert a == b, item.name


def test_the_packaged_model_survives_writing_and_reading(reasoner: Reasoner, tmp_path: Path) -> None:
    fresh = Reasoner.compile().compiled
    write_model(fresh, "key", tmp_path / "deep" / "model.bin")
    found = read_model(tmp_path / "deep" / "model.bin", "key")
    assert found is not None
    same_model(found, fresh)
    same_model(reasoner.compiled, fresh)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["model.bin"]
    tables = found.network.tables.values()
    assert not any(table.values.flags.writeable or table.values.flags.owndata for table in tables)
    assert all(table.values.ctypes.data % 64 == 0 for table in tables)


@pytest.mark.parametrize("name", ["coin", "skin"])
def test_toys_survive_too(name: str, data: Path, tmp_path: Path) -> None:
    fresh = Reasoner.compile(data / name).compiled
    write_model(fresh, "key", tmp_path / "model.bin")
    found = read_model(tmp_path / "model.bin", "key")
    assert found is not None
    same_model(found, fresh)
    again = pickle.loads(pickle.dumps(found))  # noqa: S301
    same_model(again, fresh)


def same_graph(found: nx.MultiDiGraph[str], wanted: nx.MultiDiGraph[str]) -> None:
    """Compare everything that a graph holds, the kinds of values, and the order of nodes and of edges both ways."""
    assert list(found.nodes(data=True)) == list(wanted.nodes(data=True))
    assert list(found.edges(keys=True, data=True)) == list(wanted.edges(keys=True, data=True))
    assert list(found.in_edges(keys=True)) == list(wanted.in_edges(keys=True))
    assert list(found.graph.items()) == list(wanted.graph.items())
    assert list(found.graph["sources"]) == list(wanted.graph["sources"])
    for name, data in wanted.nodes(data=True):
        assert list(found.nodes[name]) == list(data)
        for key, values in data["literals"].items():
            assert list(map(type, found.nodes[name]["literals"][key])) == list(map(type, values)), (name, key)


@pytest.fixture(scope="module")
def fresh() -> Reasoner:
    return Reasoner.compile()


@pytest.fixture(scope="module")
def from_store(fresh: Reasoner, tmp_path_factory: pytest.TempPathFactory) -> Reasoner:
    """A reasoner that has nothing but what was stored of the fresh one."""
    path = tmp_path_factory.mktemp("stored") / "model.bin"
    write_model(fresh.compiled, "key", path, fresh.graph)
    model, graph = read_model(path, "key"), read_graph(path, "key", fresh.network.ontology_sha256)
    assert model is not None and graph is not None
    assert read_graph(path, "other", fresh.network.ontology_sha256) is None
    assert read_graph(path, "key", "other") is None
    return Reasoner(model, Knowledge(None, "", fit=model.fit, graph=graph))


def test_the_packaged_graph_survives_to_the_last_bit_and_in_order(fresh: Reasoner, from_store: Reasoner) -> None:
    same_graph(from_store.graph, fresh.graph)
    assert fresh.graph.number_of_edges() > 1000


@pytest.mark.parametrize("name", ["coin", "skin"])
def test_graphs_of_toys_survive(name: str, data: Path, tmp_path: Path) -> None:
    fresh = Reasoner.compile(data / name)
    write_model(fresh.compiled, "key", tmp_path / "model.bin", fresh.graph)
    found = read_graph(tmp_path / "model.bin", "key", fresh.network.ontology_sha256)
    assert found is not None
    same_graph(found, fresh.graph)


def test_intervals_and_sensitivity_from_the_store_are_those_of_the_ontology(
    fresh: Reasoner, from_store: Reasoner, root: Path
) -> None:
    cases = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((root / "examples").glob("*.json"))[::4]]
    for data in cases:
        wanted, found = (r.posterior(data, interval=True).to_dict() for r in (fresh, from_store))
        assert found == wanted
        wanted_too, found_too = (sensitivity(r, r.read(data)) for r in (fresh, from_store))
        assert found_too == wanted_too
    case = fresh.read(cases[0])
    assert withdrawals(from_store, case, top=1) == withdrawals(fresh, case, top=1)
    estimates = [r.skeleton.reconciliation.estimates for r in (fresh, from_store)]
    assert list(estimates[0]) == list(estimates[1])
    for name, estimate in estimates[0].items():
        assert estimates[1][name].evidence == estimate.evidence
        assert np.array_equal(estimates[1][name].table, estimate.table), name


def test_only_the_estimates_that_are_asked_for_are_made(from_store: Reasoner) -> None:
    skeleton = Knowledge(None, "", fit=from_store.compiled.fit, graph=from_store.graph).skeleton
    estimates = skeleton.reconciliation.estimates
    assert isinstance(estimates, _Stored)
    name = skeleton.features[0]
    assert name in estimates and "nothing" not in estimates
    assert skeleton.values[name] is skeleton.values[name]
    assert set(estimates.made) == {name, *skeleton.conditions(name)}
    with pytest.raises(KeyError):
        estimates["nothing"]
    assert len(estimates) == len(list(estimates)) == len(skeleton.values)


LITERALS = {
    "date": ('"2020-02-03"^^xsd:date', datetime.date(2020, 2, 3)),
    "datetime": ('"2020-02-03T04:05:06"^^xsd:dateTime', datetime.datetime(2020, 2, 3, 4, 5, 6)),
    "double": ('"1.5e300"^^xsd:double', 1.5e300),
    "decimal": ('"0.1000"^^xsd:decimal', Decimal("0.1000")),
    "word": ('"Wort"@de', "Wort"),
}


@pytest.mark.parametrize("kind", LITERALS)
def test_literals_of_other_kinds_come_back(kind: str, toy: Path, tmp_path: Path) -> None:
    spelt, wanted = LITERALS[kind]
    _add(toy, f"id:toss fl:extra {spelt} .")
    fresh = Reasoner.compile(toy)
    write_model(fresh.compiled, "key", tmp_path / "model.bin", fresh.graph)
    found = read_graph(tmp_path / "model.bin", "key", fresh.network.ontology_sha256)
    assert found is not None
    same_graph(found, fresh.graph)
    assert found.nodes["toss"]["literals"]["extra"] == (wanted,)


def test_a_graph_that_cannot_be_stored_is_read_from_the_ontology(toy: Path, cache: Path) -> None:
    _add(toy, 'id:toss fl:extra "P1Y2M"^^xsd:duration .')
    fresh = Reasoner.load(toy)
    assert find_graph(toy, fresh.network.ontology_sha256) is None
    same_graph(Reasoner.load(toy).graph, fresh.graph)


def test_a_damaged_graph_is_read_from_the_ontology(toy: Path, cache: Path) -> None:
    fresh = Reasoner.load(toy)
    (path,) = cache.glob("model-*.bin")
    whole = bytearray(path.read_bytes())
    whole[whole.rindex(b'"nodes":') + 3] ^= 1
    path.write_bytes(whole)
    assert find_model(toy) is not None
    assert find_graph(toy, fresh.network.ontology_sha256) is None
    same_graph(Reasoner.load(toy).graph, fresh.graph)


def _add(toy: Path, turtle: str) -> None:
    prefixes = "@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"
    path = toy / "coin.ttl"
    path.write_text(prefixes + path.read_text() + turtle + "\n")


def test_only_statements_that_are_cited_are_decoded(toy: Path, cache: Path, data: Path) -> None:
    Reasoner.load(data / "skin")
    network = Reasoner.load(data / "skin").network
    evidence = network.evidence
    assert isinstance(evidence, stored.StoredEvidence)
    assert evidence._statements == {}
    key = next(key for key, found in Reasoner.compile(data / "skin").network.evidence.items() if found)
    assert evidence[key]
    assert set(evidence._statements.values()) == set(evidence[key])
    assert ("nothing", "known") not in evidence
    assert network.statements("nothing", "known") == ()


def test_a_second_load_compiles_nothing_and_answers_alike(
    toy: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = answer(toy)
    assert not compiles(toy, monkeypatch)
    assert answer(toy) == first
    assert len(list(cache.glob("model-*"))) == 2


EDITS: dict[str, Callable[[Path], object]] = {
    "edit": lambda toy: _replace(toy, "fl:k 30", "fl:k 3"),
    "same size": lambda toy: _replace(toy, "fl:k 30", "fl:k 31"),
    "addition": lambda toy: (toy / "more.ttl").write_text("# nothing yet\n"),
    "removal": lambda toy: (toy / "extra.ttl").unlink(),
    "rename": lambda toy: (toy / "extra.ttl").rename(toy / "extra2.ttl"),
    "folder": lambda toy: shutil.copytree(toy, toy / "below", ignore=shutil.ignore_patterns("coin.ttl")),
}


def _replace(toy: Path, old: str, new: str) -> None:
    """Change a file, and set its time back to what it was."""
    path = toy / "coin.ttl"
    before, text = path.stat(), path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("edit", EDITS)
def test_no_change_of_a_file_is_missed(edit: str, toy: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (toy / "extra.ttl").write_text("# a second file\n")
    before = Reasoner.load(toy)
    assert not compiles(toy, monkeypatch)
    time.sleep(0.02)
    EDITS[edit](toy)
    assert find_model(toy) is None
    after = Reasoner.load(toy)
    assert after.network.ontology_sha256 != before.network.ontology_sha256
    if edit in ("edit", "same size"):
        assert not np.array_equal(after.network.tables["toss"].values, before.network.tables["toss"].values)
    assert len(list(cache.glob("model-*.bin"))) == 1, "what is out of date is removed"
    with pytest.raises(OntologyError, match="has changed since it was loaded"):
        _ = Reasoner(before.compiled, _unread(before, toy)).graph


def _unread(reasoner: Reasoner, folder: Path) -> Knowledge:
    return Knowledge(folder, reasoner.network.ontology_sha256)


def test_a_file_that_was_only_touched_is_hashed_and_compiled_no_more(
    toy: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Reasoner.load(toy)
    (note,) = cache.glob("model-of-*")
    before = note.read_bytes()
    time.sleep(0.02)
    (toy / "coin.ttl").touch()
    assert not compiles(toy, monkeypatch)
    assert note.read_bytes() != before, "the signature is renewed"


def test_a_file_that_is_too_young_is_hashed_every_time(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(model_cache, "_STARTED_NS", time.time_ns() + LONG_AGO_NS)  # the sources are settled
    (toy / "coin.ttl").touch()
    Reasoner.load(toy)
    assert [path.suffix for path in (tmp_path / "cache" / "hepagraph").glob("model-*")] == [".bin"]
    assert not compiles(toy, monkeypatch)
    _replace(toy, "fl:k 30", "fl:k 31")
    assert compiles(toy, monkeypatch)


def test_changed_sources_are_compiled_with(
    toy: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "one.py").write_text("ONE = 1\n")
    monkeypatch.setattr(model_cache, "_SOURCES", (str(code),))
    Reasoner.load(toy)
    assert not compiles(toy, monkeypatch)
    time.sleep(0.02)
    (code / "one.py").write_text("ONE = 2\n")
    assert compiles(toy, monkeypatch)
    assert not compiles(toy, monkeypatch)


def test_sources_that_changed_under_this_process_store_nothing_and_are_not_trusted(
    toy: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Reasoner.load(toy)
    monkeypatch.setattr(model_cache, "_STARTED_NS", -LONG_AGO_NS)
    assert find_model(toy) is None
    assert keep_model(toy, Reasoner.compile(toy).compiled) is None


def test_an_ontology_that_changed_while_it_was_compiled_is_not_stored(toy: Path, cache: Path) -> None:
    compiled = Reasoner.compile(toy).compiled
    _replace(toy, "fl:k 30", "fl:k 31")
    assert keep_model(toy, compiled) is None
    assert not cache.exists()


def test_another_version_is_another_model(toy: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Reasoner.load(toy)
    monkeypatch.setattr(model_cache, "package_version", lambda: "99")
    assert find_model(toy) is None


def test_a_damaged_program_is_as_good_as_missing(toy: Path, cache: Path) -> None:
    """The engine's tables are looked at only when they are used; then the engine compiles them anew."""
    Reasoner.load(toy)
    (path,) = cache.glob("model-*.bin")
    whole = bytearray(path.read_bytes())
    found = find_model(toy)
    assert found is not None
    assert sorted(found.programs) == ["folded", "full"]
    weights = found.programs["full"].weights.tobytes()
    at = whole.rindex(weights)
    whole[at] ^= 1
    path.write_bytes(whole)
    damaged = find_model(toy)
    assert damaged is not None
    assert damaged.programs.get("full") is None


def _damages(whole: bytes) -> Iterator[bytes]:
    yield b""
    yield b"foreign"
    yield whole[:20]
    yield whole[: len(whole) // 2]
    yield whole[:-1]
    yield whole + b"\0"
    yield b"X" + whole[1:]
    for position in (9, 13, 17, 30, whole.index(b'["') + 2):
        yield whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :]
    yield bytes(len(whole))


def test_a_damaged_file_is_compiled_anew(toy: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = answer(toy)
    (path,) = cache.glob("model-*.bin")
    whole = path.read_bytes()
    for damaged in _damages(whole):
        path.write_bytes(damaged)
        assert find_model(toy) is None, damaged[:20]
    assert answer(toy) == first
    assert path.read_bytes() == whole
    (note,) = cache.glob("model-of-*")
    for damaged in (b"", b"\xff\xfe", note.read_bytes()[:50], b"../../etc\n" + note.read_bytes().partition(b"\n")[2]):
        note.write_bytes(damaged)
        assert answer(toy) == first


def test_a_model_of_another_key_is_not_taken(toy: Path, tmp_path: Path) -> None:
    write_model(Reasoner.compile(toy).compiled, "one", tmp_path / "model.bin")
    assert read_model(tmp_path / "model.bin", "two") is None
    assert read_model(tmp_path / "missing.bin", "one") is None


@pytest.mark.parametrize("missing", [True, False])
def test_without_a_place_to_write_answers_are_the_same(
    missing: bool, toy: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = answer(toy)
    if missing:

        def no_home() -> Path:
            raise RuntimeError("no home")

        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(Path, "home", no_home)
    else:
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert answer(toy) == wanted
    with pytest.raises(OntologyError, match=r"no home folder|cannot be written"):
        keep_model(toy, Reasoner.compile(toy).compiled)


def test_processes_that_compile_at_once_agree(toy: Path, tmp_path: Path) -> None:
    code = (
        "import json, sys; from hepagraph.inference import Reasoner; "
        f"print(json.dumps(Reasoner.load(sys.argv[1]).posterior({CASE!r}).to_dict()))"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", code, str(toy)]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(4)]
    printed = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert len(set(printed)) == 1
    assert not list((tmp_path / "cache").rglob("*.partial"))


def test_graph_and_skeleton_are_read_once_and_fit_the_stored_network(toy: Path, cache: Path) -> None:
    fresh = Reasoner.load(toy)
    reasoner = Reasoner.load(toy)
    graphs: list[object] = []
    threads = [threading.Thread(target=lambda: graphs.append((reasoner.graph, reasoner.skeleton))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(part) for pair in graphs for part in pair}) == 2  # type: ignore[attr-defined]
    assert set(reasoner.graph) == set(fresh.graph)
    np.testing.assert_array_equal(reasoner.skeleton.values["toss"], fresh.skeleton.values["toss"])
    answers = [r.posterior(CASE, interval=True, draws=20).to_dict() for r in (fresh, reasoner)]
    assert answers[0] == answers[1]
