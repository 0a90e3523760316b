"""Many rows: the entity's posterior of rows drawn from the network, against pyAgrum and pgmpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.engine.networks import Codes, Subject, draw, part, records
from benchmarks.engine.peers import AGRUM, PGMPY, Agrum, Pgmpy, agrum_network
from benchmarks.engine.timing import Measure, Rates, Work, best, hashing, interleave, ratio
from hepagraph.inference.engine import Engine
from hepagraph.inference.network import Network

OURS = "float32, 1 thread"
HASHING = ("hashing, 2 threads", "hashing, 1 thread")
SLICES = 8


def scoring(engine: Engine, codes: Codes, count: int, **options: Any) -> Work:
    """Return the work of scoring ``count`` rows, others in each round."""

    def work(turn: int) -> int:
        posterior, _ = engine.score(part(codes, turn % SLICES * count, count), **options)
        return len(posterior)

    return work


def asking(ask: Callable[[Mapping[str, int]], object], rows: list[dict[str, int]], count: int) -> Work:
    """Return the work of asking for ``count`` rows one by one, others in each round."""

    def work(turn: int) -> int:
        start = turn % SLICES * count
        chosen = rows[start : start + count]
        for row in chosen:
            ask(row)
        return len(chosen)

    return work


def agrum_contenders(subject: Subject, codes: Codes, count: int) -> dict[str, Work]:
    """Return pyAgrum's engines on the first rows."""
    network, rows = agrum_network(subject), records(part(codes, 0, count * SLICES))
    return {f"pyAgrum {kind}": asking(Agrum(network, kind).posterior, rows, count) for kind in AGRUM}


def pgmpy_contenders(network: Network, codes: Codes, counts: Mapping[str, int]) -> dict[str, Work]:
    """Return pgmpy's elimination by order on the first rows."""
    rows = records(part(codes, 0, max(counts.values()) * SLICES))
    return {f"pgmpy {o}": asking(Pgmpy(network, o).posterior, rows, n) for o, n in counts.items()}


def measure(network: Network, subject: Subject, *, rounds: int = 9, rows: int = 2**16) -> tuple[Rates, list[Measure]]:
    """Return all rates and the measures with their bars."""
    codes = draw(subject, rows * SLICES)
    engine = Engine(subject.tables, subject.latent)
    plain = Engine(subject.tables, subject.latent, native=False)
    contenders: dict[str, Work] = {
        "float64, 1 thread": scoring(engine, codes, rows, dtype=np.float64),
        **agrum_contenders(subject, codes, 100),
        OURS: scoring(engine, codes, rows),
        **pgmpy_contenders(network, codes, {"greedy": 40, "MinFill": 8}),
        "float32, 2 threads": scoring(engine, codes, rows, threads=2),
        HASHING[1]: hashing(1),
        HASHING[0]: hashing(2),
        "NumPy, float32": scoring(plain, codes, 2**14),
    }
    rates = interleave(contenders, rounds)
    idle = Measure("batch_idle", "hashing, 2 threads against 1: the cores that were free", ratio(rates, *HASHING))
    return rates, [*measures_of(rates), idle]


def measures_of(rates: Rates) -> list[Measure]:
    """Return the ratios with their bars."""
    agrum, pgmpy = best(rates, "pyAgrum"), best(rates, "pgmpy")
    threads = "float32, 2 threads"
    return [
        Measure("batch_agrum", f"batch, {OURS}, against {agrum}", ratio(rates, OURS, agrum), 1000),
        Measure("batch_pgmpy", f"batch, {OURS}, against {pgmpy}", ratio(rates, OURS, pgmpy), 3000),
        Measure("batch_double", f"batch, float64, 1 thread, against {agrum}", ratio(rates, "float64, 1 thread", agrum)),
        Measure("batch_threads", "batch, 2 threads against 1", ratio(rates, threads, OURS), 1.6),
        Measure("batch_agrum_2", f"batch, {threads}, against {agrum}", ratio(rates, threads, agrum)),
        Measure("batch_numpy", f"batch, NumPy kernel, against {agrum}", ratio(rates, "NumPy, float32", agrum), 30),
    ]


def guard_rates(network: Network, subject: Subject) -> Rates:
    """Return the rates that the regression guard compares: a few short rounds."""
    rows = 2**14
    codes = draw(subject, rows * SLICES)
    engine = Engine(subject.tables, subject.latent)
    contenders = {
        OURS: scoring(engine, codes, rows),
        **agrum_contenders(subject, codes, 60),
        **pgmpy_contenders(network, codes, {PGMPY[0]: 24}),
    }
    return interleave(contenders, 5)
