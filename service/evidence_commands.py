"""``hepagraph evidence``: bring statements in from a spreadsheet, write them out, and say what is used and what not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from hepagraph.ontology.errors import OntologyError
from hepagraph.service.options import json_option, ontology_option, reports_errors, write_output
from hepagraph.service.reading import read_text
from hepagraph.service.tables import csv_text, table

GRADES = "ABCD"

if TYPE_CHECKING:
    import networkx as nx

    from hepagraph.inference.network import Network
    from hepagraph.ontology.files import OntologyFiles


@click.group()
def evidence() -> None:
    """Import, export and report evidence statements."""


@evidence.command("import")
@click.argument("sheet", metavar="FILE.csv|-", required=False)
@click.option("--dry-run", is_flag=True, help="Check and say what would be written; write nothing.")
@click.option("--columns", "show_columns", is_flag=True, help="Explain the columns of the sheet.")
@json_option
@ontology_option
@reports_errors
def import_sheet(sheet: str | None, dry_run: bool, show_columns: bool, as_json: bool, ontology: str | None) -> None:
    """Add the rows of a spreadsheet (CSV, UTF-8) to the ontology as Turtle, one file a publication.

    Every row is checked first, against the ontology's terms and its shapes; one bad row and nothing is written.
    Needed columns: id, given, grade, title. `--columns` explains all of them.
    """
    from hepagraph.ontology.files import find_ontology
    from hepagraph.ontology.importing import plan_import
    from hepagraph.ontology.sheet_columns import COLUMNS, REQUIRED
    from hepagraph.ontology.store import load_ontology
    from hepagraph.ontology.validation import validate_import

    if show_columns or sheet is None:
        rows = [(c.name, "needed" if c.name in REQUIRED else "", c.help) for c in COLUMNS.values()]
        click.echo(table(("column", "", "what it holds"), rows), nl=False)
        return
    files = find_ontology(ontology)
    name = "standard input" if sheet == "-" else sheet
    text = read_text(sheet, name, "the sheet saved as CSV UTF-8")
    graph = load_ontology(files)
    plan = plan_import(text, name, graph, files.evidence)
    violations = validate_import(graph, files, plan)
    for violation in violations[:50]:
        click.echo(f"hepagraph: {violation}", err=True)
    if violations:
        raise OntologyError(f"{name}: {len(violations)} violations of the shapes; nothing was written")
    if not dry_run:
        plan.write()
    written = [{"file": str(path), "statements": count} for path, count in plan.counts.items()]
    if as_json:
        click.echo(json.dumps({"written": not dry_run, "files": written}))
        return
    click.echo(table(("file", "new statements"), [(row["file"], row["statements"]) for row in written]), nl=False)
    total = sum(plan.counts.values())
    click.echo(f"{total} statements {'would be ' if dry_run else ''}written to {len(written)} files")


@evidence.command("export")
@click.option("-o", "--output", default=None, metavar="FILE", help="Write here instead of standard output.")
@ontology_option
@reports_errors
def export_sheet(output: str | None, ontology: str | None) -> None:
    """Write the statements of the ontology as a spreadsheet that `import` reads."""
    from hepagraph.ontology.files import find_ontology
    from hepagraph.ontology.lookup import Lookup
    from hepagraph.ontology.sheet_writing import write_sheet
    from hepagraph.ontology.store import load_ontology

    graph = load_ontology(find_ontology(ontology))
    write_output(write_sheet(graph, Lookup(graph)), output)


def _grades(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not value or set(value.upper()) - set(GRADES):
        raise click.BadParameter(f"{value!r}: write one or more of the letters {', '.join(GRADES)} without spaces")
    return value.upper()


@evidence.command()
@click.option("--left-out", is_flag=True, help="List the rows that were not imported, with the reason.")
@click.option("--use", is_flag=True, help="Count how the statements are used, and why some are not.")
@click.option(
    "--grade", "grades", default="ABC", show_default=True, callback=_grades, help="Only statements of these grades."
)
@click.option(
    "--top",
    type=click.IntRange(min=0),
    default=40,
    show_default=True,
    help="How many rows; 0 shows all. JSON holds all.",
)
@json_option
@ontology_option
@reports_errors
def report(left_out: bool, use: bool, grades: str, top: int, as_json: bool, ontology: str | None) -> None:
    """Compare each statement with what the network says, worst first.

    `inside` says whether the network's value lies within the statement's own 95 % interval (sampling), or within the
    one that allows for another study's population (study).
    """
    from hepagraph.ontology.files import find_ontology

    files = find_ontology(ontology)
    if left_out:
        _left_out(files, as_json)
        return
    from hepagraph.inference.compiling import compile_skeleton, read_skeleton
    from hepagraph.inference.residuals import residuals
    from hepagraph.kg import build_graph
    from hepagraph.ontology.store import load_ontology
    from hepagraph.service.progress import progress_bar
    from hepagraph.service.residual_table import residual_rows, residual_text

    graph = build_graph(load_ontology(files))
    skeleton = read_skeleton(graph, progress=progress_bar("reconciling"))
    if use:
        _use(graph, compile_skeleton(skeleton), as_json)
        return
    found = [r for r in residuals(skeleton.reconciliation) if r.statement.grade in grades]
    if as_json:
        click.echo(json.dumps(residual_rows(found)))
        return
    click.echo(residual_text(found, skeleton.reconciliation.tau, top), nl=False)


def _left_out(files: OntologyFiles, as_json: bool) -> None:
    from hepagraph.service.statistics import left_out_rows

    rows = left_out_rows(files)
    if as_json:
        click.echo(json.dumps([{"row_id": row, "reason": reason} for row, reason in rows]))
    else:
        click.echo(table(("row", "why it was not imported"), rows), nl=False)


def _use(graph: nx.MultiDiGraph[str], network: Network, as_json: bool) -> None:
    from hepagraph.service.statistics import counted_uses, use_of_evidence

    if as_json:
        uses = use_of_evidence(graph, network)
        click.echo(json.dumps([{"statement": name, "use": use} for name, use in uses]))
        return
    click.echo(table(("use", "statements"), counted_uses(graph, network)), nl=False)


@evidence.command()
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Write comma-separated values.")
@ontology_option
@reports_errors
def coverage(as_json: bool, as_csv: bool, ontology: str | None) -> None:
    """Show for every feature and entity the best grade of evidence and the number of statements."""
    from hepagraph.inference import compile_network
    from hepagraph.kg import build_graph
    from hepagraph.ontology.files import find_ontology
    from hepagraph.ontology.store import load_ontology
    from hepagraph.service.statistics import coverage_of

    network = compile_network(build_graph(load_ontology(find_ontology(ontology))))
    found = coverage_of(network)
    if as_json:
        click.echo(json.dumps(found))
        return
    entities = list(found)
    rows = [
        (feature, *(f"{found[e][feature]['best']} {found[e][feature]['statements']}" for e in entities))
        for feature in network.variables("feature")
    ]
    columns = ("feature", *entities)
    click.echo(csv_text(columns, rows) if as_csv else table(columns, rows), nl=False)
