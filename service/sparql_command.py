"""``hepagraph sparql``: ask the ontology, in SPARQL or by the name of a question."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hepagraph.ontology.errors import QueryError, nearest
from hepagraph.service.options import json_option, ontology_option, reports_errors
from hepagraph.service.reading import read_text
from hepagraph.service.tables import csv_text, table

if TYPE_CHECKING:
    from hepagraph.ontology.files import OntologyFiles
    from hepagraph.ontology.named_queries import NamedQuery
    from hepagraph.ontology.stores import Store


@click.command()
@click.argument("query", metavar="QUERY.rq|NAME|-", required=False)
@click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Fill in a named query's parameter.")
@click.option("--list", "listing", is_flag=True, help="List the named queries with their questions and parameters.")
@click.option(
    "--store", default="auto", metavar="ENGINE", help="rdflib, oxigraph, or auto: the quicker one that is installed."
)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Write comma-separated values.")
@ontology_option
@reports_errors
def sparql(
    query: str | None,
    parameters: tuple[str, ...],
    listing: bool,
    store: str,
    as_json: bool,
    as_csv: bool,
    ontology: str | None,
) -> None:
    """Answer a SPARQL SELECT or ASK query over the ontology.

    QUERY is a file, - for standard input, or the name of a query that the ontology brings; --list shows those.
    The prefixes fl, id, prov, dcterms, skos, rdf, rdfs, owl and xsd need not be declared. A query that names terms
    of the compiled layer, such as fl:compiledFrom, sees the rows of the network too.
    """
    from hepagraph.ontology.files import find_ontology
    from hepagraph.ontology.named_queries import bind, read_query
    from hepagraph.ontology.stores import open_store

    files = find_ontology(ontology)
    known = [read_query(path) for path in files.queries]
    if listing or query is None:
        _write(("name", "question", "parameters"), [_described(one) for one in known], as_json, as_csv)
        return
    asked = _asked(query, known)
    opened = open_store(files, store)
    text = bind(asked, _pairs(parameters), opened)
    _add_compiled(opened, files, text)
    rows = opened.query(text)
    _write(rows.columns, rows.rows, as_json, as_csv)


def _write(columns: Sequence[str], rows: Sequence[Sequence[object]], as_json: bool, as_csv: bool) -> None:
    if as_json:
        click.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], ensure_ascii=False))
    else:
        click.echo(csv_text(columns, rows) if as_csv else table(columns, rows), nl=False)


def _described(query: NamedQuery) -> tuple[str, str, str]:
    parameters = [f"{p.name}={p.default}" if p.default else p.name for p in query.parameters]
    return query.name, query.question, " ".join(parameters)


def _pairs(parameters: Sequence[str]) -> Mapping[str, str]:
    found = {}
    for text in parameters:
        name, equals, value = text.partition("=")
        if not equals:
            raise QueryError(f"--param {text}: is not NAME=VALUE, e.g. --param name=value")
        if name in found:
            raise QueryError(f"--param {name}: stands twice")
        found[name.strip()] = value.strip()
    return found


def _asked(query: str, known: Sequence[NamedQuery]) -> NamedQuery:
    """Return the query that is meant: a name, its number or the rest of its name, a file, or standard input."""
    from hepagraph.ontology.named_queries import parse_query

    if query == "-":
        return parse_query("standard input", read_text("-", "standard input", "a query as UTF-8 text"))
    names = {one.name: one for one in known}
    short = {part: one for one in known for part in one.name.split("_", 1) if one.name.startswith("cq")}
    if query in names or query in short:
        return names.get(query) or short[query]
    try:
        return parse_query(query, Path(query).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        close = nearest(query, [*names, *short])
        hint = f"; did you mean {close}?" if close else ""
        listed = "; queries of this ontology: hepagraph sparql --list" if names else ""
        raise QueryError(f"{query}: {reason}{hint}{listed}") from None


def _add_compiled(store: Store, files: OntologyFiles, text: str) -> None:
    from hepagraph.inference.provenance import asks_for_compiled, asks_for_parameters, compiled_lines

    if asks_for_compiled(text):
        from hepagraph.kg import build_graph
        from hepagraph.ontology.store import load_ontology

        store.add(compiled_lines(build_graph(load_ontology(files)), parameters=asks_for_parameters(text)))
