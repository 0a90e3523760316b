"""The ``hepagraph`` command. Each subcommand is thin: it reads, calls one function below, and writes."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hepagraph.ontology.errors import CaseError, HepagraphError, Problem, QueryError, nearest
from hepagraph.ontology.version import package_version
from hepagraph.service.options import json_option, ontology_option, reports_errors, write_output
from hepagraph.service.reading import MAXIMUM_BYTES, read_cases

if TYPE_CHECKING:
    from hepagraph.inference import CaseResult, Reasoner

DEMO = Path(__file__).resolve().parent / "data" / "demo.json"
MAXIMUM_PROBLEMS = 1000
GRAPH_FORMATS = ("graphml", "jsonld", "dot", "mermaid")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_version(), prog_name="hepagraph")
def main() -> None:
    """Sourced posterior probabilities from an ontology of findings.

    For research and teaching; not a medical device.
    """


@main.command()
@click.argument("cases", nargs=-1, required=True, metavar="CASES...")
@json_option
@click.option(
    "--differential", default=None, metavar="NAME", help="Which list of entities to choose between, e.g. six or wide."
)
@click.option("--interval", is_flag=True, help="Add 95 % credible intervals (200 parameter draws).")
@ontology_option
@reports_errors
def posterior(
    cases: tuple[str, ...], as_json: bool, differential: str | None, interval: bool, ontology: str | None
) -> None:
    """Answer the cases in JSON or JSON Lines files; - reads standard input.

    Nothing is written unless every case is good.
    """
    from hepagraph.inference import Reasoner

    values = read_cases(cases)
    reasoner = Reasoner.load(ontology)
    reasoner.entities(differential)
    _write(reasoner, _answer(reasoner, values, differential, interval), as_json)


def _answer(
    reasoner: Reasoner, values: list[tuple[str, object]], differential: str | None, interval: bool
) -> list[CaseResult]:
    """Read every case before answering any, so that all problems are reported together."""
    good, problems = [], []
    for where, value in values:
        try:
            good.append((where, reasoner.read(value)))
        except CaseError as error:
            problems += [_placed(problem, where) for problem in error.problems]
            if len(problems) >= MAXIMUM_PROBLEMS:
                break
    if problems:
        raise CaseError(problems)
    results = []
    for where, case in good:
        try:
            results.append(reasoner.posterior(case, differential=differential, interval=interval))
        except CaseError as error:
            problems += [_placed(problem, where) for problem in error.problems]
    if problems:
        raise CaseError(problems)
    return results


def _placed(problem: Problem, where: str) -> Problem:
    place = f"{where}: {problem.where}" if problem.where else where
    return Problem(problem.kind, place, problem.what, problem.allowed, problem.nearest, problem.advice)


def _write(reasoner: Reasoner, results: list[CaseResult], as_json: bool) -> None:
    from hepagraph.service.text import case_text

    if as_json:
        text = "".join(json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False) + "\n" for result in results)
    else:
        text = "\n".join(case_text(result, reasoner.network.labels) for result in results)
    click.echo(text, nl=False)
    for result in results:
        for lesion in result.lesions:
            for warning in lesion.warnings if as_json else ():
                click.echo(f"hepagraph: {result.id} / {lesion.id}: {warning.level}: {warning.message}", err=True)


@main.command()
@click.argument("query", metavar="QUERY.rq|-")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Write comma-separated values.")
@ontology_option
@reports_errors
def sparql(query: str, as_json: bool, as_csv: bool, ontology: str | None) -> None:
    """Answer a SPARQL SELECT or ASK query over the ontology.

    QUERY is a file, - for standard input, or the name of a query that the ontology brings (e.g. cq01).
    The prefixes fl, id, prov, dcterms, skos, rdf, rdfs and xsd need not be declared.
    """
    from hepagraph.ontology.files import find_ontology
    from hepagraph.ontology.sparql import run_query
    from hepagraph.ontology.store import load_ontology
    from hepagraph.service.text import table

    files = find_ontology(ontology)
    rows = run_query(load_ontology(files), _query_text(query, {path.stem: path for path in files.queries}))
    if as_json:
        click.echo(json.dumps([dict(zip(rows.columns, row, strict=True)) for row in rows.rows], ensure_ascii=False))
    elif as_csv:
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows([rows.columns, *rows.rows])
        click.echo(stream.getvalue(), nl=False)
    else:
        click.echo(table(rows.columns, rows.rows), nl=False)


def _query_text(query: str, named: dict[str, Path]) -> str:
    if query == "-":
        return sys.stdin.buffer.read(MAXIMUM_BYTES).decode("utf-8", errors="replace")
    path = named.get(query, Path(query))
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        close = nearest(query, named)
        hint = f"; did you mean {close}?" if close else ""
        known = "; queries of this ontology: " + ", ".join(sorted(named)) if named else ""
        raise QueryError(f"{query}: {reason}{hint}{known}") from None


@main.group()
def ontology() -> None:
    """Check, count or export the ontology."""


@ontology.command()
@click.argument("folder", required=False)
@json_option
@ontology_option
@reports_errors
def validate(folder: str | None, as_json: bool, ontology: str | None) -> None:
    """Check the ontology (or the one in FOLDER) against its SHACL shapes; exit 2 when it breaks one."""
    from hepagraph.kg import build_graph
    from hepagraph.ontology.files import find_ontology
    from hepagraph.ontology.store import load_ontology
    from hepagraph.ontology.validation import validate_ontology

    files = find_ontology(folder or ontology)
    violations = validate_ontology(files)
    if as_json:
        fields = ("focus", "path", "value", "message", "source")
        found = [{field: getattr(violation, field) for field in fields} for violation in violations]
        click.echo(json.dumps({"conforms": not violations, "violations": found}, ensure_ascii=False))
    if violations:
        for violation in () if as_json else violations[:50]:
            click.echo(f"hepagraph: {violation}", err=True)
        raise HepagraphError(
            f"{files.directory.name}: {len(violations)} violations of the shapes; mend them in the Turtle files"
        )
    build_graph(load_ontology(files))
    if not as_json:
        click.echo(f"{len(files.data)} files conform to {len(files.shapes)} shape files")


@ontology.command()
@click.argument("folder", required=False)
@json_option
@ontology_option
@reports_errors
def stats(folder: str | None, as_json: bool, ontology: str | None) -> None:
    """Count concepts, statements by grade and quantity, sources, and covered cells."""
    from hepagraph.inference import compile_network
    from hepagraph.kg import build_graph
    from hepagraph.ontology.files import find_ontology
    from hepagraph.ontology.store import load_ontology
    from hepagraph.service.statistics import ontology_statistics
    from hepagraph.service.text import table

    rdf = load_ontology(find_ontology(folder or ontology))
    graph = build_graph(rdf)
    found = ontology_statistics(graph, compile_network(graph), len(rdf))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    flat = [(name, value) for name, value in found.items() if not isinstance(value, dict)]
    flat += [
        (f"{name}: {key}", v) for name, value in found.items() if isinstance(value, dict) for key, v in value.items()
    ]
    click.echo(table(("what", "count"), flat), nl=False)


@ontology.command("export")
@click.option(
    "--format", "file_format", type=click.Choice(["turtle", "jsonld", "nt"]), default="turtle", show_default=True
)
@click.option("-o", "--output", default=None, metavar="FILE", help="Write here instead of standard output.")
@ontology_option
@reports_errors
def ontology_export(file_format: str, output: str | None, ontology: str | None) -> None:
    """Write the whole ontology as one file."""
    from hepagraph.kg import to_jsonld
    from hepagraph.ontology.store import load_ontology

    rdf = load_ontology(ontology)
    write_output(to_jsonld(rdf) if file_format == "jsonld" else rdf.serialize(format=file_format), output)


@main.command()
@click.option(
    "--format",
    "file_format",
    required=True,
    type=click.Choice(["xdsl", "bif", "xmlbif", "net", "uai", *GRAPH_FORMATS]),
    help="xdsl, bif, xmlbif, net, uai: the network, through pgmpy. graphml, jsonld, dot, mermaid: the knowledge graph.",
)
@click.option("-o", "--output", default=None, metavar="FILE", help="Write here instead of standard output.")
@click.option("--around", default=None, metavar="NODE", help="Only what is next to this node (graphml, dot, mermaid).")
@ontology_option
@reports_errors
def export(file_format: str, output: str | None, around: str | None, ontology: str | None) -> None:
    """Export the network or the knowledge graph."""
    write_output(_exported(file_format, around, ontology), output)


def _exported(file_format: str, around: str | None, folder: str | None) -> str:
    from hepagraph import kg
    from hepagraph.inference import compile_network
    from hepagraph.ontology.store import load_ontology

    rdf = load_ontology(folder)
    if around is not None and file_format not in ("graphml", "dot", "mermaid"):
        raise HepagraphError(f"--around works with graphml, dot and mermaid, not with {file_format}")
    if file_format == "jsonld":
        return kg.to_jsonld(rdf)
    graph = kg.build_graph(rdf)
    if file_format not in GRAPH_FORMATS:
        from hepagraph.inference.pgmpy_model import network_text

        return network_text(compile_network(graph), file_format)
    if around is not None:
        if around not in graph:
            close = nearest(around, graph.nodes)
            raise HepagraphError(
                f"--around: {around} is not in the graph" + (f"; did you mean {close}?" if close else "")
            )
        graph = kg.neighbourhood(graph, around)
    writers = {"graphml": kg.to_graphml, "dot": kg.to_dot, "mermaid": kg.to_mermaid}
    return writers[file_format](graph)


@main.command()
@json_option
@reports_errors
def demo(as_json: bool) -> None:
    """Answer the built-in example case."""
    from hepagraph.inference import Reasoner

    reasoner = Reasoner.load(None)
    value = json.loads(DEMO.read_text(encoding="utf-8"))
    _write(reasoner, _answer(reasoner, [("demo", value)], None, True), as_json)


if __name__ == "__main__":
    sys.exit(main())
