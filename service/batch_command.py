"""``hepagraph batch``: score Parquet files of any length, here or on a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.service.options import ontology_option, reports_errors
from hepagraph.service.progress import progress_bar

if TYPE_CHECKING:
    from hepagraph.service.batch_job import BatchJob, BatchReport

_COLUMNS = "NAME,..."


@click.command()
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--differential", default=None, metavar="NAME", help="Which list of entities to choose between.")
@click.option("--keep", multiple=True, metavar=_COLUMNS, help="Columns to pass through, such as identifiers.")
@click.option("--drop", multiple=True, metavar=_COLUMNS, help="Columns to leave out.")
@click.option(
    "--bad-rows",
    type=click.Choice(["error", "null"]),
    default="error",
    show_default=True,
    help="error: refuse all before anything is written; null: empty posteriors, and why in the column problem.",
)
@click.option("--threads", type=click.IntRange(1, 1024), default=None, help="Default: one a processor.")
@click.option("--rows", type=click.IntRange(1), default=None, help="Rows scored and held at once.  [default: 131072]")
@click.option("--cluster", default=None, metavar="ADDRESS", help="A dask scheduler, such as tcp://host:8786.")
@click.option("--workers", type=click.IntRange(1, 1024), default=None, help="A cluster of processes on this machine.")
@ontology_option
@reports_errors
def batch(
    source: str,
    target: str,
    differential: str | None,
    keep: Sequence[str],
    drop: Sequence[str],
    bad_rows: str,
    threads: int | None,
    rows: int | None,
    cluster: str | None,
    workers: int | None,
    ontology: str | None,
) -> None:
    """Score the rows of IN, a Parquet or JSON Lines file, into the Parquet file OUT; or a folder's into a folder.

    A row is a lesion of its own, a column a finding, a measurement, or something of patient or examination. OUT has
    the kept columns, p_ENTITY for each entity, and log_evidence. A run that was cut off goes on when it is started
    again. Rows are counted from 0.
    """
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.service.batch_folder import jobs_of, run_cluster, run_here
    from hepagraph.service.batch_job import CHUNK_ROWS, BatchOptions

    if cluster is not None and workers is not None:
        raise CaseError([Problem("option", "--workers", "cannot be given with --cluster")])
    options = BatchOptions(differential, _names(keep), _names(drop), bad_rows, rows or CHUNK_ROWS)
    jobs = jobs_of(source, target, options)
    reasoner = Reasoner.load(ontology, progress=progress_bar("reconciling"))
    reasoner.entities(differential)
    if cluster is None and workers is None:
        found = run_here(reasoner, jobs, threads=threads or _processors(), tell=_progress(_rows_of(jobs)))
    else:
        jobs = [_absolute(job) for job in jobs]
        tell = _progress(len(jobs))
        found = run_cluster(reasoner, jobs, ontology=ontology, address=cluster, workers=workers, tell=tell)
    click.echo(_summary(found, target), err=True)


def _names(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for text in texts for name in text.split(",") if name.strip()))


def _absolute(job: BatchJob) -> BatchJob:
    from dataclasses import replace

    return replace(job, source=os.path.abspath(job.source), target=os.path.abspath(job.target))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _rows_of(jobs: Sequence[BatchJob]) -> int | None:
    """Return how many rows there are, None where that cannot be told without reading them."""
    from hepagraph.service.batch_sources import open_source

    rows = [open_source(job.source).rows for job in jobs]
    return None if None in rows else sum(count or 0 for count in rows)


def _progress(total: int | None) -> Callable[[str, int, str], None]:
    """Return what draws a bar on a terminal for each of checking and scoring."""
    bars = {what: progress_bar(what) for what in ("checking", "scoring")}
    done = dict.fromkeys(bars, 0)

    def tell(what: str, count: int, name: str) -> None:
        done[what] += count
        bar = bars[what]
        if bar is not None and total:
            bar(min(done[what], total), total, name)

    return tell


def _summary(found: Sequence[BatchReport], target: str) -> str:
    rows, bad, reused = (sum(getattr(report, name) for report in found) for name in ("rows", "bad", "reused"))
    if all(report.was_done for report in found):
        return f"hepagraph: {target} is there already, from the same input, model and options"
    parts = [f"{bad:,} of them bad"] if bad else []
    parts += [f"{reused:,} parts were there already"] if reused else []
    return f"hepagraph: {rows:,} rows in {target}" + (f" ({', '.join(parts)})" if parts else "")
