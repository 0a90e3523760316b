"""Tell cheaply whether files are still what they were: by their names, sizes and times, without reading them.

A time of change says nothing while a file is so young that a second change may carry the same time (Git calls such
entries "racily clean"); so whoever keeps a signature asks first how old its newest file is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SETTLED_NS = 2_000_000_000  # the coarsest times that file systems keep are two seconds apart


@dataclass(frozen=True, slots=True)
class Signature:
    """The files of some folders, one line each, and the time of the last change of any of them, in nanoseconds."""

    text: str
    newest_ns: int

    def settled_by(self, time_ns: int) -> bool:
        """Return whether every file was old enough at a time (nanoseconds since 1970) for a later change to show."""
        return self.newest_ns < time_ns - SETTLED_NS


def signature(folders: Iterable[tuple[str, tuple[str, ...]]]) -> Signature:
    """Return the signature of the files below each folder whose names have one of its endings (in any case).

    A line holds path, size in bytes, and the times of the last change of the content and of the file's entry; the
    second moves even where someone sets the first back. Links to folders are not followed.
    """
    lines: list[str] = []
    newest = 0
    for folder, endings in folders:
        lines.append(folder)
        for path, found in sorted(_below(folder, endings)):
            lines.append(f"{path}\t{found.st_size}\t{found.st_mtime_ns}\t{found.st_ctime_ns}")
            newest = max(newest, found.st_mtime_ns, found.st_ctime_ns)
    return Signature("\n".join(lines), newest)


def files_below(folder: str, endings: tuple[str, ...]) -> list[str]:
    """Return the paths of the files that ``signature`` looks at below a folder, sorted."""
    return sorted(path for path, _ in _below(folder, endings))


def _below(folder: str, endings: tuple[str, ...]) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the files with what the file system says of them; what vanishes meanwhile is as good as not there."""
    try:
        with os.scandir(folder) as listed:
            entries = list(listed)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name != "__pycache__":
                yield from _below(entry.path, endings)
        elif entry.name.lower().endswith(endings):
            try:
                yield entry.path, entry.stat()
            except OSError:
                continue
