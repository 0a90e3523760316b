"""Read case files: one JSON object, a list of them, or JSON Lines; a dash reads standard input."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hepagraph.ontology.errors import CaseError, Problem

MAXIMUM_BYTES = 64 * 1024 * 1024
_MANY = 20
_DIGITS = 300  # a longer whole number may not be a float any more
_DEPTH = 100  # what is nested deeper than any format needs may be too deep for what works with it later


class _DuplicateKeyError(ValueError):
    """The same key stands twice in one JSON object."""


class _TooDeepError(ValueError):
    """An array or object is nested too deeply."""


def read_cases(paths: Iterable[str]) -> list[tuple[str, Any]]:
    """Return (where, JSON value) for every case of every file, in order.

    Raises
    ------
    CaseError
        A file is missing, too large, not UTF-8 or not JSON; the error names every place (at most twenty a file).
    """
    found: list[tuple[str, Any]] = []
    problems: list[Problem] = []
    for path in paths:
        name = "standard input" if path == "-" else path
        try:
            found += _parse(name, read_text(path, name, "JSON"))
        except CaseError as error:
            problems += error.problems
    if problems:
        raise CaseError(problems)
    return found


def read_text(path: str, name: str, wanted: str) -> str:
    """Return the text of a file, or of standard input where the path is a dash.

    Raises
    ------
    CaseError
        It cannot be read, is larger than 64 MiB or not UTF-8; ``wanted`` says what to give instead.
    """
    try:
        raw = sys.stdin.buffer.read(MAXIMUM_BYTES + 1) if path == "-" else _bytes(Path(path))
    except OSError as error:
        raise CaseError([Problem("file", name, f"cannot be read: {error.strerror or error}")]) from None
    if len(raw) > MAXIMUM_BYTES:
        advice = "split it into several files"
        raise CaseError([Problem("file", name, f"is larger than {MAXIMUM_BYTES // 2**20} MiB", advice=advice)])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"byte {error.start} is not UTF-8 text"
        raise CaseError([Problem("file", name, what, advice=f"give {wanted}")]) from None


def _bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(MAXIMUM_BYTES + 1)


def _parse(name: str, text: str) -> list[tuple[str, Any]]:
    if not text.strip():
        raise CaseError([Problem("file", name, "is empty", advice="give one JSON object, or one a line")])
    try:
        whole = _loads(text)
    except (ValueError, RecursionError) as error:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        if len(lines) < 2 or not _is_json(lines[0][1]):
            raise CaseError([_problem(name, error)]) from None
        return list(_parse_lines(name, lines))
    items = whole if isinstance(whole, list) else [whole]
    if not items:
        raise CaseError([Problem("file", name, "holds an empty list", advice="give at least one case")])
    return [(f"{name}[{i}]" if isinstance(whole, list) else name, item) for i, item in enumerate(items)]


def _parse_lines(name: str, lines: list[tuple[int, str]]) -> Iterator[tuple[str, Any]]:
    problems: list[Problem] = []
    values = []
    for number, line in lines:
        try:
            values.append((f"{name} line {number}", _loads(line)))
        except (ValueError, RecursionError) as error:
            problems.append(_problem(f"{name} line {number}", error))
            if len(problems) == _MANY:
                break
    if problems:
        raise CaseError(problems)
    yield from values


def _is_json(text: str) -> bool:
    try:
        _loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def parse_json(text: str, where: str) -> Any:
    """Return the one JSON value that a text holds, as strictly as files are read.

    Raises
    ------
    CaseError
        It is not JSON or nested too deeply, a key stands twice in one object, or a number is none (NaN) or too large.
    """
    try:
        return _loads(text)
    except (ValueError, RecursionError) as error:
        raise CaseError([_problem(where, error)]) from None


def _loads(text: str) -> Any:
    found = json.loads(
        text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole
    )
    if text.count("[") + text.count("{") > _DEPTH:
        _check_depth(found)
    return found


def _check_depth(value: Any) -> None:
    if any(depth >= _DEPTH for depth, _ in enumerate(levels(value))):
        raise _TooDeepError(f"is nested more than {_DEPTH} levels deep")


def levels(value: Any) -> Iterator[list[Any]]:
    """Yield what stands at each depth of a JSON value, the value itself first.

    >>> list(levels({"a": [1, 2]}))
    [[{'a': [1, 2]}], [[1, 2]], [1, 2]]
    """
    level = [value]
    while level:
        yield level
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        level = inner


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        met: set[str] = set()
        for key, _ in pairs:
            if key in met:
                raise _DuplicateKeyError(f"the key {key[:60]!r} stands twice in one object; keep one")
            met.add(key)
    return found


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is a larger number than can be worked with")
    return number


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"a whole number of {len(text)} digits is larger than can be worked with")
    return int(text)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number that JSON or hepagraph knows")


def _problem(where: str, error: Exception) -> Problem:
    if isinstance(error, json.JSONDecodeError):
        what = f"is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
    elif isinstance(error, RecursionError):
        what = "is nested too deeply"
    else:
        what = str(error)[:200]
    mended = isinstance(error, _DuplicateKeyError | _TooDeepError | RecursionError)
    advice = "" if mended else "give one JSON object, or one a line (JSON Lines)"
    return Problem("file", where, what, advice=advice)
