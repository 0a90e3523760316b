"""Read the spreadsheet in which evidence comes: rows with every field resolved against the ontology."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rdflib.term import Node

from hepagraph.ontology.errors import CaseError, Problem, nearest
from hepagraph.ontology.lookup import Lookup, snake
from hepagraph.ontology.sheet_columns import COLUMNS, REQUIRED, SOURCE_COLUMNS, VARIABLES
from hepagraph.ontology.sheet_fields import FieldError, field_values, statement_name


@dataclass(frozen=True, slots=True)
class Row:
    """One row that was understood: what each column means, and where it stands in the sheet."""

    where: str
    id: str
    facts: Mapping[str, tuple[Node, ...]]
    source: Mapping[str, Node]

    @property
    def subject(self) -> str:
        """The local name of its statement."""
        return statement_name(self.id)

    def number(self, name: str) -> float | None:
        """Return a numeric column as a float, percentages as fractions."""
        values = self.facts.get(name)
        return float(str(values[0])) if values else None


def read_sheet(text: str, name: str, lookup: Lookup) -> tuple[Row, ...]:
    """Return the rows of a CSV text, every field resolved against the ontology.

    Raises
    ------
    CaseError
        A heading or a field cannot be understood; holds every problem with its row and column.
    """
    headings, records = _records(text, name)
    problems = list(_heading_problems(name, headings))
    if not records and not problems:
        problems.append(Problem("sheet", name, "has headings and no row", advice="add a row for each figure"))
    rows = []
    for line, cells in () if problems else records:
        fields = dict(zip(headings, cells, strict=False))
        row, wrong = _read_row(f"{name} line {line}", fields, lookup)
        if any(cells[len(headings) :]) or any(c for h, c in zip(headings, cells, strict=False) if not h):
            wrong.append(Problem("sheet", row.where, "has more fields than headings", advice="quote text with commas"))
        rows.append(row)
        problems += wrong
    if problems:
        raise CaseError(problems)
    return tuple(rows)


def _records(text: str, name: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the headings, and each row that is not empty with the number of its last line.

    Spreadsheets of some languages separate by semicolons or tabs; whichever the first line has most of is taken.
    """
    text = re.sub(r"\A\ufeff?(sep=.\r?\n)?", "", text)
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise CaseError([Problem("sheet", f"{name} line {reader.line_num}", f"is not CSV: {error}")]) from None
    headings = rows[0][1] if rows else []
    return headings, [(line, cells) for line, cells in rows[1:] if any(cells)]


def _heading_problems(name: str, headings: list[str]) -> Iterable[Problem]:
    where = f"{name} line 1"
    for heading in filter(None, headings):
        if heading not in COLUMNS:
            yield Problem("column", where, f"unknown column {heading!r}", tuple(COLUMNS), nearest(heading, COLUMNS))
        elif headings.count(heading) > 1:
            yield Problem("column", where, f"column {heading!r} stands twice")
    for heading in REQUIRED:
        if heading not in headings:
            yield Problem("column", where, f"column {heading!r} is missing", advice=COLUMNS[heading].help)


def _read_row(where: str, fields: Mapping[str, str], lookup: Lookup) -> tuple[Row, list[Problem]]:
    facts: dict[str, tuple[Node, ...]] = {}
    source: dict[str, Node] = {}
    problems = [
        Problem("field", f"{where} / {name}", "is empty", advice=COLUMNS[name].help)
        for name in REQUIRED
        if not fields.get(name)
    ]
    feature = lookup.find(fields.get("feature", ""), VARIABLES)
    for column in COLUMNS.values():
        text = fields.get(column.name, "")
        if not text:
            continue
        try:
            values = tuple(field_values(column, text, lookup, feature))
            if not values:
                raise FieldError(f"{text[:60]!r} has separators and nothing between them")
        except FieldError as error:
            problems.append(Problem("field", f"{where} / {column.name}", *error.args))
            continue
        if column in SOURCE_COLUMNS:
            source[column.name] = values[0]
        else:
            facts[column.name] = values
    if fields.get("id") and not snake(fields["id"]):
        problems.append(Problem("field", f"{where} / id", f"{fields['id']!r} has no letter or digit of ASCII"))
    return Row(where, fields.get("id", ""), facts, source), problems
