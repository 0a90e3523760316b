"""Score a folder of files, a result for each: here one after the other, or shared among the workers of a cluster."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from hepagraph.inference.reasoner import Reasoner
from hepagraph.ontology.errors import CaseError, HepagraphError, MissingExtraError, Problem
from hepagraph.service.answering import placed
from hepagraph.service.batch_job import BatchJob, BatchOptions, BatchReport
from hepagraph.service.batch_running import SHOWN, Advance, check_file, score_file

Shard = Callable[[BatchJob], Any]


def jobs_of(source: str, target: str, options: BatchOptions) -> list[BatchJob]:
    """Return the jobs that a file or a folder makes; a folder's files keep their names below the target.

    Raises
    ------
    CaseError
        There is nothing to score, or a result would lie where an input does.
    """
    if not Path(source).is_dir():
        found = [BatchJob(source, target, options)]
    else:
        names = sorted(path.relative_to(source) for path in Path(source).rglob("*.parquet") if path.is_file())
        found = [BatchJob(str(Path(source) / name), str(Path(target) / name), options) for name in names]
        if not found:
            raise CaseError([Problem("file", source, "holds no file that ends in .parquet")])
    inputs = {Path(job.source).resolve() for job in found}
    problems = [
        Problem("file", job.target, "is an input too", advice="write the results elsewhere")
        for job in found
        if Path(job.target).resolve() in inputs
    ]
    if problems:
        raise CaseError(problems)
    return found


def run_here(
    reasoner: Reasoner, jobs: Sequence[BatchJob], *, threads: int = 1, tell: Callable[[str, int, str], None]
) -> list[BatchReport]:
    """Check all files, then score them, one after the other; ``tell`` is told what is done, rows, and the file.

    Raises
    ------
    CaseError
        Rows of any file are bad; nothing is written.
    """

    def advance(what: str, name: str) -> Advance:
        return lambda rows: tell(what, rows, name)

    problems: list[Problem] = []
    names = []
    for job in jobs:
        try:
            names.append(check_file(reasoner, job, threads=threads, advance=advance("checking", job.source)))
        except CaseError as error:
            problems += _placed(error, job, len(jobs))
        if len(problems) >= SHOWN:
            break
    if problems:
        raise CaseError(problems[:SHOWN])
    return [
        score_file(reasoner, job, names=columns, threads=threads, advance=advance("scoring", job.source))
        for job, columns in zip(jobs, names, strict=True)
    ]


def run_cluster(
    reasoner: Reasoner,
    jobs: Sequence[BatchJob],
    *,
    ontology: str | None,
    address: str | None = None,
    workers: int | None = None,
    tell: Callable[[str, int, str], None],
) -> list[BatchReport]:
    """Do the same with dask.distributed, a file a task, on a scheduler's workers or on ``workers`` local processes.

    Workers must see the files under the same paths and have the same model, which is checked. A task whose worker dies
    is given to another, which goes on from the parts that are there; results take their places whole, so a task that
    runs twice makes the same file twice.

    Raises
    ------
    CaseError
        Rows of any file are bad; nothing is written.
    HepagraphError
        There is no such scheduler, a worker has another model, or a task cannot be done.
    """
    sha256 = reasoner.network.ontology_sha256
    with _client(address, workers) as client:
        counts = [(len(jobs),) for _ in jobs]
        checked = _gather(client, _check_shard, jobs, counts, ontology, sha256, lambda n: tell("checking", 1, n))
        problems = [problem for found, _ in checked for problem in found]
        if problems:
            raise CaseError(problems[:SHOWN])
        names = [(columns,) for _, columns in checked]
        return _gather(client, _score_shard, jobs, names, ontology, sha256, lambda n: tell("scoring", 1, n))


def _gather(
    client: Any,
    act: Callable[..., Any],
    jobs: Sequence[BatchJob],
    more: Sequence[tuple[Any, ...]],
    ontology: str | None,
    sha256: str,
    tell: Callable[[str], None],
) -> list[Any]:
    """Return what ``act`` makes of each job, the ontology's folder and hash, and ``more``."""
    distributed: Any = cluster_library()
    run = uuid.uuid4().hex  # others may use the same scheduler
    futures = [
        client.submit(act, job, ontology, sha256, *given, pure=False, key=f"{act.__name__}-{run}-{number}")
        for number, (job, given) in enumerate(zip(jobs, more, strict=True))
    ]
    names = {future.key: job.source for future, job in zip(futures, jobs, strict=True)}
    try:
        for future in distributed.as_completed(futures):
            if future.status == "cancelled":
                raise HepagraphError("the scheduler was lost; start the command again to go on")
            error = future.exception()
            if isinstance(error, HepagraphError):
                raise error
            if error is not None:
                raise HepagraphError(f"{names[future.key]}: cannot be done on the cluster: {error!r}"[:500])
            tell(names[future.key])
        return list(client.gather(futures))
    finally:
        client.cancel(futures)


def _check_shard(job: BatchJob, ontology: str | None, sha256: str, count: int) -> tuple[list[Problem], tuple[str, ...]]:
    try:
        return [], check_file(_model(ontology, sha256), job)
    except CaseError as error:
        return _placed(error, job, count), ()


def _score_shard(job: BatchJob, ontology: str | None, sha256: str, names: tuple[str, ...]) -> BatchReport:
    return score_file(_model(ontology, sha256), job, names=names)


@lru_cache(maxsize=1)
def _model(ontology: str | None, sha256: str) -> Reasoner:
    """Return this worker's model, if it is the one that was asked for."""
    found = Reasoner.load(ontology)
    if found.network.ontology_sha256 != sha256:
        here = found.network.ontology_sha256[:12]
        raise HepagraphError(f"a worker has ontology {here} and not {sha256[:12]}: install the same there")
    return found


def _placed(error: CaseError, job: BatchJob, count: int) -> list[Problem]:
    return [placed(problem, job.source) if count > 1 else problem for problem in error.problems]


def cluster_library() -> Any:
    """Return the module ``distributed``.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    try:
        import distributed
    except ImportError:
        raise MissingExtraError("scoring on a cluster", "cluster") from None
    return distributed


@contextlib.contextmanager
def _client(address: str | None, workers: int | None) -> Iterator[Any]:
    distributed: Any = cluster_library()
    if address is not None:
        try:
            client = distributed.Client(address)
        except (OSError, ValueError) as error:
            raise HepagraphError(f"{address}: no scheduler answers: {str(error)[:200]}") from None
        with client:
            yield client
        return
    with (
        distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
