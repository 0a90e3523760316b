"""Write the statements of an ontology as the spreadsheet that can be read back."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from rdflib import Graph
from rdflib.namespace import RDF
from rdflib.term import Node

from hepagraph.ontology.lookup import Lookup
from hepagraph.ontology.namespaces import DCTERMS, PROV, SCHEMA, local_name
from hepagraph.ontology.sheet_columns import COLUMNS, SOURCE_COLUMNS, STATEMENT_COLUMNS, Column


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
