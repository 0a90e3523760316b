"""Score one chunk of rows. The same function does it on one thread, on many, and on the machines of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.columns import Cells, CodedTable, Column, ColumnReader, Numbers
from hepagraph.inference.reasoner import Reasoner
from hepagraph.ontology.errors import CaseError, ImpossibleEvidenceError, Problem, nearest
from hepagraph.service.batch_job import BatchOptions
from hepagraph.service.batch_sources import Chunk, LinesSource, ParquetSource, arrow, as_text
from hepagraph.service.cells import cells

EVIDENCE, PROBLEM = "log_evidence", "problem"


class ChunkScorer:
    """What scores the chunks of one file. Share it between threads.

    ``names`` are the columns that it reads, and ``schema`` is that of its answers.

    Raises
    ------
    CaseError
        A column is neither a finding nor named among those to keep or drop, or one to keep is not there.
    """

    def __init__(self, reasoner: Reasoner, source: ParquetSource | LinesSource, options: BatchOptions) -> None:
        self._reasoner, self._options = reasoner, options
        self._reader = ColumnReader(reasoner.reader)
        self.entities = reasoner.entities(options.differential)
        self.findings = self._findings(source.names)
        self.names = tuple(dict.fromkeys((*options.keep, *self.findings)))
        self.schema = self._schema(source)

    def score(self, chunk: Chunk) -> Any:
        """Return the Arrow table of a chunk's answers: kept columns, posteriors, evidence, and problems if wanted.

        Raises
        ------
        CaseError
            A row is bad and ``bad_rows`` is ``error``.
        """
        table = self._read(chunk.table)
        if self._options.bad_rows == "error":
            table.refuse(chunk.first)
        posteriors, log = self._reasoner.score(
            table.codes, vectors=table.vectors, differential=self._options.differential
        )
        problems = self._problems(table, np.flatnonzero(np.isneginf(log)), chunk.first)
        bad = np.zeros(len(log), dtype=bool)
        bad[list(problems)] = True
        pa = arrow()
        columns = [self._kept(chunk.table, name) for name in self._options.keep]
        columns += [pa.array(np.ascontiguousarray(posteriors[:, e]), mask=bad) for e in range(len(self.entities))]
        columns.append(pa.array(log, mask=bad))
        if self._options.bad_rows == "null":
            columns.append(pa.array([problems.get(row) for row in range(len(log))], type=pa.string()))
        return pa.Table.from_arrays(columns, schema=self.schema)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _findings(self, names: Sequence[str]) -> tuple[str, ...]:
        keep, drop = self._options.keep, self._options.drop
        problems = [
            Problem("unknown_key", option, f"there is no column {name!r}", tuple(names)[:40], nearest(name, names))
            for option, chosen in (("--keep", keep), ("--drop", drop))
            for name in chosen
            if name not in names
        ]
        made = {*map(posterior_name, self.entities), EVIDENCE, PROBLEM}
        problems += [
            Problem("contradiction", "--keep", f"{name!r} is the name of a column that is made", advice="rename it")
            for name in keep
            if name in made
        ]
        if problems:
            raise CaseError(problems)
        known = self._reader.keys
        found = tuple(name for name in names if name not in drop and (name in known or name not in keep))
        try:
            self._reader.check(found)
        except CaseError as error:
            advice = "name columns that are no findings with --keep or --drop"
            raise type(error)(replace(problem, advice=advice) for problem in error.problems) from None
        return found

    def _schema(self, source: ParquetSource | LinesSource) -> Any:
        pa = arrow()
        fields = list(source.schema(self._options.keep))
        fields += [pa.field(posterior_name(entity), pa.float64()) for entity in self.entities]
        fields.append(pa.field(EVIDENCE, pa.float64()))
        if self._options.bad_rows == "null":
            fields.append(pa.field(PROBLEM, pa.string()))
        return pa.schema(fields)

    def _read(self, table: Any) -> CodedTable:
        return self._reader.read({name: _readable(name, table[name]) for name in self.findings})

    def _kept(self, table: Any, name: str) -> Any:
        column = table[name]
        return arrow().array(map(as_text, column), type=arrow().string()) if isinstance(column, list) else column

    def _problems(self, table: CodedTable, impossible: NDArray[np.int64], first: int) -> Mapping[int, str]:
        """Return what is wrong by row; rows of probability zero are an error unless nulls are wanted."""
        found: dict[int, list[str]] = {}
        for fault in table.faults:
            text = str(fault.problem)
            for row in fault.rows.tolist():
                found.setdefault(row, []).append(text)
        alone = [row for row in impossible.tolist() if row not in found]
        what = "its probability is zero under the model"
        if alone and self._options.bad_rows == "error":
            raise ImpossibleEvidenceError([Problem("impossible", f"row {first + row}", what) for row in alone[:50]])
        found.update((row, [what]) for row in alone)
        return {row: "; ".join(dict.fromkeys(texts)) for row, texts in found.items()}


class ChunkChecker:
    """What finds the bad rows of one file, whose columns may not be known before all is read. Share it."""

    def __init__(self, reasoner: Reasoner, options: BatchOptions) -> None:
        self._reader, self._drop = ColumnReader(reasoner.reader), frozenset(options.drop)

    def check(self, chunk: Chunk) -> list[Problem]:
        """Return what is wrong with a chunk's rows, which are counted from the start of the file.

        Columns that are not known, and a second one for the same variable, are left to ``ChunkScorer``.
        """
        known, table = self._reader.keys, chunk.table
        names = table if isinstance(table, dict) else table.column_names
        chosen = {known[name].name: name for name in names if name in known and name not in self._drop}
        if not chosen:
            return []
        found = self._reader.read({name: _readable(name, table[name]) for name in chosen.values()})
        return [fault.located(chunk.first) for fault in found.faults]


def posterior_name(entity: str) -> str:
    """Return the name of the column that holds an entity's posterior."""
    return f"p_{entity}"


def _readable(name: str, column: Any) -> Column:
    """Return a column; one that holds what Python cannot (text that is not UTF-8, far-off dates) is refused."""
    try:
        return _column(column)
    except (arrow().ArrowException, OverflowError, ValueError) as error:
        what = f"holds what cannot be read: {str(error)[:200]}"
        raise CaseError([Problem("type", f"column {name}", what)]) from None


def _column(column: Any) -> Column:
    """Return a column of a JSON Lines chunk, or of an Arrow table."""
    if isinstance(column, list):
        return cells(column)
    pa = arrow()
    found = column.combine_chunks()
    kind = found.type
    if pa.types.is_null(kind):
        return Numbers(np.full(len(found), np.nan))
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        values = found.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return Numbers(np.asarray(values, dtype=np.float64))
    if pa.types.is_map(kind):
        return cells(None if pairs is None else dict(pairs) for pairs in found.to_pylist())
    if pa.types.is_struct(kind):
        return cells(_stated(value) for value in found.to_pylist())
    if pa.types.is_nested(kind):
        return cells(found.to_pylist())
    coded = found if pa.types.is_dictionary(kind) else found.dictionary_encode()
    index = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return Cells(coded.dictionary.to_pylist(), np.asarray(index, dtype=np.int64))


def _stated(value: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else {name: weight for name, weight in value.items() if weight is not None} or None
