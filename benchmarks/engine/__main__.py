"""Measure the engine against its peers: python -m benchmarks.engine [--only NAME ...] [--quick]

A full run writes benchmarks/results/engine.json, the pictures in docs/benchmarks and the tables of docs/benchmarks.md;
a run of some measures prints them only. Needs an idle machine; every figure is a ratio within one run.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.engine import batch, limits, machine, memory, page, plots, referees, scaling, single
from benchmarks.engine.networks import Subject, real
from benchmarks.engine.timing import Measure, Rates, medians
from hepagraph.inference import Reasoner

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "engine.json"
MOST_BYTES = 12 * 2**30  # a peer that wants more gets a MemoryError, and the machine lives on


class Run:
    """What was measured so far."""

    def __init__(self, reasoner: Reasoner, quick: bool) -> None:
        self.reasoner, self.quick = reasoner, quick
        self.rounds = 3 if quick else 9
        self.measures: list[Measure] = []
        self.details: dict[str, Any] = {}

    @property
    def subject(self) -> Subject:
        """The real network."""
        return real(self.reasoner.network)

    def keep(self, name: str, rates: Rates, measures: list[Measure], **facts: Any) -> None:
        """Keep and print measures, with the median rates that they were made from."""
        self.measures += measures
        self.details[name] = {"rates": medians(rates), **facts}
        for measure in measures:
            print(measure, flush=True)


def run_batch(run: Run) -> None:
    run.keep("batch", *batch.measure(run.reasoner.network, run.subject, rounds=run.rounds))


def run_limits(run: Run) -> None:
    rates, measures, facts = limits.measure(run.subject, rounds=run.rounds)
    run.keep("limits", rates, measures, **facts)


def run_single(run: Run) -> None:
    network, subject = run.reasoner.network, run.subject
    run.keep("posterior", *single.posteriors(network, subject, rounds=run.rounds))
    run.keep("change", *single.changes(network, subject, rounds=run.rounds))
    run.keep("everything", *single.everything(network, subject, rounds=run.rounds))
    run.keep("interval", *single.intervals(run.reasoner, rounds=run.rounds))


def run_memory(run: Run) -> None:
    found, measures = memory.measure(run.subject, rows=memory.ROWS[: 2 if run.quick else None])
    run.keep("memory", {}, measures, bytes=found)


def run_referees(run: Run) -> None:
    agrum, pgmpy = (200, 20) if run.quick else (10_000, 300)
    run.keep("agreement", {}, referees.measure(run.reasoner.network, agrum=agrum, pgmpy=pgmpy))


def run_scaling(run: Run) -> None:
    curves = scaling.measure(run.subject)
    run.details["curves"] = curves
    for curve in curves.values():
        for point in curve:
            print(json.dumps(point), flush=True)


PARTS: Mapping[str, Callable[[Run], None]] = {
    "batch": run_batch,
    "limits": run_limits,
    "single": run_single,
    "memory": run_memory,
    "referees": run_referees,
    "scaling": run_scaling,
}


def main() -> None:
    """Measure, print, and after a full run write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), help="measure these and write nothing")
    parser.add_argument("--quick", action="store_true", help="few rounds; writes nothing")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, resource.RLIM_INFINITY))
    described = machine.describe()
    print(json.dumps(described))
    run = Run(Reasoner.load(), options.quick)
    for name in options.only or PARTS:
        start = time.perf_counter()
        PARTS[name](run)
        print(f"-- {name}: {time.perf_counter() - start:.0f} s", flush=True)
    if not options.only and not options.quick:
        results = {
            "machine": described,
            "measures": [measure.json() for measure in run.measures],
            "details": run.details,
        }
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        plots.draw_curves(run.details["curves"], ROOT / "docs" / "benchmarks")
        page.write_tables(ROOT / "docs" / "benchmarks.md", results)
    missed = [measure.what for measure in run.measures if measure.reached is False]
    print(f"{len(missed)} bars not reached" + "".join(f"\n  {what}" for what in missed))


if __name__ == "__main__":
    sys.exit(main())
