"""Turn the rows of a sheet into Turtle: one file a source publication, nothing written unless all of it is good."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from hepagraph.ontology.errors import CaseError, OntologyError
from hepagraph.ontology.import_checks import import_problems
from hepagraph.ontology.import_sources import Sources
from hepagraph.ontology.lookup import Lookup
from hepagraph.ontology.namespaces import ID_IRI, PROV, SCHEMA, SCHEMA_IRI, local_name
from hepagraph.ontology.sheet import Row, read_sheet
from hepagraph.ontology.sheet_columns import SOURCE_COLUMNS, STATEMENT_COLUMNS

HEADER = """@prefix fl: <https://w3id.org/hepagraph/schema#> .
@prefix id: <https://w3id.org/hepagraph/id/> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix prov: <http://www.w3.org/ns/prov#> .
"""


@dataclass(frozen=True, slots=True)
class Import:
    """What an import would do: the whole new text of each file, and how many statements are new in it."""

    texts: Mapping[Path, str]
    counts: Mapping[Path, int]

    def write(self) -> None:
        """Write every file next to its place first, then move all into place."""
        staged: dict[Path, Path] = {}
        moved: dict[Path, bytes | None] = {}
        try:
            for path, text in self.texts.items():
                staged[path] = _stage(path, text)
            for path, partial in staged.items():
                old = path.read_bytes() if path.exists() else None
                partial.replace(path)
                moved[path] = old
        except OSError as error:
            _put_back(moved)
            what = f"{error.filename2 or error.filename or 'the evidence'}: cannot be written: {error.strerror}"
            raise OntologyError(f"{what}; nothing was written; name a folder of your own with --ontology") from None
        finally:
            for partial in staged.values():
                partial.unlink(missing_ok=True)


def _stage(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode())
        Path(name).chmod(path.stat().st_mode if path.exists() else 0o644)
    except OSError:
        Path(name).unlink()
        raise
    return Path(name)


def _put_back(moved: Mapping[Path, bytes | None]) -> None:
    for path, old in moved.items():
        if old is None:
            path.unlink()
        else:
            path.write_bytes(old)


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
    problems = import_problems(rows, graph, lookup)
    if problems:
        raise CaseError(problems)
    sources = Sources(graph)
    texts: dict[Path, str] = {}
    counts: dict[Path, int] = {}
    for row in rows:
        source, is_new = sources.of(row)
        path = directory / f"{local_name(source).removeprefix('src_')}.ttl"
        if path not in texts:
            texts[path] = _as_it_stands(path)
        if is_new:
            texts[path] += "\n" + _source_block(source, row)
        texts[path] += "\n" + _statement_block(row, source) + _returned(row, graph)
        counts[path] = counts.get(path, 0) + 1
    return Import(texts, counts)


def _as_it_stands(path: Path) -> str:
    """Return a file's text, with our prefixes declared at its end where its own may differ (Turtle allows that)."""
    text = path.read_bytes().decode("utf-8") if path.exists() else HEADER
    return text if text.startswith(HEADER) else f"{text}\n{HEADER}"


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
