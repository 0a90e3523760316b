"""Read a table of single lesions, a row each, column by column: every distinct value is read once.

A column is a variable, or the measurement of one, and a cell is what a case may say there. The examination's variables
are columns too, one examination a row. Rows that no case could say are told by number, with all that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.assessability import Exam
from hepagraph.inference.case import NOT_ASSESSABLE, SECTIONS, CaseReader, Finding, derived_findings
from hepagraph.inference.stopping import stop_if_over
from hepagraph.kg import Variable
from hepagraph.kg.vocabulary import Measure
from hepagraph.ontology.errors import Problem, case_error, nearest

Codes = NDArray[np.int32]
Positions = NDArray[np.int64]
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Cells:
    """Values as a case spells them: the distinct ones, and which of them each row holds, -1 for none, shape (rows,)."""

    distinct: Sequence[Any]
    index: NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Measurements, shape (rows,), NaN where there is none."""

    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StateCodes:
    """Positions of states, shape (rows,), negative where none is stated."""

    values: NDArray[np.integer[Any]]


Column = Cells | Numbers | StateCodes


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with some rows, positions from 0; the problem's place is the column."""

    rows: Positions
    problem: Problem

    def located(self, first: int = 0) -> Problem:
        """Return the problem with its first row in its place; the table's rows are counted from ``first``."""
        more = len(self.rows) - 1
        others = f" (and {more} more {'row' if more == 1 else 'rows'})" if more else ""
        where = f"row {first + int(self.rows[0])}{others}"
        return replace(self.problem, where=f"{where}, {self.problem.where}" if self.problem.where else where)


@dataclass(frozen=True, slots=True)
class CodedTable:
    """A table as ``Reasoner.score`` takes it. Faulty rows hold codes too, but none that mean anything."""

    codes: Mapping[str, Codes]
    vectors: Mapping[str, NDArray[np.float64]]
    faults: tuple[Fault, ...]
    rows: int

    def refuse(self, first: int = 0) -> None:
        """Raise the ``CaseError`` of the faults, if there are any; rows are counted from ``first``."""
        if self.faults:
            raise case_error([fault.located(first) for fault in self.faults])


@dataclass(frozen=True, slots=True)
class _Read:
    """A column's codes, and what each code says: the states themselves, then what else the column holds."""

    variable: Variable
    name: str
    codes: Codes
    findings: tuple[Finding, ...]

    def inside(self, leaves: Sequence[str]) -> NDArray[np.bool_]:
        """Return for every code, and at last for -1, whether all that it allows is among the leaves."""
        wanted = {self.variable.states.index(leaf) for leaf in leaves}
        return np.array([*(set(finding.states) <= wanted for finding in self.findings), False])


class ColumnReader:
    """Reads tables against the vocabulary and the assessability rules of one ontology."""

    def __init__(self, reader: CaseReader) -> None:
        self._reader = reader
        self.keys: Mapping[str, Variable] = reader.inputs(*SECTIONS)

    def check(self, names: Sequence[str]) -> None:
        """Refuse columns that are not known, stand twice, or say the same variable twice.

        Raises
        ------
        CaseError
            The error names every such column.
        """
        problems = []
        said: dict[str, str] = {}
        for name in names:
            if name not in self.keys:
                what, allowed = f"unknown column {str(name)[:60]!r}", tuple(self.keys)[:_SHOWN]
                problems.append(Problem("unknown_key", "columns", what, allowed, nearest(name, self.keys)))
                continue
            variable = self.keys[name].name
            if variable in said:
                what = f"{said[variable]!r} and {name!r} both say {variable}"
                problems.append(Problem("contradiction", "columns", what, advice="keep one of the two"))
            said[variable] = name
        if not names:
            problems.append(Problem("missing", "columns", "there is no column", tuple(self.keys)[:_SHOWN]))
        if problems:
            raise case_error(problems)

    def read(self, columns: Mapping[str, Column]) -> CodedTable:
        """Return the table's codes, and the faults of its rows.

        Raises
        ------
        CaseError
            A column is not known; see ``check``.
        """
        self.check(list(columns))
        faults: list[Fault] = []
        found = [self._column(self.keys[name], name, column, faults) for name, column in columns.items()]
        exam = [column for column in found if column.variable.section == "exam"]
        stated = [column for column in found if column.variable.section != "exam"]
        rows = len(found[0].codes)
        if exam:
            stated += self._examined(exam, stated, faults)
        faults += self._excluded({column.variable.name: column for column in stated})
        codes = {column.variable.name: column.codes for column in stated}
        vectors = {
            column.variable.name: np.array([finding.likelihood for finding in more])
            for column in stated
            if (more := column.findings[len(column.variable.states) :])
        }
        if not codes:  # the examination says nothing by itself
            name = next(n for n, v in self.keys.items() if v.section == "findings")
            codes[name] = np.full(rows, -1, dtype=np.int32)
        return CodedTable(codes, vectors, tuple(faults), rows)

    # -- one column -----------------------------------------------------------------------------------------------

    def _column(self, variable: Variable, name: str, column: Column, faults: list[Fault]) -> _Read:
        states = _states(variable)
        where = f"column {name}"
        if isinstance(column, StateCodes):
            return _Read(variable, name, _in_range(variable, column.values, where, faults), states)
        if isinstance(column, Numbers):
            measure = variable.measure
            if measure is not None and measure.key == name:
                return _Read(variable, name, _in_bands(variable, measure, column.values, where, faults), states)
            column = _as_cells(column)
        findings = list(states)
        position = {finding.likelihood: code for code, finding in enumerate(states)}
        meant = np.full(len(column.distinct) + 1, -1, dtype=np.int32)
        index = np.asarray(column.index)
        places: _Places | None = None
        for number, value in enumerate(column.distinct):
            stop_if_over()
            finding, problems = self._value(variable, name, value)
            if problems:
                places = places or _Places(index, len(column.distinct))
                rows = places.rows(number)
                faults += [Fault(rows, replace(problem, where=where)) for problem in problems if len(rows)]
            if finding is None:
                continue
            if finding.likelihood not in position:
                position[finding.likelihood] = len(findings)
                findings.append(finding)
            meant[number] = position[finding.likelihood]
        return _Read(variable, name, meant[np.where(index < 0, len(meant) - 1, index)], tuple(findings))

    def _value(self, variable: Variable, name: str, value: Any) -> tuple[Finding | None, list[Problem]]:
        if value is None or (value == NOT_ASSESSABLE and variable.section in ("findings", "lesion")):
            return None, []
        finding, problems = self._reader.read_value(name, value)
        if finding is not None and variable.section == "exam" and len(finding.states) != 1:
            what = f"{finding.given} is more than one state; a row has one examination"
            return None, [Problem("contradiction", name, what, variable.states)]
        return finding, problems

    # -- columns together -----------------------------------------------------------------------------------------

    def _examined(self, exam: Sequence[_Read], stated: Sequence[_Read], faults: list[Fault]) -> list[_Read]:
        """Return the columns that the examinations decide; findings that they cannot show are faults."""
        which, kinds = _combinations([column.codes for column in exam])
        exams: list[tuple[Exam, ...]] = []
        for number, kind in enumerate(kinds):
            said = {
                column.variable.name: column.variable.states[code]
                for column, code in zip(exam, kind, strict=True)
                if code >= 0
            }
            found, problems = self._reader.read_exam(said)
            exams.append((found,) if said else ())
            names = " and ".join(f"column {column.name}" for column in exam)
            faults += [Fault(np.flatnonzero(which == number), replace(problem, where=names)) for problem in problems]
        for column in stated:
            faults += self._unseen(column, which, exams)
        return _decided(self._reader.variables, which, exams)

    def _unseen(self, column: _Read, which: Positions, exams: Sequence[tuple[Exam, ...]]) -> Iterator[Fault]:
        if column.variable.section not in ("findings", "lesion"):
            return
        pairs, kinds = _combinations([which.astype(np.int32), column.codes])
        for number, (kind, code) in enumerate(kinds):
            for problem in self._reader.assess(column.findings[code], exams[kind]) if code >= 0 else ():
                yield Fault(np.flatnonzero(pairs == number), replace(problem, where=f"column {column.name}"))

    def _excluded(self, columns: Mapping[str, _Read]) -> Iterator[Fault]:
        for name_a, state_a, name_b, state_b in self._reader.exclusions:
            if name_a not in columns or name_b not in columns:
                continue
            a, b = columns[name_a], columns[name_b]
            says_a = a.inside(a.variable.leaves[state_a])[a.codes]
            rows = np.flatnonzero(says_a & b.inside(b.variable.leaves[state_b])[b.codes])
            if len(rows):
                what = f"{name_a}: {state_a} excludes {name_b}: {state_b}"
                where = f"column {a.name} and column {b.name}"
                yield Fault(rows, Problem("contradiction", where, what, advice="correct one of the two"))


class _Places:
    """Which rows hold each distinct value; found for all of them at once, as there may be as many as rows."""

    def __init__(self, index: NDArray[np.integer[Any]], count: int) -> None:
        self._order = np.argsort(index, kind="stable")
        self._start = np.searchsorted(index[self._order], np.arange(count + 1))

    def rows(self, number: int) -> Positions:
        return self._order[self._start[number] : self._start[number + 1]]


def _states(variable: Variable) -> tuple[Finding, ...]:
    size = len(variable.states)
    return tuple(
        Finding(variable.name, tuple(float(other == state) for other in range(size)), variable.states[state])
        for state in range(size)
    )


def _in_range(variable: Variable, values: NDArray[np.integer[Any]], where: str, faults: list[Fault]) -> Codes:
    beyond = np.flatnonzero(values >= len(variable.states))
    if len(beyond):
        known = ", ".join(f"{code} {state}" for code, state in enumerate(variable.states))
        what = f"{int(values[beyond[0]])} is not the code of a state of {variable.name}"
        faults.append(Fault(beyond, Problem("unknown_state", where, what, (known,), advice="negative: not stated")))
    return np.where((values < 0) | (values >= len(variable.states)), -1, values).astype(np.int32)


def _in_bands(
    variable: Variable, measure: Measure, values: NDArray[np.float64], where: str, faults: list[Fault]
) -> Codes:
    codes = np.full(len(values), -1, dtype=np.int32)
    for band in reversed(measure.bands):
        codes[(values >= band.low) & (values < band.high)] = variable.states.index(band.state)
    impossible = ~np.isnan(values) & ((codes < 0) | (values < measure.minimum) | (values > measure.maximum))
    if impossible.any():
        rows = np.flatnonzero(impossible)
        allowed = (f"{measure.minimum:g} to {measure.maximum:g} {measure.unit}",)
        what = f"{values[rows[0]]:g} is not possible in {measure.unit}"
        faults.append(Fault(rows, Problem("unit", where, what, allowed, advice="check the unit")))
        codes[impossible] = -1
    return codes


def _as_cells(column: Numbers) -> Cells:
    distinct, index = np.unique(column.values, return_inverse=True)
    values = [int(value) if float(value).is_integer() else float(value) for value in distinct]
    return Cells(values, np.where(np.isnan(column.values), -1, index.reshape(-1)))


def _combinations(codes: Sequence[Codes]) -> tuple[Positions, list[tuple[int, ...]]]:
    """Return which combination each row holds, and the distinct combinations."""
    code, sizes = np.zeros(len(codes[0]), dtype=np.int64), [int(c.max(initial=-1)) + 2 for c in codes]
    for column, size in zip(codes, sizes, strict=True):
        code = code * size + (column + 1)
    distinct, which = np.unique(code, return_inverse=True)
    parts = np.unravel_index(distinct, sizes)
    return which.reshape(-1), [tuple(int(p) - 1 for p in row) for row in zip(*parts, strict=True)]


def _decided(variables: Mapping[str, Variable], which: Positions, exams: Sequence[tuple[Exam, ...]]) -> list[_Read]:
    derived = [derived_findings(variables, found) for found in exams]
    columns = []
    for name in dict.fromkeys(name for found in derived for name in found):
        findings = list(_states(variables[name]))
        meant = np.full(len(derived), -1, dtype=np.int32)
        for number, found in enumerate(derived):
            if name in found:
                known = [finding.likelihood for finding in findings]
                if found[name].likelihood not in known:
                    findings.append(found[name])
                    known.append(found[name].likelihood)
                meant[number] = known.index(found[name].likelihood)
        columns.append(_Read(variables[name], name, meant[which], tuple(findings)))
    return columns
