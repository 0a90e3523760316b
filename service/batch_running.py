"""Score a file of any length in bounded memory, and go on where a run was cut off."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from hepagraph.inference.reasoner import Reasoner
from hepagraph.ontology.errors import CaseError, HepagraphError, Problem
from hepagraph.service.batch_job import BatchJob, BatchReport, describe
from hepagraph.service.batch_parts import Parts
from hepagraph.service.batch_scoring import PROBLEM, ChunkChecker, ChunkScorer
from hepagraph.service.batch_sources import Chunk, ParquetSource, open_source

T = TypeVar("T")
Advance = Callable[[int], None]
SHOWN = 50


def check_file(
    reasoner: Reasoner, job: BatchJob, *, threads: int = 1, advance: Advance | None = None
) -> tuple[str, ...]:
    """Read every row and return the columns; where ``bad_rows`` is ``error`` a bad row is refused.

    Nothing is written. A file that an earlier run with the same input, model and options has checked is not read again.
    JSON Lines are read once: what columns there are is found on the way, and told before anything about rows.

    Raises
    ------
    CaseError
        A column is not known, or rows are bad: the error names the first ones (from 0), with column and value.
    """
    parts = Parts(job.target, describe(job, reasoner))
    source = open_source(job.source, parts.columns)
    if parts.finished():
        return ()
    if job.options.bad_rows != "error" or parts.checked:
        ChunkScorer(reasoner, source, job.options)  # refuses columns
        return source.names
    early = isinstance(source, ParquetSource)
    if isinstance(source, ParquetSource):
        chunks = source.chunks(job.options.rows, ChunkScorer(reasoner, source, job.options).findings)
    else:
        chunks = source.chunks(job.options.rows)
    checker, problems = ChunkChecker(reasoner, job.options), list[Problem]()

    def check(chunk: Chunk) -> tuple[int, list[Problem]]:
        return chunk.rows, [] if len(problems) >= SHOWN else checker.check(chunk)

    with ThreadPoolExecutor(threads) as pool:
        for rows, found in _in_order(pool, threads, chunks, check):
            problems += found
            if early and len(problems) >= SHOWN:
                break
            if advance is not None:
                advance(rows)
    if not early:
        ChunkScorer(reasoner, source, job.options)
    if problems:
        raise CaseError(problems[:SHOWN])
    return source.names


def score_file(
    reasoner: Reasoner,
    job: BatchJob,
    *,
    names: Sequence[str] | None = None,
    threads: int = 1,
    advance: Advance | None = None,
) -> BatchReport:
    """Score a file whose rows are good, or that may have bad ones, and write the result; see ``check_file``.

    A result that is there already is left; finished parts of a run that was cut off are used. ``names`` are what
    ``check_file`` returned, so that JSON Lines are not read for them again. ``advance`` is told of rows that are done.

    Raises
    ------
    CaseError
        As ``check_file``, for a file that was not checked.
    HepagraphError
        The result cannot be written, or a finished part was damaged.
    """
    parts = Parts(job.target, describe(job, reasoner))
    source = open_source(job.source, names or parts.columns)
    if parts.finished():
        parts.remove()
        return BatchReport(source.rows or 0, was_done=True)
    scorer = ChunkScorer(reasoner, source, job.options)
    try:
        Path(job.target).parent.mkdir(parents=True, exist_ok=True)
        done = parts.open(source.names)

        def answer(chunk: Chunk) -> Any:
            if chunk.table is None:
                return parts.read(chunk.number, scorer.schema)
            table = scorer.score(chunk)
            parts.write(chunk.number, table)
            return table

        rows = bad = 0
        chunks = source.chunks(job.options.rows, scorer.names, done)
        with ThreadPoolExecutor(threads) as pool, parts.result(scorer.schema) as writer:
            for table in _in_order(pool, threads, chunks, answer):
                writer.write_table(table, row_group_size=max(1, len(table)))
                rows += len(table)
                bad += len(table) - table[PROBLEM].null_count if PROBLEM in table.schema.names else 0
                if advance is not None:
                    advance(len(table))
    except CaseError:
        parts.remove()
        raise
    except OSError as error:
        if parts.finished():  # another run of the same batch was quicker
            return BatchReport(source.rows or 0, was_done=True)
        raise HepagraphError(f"{job.target}: cannot be written: {error.strerror or error}") from None
    return BatchReport(rows, bad, len(done))


def _in_order(
    pool: ThreadPoolExecutor, threads: int, chunks: Iterable[Chunk], act: Callable[[Chunk], T]
) -> Iterator[T]:
    """Yield what ``act`` makes of the chunks, in order; no more than one a thread, and one more, are held at once."""
    waiting: deque[Future[T]] = deque()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(act, chunk))
            del chunk
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
