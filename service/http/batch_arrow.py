"""Many single lesions as an Arrow stream: a column a finding in, posteriors and problems a row out, batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from hepagraph.inference.case import SECTIONS
from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.service.http.arrow_messages import BATCH, SCHEMA, messages
from hepagraph.service.http.problems import RequestError

if TYPE_CHECKING:
    from hepagraph.service.batch_scoring import ChunkScorer
    from hepagraph.service.doors import Doors
    from hepagraph.service.http.settings import Settings
    from hepagraph.service.http.streams import Streams

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
ID = "id"
ROWS = 2**14  # that are scored, and held with their answers, at once
_ALLOWED = ("whole numbers", "float and double", "bool", "string", "dictionary of strings")


class _Feed:
    """A file for Arrow to read, which holds no more than what has come and was not yet read."""

    closed = False

    def __init__(self) -> None:
        self._held = bytearray()

    def add(self, data: bytes) -> None:
        """Let Arrow read these bytes next."""
        self._held += data

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        size = len(self._held) if size < 0 else size
        found = bytes(self._held[:size])
        del self._held[:size]
        return found

    def readable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Forget what was not read."""
        self._held.clear()


class _Out(_Feed):
    """A file for Arrow to write."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Keep bytes until they are read."""
        self.add(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing."""


class _Columns:
    """The columns of a stream, as ``ChunkScorer`` asks for those of a file."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self.names = tuple(schema.names)

    def schema(self, names: tuple[str, ...]) -> Any:
        """Return the Arrow schema of some columns."""
        import pyarrow as pa

        return pa.schema([self._schema.field(name) for name in names])


class Scoring:
    """Scores the batches of one stream."""

    def __init__(self, doors: Doors, differential: str | None, count: Callable[[str, int], None], most: int) -> None:
        self._doors, self._differential, self._count, self._most = doors, differential, count, most
        self._feed, self._out, self._rows = _Feed(), _Out(), 0
        self._reader: Any = None
        self._writer: Any = None
        self._scorer: ChunkScorer | None = None

    def take(self, raw: bytes) -> None:
        """Let Arrow read a message when it next needs one."""
        self._feed.add(raw)

    def begin(self) -> None:
        """Read the schema.

        Raises
        ------
        CaseError
            A column is not known, or not of a kind that is taken.
        RequestError
            Arrow cannot read it (400).
        """
        import pyarrow as pa

        from hepagraph.service.batch_job import BatchOptions
        from hepagraph.service.batch_scoring import ChunkScorer

        self._reader = _or_broken(lambda: pa.ipc.open_stream(self._feed))
        schema = self._reader.schema
        most = len(self._doors.reasoner.reader.inputs(*SECTIONS)) + 1
        if len(schema) > most:
            what = f"there are {len(schema)}, and at most {most} can be known"
            raise CaseError([Problem("size", "columns", what, advice="leave out what is no finding")])
        if problems := _or_broken(lambda: _schema_problems(schema)):  # names may be no text
            raise CaseError(problems)
        keep = (ID,) if ID in schema.names else ()
        options = BatchOptions(differential=self._differential, keep=keep, bad_rows="null")
        self._scorer = ChunkScorer(self._doors.reasoner, cast("Any", _Columns(schema)), options)
        self._writer = pa.ipc.new_stream(self._out, self._scorer.schema)

    def next(self) -> Iterator[bytes]:
        """Yield the answers to the next batch, a part of its rows at a time.

        Raises
        ------
        RequestError
            Arrow cannot read it (400), or there are too many rows (413).
        """
        import pyarrow as pa

        from hepagraph.service.batch_sources import Chunk

        assert self._scorer is not None  # noqa: S101
        batch = _or_broken(self._reader.read_next_batch)
        _or_broken(lambda: batch.validate(full=True))
        for start in range(0, batch.num_rows, ROWS):
            part = pa.Table.from_batches([batch.slice(start, ROWS)])
            if self._rows + len(part) > self._most:
                raise RequestError(413, f"A batch has at most {self._most} rows.")
            found = self._scorer.score(Chunk(0, self._rows, part))
            self._rows += len(part)
            bad = len(found) - found["problem"].null_count
            self._count("answered", len(found) - bad)
            self._count("refused", bad)
            self._writer.write_table(found)
            yield self._out.read()

    def end(self) -> bytes:
        """Return the last bytes of the answer."""
        self._writer.close()
        return self._out.read()


async def answer_arrow(
    pieces: AsyncIterator[bytes],
    doors: Doors,
    settings: Settings,
    streams: Streams,
    differential: str | None,
    count: Callable[[str, int], None],
) -> AsyncIterator[bytes]:
    """Yield the answers to the rows of an Arrow stream: id, a posterior each entity, log evidence, and problem.

    A row that cannot be answered has nulls, and what is wrong with it as ``problem``.

    Raises
    ------
    RequestError
        The body is no Arrow stream, or one that is not taken.
    CaseError
        A column is not known, or not of a kind that is taken.
    """
    scoring, begun = Scoring(doors, differential, count, settings.lines), False
    async for message in messages(pieces, settings.message_bytes):
        if (message.kind == SCHEMA) == begun:
            raise RequestError(400, "The body is not an Arrow stream: its schema must come once, before all else.")
        scoring.take(message.raw)
        if message.kind == SCHEMA:
            await streams.run(scoring.begin)
            begun = True
        elif message.kind == BATCH:
            parts = scoring.next()
            while (part := await streams.run(lambda parts=parts: next(parts, None))) is not None:  # type: ignore[misc]
                yield part
    if not begun:
        raise RequestError(400, "The body is not an Arrow stream: it is empty.")
    yield await streams.run(scoring.end)


def _schema_problems(schema: Any) -> list[Problem]:
    names = list(schema.names)
    problems = [
        Problem("type", f"column {field.name[:60]}", f"{str(field.type)[:60]} is not taken", _ALLOWED)
        for field in schema
        if not _is_taken(field.type)
    ]
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    return problems + [Problem("contradiction", "columns", f"{name[:60]!r} stands twice") for name in twice]


def _is_taken(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
    return any(
        test(kind)
        for test in (
            pa.types.is_integer,
            pa.types.is_float32,
            pa.types.is_float64,
            pa.types.is_boolean,
            pa.types.is_string,
            pa.types.is_large_string,
        )
    )


def _or_broken(act: Callable[[], Any]) -> Any:
    import pyarrow as pa

    try:
        return act()
    except (pa.ArrowException, OSError, StopIteration, UnicodeDecodeError):
        raise RequestError(400, "The body is not an Arrow stream that can be read.") from None
