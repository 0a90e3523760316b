"""Where answers are worked out: a bounded number of threads, a bounded queue, and a time limit.

The loop that talks to clients never computes, so that it can say how the server is while all threads are busy. A
thread cannot be stopped from outside: when the time is up, or the client has gone, the work is told to end, and does so
at its next step (``inference.stopping``). Its place is free when it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeVar

from hepagraph.inference.stopping import Stop, stop_if_over
from hepagraph.ontology.errors import StoppedError
from hepagraph.service.http.problems import RETRY, ClientGoneError, RequestError

R = TypeVar("R")


class Workbench:
    """Runs functions in threads; refuses what would have to wait behind a full queue."""

    def __init__(self, threads: int, queue: int, seconds: float, name: str = "answer") -> None:
        self.room, self.seconds = threads + queue, seconds
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"hepagraph-{name}")
        self._lock = Lock()
        self._open: set[Stop] = set()
        self._closed = False

    @property
    def open(self) -> int:
        """How many pieces of work are being done or wait."""
        return len(self._open)

    async def run(self, function: Callable[[], R], *, gone: Awaitable[None] | None = None) -> R:
        """Return what the function returns; ``gone`` ends when nobody waits for it any more.

        Raises
        ------
        RequestError
            The queue is full, or the time is up (both 503, with Retry-After).
        ClientGoneError
            Nobody waits any more.
        """
        watching = None if gone is None else asyncio.ensure_future(gone)
        stop = Stop(self.seconds)
        try:
            answered = self._begun(function, stop)
            try:
                async with asyncio.timeout(self.seconds):
                    awaited: set[asyncio.Future[Any]] = {answered} if watching is None else {answered, watching}
                    await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                if watching is not None and watching.done() and not answered.done():
                    watching.result()  # it may have failed, as when too much comes
                    raise ClientGoneError
                return answered.result()
            except (TimeoutError, StoppedError):
                late = f"The answer took longer than {self.seconds:g} seconds. Ask for less at a time."
                detail = "The server is closing." if self._closed else late
                raise RequestError(503, detail, headers=RETRY) from None
            finally:
                stop.now()
                answered.cancel()  # so that nobody misses what it still says
        finally:
            if watching is not None and not watching.cancel() and not watching.cancelled():
                watching.exception()  # else asyncio would say that nobody has asked for it

    def close(self) -> None:
        """Let work that is being done end at its next step, and drop what waits."""
        with self._lock:
            self._closed = True
            ending = list(self._open)
        for stop in ending:
            stop.now()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begun(self, function: Callable[[], R], stop: Stop) -> asyncio.Future[R]:
        with self._lock:
            if self._closed or len(self._open) >= self.room:
                raise RequestError(503, "The server is busy. Ask again in a moment.", headers=RETRY)
            self._open.add(stop)

            def work() -> R:
                with stop.heeded():
                    stop_if_over()
                    return function()

            submitted = self._pool.submit(work)

        def leave(_: Future[R]) -> None:
            with self._lock:
                self._open.discard(stop)

        submitted.add_done_callback(leave)
        return asyncio.wrap_future(submitted)
