"""Answers that are no longer wanted end soon, leave nothing half-made, and asking costs nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from hepagraph.inference import Reasoner, explain, next_best, sensitivity, time_limit, what_if
from hepagraph.inference.stopping import Stop, stop_if_over
from hepagraph.inference.withdrawal import withdrawals
from hepagraph.ontology import HepagraphError, StoppedError

Ask = Callable[[Reasoner, dict[str, Any]], Any]
QUESTIONS: dict[str, Ask] = {
    "posterior": lambda r, case: r.posterior(case),
    "interval": lambda r, case: r.posterior(case, interval=True),
    "explain": lambda r, case: explain(r, r.read(case)),
    "what_if": lambda r, case: what_if(r, case, []),
    "next_best": lambda r, case: next_best(r, r.read(case)),
    "sensitivity": lambda r, case: sensitivity(r, r.read(case)),
    "withdrawals": lambda r, case: withdrawals(r, r.read(case)),
}


@pytest.fixture(scope="module")
def uncertain(reasoner: Reasoner) -> dict[str, Any]:
    """A case at the limits of what a server takes: every finding that goes with every other, none of them for sure."""
    excluded = {name for first, _, second, _ in reasoner.reader.exclusions for name in (first, second)}
    findings = {
        name: {state: 1.0 / (1 + place) for place, state in enumerate(variable.states)}
        for name, variable in reasoner.reader.inputs("findings").items()
        if variable.section == "findings" and name not in excluded
    }
    assert len(findings) > 15
    return {"lesions": [{"findings": findings}] * 10}


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_ends_when_its_time_is_up(reasoner: Reasoner, uncertain: dict[str, Any], name: str) -> None:
    with time_limit(0), pytest.raises(StoppedError, match="in time"):
        QUESTIONS[name](reasoner, uncertain)


@pytest.mark.parametrize("name", ["interval", "explain", "sensitivity", "withdrawals"])
def test_long_answers_end_soon_after_another_thread_says_so(
    reasoner: Reasoner, uncertain: dict[str, Any], name: str
) -> None:
    QUESTIONS[name](reasoner, {"lesions": [{"findings": {}}]})  # what is loaded first is there
    stop, said = Stop(), []

    def say() -> None:
        said.append(time.monotonic())
        stop.now()

    timer = threading.Timer(1.0, say)
    timer.start()
    with stop.heeded(), pytest.raises(StoppedError):
        QUESTIONS[name](reasoner, uncertain)
    assert said and time.monotonic() - said[0] < 5  # some tenths of a second on a machine with nothing else to do


def test_a_stopped_answer_leaves_nothing_behind(reasoner: Reasoner, uncertain: dict[str, Any]) -> None:
    case = {"lesions": uncertain["lesions"][:1]}
    for seconds in (0.0, 0.02, 0.1):
        with time_limit(seconds), pytest.raises(StoppedError):
            while True:
                reasoner.posterior(case, interval=True, seed=12)
    assert reasoner.posterior(case, interval=True, seed=12) == reasoner.posterior(case, interval=True, seed=12)


def test_limits_hold_within_each_other_and_end_with_their_block() -> None:
    stop_if_over()
    with time_limit(60):
        stop_if_over()
        with time_limit(0), pytest.raises(StoppedError):
            stop_if_over()
        stop_if_over()
        with time_limit(0), time_limit(60), pytest.raises(StoppedError):
            stop_if_over()
    stop_if_over()
    assert issubclass(StoppedError, HepagraphError)


def test_a_limit_is_that_of_its_own_thread() -> None:
    failed = []

    def ask() -> None:
        try:
            stop_if_over()
        except StoppedError as error:
            failed.append(error)

    with time_limit(0):
        other = threading.Thread(target=ask)
        other.start()
        other.join()
    assert failed == []


def test_asking_costs_next_to_nothing() -> None:
    """A step takes milliseconds; even on a machine that is overrun, asking takes a few thousandths of one."""
    with time_limit(600):
        best = min(_seconds(1000) for _ in range(20))
    assert best / 1000 < 20e-6


def _seconds(count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        stop_if_over()
    return time.perf_counter() - started
