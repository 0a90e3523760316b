"""Rows to score, in chunks of bounded size: from a Parquet file, or from JSON Lines with an object a row."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hepagraph.ontology.errors import CaseError, MissingExtraError, Problem
from hepagraph.service.reading import parse_json

BUFFER_BYTES = 2**20
_HELD = 2**12  # lines at a time, where only their columns are wanted


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows: which chunk of the file, its first row, and the Arrow table, or lists of JSON values by column.

    The table is None where it was not asked for. ``rows`` is how many there are, where that is known.
    """

    number: int
    first: int
    table: Any
    rows: int = 0


def arrow() -> Any:
    """Return the module ``pyarrow``.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("scoring of Parquet files", "batch") from None
    return pyarrow


def open_source(path: str, names: Sequence[str] | None = None) -> ParquetSource | LinesSource:
    """Return the rows of a file; one whose name ends in .jsonl or .ndjson is JSON Lines, any other Parquet.

    ``names`` are the columns of JSON Lines, where they are known from an earlier reading.
    """
    return LinesSource(path, names) if path.lower().endswith((".jsonl", ".ndjson")) else ParquetSource(path)


class ParquetSource:
    """The rows of a Parquet file. A chunk never needs more row groups than those that its rows lie in."""

    def __init__(self, path: str) -> None:
        self.path = path
        with _readable(path):
            self._file = arrow().parquet.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False)
            self.names = tuple(str(name) for name in self._file.schema_arrow.names)
        if twice := sorted({name for name in self.names if self.names.count(name) > 1}):
            raise CaseError([Problem("contradiction", path, f"two columns are called {name[:60]!r}") for name in twice])
        self.rows: int | None = int(self._file.metadata.num_rows)

    def chunks(self, size: int, names: Sequence[str], skip: Collection[int] = ()) -> Iterator[Chunk]:
        """Yield the chunks in order, with the named columns; those to skip are not read, where nothing else is."""
        number, first = 0, 0
        for groups, rows in self._runs(size):
            parts = range(number, number + -(-rows // size))
            tables = None if all(part in skip for part in parts) else self._tables(groups, size, names)
            for part in parts:
                count = min(size, rows - (part - number) * size)
                table = None if tables is None else next(tables, None)
                if tables is not None and table is None:
                    what = f"ends before row {first}, and says that it has more"
                    raise CaseError([Problem("file", self.path, what)])
                yield Chunk(part, first, None if part in skip else table, count)
                first += count
            number = parts.stop

    def schema(self, names: Sequence[str]) -> Any:
        """Return the Arrow schema of some columns."""
        found = self._file.schema_arrow
        return arrow().schema([found.field(name) for name in names])

    def _runs(self, size: int) -> Iterator[tuple[list[int], int]]:
        """Yield row groups to read together, and their rows: small ones are joined until a chunk is full."""
        groups: list[int] = []
        rows = 0
        for group in range(self._file.metadata.num_row_groups):
            groups.append(group)
            rows += self._file.metadata.row_group(group).num_rows
            if rows >= size:
                yield groups, rows
                groups, rows = [], 0
        if rows:
            yield groups, rows

    def _tables(self, groups: Sequence[int], size: int, names: Sequence[str]) -> Iterator[Any]:
        held: list[Any] = []
        with _readable(self.path):
            for batch in self._file.iter_batches(size, row_groups=groups, columns=list(names)):
                held.append(batch)
                while sum(map(len, held)) >= size:
                    table = arrow().Table.from_batches(held)
                    yield table[:size]
                    held = table[size:].to_batches()
        if held:
            yield arrow().Table.from_batches(held)


class LinesSource:
    """The rows of a JSON Lines file, an object of cells a line; empty lines do not count.

    Every column becomes text: a string as it is, any other value as JSON. Which columns there are is known when all
    has been read once.
    """

    rows: int | None = None

    def __init__(self, path: str, names: Sequence[str] | None = None) -> None:
        self.path = path
        self._names = None if names is None else tuple(names)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns; the file is read for them where that has not been done."""
        if self._names is None:
            for _ in self.chunks(_HELD):
                pass
        return self._names or ()

    def chunks(self, size: int, names: Sequence[str] | None = None, skip: Collection[int] = ()) -> Iterator[Chunk]:
        """Yield the chunks in order, with the named columns as lists of JSON values; those to skip are not parsed.

        Without names a chunk has the columns that stand in it, and all ``names`` are known after the last.
        """
        met: dict[str, None] = {}
        held: list[tuple[int, str]] = []
        number = 0
        for line in self._lines():
            held.append(line)
            if len(held) == size:
                yield self._chunk(number, size, held, names, skip, met)
                number, held = number + 1, []
        if held:
            yield self._chunk(number, size, held, names, skip, met)
        if names is None:
            self._names = tuple(met)

    def schema(self, names: Sequence[str]) -> Any:
        """Return the Arrow schema of some columns."""
        return arrow().schema([(name, arrow().string()) for name in names])

    def _chunk(
        self,
        number: int,
        size: int,
        lines: Sequence[tuple[int, str]],
        names: Sequence[str] | None,
        skip: Collection[int],
        met: dict[str, None],
    ) -> Chunk:
        if number in skip:
            return Chunk(number, number * size, None, len(lines))
        rows = [_object(line, f"{self.path} line {place}") for place, line in lines]
        if names is None:
            names = tuple(dict.fromkeys(name for row in rows for name in row))
            met.update(dict.fromkeys(names))
        columns = {name: [row.get(name) for row in rows] for name in names}
        return Chunk(number, number * size, columns, len(rows))

    def _lines(self) -> Iterator[tuple[int, str]]:
        try:
            with open(self.path, encoding="utf-8-sig") as stream:
                for number, line in enumerate(stream, 1):
                    if line.strip():
                        yield number, line
        except (OSError, UnicodeDecodeError) as error:
            what = f"cannot be read: {getattr(error, 'strerror', None) or error}"
            raise CaseError([Problem("file", self.path, what)]) from None


def as_text(value: Any) -> str | None:
    """Return a cell of a JSON Lines file that is passed through."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair, which UTF-8 lacks, is escaped


def _object(line: str, where: str) -> dict[str, Any]:
    value = parse_json(line, where)
    if not isinstance(value, dict):
        raise CaseError([Problem("type", where, "is no JSON object", advice="give a row as {column: cell, ...}")])
    return value


class _readable:  # noqa: N801
    """Turn what Arrow says of a file that it cannot read into an error of the project."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError) or (error is not None and isinstance(error, arrow().ArrowException)):
            what = getattr(error, "strerror", None) or str(error).splitlines()[0][:200]
            advice = "give a Parquet file, or JSON Lines in a file that ends in .jsonl"
            raise CaseError([Problem("file", self._path, f"cannot be read: {what}", advice=advice)]) from None
