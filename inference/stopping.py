"""A time by which an answer must be there, and a way for another thread to say that nobody waits for it any more.

A thread cannot be stopped from outside, so long answers ask between their steps whether they are still wanted, and end
with ``StoppedError`` if not. Asking costs less than a microsecond; a step takes some milliseconds at least.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from time import monotonic

from hepagraph.ontology.errors import StoppedError


class Stop:
    """Says when work is to end: after some seconds, or as soon as any thread calls ``now``."""

    __slots__ = ("_outer", "_until")

    def __init__(self, seconds: float = inf) -> None:
        self._until = monotonic() + seconds
        self._outer: Stop | None = None

    def now(self) -> None:
        """Say that the work is to end."""
        self._until = -inf

    @property
    def over(self) -> bool:
        """Whether the work is to end."""
        return monotonic() >= self._until or (self._outer is not None and self._outer.over)

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Let what is done inside, by this thread or task, end when it is to end; one around it holds as well."""
        self._outer = _STOP.get()
        token = _STOP.set(self)
        try:
            yield
        finally:
            _STOP.reset(token)


_STOP: ContextVar[Stop | None] = ContextVar("hepagraph_stop", default=None)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let questions that are asked inside, by this thread or task, end with ``StoppedError`` after some seconds.

    They end between two steps, so some tenths of a second late.

    >>> with time_limit(60):
    ...     answer = sum(range(10))
    """
    with Stop(seconds).heeded():
        yield


def stop_if_over() -> None:
    """Raise ``StoppedError`` if the answer that is being worked out is no longer wanted."""
    stop = _STOP.get()
    if stop is not None and stop.over:
        raise StoppedError("the answer was not ready in time, or is no longer wanted; ask for less at a time")
