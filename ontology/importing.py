"""Turn the rows of a sheet into Turtle: one file a source publication, nothing written unless all of it is good."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from hepagraph.ontology.errors import CaseError, OntologyError, Problem
from hepagraph.ontology.lookup import Lookup, snake
from hepagraph.ontology.namespaces import DCTERMS, ID_IRI, PROV, SCHEMA, SCHEMA_IRI, local_name
from hepagraph.ontology.sheet import COLUMNS, SOURCE_COLUMNS, STATEMENT_COLUMNS, Row, read_sheet

HEADER = """@prefix fl: <https://w3id.org/hepagraph/schema#> .
@prefix id: <https://w3id.org/hepagraph/id/> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix prov: <http://www.w3.org/ns/prov#> .
"""
_TITLE_WORDS = 6
_IDENTITY = ("given", "feature", "state", "state_text", "conditions", "context", "modality", "agent", "sequence")
_CELL = (*_IDENTITY, "k", "n", "percent", "range_low", "mean", "words")
_ROUNDING = 0.005 + 1e-9
_NUMBERS = ("k", "percent", "range_low", "mean", "frequency_word")


@dataclass(frozen=True, slots=True)
class Import:
    """What an import would do: the whole new text of each file, and how many statements are new in it."""

    texts: Mapping[Path, str]
    counts: Mapping[Path, int]

    def write(self) -> None:
        """Write every file next to its place first, then move all into place."""
        staged: list[tuple[str, Path]] = []
        try:
            for path, text in self.texts.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                handle, name = tempfile.mkstemp(dir=path.parent, suffix=".partial")
                staged.append((name, path))
                with os.fdopen(handle, "w", encoding="utf-8") as stream:
                    stream.write(text)
                Path(name).chmod(0o644)
            for name, path in staged:
                Path(name).replace(path)
        except OSError as error:
            raise OntologyError(
                f"{error.filename}: cannot be written: {error.strerror}; name a folder of your own with --ontology"
            ) from None
        finally:
            for name, _ in staged:
                Path(name).unlink(missing_ok=True)


def plan_import(text: str, name: str, graph: Graph, directory: Path) -> Import:
    """Read a sheet against the ontology's graph and return the files it would make or extend in ``directory``.

    A statement is appended to the file of its source, which is found by DOI, PMID or title; a new source gets a
    new file. What people wrote into a file stays as it is.

    Raises
    ------
    CaseError
        A row cannot be understood, repeats an id or a statement, or breaks a rule; holds every problem.
    """
    lookup = Lookup(graph)
    rows = read_sheet(text, name, lookup)
    problems = [*_repeats(rows, graph), *_loose_ends(rows, graph)]
    problems += [problem for row in rows for problem in _rules(row, lookup, graph)]
    if problems:
        raise CaseError(problems)
    sources = _Sources(graph)
    texts: dict[Path, str] = {}
    counts: dict[Path, int] = {}
    for row in rows:
        source, is_new = sources.of(row)
        path = directory / f"{local_name(source).removeprefix('src_')}.ttl"
        if path not in texts:
            texts[path] = path.read_text(encoding="utf-8") if path.exists() else HEADER
        if is_new:
            texts[path] += "\n" + _source_block(source, row)
        texts[path] += "\n" + _statement_block(row, source) + _returned(row, graph)
        counts[path] = counts.get(path, 0) + 1
    return Import(texts, counts)


def _repeats(rows: Sequence[Row], graph: Graph) -> Iterable[Problem]:
    first: dict[str, str] = {}
    for row in rows:
        where = f"{row.where} / id"
        if row.subject in first:
            yield Problem("duplicate", where, f"{row.id!r} stands at {first[row.subject]} already")
        elif (URIRef(ID_IRI + row.subject), RDF.type, None) in graph:
            advice = "give the row another id, or change the statement in its Turtle file"
            yield Problem("duplicate", where, f"{row.id!r} is in the ontology already", advice=advice)
        first.setdefault(row.subject, row.where)
    cells = _known_cells(graph, {_title(row) for row in rows})
    for row in rows:
        key = (_title(row), *(tuple(sorted(row.facts.get(column, ()), key=str)) for column in _CELL))
        where, marked = cells.setdefault(key, (row.where, "duplicate_of" in row.facts))
        if where != row.where and not marked and "duplicate_of" not in row.facts:
            advice = "drop one, or name the other in duplicate_of"
            yield Problem("duplicate", row.where, f"says the same as {where}", advice=advice)


def _title(row: Row) -> str:
    return snake(str(row.source.get("title", "")))


def _known_cells(graph: Graph, titles: set[str]) -> dict[tuple[object, ...], tuple[str, bool]]:
    """Return what the ontology's statements from publications of these titles say, and whether they are duplicates."""
    terms = [COLUMNS[name].term for name in _CELL]
    found: dict[tuple[object, ...], tuple[str, bool]] = {}
    for source, title in graph.subject_objects(DCTERMS.title):
        if snake(str(title)) in titles:
            for statement in graph.subjects(PROV.wasQuotedFrom, source):
                values = (tuple(sorted(graph.objects(statement, SCHEMA[term]), key=str)) for term in terms)
                marked = (statement, SCHEMA.duplicateOf, None) in graph
                found[(snake(str(title)), *values)] = (local_name(statement), marked)
    return found


def _loose_ends(rows: Sequence[Row], graph: Graph) -> Iterable[Problem]:
    """Yield references to statements that are neither in the ontology nor in the sheet."""
    here = {row.subject for row in rows}
    for row in rows:
        for column in ("duplicate_of", "disagrees_with"):
            for other in row.facts.get(column, ()):
                if local_name(other) not in here and (other, RDF.type, None) not in graph:
                    what = f"{local_name(other).removeprefix('ev_')!r} is no statement of the ontology or the sheet"
                    yield Problem("reference", f"{row.where} / {column}", what, advice="give the id of its row")


def _rules(row: Row, lookup: Lookup, graph: Graph) -> Iterable[Problem]:
    """Yield what a single row must not be, beyond its fields; the SHACL shapes say the rest."""
    k, n, value = row.number("k"), row.number("n"), row.number("percent")
    if k is not None and n is not None and k > n:
        yield Problem("counts", f"{row.where} / k", f"k = {k:g} is more than n = {n:g}", advice="check both")
    if n is not None and n < 1:
        yield Problem("counts", f"{row.where} / n", "n is not at least 1", advice="leave n empty if it is not known")
    elif k is not None and n is not None and value is not None and abs(value - k / n) > _ROUNDING:
        yield Problem("counts", f"{row.where} / percent", f"{100 * value:g} % is not {k:g}/{n:g} = {100 * k / n:.1f} %")
    for low, high in (("ci_low", "ci_high"), ("range_low", "range_high")):
        a, b = row.number(low), row.number(high)
        if (a is None) != (b is None) or (a is not None and b is not None and a > b):
            yield Problem("interval", f"{row.where} / {low}", f"{low} and {high} go together, the lower end first")
    quantity = row.facts.get("quantity", (SCHEMA.ConditionalProbability,))[0]
    reaches = graph.value(quantity, SCHEMA.mayReachCpt)
    numbers = any(name in row.facts for name in _NUMBERS)
    if reaches is not None and reaches.toPython() and not numbers and quantity != SCHEMA.NotMeasured:  # type: ignore[attr-defined]
        yield Problem(
            "number",
            row.where,
            f"a {lookup.spelling(quantity)} without a number or a word of the scheme",
            advice="fill k and n, percent, range, mean or frequency_word; or quantity = qualitative_statement",
        )
    if "feature" not in row.facts and quantity == SCHEMA.ConditionalProbability:
        yield Problem("field", f"{row.where} / feature", "is empty", advice="name what was looked at")


class _Sources:
    """The sources that exist and those that this import makes, found by DOI, PMID or title."""

    def __init__(self, graph: Graph) -> None:
        self._by_key: dict[tuple[str, str], URIRef] = {}
        self._taken: set[str] = set()
        for node in sorted(graph.subjects(RDF.type, SCHEMA.Source), key=str):
            if not isinstance(node, URIRef):
                continue
            self._taken.add(local_name(node))
            known = {
                "doi": graph.value(node, SCHEMA.doi),
                "pmid": graph.value(node, SCHEMA.pmid),
                "title": graph.value(node, DCTERMS.title),
            }
            self._remember(node, {name: str(value) for name, value in known.items() if value is not None})

    def _remember(self, node: URIRef, fields: Mapping[str, str]) -> None:
        for key in _source_keys(fields):
            self._by_key.setdefault(key, node)

    def of(self, row: Row) -> tuple[URIRef, bool]:
        """Return the row's source and whether it is new."""
        fields = {name: str(value) for name, value in row.source.items()}
        for key in _source_keys(fields):
            if key in self._by_key:
                return self._by_key[key], False
        node = URIRef(f"{ID_IRI}{self._name(fields)}")
        self._taken.add(local_name(node))
        self._remember(node, fields)
        return node, True

    def _name(self, fields: Mapping[str, str]) -> str:
        author, year = fields.get("first_author", ""), fields.get("year", "")
        family = snake(author.rsplit(" ", 1)[0] if " " in author else author)
        words = "_".join(snake(fields["title"]).split("_")[:_TITLE_WORDS])
        stem = f"src_{family}{year}" if family and year else f"src_{words}"
        name, suffix = stem, ord("b")
        while name in self._taken:
            name, suffix = f"{stem}{chr(suffix)}", suffix + 1
        return name


def _source_keys(fields: Mapping[str, str]) -> list[tuple[str, str]]:
    found = [(name, fields[name].lower()) for name in ("doi", "pmid") if fields.get(name)]
    return [*found, ("title", snake(fields["title"]))] if fields.get("title") else found


def _source_block(node: URIRef, row: Row) -> str:
    lines = [f"id:{local_name(node)} a fl:Source"]
    for column in SOURCE_COLUMNS:
        if column.name in row.source:
            predicate = "dcterms:title" if column.name == "title" else f"fl:{column.term}"
            lines.append(f"    {predicate} {_term(row.source[column.name])}")
    return " ;\n".join(lines) + " .\n"


def _statement_block(row: Row, source: URIRef) -> str:
    facts = dict(row.facts)
    facts.setdefault("quantity", (SCHEMA.ConditionalProbability,))
    counted = "k" in facts and "n" in facts
    facts.setdefault("bound", (SCHEMA.Exact if counted else SCHEMA.Approximate,))
    facts.setdefault("unit", (SCHEMA.NotStated,))
    own = facts["grade"] == (SCHEMA.GradeD,)
    lines = [f"id:{row.subject} a fl:EvidenceStatement{', fl:ElicitedStatement' if own else ''}"]
    for column in STATEMENT_COLUMNS:
        if column.name in facts:
            values = ", ".join(sorted(_term(value) for value in facts[column.name]))
            lines.append(f"    fl:{column.term} {values}")
        if column.name == "n" and not counted:
            lines.append("    fl:countsMissing true")
    if own:
        lines.append("    fl:reviewStatus fl:Queued")
    return " ;\n".join([*lines, f"    prov:wasQuotedFrom id:{local_name(source)}"]) + " .\n"


def _returned(row: Row, graph: Graph) -> str:
    """Write the other side of a disagreement with a statement that is in the ontology already."""
    others = [o for o in row.facts.get("disagrees_with", ()) if (o, RDF.type, None) in graph]
    return "".join(f"{_term(other)} fl:disagreesWith id:{row.subject} .\n" for other in others)


def _term(value: Node) -> str:
    """Write a term as Turtle, with the prefixes of `HEADER`."""
    if isinstance(value, Literal):
        plain = value.datatype is not None and not value.datatype.endswith("string")
        return str(value).lower() if plain else value.n3()
    text = str(value)
    for prefix, namespace in (("fl", SCHEMA_IRI), ("id", ID_IRI), ("prov", str(PROV))):
        if text.startswith(namespace):
            return f"{prefix}:{text[len(namespace) :]}"
    return f"<{text}>"
