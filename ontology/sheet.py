"""The spreadsheet in which evidence comes and goes: its columns, and what each becomes in the ontology."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from hepagraph.ontology.errors import CaseError, Problem, nearest
from hepagraph.ontology.lookup import Lookup, snake
from hepagraph.ontology.namespaces import DCTERMS, PROV, SCHEMA, local_name

_SUBJECTS = ("LesionEntity", "LesionSubtype", "RootEntity", "LesionClass")
_VARIABLES = ("ImagingFeature", "StudyVariable", "ContextVariable")
_BOUNDS = MappingProxyType(
    {"exact": "Exact", "approximate": "Approximate", "upper": "UpperBound", "lower": "LowerBound"}
)
_UNITS = MappingProxyType(
    {"lesion": "PerLesion", "patient": "PerPatient", "study": "PerStudy", "not_stated": "NotStated"}
)
_GRADES = MappingProxyType({grade: f"Grade{grade}" for grade in "ABCD"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, the schema property it fills, how its text is read, and a line of help.

    Kinds: text, integer, number, percent (0 to 100, stored as a fraction), flag (yes or empty), choice (one of
    ``choices``), thing and things (declared individuals of the ``classes``, several joined by ``|``), states (of the
    row's feature), conditions (``variable=state; variable=state``), statements (ids), texts (joined by `` | ``).
    """

    name: str
    term: str
    kind: str
    help: str
    classes: tuple[str, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)


STATEMENT_COLUMNS = (
    Column("id", "rowId", "text", "your own id of the row; letters, digits, dashes"),
    Column("quantity", "quantity", "thing", "what the number is; conditional_probability unless said", ("Quantity",)),
    Column("feature", "feature", "thing", "what was looked at", _VARIABLES),
    Column("state", "state", "states", "the state or states seen, joined by |"),
    Column("state_text", "stateText", "text", "what was seen, where no declared state says it"),
    Column("given", "given", "thing", "the entity, subtype or lesion class", _SUBJECTS),
    Column("conditions", "context", "conditions", "variable=state; variable=state"),
    Column("context", "contextNote", "text", "the setting in words"),
    Column("modality", "modality", "things", "how it was examined", ("Modality",)),
    Column("agent", "agent", "things", "with which contrast agent", ("ContrastAgent",)),
    Column("sequence", "sequence", "things", "on which sequence", ("Sequence",)),
    Column("phase", "phase", "things", "in which phase", ("Phase",)),
    Column("k", "k", "integer", "how many showed it"),
    Column("n", "n", "integer", "of how many"),
    Column("percent", "value", "percent", "the percentage as printed, 0 to 100"),
    Column("ci_low", "ciLow", "percent", "lower end of the confidence interval, percent"),
    Column("ci_high", "ciHigh", "percent", "upper end, percent"),
    Column("range_low", "rangeLow", "percent", "lower end of a published range, percent"),
    Column("range_high", "rangeHigh", "percent", "upper end, percent"),
    Column("mean", "mean", "number", "mean, median or cut-off, in measure_unit"),
    Column("sd", "sd", "number", "standard deviation, in measure_unit"),
    Column("measure_unit", "unit", "text", "unit of mean and sd (UCUM)"),
    Column("bound", "bound", "choice", "exact, approximate, upper or lower", choices=_BOUNDS),
    Column("words", "verbalQuantifier", "text", "the source's word of frequency"),
    Column("frequency_word", "quantifierTerm", "thing", "the scheme's term for that word", ("QuantifierTerm",)),
    Column("unit", "unitOfAnalysis", "choice", "lesion, patient, study or not_stated", choices=_UNITS),
    Column("reference_standard", "referenceStandard", "text", "how the diagnosis was proven"),
    Column("grade", "grade", "choice", "A counts, B secondary, C words, D own judgement", choices=_GRADES),
    Column("selected", "selectedSubset", "flag", "yes: the sample does not stand for the entity; never pooled"),
    Column("kept_apart", "keptApart", "text", "why it must not be pooled"),
    Column("duplicate_of", "duplicateOf", "statements", "ids of statements it repeats"),
    Column("disagrees_with", "disagreesWith", "statements", "ids of statements it contradicts"),
    Column("locator", "locator", "text", "section, table or page"),
    Column("note", "note", "text", "remark"),
    Column("as_printed", "asPrinted", "texts", "fields as an imported table had them, column: text | column: text"),
)
SOURCE_COLUMNS = (
    Column("title", "title", "text", "title of the publication"),
    Column("first_author", "firstAuthor", "text", "family name and initials"),
    Column("journal", "journal", "text", "journal"),
    Column("year", "year", "integer", "year"),
    Column("doi", "doi", "text", "DOI without its resolver"),
    Column("pmid", "pmid", "text", "PubMed id"),
    Column("url", "url", "text", "where it was read"),
)
COLUMNS = {column.name: column for column in (*STATEMENT_COLUMNS, *SOURCE_COLUMNS)}
REQUIRED = ("id", "given", "grade", "title")


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


def statement_name(row_id: str) -> str:
    """Return the local name of the statement of a row.

    >>> statement_name("AB-012")
    'ev_ab_012'
    """
    return "ev_" + snake(row_id)


def read_sheet(text: str, name: str, lookup: Lookup) -> tuple[Row, ...]:
    """Return the rows of a CSV text, every field resolved against the ontology.

    Raises
    ------
    CaseError
        A heading or a field cannot be understood; holds every problem with its row and column.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        headings = [heading.strip() for heading in reader.fieldnames or ()]
        records = [(reader.line_num, record) for record in reader]
    except csv.Error as error:
        raise CaseError([Problem("sheet", f"{name} line {reader.line_num}", f"is not CSV: {error}")]) from None
    problems = list(_heading_problems(name, headings))
    if not records and not problems:
        problems.append(Problem("sheet", name, "has headings and no row", advice="add a row for each figure"))
    rows = []
    for line, record in () if problems else records:
        fields = {str(k).strip(): (v or "").strip() for k, v in record.items() if isinstance(v, str) or v is None}
        row, wrong = _read_row(f"{name} line {line}", fields, lookup)
        if None in record:
            advice = "quote fields with commas"
            wrong.append(Problem("sheet", row.where, "has more fields than headings", advice=advice))
        rows.append(row)
        problems += wrong
    if problems:
        raise CaseError(problems)
    return tuple(rows)


def _heading_problems(name: str, headings: list[str]) -> Iterable[Problem]:
    where = f"{name} line 1"
    for heading in headings:
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
    feature = lookup.find(fields.get("feature", ""), _VARIABLES)
    for column in COLUMNS.values():
        text = fields.get(column.name, "")
        if not text:
            continue
        try:
            values = tuple(_values(column, text, lookup, feature))
        except _FieldError as error:
            problems.append(Problem("field", f"{where} / {column.name}", *error.args))
            continue
        if column in SOURCE_COLUMNS:
            source[column.name] = values[0]
        else:
            facts[column.name] = values
    return Row(where, fields.get("id", ""), facts, source), problems


class _FieldError(ValueError):
    """What is wrong with a field: (what, allowed, nearest, advice)."""


def _values(column: Column, text: str, lookup: Lookup, feature: URIRef | None) -> Iterable[Node]:
    match column.kind:
        case "text":
            yield Literal(text)
        case "texts":
            yield from (Literal(part.strip()) for part in text.split(" | ") if part.strip())
        case "integer" | "number" | "percent":
            yield _number(column.kind, text)
        case "flag":
            yield _flag(text)
        case "choice":
            yield _choice(column, text)
        case "thing":
            yield _thing(text, column.classes, lookup)
        case "things":
            yield from (_thing(part, column.classes, lookup) for part in _parts(text, "|"))
        case "states":
            yield from (_state(part, feature, lookup) for part in _parts(text, "|"))
        case "conditions":
            yield from (_condition(part, lookup) for part in _parts(text, ";"))
        case "statements":
            yield from (lookup.namespace[statement_name(part)] for part in _parts(text, "|"))


def _parts(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _number(kind: str, text: str) -> Literal:
    try:
        value = Decimal(text)
    except ArithmeticError:
        raise _FieldError(f"{text!r} is not a number", (), None, "use a point as decimal mark, no % sign") from None
    if not value.is_finite():
        raise _FieldError(f"{text!r} is not a finite number")
    if kind == "integer":
        if value != value.to_integral_value() or value < 0:
            raise _FieldError(f"{text!r} is not a whole number of at least 0")
        return Literal(int(value))
    if kind == "percent":
        if not 0 <= value <= 100:
            raise _FieldError(f"{text!r} is not a percentage from 0 to 100")
        value /= 100
    return Literal(_plain(value), datatype="http://www.w3.org/2001/XMLSchema#decimal")


def _plain(value: Decimal) -> str:
    """Write a decimal without exponent or trailing zeros, always with a point, as Turtle reads decimals.

    >>> _plain(Decimal("1E-3")), _plain(Decimal("5"))
    ('0.001', '5.0')
    """
    text = format(value, "f")
    text = text.rstrip("0") if "." in text else text + ".0"
    return text + "0" if text.endswith(".") else text


def _flag(text: str) -> Literal:
    if text.lower() not in ("yes", "true", "1"):
        raise _FieldError(f"{text!r} is not yes", ("yes",), None, "leave it empty for no")
    return Literal(True)


def _choice(column: Column, text: str) -> URIRef:
    if text not in column.choices:
        raise _FieldError(f"{text!r} is not known", tuple(column.choices), nearest(text, column.choices))
    return SCHEMA[column.choices[text]]


def _thing(text: str, classes: tuple[str, ...], lookup: Lookup) -> URIRef:
    found = lookup.find(text, classes)
    if found is None:
        known = lookup.spellings(classes)
        allowed = tuple(known) if len(known) <= 40 else ()
        advice = "" if allowed else f"{len(known)} are declared; see: hepagraph sparql columns"
        raise _FieldError(f"{text!r} is not declared", allowed, nearest(text, known), advice)
    return found


def _state(text: str, feature: URIRef | None, lookup: Lookup) -> URIRef:
    if feature is None:
        raise _FieldError("a state needs a declared feature", (), None, "fill the column feature")
    known = lookup.states(feature)
    if text not in known:
        raise _FieldError(f"{text!r} is not a state of {local_name(feature)}", tuple(known), nearest(text, known))
    return known[text]


def _condition(text: str, lookup: Lookup) -> URIRef:
    variable, _, state = (part.strip() for part in text.partition("="))
    found = lookup.find(variable, ("ContextVariable", "ImagingFeature"))
    if found is None or not state:
        known = lookup.spellings(("ContextVariable", "ImagingFeature"))
        raise _FieldError(f"{text!r} is not variable=state", (), nearest(variable, known), "e.g. variable=state")
    return _state(state, found, lookup)


def write_sheet(graph: Graph, lookup: Lookup) -> str:
    """Return every statement of a graph that has a row id as CSV, in order of id; `read_sheet` reads it back."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    subjects = sorted(set(graph.subjects(RDF.type, SCHEMA.EvidenceStatement)), key=str)
    for subject in subjects:
        if graph.value(subject, SCHEMA.rowId) is None or not local_name(subject).startswith("ev_"):
            continue
        source = graph.value(subject, PROV.wasQuotedFrom)
        fields = {c.name: _field(graph, subject, c, lookup) for c in STATEMENT_COLUMNS}
        for column in SOURCE_COLUMNS:
            predicate = DCTERMS.title if column.name == "title" else SCHEMA[column.term]
            value = graph.value(source, predicate) if source is not None else None
            fields[column.name] = "" if value is None else str(value)
        writer.writerow(fields)
    return stream.getvalue()


def _field(graph: Graph, subject: Node, column: Column, lookup: Lookup) -> str:
    values = sorted(graph.objects(subject, SCHEMA[column.term]), key=str)
    if not values:
        return ""
    match column.kind:
        case "percent":
            return _shown(Decimal(str(values[0])) * 100)
        case "number":
            return _shown(Decimal(str(values[0])))
        case "flag":
            return "yes"
        case "choice":
            back = {term: text for text, term in column.choices.items()}
            return back[local_name(values[0])]
        case "thing" | "things":
            return "|".join(lookup.spelling(value) for value in values)
        case "states":
            return "|".join(lookup.notation(value) for value in values)
        case "conditions":
            return "; ".join(f"{lookup.owner(value)}={lookup.notation(value)}" for value in values)
        case "statements":
            return "|".join(str(graph.value(v, SCHEMA.rowId) or local_name(v)) for v in values)
        case "texts":
            return " | ".join(str(value) for value in values)
    return str(values[0])


def _shown(value: Decimal) -> str:
    """Write a number for people: no exponent, no needless zero.

    >>> _shown(Decimal("50.0")), _shown(Decimal("7"))
    ('50', '7')
    """
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
