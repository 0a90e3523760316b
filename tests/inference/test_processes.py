"""One reasoner for many threads and processes: shared, copied, pickled, forked and spawned, it answers alike."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hepagraph.inference import CaseResult, Reasoner, explain, next_best
from hepagraph.inference.engine import Engine
from hepagraph.ontology import (
    CaseError,
    ImpossibleEvidenceError,
    MissingExtraError,
    OntologyError,
    Problem,
    UnknownStateError,
)

WORKER = """
import multiprocessing, os, sys, threading
sys.setswitchinterval(1e-5)
from hepagraph.inference import Reasoner

def answer(reasoner):
    return reasoner.posterior({"lesions": [{"findings": {}}]}, interval=False).lesions[0].posterior

def child(reasoner, results):
    reasoner.graph  # which a thread of the parent may have been reading
    results.put((os.getpid(), answer(reasoner)))

if __name__ == "__main__":
    method, count = sys.argv[1], int(sys.argv[2])
    context = multiprocessing.get_context(method)
    reasoner = Reasoner.load(sys.argv[3])
    wanted = answer(reasoner)
    Reasoner.load(sys.argv[4]).graph  # so that no thread imports at a fork, which Python itself does not survive
    stop = threading.Event()
    busy = [threading.Thread(target=lambda: [answer(reasoner) for _ in iter(stop.is_set, True)]) for _ in range(3)]
    busy += [threading.Thread(target=lambda: reasoner.graph)]
    for thread in busy:
        thread.start()
    results = context.SimpleQueue()
    children = [context.Process(target=child, args=(reasoner, results)) for _ in range(count)]
    for process in children:
        process.start()
    for process in children:
        process.join(60)
    stop.set()
    for thread in busy:
        thread.join()
    assert [process.exitcode for process in children] == [0] * count, [process.exitcode for process in children]
    found = [results.get() for _ in children]
    assert len({pid for pid, _ in found} - {os.getpid()}) == count
    assert all(posterior == wanted for _, posterior in found)
    print("alike")
"""


@pytest.fixture
def case(expected: dict[str, Any]) -> dict[str, Any]:
    return expected["case"]


def same(first: CaseResult, second: CaseResult) -> None:
    assert first.to_dict() == second.to_dict()


def test_a_pickled_reasoner_answers_alike(reasoner: Reasoner, case: dict[str, Any]) -> None:
    wanted = reasoner.posterior(case)
    _ = reasoner.skeleton
    text = pickle.dumps(reasoner)
    assert len(text) < 40 * 2**20  # the graph and the skeleton stay
    again = pickle.loads(text)  # noqa: S301
    same(again.posterior(case), wanted)
    assert again.model == reasoner.model
    np.testing.assert_array_equal(again.score(codes(reasoner))[0], reasoner.score(codes(reasoner))[0])
    same(pickle.loads(pickle.dumps(again)).posterior(case), wanted)  # noqa: S301


def test_a_pickled_toy_reads_its_graph_again_and_explains(skin: Reasoner) -> None:
    again = pickle.loads(pickle.dumps(skin))  # noqa: S301
    case = {"lesions": [{"findings": {}}]}
    assert set(again.graph.nodes) == set(skin.graph.nodes)
    assert [ledger.to_dict() for ledger in explain(again, again.read(case))] == [
        ledger.to_dict() for ledger in explain(skin, skin.read(case))
    ]
    assert [found.to_dict() for found in next_best(again, again.read(case))] == [
        found.to_dict() for found in next_best(skin, skin.read(case))
    ]
    same(again.posterior(case, interval=True), skin.posterior(case, interval=True))


def test_a_compiled_reasoner_keeps_its_fit_when_pickled(data: Path) -> None:
    fresh = Reasoner.compile(data / "coin")
    again = pickle.loads(pickle.dumps(fresh))  # noqa: S301
    ours, theirs = fresh.skeleton.reconciliation, again.skeleton.reconciliation
    for name, estimate in ours.estimates.items():
        np.testing.assert_array_equal(theirs.estimates[name].parameters, estimate.parameters)


def test_a_pickled_reasoner_refuses_an_ontology_that_is_not_there(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "coin.ttl").write_bytes((data / "coin" / "coin.ttl").read_bytes())
    text = pickle.dumps(Reasoner.load(folder))
    (folder / "coin.ttl").unlink()
    again = pickle.loads(text)  # noqa: S301
    assert again.posterior({"lesions": [{"findings": {}}]}).lesions
    with pytest.raises(OntologyError):
        _ = again.graph


def test_a_reasoner_shows_itself_in_few_words(reasoner: Reasoner) -> None:
    assert repr(reasoner).startswith("<Reasoner of ") and len(repr(reasoner)) < 80


def test_copies_are_the_reasoner_itself(reasoner: Reasoner) -> None:
    assert copy.copy(reasoner) is reasoner
    assert copy.deepcopy({"model": [reasoner]})["model"][0] is reasoner


@pytest.mark.parametrize("native", [None, False])
def test_an_engine_can_be_pickled(reasoner: Reasoner, native: bool | None) -> None:
    network = reasoner.network
    engine = Engine(network.tables, network.variables("mechanism"), native=native)
    given = {name: code[:5] for name, code in codes(reasoner).items()}
    wanted = engine.score(given)[0]
    again = pickle.loads(pickle.dumps(engine))  # noqa: S301
    assert again.native == Engine(network.tables).native
    np.testing.assert_allclose(again.score(given)[0], wanted, atol=1e-6)


def test_threads_share_a_reasoner(reasoner: Reasoner, case: dict[str, Any]) -> None:
    """A fresh reasoner, so that the threads meet while everything is made for the first time."""
    wanted, scores = reasoner.posterior(case).to_dict(), reasoner.score(codes(reasoner))[0]
    fresh = Reasoner.load()

    def ask(number: int) -> bool:
        if number % 3:
            return fresh.posterior(case).to_dict() == wanted
        return bool((fresh.score(codes(reasoner))[0] == scores).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(48)))


@pytest.mark.parametrize(
    "method", [pytest.param("fork", marks=pytest.mark.skipif(sys.platform != "linux", reason="no fork")), "spawn"]
)
def test_processes_answer_alike_while_threads_ask(method: str, data: Path, tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER, encoding="utf-8")
    count = "12" if method == "fork" else "2"
    command = [sys.executable, str(script), method, count, str(data / "skin"), str(data / "coin")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (found.returncode, found.stdout) == (0, "alike\n"), found.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_lock_that_a_thread_holds_at_a_fork_is_free_in_the_child() -> None:
    script = """
import os, threading
from hepagraph.inference.knowledge import _READING
held, leave = threading.Event(), threading.Event()

def hold():
    with _READING:
        held.set()
        leave.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if not child:
    threading.Timer(20, os._exit, [1]).start()
    with _READING:
        os._exit(7)
status = os.waitpid(child, 0)[1]
leave.set()
thread.join()
print(os.waitstatus_to_exitcode(status))
"""
    command = [sys.executable, "-W", "ignore", "-c", script]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "7\n"


@pytest.mark.parametrize("kind", [CaseError, UnknownStateError, ImpossibleEvidenceError])
def test_errors_travel_between_processes(kind: type[CaseError]) -> None:
    error = kind([Problem("type", "here", "is wrong", ("this", "that"), "this", "mend it"), Problem("type", "", "too")])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is kind
    assert (again.problems, str(again)) == (error.problems, str(error))


def test_a_missing_extra_travels_too() -> None:
    error = MissingExtraError("this", "plot")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301


def codes(reasoner: Reasoner) -> dict[str, Any]:
    rng = np.random.default_rng(4)
    names = [name for name in reasoner.network.variables("feature") if name in reasoner.network.base_rates]
    return {name: rng.integers(-1, len(reasoner.network.states[name]), size=40) for name in names}
