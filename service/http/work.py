"""Where answers are worked out: a bounded number of threads, a bounded queue, and a time limit.

The loop that talks to clients never computes, so that it can say how the server is while all threads are busy. A
thread cannot be stopped: a request that is out of time is answered, but its place is free only when its work ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import ParamSpec, TypeVar

from hepagraph.service.http.problems import RETRY, RequestError

P = ParamSpec("P")
R = TypeVar("R")


class Workbench:
    """Runs functions in threads; refuses what would have to wait behind a full queue."""

    def __init__(self, threads: int, queue: int, seconds: float, name: str = "answer") -> None:
        self.room, self.seconds = threads + queue, seconds
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"hepagraph-{name}")
        self._lock = Lock()
        self._open = 0

    @property
    def open(self) -> int:
        """How many pieces of work are being done or wait."""
        return self._open

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the function returns.

        Raises
        ------
        RequestError
            The queue is full, or the time is up (both 503, with Retry-After).
        """
        self._enter()
        work: Future[R] = self._pool.submit(function, *args, **kwargs)
        work.add_done_callback(self._leave)
        try:
            async with asyncio.timeout(self.seconds):
                return await asyncio.wrap_future(work)
        except TimeoutError:
            detail = f"The answer took longer than {self.seconds:g} seconds. Ask for less at a time."
            raise RequestError(503, detail, headers=RETRY) from None

    def close(self) -> None:
        """Let go of the threads; work that waits is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _enter(self) -> None:
        with self._lock:
            if self._open >= self.room:
                raise RequestError(503, "The server is busy. Ask again in a moment.", headers=RETRY)
            self._open += 1

    def _leave(self, work: Future[R]) -> None:
        with self._lock:
            self._open -= 1
