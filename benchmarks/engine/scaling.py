"""How the ratio to pyAgrum goes with rows, missing cells, threads and the size of the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine.batch import SLICES, agrum_contenders, scoring
from benchmarks.engine.networks import SHAPES, Codes, Subject, draw, synthetic
from benchmarks.engine.timing import Rates, Spread, Work, best, interleave, ratio
from hepagraph.inference.engine import Engine
from hepagraph.inference.engine.program import TooWideError, compile_program

Curve = list[dict[str, Any]]
CHUNK = 2**16
ROWS = (10**3, 10**4, 10**5, 10**6, 10**7)
MISSING = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9)


def streaming(engine: Engine, codes: Codes, rows: int, threads: int) -> Work:
    """Return the work of scoring many rows in chunks."""

    def chunks() -> Iterator[dict[str, NDArray[np.int8]]]:
        for start in range(0, rows, CHUNK):
            yield {name: values[: rows - start] for name, values in codes.items()}

    def work(turn: int) -> int:
        return sum(len(posterior) for posterior, _ in engine.score_chunks(chunks(), threads=threads))

    return work


def point(rates: Rates, **where: Any) -> dict[str, Any]:
    """Return a point of a curve: ratios to pyAgrum's best for one thread and two."""
    peer = best(rates, "pyAgrum")
    found: dict[str, Spread] = {name: ratio(rates, name, peer) for name in ("1 thread", "2 threads")}
    return {**where, "peer": peer, **{name: spread.json() for name, spread in found.items()}}


def by_rows(subject: Subject) -> Curve:
    """Return the ratios from a thousand rows to ten million; few rounds where a round is long."""
    engine, codes = Engine(subject.tables, subject.latent), draw(subject, CHUNK)
    curve = []
    for rows in ROWS:
        contenders = {
            "1 thread": streaming(engine, codes, rows, 1),
            **agrum_contenders(subject, codes, 100),
            "2 threads": streaming(engine, codes, rows, 2),
        }
        curve.append(point(_rates(contenders, rows), rows=rows))
    return curve


def _rates(contenders: dict[str, Work], rows: int) -> Rates:
    rounds = 7 if rows <= 10**5 else 3 if rows <= 10**6 else 1
    return interleave(contenders, rounds, warm=rounds > 1)


def by_missing(subject: Subject) -> Curve:
    """Return the ratios by the share of missing cells; pyAgrum scores rows with as many missing."""
    engine, rows = Engine(subject.tables, subject.latent), 2**14
    curve = []
    for missing in MISSING:
        codes = draw(subject, rows * SLICES, missing=missing)
        curve.append(point(interleave(_both(engine, subject, codes, rows), 5), missing=missing))
    return curve


def _both(engine: Engine, subject: Subject, codes: Codes, rows: int) -> dict[str, Work]:
    return {
        "1 thread": scoring(engine, codes, rows),
        **agrum_contenders(subject, codes, 60),
        "2 threads": scoring(engine, codes, rows, threads=2),
    }


def by_network(subject: Subject) -> Curve:
    """Return the ratios on the real network and the synthetic ones, or why there is none."""
    curve: Curve = []
    for one in (subject, *(synthetic(shape) for shape in SHAPES)):
        engine, rows = Engine(one.tables, one.latent), 2**14
        codes = draw(one, rows * SLICES)
        where = {"network": one.name, "nodes": len(one.tables), "parameters": one.parameters}
        try:
            compile_program(one.tables, one.latent)
        except TooWideError as error:
            curve.append({**where, "refused": str(error), "1 thread": None, "2 threads": None})
            continue
        curve.append(point(interleave(_both(engine, one, codes, rows), 5), **where))
    return curve


def measure(subject: Subject) -> dict[str, Curve]:
    """Return all curves."""
    return {"rows": by_rows(subject), "missing": by_missing(subject), "network": by_network(subject)}
