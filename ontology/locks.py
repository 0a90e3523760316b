"""A lock for what a process makes once, which a fork does not leave locked for ever."""

from __future__ import annotations

import os
from threading import RLock


class ForkSafeLock:
    """A re-entrant lock that is free again in a forked child, where the thread that held it does not exist.

    Make one a module, not one an object: what is to be done at a fork is never forgotten. (A fork cannot wait for the
    lock instead: whoever holds it may log, and ``logging`` lets no one log while it waits for a fork itself.)

    >>> with ForkSafeLock():
    ...     pass
    """

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
