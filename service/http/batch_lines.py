"""Many cases as JSON Lines: a case a line in, its answer or its problems a line out, in the same order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from hepagraph.inference.stopping import time_limit
from hepagraph.ontology.errors import CaseError, Problem, StoppedError, nearest
from hepagraph.service.http.bodies import read_value
from hepagraph.service.http.problems import RequestError, from_exception, problem_details, to_bytes
from hepagraph.service.http.questions import check_sizes

if TYPE_CHECKING:
    from hepagraph.service.doors import Doors
    from hepagraph.service.http.settings import Settings
    from hepagraph.service.http.streams import Streams

MEDIA_TYPES = ("application/x-ndjson", "application/jsonl", "application/json-lines")
TOGETHER = 8  # lines that are answered before any of them is sent, if that takes no longer than
SOON = 0.2  # seconds
FLAGS = {"true": True, "false": False}
OPTIONS = ("differential", "interval", "reasons", "surprise")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a body, counted from 1; None where it was too long to keep."""

    number: int
    text: bytes | None


class Lines:
    """Cuts pieces of a body into lines; keeps at most one unfinished line, and none that is longer than ``limit``."""

    def __init__(self, limit: int) -> None:
        self.limit, self.number = limit, 0
        self._rest = bytearray()
        self._skipping = False

    def cut(self, piece: bytes) -> list[Line]:
        """Return the lines that end in a piece."""
        *ended, rest = piece.split(b"\n")
        found = []
        for part in ended:
            self._keep(part)
            found.append(self._line())
        self._keep(rest)
        return found

    def last(self) -> list[Line]:
        """Return what stands after the last end of a line, if anything does."""
        return [self._line()] if self._rest or self._skipping else []

    def _keep(self, part: bytes) -> None:
        if self._skipping or len(self._rest) + len(part) > self.limit:
            self._skipping = True
            self._rest.clear()
        else:
            self._rest += part

    def _line(self) -> Line:
        self.number += 1
        line = Line(self.number, None if self._skipping else bytes(self._rest))
        self._rest.clear()
        self._skipping = False
        return line


def read_flags(given: Mapping[str, str], known: Sequence[str] = OPTIONS) -> dict[str, Any]:
    """Return the options of a whole batch, which stand in the query of its address.

    Raises
    ------
    CaseError
        An option is unknown, or not true or false where it must be.
    """
    found: dict[str, Any] = {}
    problems = []
    for name, text in given.items():
        if name not in known:
            what = f"unknown option {name[:60]!r}"
            problems.append(Problem("unknown_key", "query", what, tuple(known), nearest(name, known)))
        elif name == "differential":
            found[name] = text
        elif text not in FLAGS:
            problems.append(Problem("type", f"query / {name}", "must be true or false", tuple(FLAGS)))
        else:
            found[name] = FLAGS[text]
    if problems:
        raise CaseError(problems)
    return found


async def answer_lines(
    pieces: AsyncIterator[bytes],
    doors: Doors,
    settings: Settings,
    streams: Streams,
    options: Mapping[str, Any],
    count: Callable[[str, int], None],
) -> AsyncIterator[bytes]:
    """Yield the answers to the cases in the lines of a body, a few at a time; blank lines have none.

    A line that cannot be answered, in time or at all, becomes ``{"error": {...}}``, a problem as elsewhere with the
    line's number. So does a body that breaks off; then it is the last.
    """
    lines = Lines(settings.body_bytes)

    def act(group: list[Line]) -> tuple[int, bytes]:
        answers: list[dict[str, Any]] = []
        until = monotonic() + SOON
        for line in group[:TOGETHER]:
            answers.append(_answer(line, doors, settings, options))
            if monotonic() > until:
                break
        bad = sum("error" in found for found in answers)
        count("answered", len(answers) - bad)
        count("refused", bad)
        return len(answers), b"".join(to_bytes(found) + b"\n" for found in answers)

    try:
        async for piece in pieces:
            async for done in _in_groups(lines.cut(piece), act, streams):
                yield done
            if lines.number > settings.lines:
                raise RequestError(413, f"A batch has at most {settings.lines} lines.")
        async for done in _in_groups(lines.last(), act, streams):
            yield done
    except RequestError as error:
        if lines.number == 0:
            raise
        yield to_bytes(_told(error, lines.number + 1)) + b"\n"


async def _in_groups(
    lines: list[Line], act: Callable[[list[Line]], tuple[int, bytes]], streams: Streams
) -> AsyncIterator[bytes]:
    kept = [line for line in lines if line.text is None or line.text.strip()]
    while kept:
        done, answers = await streams.run(lambda kept=kept: act(kept))  # type: ignore[misc]
        yield answers
        kept = kept[done:]


def _answer(line: Line, doors: Doors, settings: Settings, options: Mapping[str, Any]) -> dict[str, Any]:
    where = f"line {line.number}"
    try:
        if line.text is None:
            what = f"is longer than {settings.body_bytes} bytes"
            raise RequestError(413, "The line is too long.", [Problem("size", where, what)])
        with time_limit(settings.seconds):
            case = read_value(line.text, settings, where)
            check_sizes(case, settings)
            return doors.posterior(case, **options)
    except (CaseError, RequestError, StoppedError) as error:
        return _told(from_exception(error), line.number)


def _told(error: RequestError, line: int) -> dict[str, Any]:
    return {"error": {"line": line, **problem_details(error.status, error.detail, error.problems)}}
