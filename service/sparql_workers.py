"""Answers SPARQL queries in processes of their own, so that one that never ends can be ended."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock, Timer
from typing import Any

from hepagraph.ontology.errors import QueryError
from hepagraph.service.sparql_limits import SparqlLimits
from hepagraph.service.sparql_worker import LOADING_SECONDS

Json = dict[str, Any]
TOKEN_VARIABLE = "HEPAGRAPH_TOKEN"  # noqa: S105 - the name of a variable, which queries have no business with


class QueryTimeoutError(QueryError):
    """A query took longer than it may."""


class QueryMemoryError(QueryError):
    """The process that answered a query ended: it needed more memory than it may have, or somebody ended it."""


class BusyError(QueryError):
    """Every process is answering, and none became free in time."""


class StaleError(QueryError):
    """The ontology on disk is no longer the one that everything else is answered from."""


@dataclass(frozen=True, slots=True)
class SparqlAnswer:
    """``kind`` is rows or graph; ``format`` is None where none of those asked for can hold the answer."""

    kind: str
    format: str | None
    truncated: bool
    body: bytes


class SparqlWorkers:
    """Processes that hold the ontology; started when first needed. Safe to call from several threads.

    ``sha256`` is the hash of the ontology that they must find; None: any.
    """

    def __init__(
        self,
        ontology: str | None = None,
        *,
        engine: str = "auto",
        sha256: str | None = None,
        limits: SparqlLimits | None = None,
    ) -> None:
        self.limits = limits or SparqlLimits()
        self._settings = {
            "ontology": ontology,
            "engine": engine,
            "sha256": sha256,
            "mebibytes": self.limits.mebibytes,
        }
        self._free: queue.Queue[_Process | None] = queue.Queue()
        for _ in range(self.limits.processes):
            self._free.put(None)
        self._lock = Lock()
        self._running: set[_Process] = set()
        self._closed = False

    def ask(self, query: str, *, rows: Sequence[str] = ("json",), graph: Sequence[str] = ("turtle",)) -> SparqlAnswer:
        """Return the answer in the first format of its kind that can hold it; see ``ontology.answers`` for names.

        Raises
        ------
        QueryError
            The query is not SPARQL, would change or reach what it may not, or cannot be answered.
        QueryTimeoutError, QueryMemoryError, BusyError
            It took too long or too much, or nobody is free.
        StaleError
            The ontology on disk has changed.
        """
        if len(query) > self.limits.characters:
            raise QueryError(f"the query has more than {self.limits.characters} characters")
        return self._asked({"query": query, "rows": list(rows), "graph": list(graph)})

    def ask_named(self, name: str, parameters: Mapping[str, str], *, rows: Sequence[str] = ("plain",)) -> SparqlAnswer:
        """Return the answer to a query that the ontology brings; errors as of ``ask``."""
        return self._asked({"name": name, "parameters": dict(parameters), "rows": list(rows), "graph": []})

    def _asked(self, what: Json) -> SparqlAnswer:
        limits = self.limits
        asked = {**what, "most": limits.rows, "seconds": limits.seconds, "answer_bytes": limits.answer_bytes}
        with self._process() as process:
            header, body = process.ask(asked, limits.seconds)
        _refuse_errors(header)
        return SparqlAnswer(header["kind"], header.get("format"), header.get("truncated", False), body)

    def warm(self) -> None:
        """Start the first process and let it load the ontology."""
        self.ask("ASK {}")

    def close(self) -> None:
        """End every process; a question after that starts none."""
        with self._lock:
            self._closed = True
            ending = list(self._running)
        for process in ending:
            process.end()

    @contextlib.contextmanager
    def _process(self) -> Iterator[_Process]:
        try:
            process = self._free.get(timeout=self.limits.seconds)
        except queue.Empty:
            raise BusyError("the server is answering other queries; ask again in a moment") from None
        try:
            if process is None or process.ended:
                process = self._started()
            yield process
        finally:
            if process is not None and process.ended:
                with self._lock:
                    self._running.discard(process)
                process = None
            self._free.put(process)

    def _started(self) -> _Process:
        with self._lock:
            if self._closed:
                raise BusyError("the server is closing")
            process = _Process(self._settings)
            self._running.add(process)
        try:
            process.wait_open()
        except QueryError:
            with self._lock:
                self._running.discard(process)
            raise
        return process


def _refuse_errors(header: Json) -> None:
    if "error" in header:
        raise (StaleError if header.get("stale") else QueryError)(header["error"])


class _Process:
    """One child process; used by one thread at a time, and ended by any."""

    def __init__(self, settings: Json) -> None:
        self._child = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", "hepagraph.service.sparql_worker", json.dumps(settings)],
            env={name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    @property
    def ended(self) -> bool:
        return self._child.poll() is not None

    def end(self) -> None:
        self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def wait_open(self) -> None:
        """Wait until the ontology is loaded."""
        header, _ = self._header(LOADING_SECONDS, "loading the ontology")
        if "error" in header:
            self.end()
            _refuse_errors(header)

    def ask(self, asked: Json, seconds: float) -> tuple[Json, bytes]:
        assert self._child.stdin is not None  # noqa: S101
        try:
            self._child.stdin.write(json.dumps(asked).encode() + b"\n")
            self._child.stdin.flush()
        except (OSError, ValueError):  # it was ended from outside, or by ``close``
            self.end()
            raise QueryMemoryError("the process that answers has ended; ask again") from None
        header, body = self._header(LOADING_SECONDS, "loading what the query names")
        return self._header(seconds, "the query") if header.get("ready") else (header, body)

    def _header(self, seconds: float, what: str) -> tuple[Json, bytes]:
        """Return the next header and what follows it; a process that does not answer in time is ended."""
        assert self._child.stdout is not None  # noqa: S101
        too_long = []

        def stop() -> None:
            too_long.append(True)
            self._child.kill()

        timer = Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            line = self._child.stdout.readline()
            header = json.loads(line) if line.endswith(b"\n") else {}
            body = self._child.stdout.read(header.get("bytes", 0))
        except ValueError:  # closed by ``close``
            header, body = {}, b""
        finally:
            timer.cancel()
        if header and len(body) == header.get("bytes", 0):
            return header, body
        self.end()
        if too_long:
            raise QueryTimeoutError(f"{what} took longer than {seconds:g} seconds; ask for less, or add a LIMIT")
        raise QueryMemoryError(f"{what} needed more memory than there is for it, or was ended; ask for less")
