"""A progress bar on standard error, where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable

_WIDTH = 30


def progress_bar(title: str) -> Callable[[int, int, str], None] | None:
    """Return a function that draws (done, in all, name) on one line, or None where nobody watches."""
    if not sys.stderr.isatty():
        return None

    def draw(done: int, total: int, name: str) -> None:
        filled = round(_WIDTH * done / total)
        end = "\r\033[K" if done == total else ""
        bar = "#" * filled + "." * (_WIDTH - filled)
        print(f"\r\033[K{title} [{bar}] {done}/{total} {name}", end=end, file=sys.stderr, flush=True)  # noqa: T201

    return draw
