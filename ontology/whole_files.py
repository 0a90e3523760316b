"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def whole_file(path: Path, waiting: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file that takes its place, under another one's permissions, once all is written; till then that stays.

    Through a link the file behind it is replaced. What is there and is no file (a pipe, a device) is written to as it
    is.

    Parameters
    ----------
    path
        The place.
    waiting
        The folder in which it waits, of the same file system; its own if left out.

    Raises
    ------
    OSError
        It cannot be written.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:
            yield stream
        return
    place = Path(os.path.realpath(path))
    partial = (waiting or place.parent) / f"{os.urandom(8).hex()}.partial"
    try:
        with partial.open("xb") as stream:
            if place.exists():
                partial.chmod(stat.S_IMODE(place.stat().st_mode))
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(place)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
