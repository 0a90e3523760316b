"""How long a click in the explorer takes, part by part: python benchmarks/explorer_click.py.

What a click waits for is the posterior and what the widgets show of it; the ledger, the warnings and the next looks
come after, on a thread. Medians over clicks that change one finding to and fro, on the packaged ontology. CPU time
stands beside wall time, since on a busy machine only the first says what the click itself costs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# As the command does, before NumPy is imported: threads of the linear algebra only get in each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hepagraph.inference import Reasoner
from hepagraph.service.explorer import Explorer, ExplorerState
from hepagraph.service.explorer.outlook import Job, Question

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
CASES = ("paulatto2020_fig13.json", "maino2023_fig7.json", "paulatto2020_fig3.json")
BUDGET_MS = 100.0


class Held:
    """Takes the jobs of a click and does none of them, as a thread that has not come to it."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def run(self, jobs: list[Job]) -> None:
        self.jobs = list(jobs)


def measure(action: Callable[[], Any], rounds: int) -> tuple[float, float, float]:
    """Return medians of wall and CPU time, and the 95th percentile of wall time, in milliseconds."""
    wall, spent = [], []
    for _ in range(rounds):
        started, cpu = time.perf_counter(), time.thread_time()
        action()
        wall.append(1000 * (time.perf_counter() - started))
        spent.append(1000 * (time.thread_time() - cpu))
    return statistics.median(wall), statistics.median(spent), statistics.quantiles(wall, n=20)[-1]


def parts(reasoner: Reasoner, case: dict[str, Any], rounds: int) -> dict[str, tuple[float, float, float]]:
    explorer = Explorer(reasoner, case)
    held = Held()
    explorer._worker = held  # type: ignore[assignment]
    state = explorer.state
    closed = state.closed()
    fields = [field for group in state.form.groups for field in group.fields if field.name not in closed]
    field = max(fields, key=lambda one: len(one.options))
    turns = iter(range(10**6))

    def click() -> None:
        explorer.choose(field.name, field.options[next(turns) % 2].notation)

    def answer() -> None:
        state.choose(field.name, field.options[next(turns) % 2].notation)
        state.answer()

    asked = state.answer().case
    assert asked is not None
    question = Question(reasoner, asked, state.lesion.id)
    return {
        "posterior": measure(answer, rounds),
        "click, all that it waits for": measure(click, rounds),
        "ledger": measure(question.ledger_part, rounds),
        "warnings": measure(question.warnings_part, rounds),
        "next looks": measure(question.next_part, rounds),
    }


def filled(reasoner: Reasoner, case: dict[str, Any]) -> dict[str, Any]:
    """Return the case with its first lesion described as fully as the examinations and the rules allow."""
    state = ExplorerState(reasoner, case)
    for name, field in state.fields.items():
        if state.value(name) is None and name not in state.closed():
            state.choose(name, field.options[0].notation)
            if state.answer().result is None:
                state.choose(name, None)
    return state.counted()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    reasoner = Reasoner.load()
    cases = {name: json.loads((EXAMPLES / name).read_text(encoding="utf-8")) for name in CASES}
    cases["the second, one lesion with everything stated"] = filled(reasoner, cases[CASES[1]])
    for name, case in cases.items():
        stated = [len(lesion["findings"]) for lesion in case["lesions"]]
        print(f"{name}: lesions with {stated} findings")
        print(f"  {'':32}{'median':>10}{'of it CPU':>12}{'95 %':>10}")
        for part, (wall, spent, high) in parts(reasoner, case, rounds).items():
            over = "" if wall <= BUDGET_MS else f"  more than {BUDGET_MS:.0f} ms"
            print(f"  {part:32}{wall:7.1f} ms{spent:9.1f} ms{high:7.1f} ms{over}")


if __name__ == "__main__":
    main()
