"""One batch: which file to score, where to, how; and the key by which parts and results of a run are known again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hepagraph.inference.reasoner import Reasoner
from hepagraph.ontology.errors import CaseError, Problem

FORMAT = 1
CHUNK_ROWS = 2**17
_ENDS = 2**16


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How to score.

    ``keep`` names columns to pass through, ``drop`` columns to leave out; every other is a finding. ``bad_rows`` is
    ``error`` or ``null``, and ``rows`` how many rows are scored, and held in memory, at once.
    """

    differential: str | None = None
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    bad_rows: str = "error"
    rows: int = CHUNK_ROWS


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A file of rows, the Parquet file to make of it, and how; small, so that it can be sent to another machine."""

    source: str
    target: str
    options: BatchOptions


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What was done: rows in all, those that could not be scored, and parts of an earlier run that were used."""

    rows: int
    bad: int = 0
    reused: int = 0
    was_done: bool = False


def describe(job: BatchJob, reasoner: Reasoner) -> dict[str, Any]:
    """Return what decides the result: the input, the model and the options, with a key made of them."""
    model = {name: value for name, value in reasoner.model.items() if name != "notice"}
    found = {"format": FORMAT, "input": _fingerprint(job.source), "model": model, "options": asdict(job.options)}
    digest = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
    return {"key": digest, **found}


def _fingerprint(path: str) -> dict[str, Any]:
    """Return size, time of change and a hash of both ends of a file; Parquet keeps its index at the end."""
    try:
        with Path(path).open("rb") as stream:
            start = stream.read(_ENDS)
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _ENDS))
            end = stream.read(_ENDS)
        changed = Path(path).stat().st_mtime_ns
    except OSError as error:
        raise CaseError([Problem("file", path, f"cannot be read: {error.strerror or error}")]) from None
    return {"bytes": size, "changed_ns": changed, "sha256_of_ends": hashlib.sha256(start + end).hexdigest()}
