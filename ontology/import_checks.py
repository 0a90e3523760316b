"""What the rows of a sheet must not be: repeats, loose ends, numbers that do not fit each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rdflib import Graph, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from hepagraph.ontology.errors import Problem
from hepagraph.ontology.import_sources import Sources
from hepagraph.ontology.lookup import Lookup
from hepagraph.ontology.namespaces import ID_IRI, PROV, SCHEMA, local_name
from hepagraph.ontology.sheet import Row
from hepagraph.ontology.sheet_columns import COLUMNS

_IDENTITY = "quantity given feature state state_text conditions context modality agent sequence phase unit".split()
_CELL = (*_IDENTITY, "k", "n", "percent", "range_low", "mean", "words")
_ROUNDING = 0.005 + 1e-9
_NUMBERS = ("k", "percent", "range_low", "mean", "frequency_word")


def import_problems(rows: Sequence[Row], graph: Graph, lookup: Lookup) -> list[Problem]:
    """Return what stands against importing the rows into the ontology; the SHACL shapes say the rest."""
    problems = [*_repeats(rows, graph), *_loose_ends(rows, graph)]
    return problems + [problem for row in rows for problem in _rules(row, lookup, graph)]


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
    sources = Sources(graph)
    cells = _known_cells(graph, {sources.of(row)[0] for row in rows})
    for row in rows:
        facts = {"quantity": (SCHEMA.ConditionalProbability,), "unit": (SCHEMA.NotStated,), **row.facts}
        key = (sources.of(row)[0], *_said({column: facts.get(column, ()) for column in _CELL}))
        where, marked = cells.setdefault(key, (row.where, "duplicate_of" in row.facts))
        if where != row.where and not marked and "duplicate_of" not in row.facts:
            advice = "drop one, or name the other in duplicate_of"
            yield Problem("duplicate", row.where, f"says the same as {where}", advice=advice)


def _known_cells(graph: Graph, sources: Iterable[URIRef]) -> dict[tuple[object, ...], tuple[str, bool]]:
    """Return what the ontology's statements from these publications say, and whether they are duplicates."""
    found: dict[tuple[object, ...], tuple[str, bool]] = {}
    for source in sources:
        for statement in graph.subjects(PROV.wasQuotedFrom, source):
            values = {name: tuple(graph.objects(statement, SCHEMA[COLUMNS[name].term])) for name in _CELL}
            marked = (statement, SCHEMA.duplicateOf, None) in graph
            found[(source, *_said(values))] = (local_name(statement), marked)
    return found


def _said(values: Mapping[str, tuple[Node, ...]]) -> tuple[tuple[Node, ...], ...]:
    """Return what a statement says, in order of `_CELL`; where it counts, percentage and words say nothing more."""
    counted = bool(values["k"] and values["n"])
    left = {"percent", "mean", "words"} if counted else set()
    return tuple(() if name in left else tuple(sorted(values[name], key=str)) for name in _CELL)


def _loose_ends(rows: Sequence[Row], graph: Graph) -> Iterable[Problem]:
    """Yield references to statements that are neither in the ontology nor in the sheet."""
    here = {row.subject for row in rows}
    repeated = {row.subject for row in rows if "duplicate_of" in row.facts}
    for row in rows:
        for column in ("duplicate_of", "disagrees_with"):
            for other in row.facts.get(column, ()):
                if local_name(other) == row.subject:
                    yield Problem("reference", f"{row.where} / {column}", "names its own row")
                elif column == "duplicate_of" and local_name(other) in repeated:
                    what = f"{local_name(other).removeprefix('ev_')!r} is marked as a duplicate itself"
                    yield Problem("reference", f"{row.where} / {column}", what, advice="name the one that stays")
                elif local_name(other) not in here and (other, RDF.type, None) not in graph:
                    what = f"{local_name(other).removeprefix('ev_')!r} is no statement of the ontology or the sheet"
                    yield Problem("reference", f"{row.where} / {column}", what, advice="give the id of its row")


def _rules(row: Row, lookup: Lookup, graph: Graph) -> Iterable[Problem]:
    """Yield what a single row must not be, beyond its fields; the SHACL shapes say the rest."""
    k, n, value = row.number("k"), row.number("n"), row.number("percent")
    if k is not None and n is not None and k > n:
        yield Problem("counts", f"{row.where} / k", f"k = {k:g} is more than n = {n:g}", advice="check both")
    if k is not None and n is None and value is None:
        yield Problem("counts", f"{row.where} / n", "is empty though k is given", advice="give n or the percentage")
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
    if quantity == SCHEMA.ConditionalProbability:
        yield from _unsaid(row)


def _unsaid(row: Row) -> Iterable[Problem]:
    """Yield what a frequency of a state cannot do without."""
    if "feature" not in row.facts:
        yield Problem("field", f"{row.where} / feature", "is empty", advice="name what was looked at")
    elif not {"state", "state_text"} & row.facts.keys():
        yield Problem("field", f"{row.where} / state", "is empty", advice="name what was seen, or fill state_text")
