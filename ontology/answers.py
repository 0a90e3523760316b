"""Answers to SPARQL queries as RDF terms, and the formats that the SPARQL 1.1 recommendations define for them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from rdflib import Graph

from hepagraph.ontology.errors import QueryError
from hepagraph.ontology.sparql import PREFIXES, plain_iri, plain_literal

XSD_STRING = PREFIXES["xsd"] + "string"
ROW_FORMATS = {
    "json": "application/sparql-results+json",
    "xml": "application/sparql-results+xml",
    "csv": "text/csv; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
}
GRAPH_FORMATS = {
    "turtle": "text/turtle; charset=utf-8",
    "nt": "application/n-triples",
    "json-ld": "application/ld+json",
    "xml": "application/rdf+xml",
}
TRUTH_FORMATS = ("json", "xml")  # CSV and TSV are not defined for ASK
# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Term:
    """An RDF term: ``kind`` is uri, bnode or literal; a literal has a datatype or a language, if not a plain string."""

    kind: str
    value: str
    datatype: str = ""
    language: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the term as SPARQL 1.1 Query Results JSON has it."""
        found = {"type": self.kind, "value": self.value}
        if self.language:
            found["xml:lang"] = self.language
        elif self.datatype and self.datatype != XSD_STRING:
            found["datatype"] = self.datatype
        return found

    def to_turtle(self) -> str:
        """Return the term as Turtle and N-Triples spell it."""
        if self.kind == "uri":
            return f"<{self.value}>"
        if self.kind == "bnode":
            return f"_:{self.value}"
        text = json.dumps(self.value, ensure_ascii=False)  # its escapes are Turtle's
        if self.language:
            return f"{text}@{self.language}"
        return text if self.datatype in ("", XSD_STRING) else f"{text}^^<{self.datatype}>"

    def to_plain(self) -> str | int | float | bool | None:
        """Return the term as a JSON value, IRIs shortened by the known prefixes."""
        if self.kind == "uri":
            return plain_iri(self.value)
        return plain_literal(self.value, self.datatype) if self.kind == "literal" else self.value


@dataclass(frozen=True, slots=True)
class Solutions:
    """The answer to SELECT: variables, and for each row a term or None a variable."""

    variables: tuple[str, ...]
    rows: tuple[tuple[Term | None, ...], ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Triples:
    """The answer to CONSTRUCT and DESCRIBE, as lines of N-Triples."""

    lines: tuple[str, ...]
    truncated: bool = False


Answer = Solutions | Triples | bool


def first(found: Iterable[Any], most: int) -> tuple[list[Any], bool]:
    """Return at most so many items, and whether there are more."""
    kept: list[Any] = []
    for item in found:
        if len(kept) == most:
            return kept, True
        kept.append(item)
    return kept, False


def rows_text(answer: Solutions | bool, name: str) -> str:
    """Return the answer to SELECT in one of ``ROW_FORMATS``, or to ASK in one of ``TRUTH_FORMATS``.

    Raises
    ------
    QueryError
        The answer holds a character that XML lacks.
    """
    if isinstance(answer, bool):
        return _truth(answer, name)
    return {"json": _json, "xml": _xml, "csv": _csv, "tsv": _tsv}[name](answer)


def graph_text(answer: Triples, name: str) -> str:
    """Return the answer to CONSTRUCT or DESCRIBE in one of ``GRAPH_FORMATS``."""
    if name == "nt":
        return "".join(answer.lines)
    graph = Graph()
    for prefix, namespace in PREFIXES.items():
        graph.bind(prefix, namespace)
    graph.parse(data="".join(answer.lines), format="nt")
    return graph.serialize(format=name)


def _truth(answer: bool, name: str) -> str:
    word = "true" if answer else "false"
    return {
        "json": json.dumps({"head": {}, "boolean": answer}),
        "xml": _XML.format(f"<head/><boolean>{word}</boolean>"),
    }[name]


_XML = '<?xml version="1.0"?>\n<sparql xmlns="http://www.w3.org/2005/sparql-results#">{}</sparql>\n'


def _json(answer: Solutions) -> str:
    bindings = [
        {name: term.to_json() for name, term in zip(answer.variables, row, strict=True) if term is not None}
        for row in answer.rows
    ]
    found = {"head": {"vars": list(answer.variables)}, "results": {"bindings": bindings}}
    return json.dumps(found, ensure_ascii=False)


def _xml(answer: Solutions) -> str:
    head = "".join(f"<variable name={quoteattr(name)}/>" for name in answer.variables)
    rows = "".join(f"<result>{_xml_row(answer.variables, row)}</result>\n" for row in answer.rows)
    return _XML.format(f"<head>{head}</head><results>\n{rows}</results>")


def _xml_row(variables: Sequence[str], row: Sequence[Term | None]) -> str:
    return "".join(
        f"<binding name={quoteattr(name)}>{_xml_term(term)}</binding>"
        for name, term in zip(variables, row, strict=True)
        if term is not None
    )


def _xml_term(term: Term) -> str:
    if _NOT_XML.search(term.value):
        raise QueryError("the answer holds a character that XML cannot hold; ask for JSON")
    text = escape(term.value, {"\r": "&#13;"})
    if term.kind != "literal":
        return f"<{term.kind}>{text}</{term.kind}>"
    if term.language:
        return f"<literal xml:lang={quoteattr(term.language)}>{text}</literal>"
    kind = "" if term.datatype in ("", XSD_STRING) else f" datatype={quoteattr(term.datatype)}"
    return f"<literal{kind}>{text}</literal>"


def _csv(answer: Solutions) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(answer.variables)
    writer.writerows([_csv_value(term) for term in row] for row in answer.rows)
    return written.getvalue()


def _csv_value(term: Term | None) -> str:
    if term is None:
        return ""
    return f"_:{term.value}" if term.kind == "bnode" else term.value


def _tsv(answer: Solutions) -> str:
    lines = ["\t".join(f"?{name}" for name in answer.variables)]
    lines += ["\t".join("" if term is None else term.to_turtle() for term in row) for row in answer.rows]
    return "\n".join(lines) + "\n"
