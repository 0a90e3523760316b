"""``hepagraph ontology``: check, count and export the ontology."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from hepagraph.ontology.errors import HepagraphError, OntologyError
from hepagraph.service.options import json_option, ontology_option, reports_errors, write_output
from hepagraph.service.tables import table

if TYPE_CHECKING:
    pass

EXPORTS = ("turtle", "jsonld", "nt", "nquads", "obograph")


@click.group()
def ontology() -> None:
    """Check, count or export the ontology."""


@ontology.command()
@click.argument("folder", required=False)
@click.option("--compiled", is_flag=True, help="Check the rows of the compiled network too (takes longer).")
@json_option
@ontology_option
@reports_errors
def validate(folder: str | None, compiled: bool, as_json: bool, ontology: str | None) -> None:
    """Check the ontology (or the one in FOLDER) against its SHACL shapes; exit 2 when it breaks one."""
    from hepagraph.inference.provenance import compiled_lines
    from hepagraph.kg import build_graph
    from hepagraph.ontology.files import find_ontology
    from hepagraph.ontology.sssom import closed_label_problems
    from hepagraph.ontology.store import load_ontology
    from hepagraph.ontology.validation import Violation, validate_graph

    files = find_ontology(folder or ontology)
    rdf = load_ontology(files)
    violations = list(validate_graph(rdf, files))
    violations += [Violation("mappings", "", "", problem, "") for problem in closed_label_problems(files, rdf)]
    if not violations:
        graph = build_graph(rdf)
        if compiled:
            rdf.parse(data="".join(compiled_lines(graph)), format="nt")
            violations += validate_graph(rdf, files)
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
    if not as_json:
        sets = f", {len(files.mappings)} mapping sets keep to their licences" if files.mappings else ""
        click.echo(f"{len(files.data)} files conform to {len(files.shapes)} shape files{sets}")


@ontology.command()
@click.argument("folder", required=False)
@json_option
@ontology_option
@reports_errors
def stats(folder: str | None, as_json: bool, ontology: str | None) -> None:
    """Count concepts, statements by grade and quantity, sources, matches, and the evidence of every cell."""
    from hepagraph.inference import compile_network
    from hepagraph.kg import build_graph
    from hepagraph.ontology.files import find_ontology
    from hepagraph.ontology.store import load_ontology
    from hepagraph.service.statistics import ontology_statistics

    files = find_ontology(folder or ontology)
    rdf = load_ontology(files)
    graph = build_graph(rdf)
    found = ontology_statistics(files, rdf, graph, compile_network(graph))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    flat = [(name, value) for name, value in found.items() if not isinstance(value, dict)]
    flat += [
        (f"{name}: {key}", value)
        for name, values in found.items()
        if isinstance(values, dict) and name != "coverage"
        for key, value in values.items()
    ]
    click.echo(table(("what", "count"), flat), nl=False)


@ontology.command("export")
@click.option("--format", "file_format", type=click.Choice(EXPORTS), default="turtle", show_default=True)
@click.option("-o", "--output", default=None, metavar="FILE", help="Write here instead of standard output.")
@ontology_option
@reports_errors
def ontology_export(file_format: str, output: str | None, ontology: str | None) -> None:
    """Write the whole ontology as one file.

    nquads keeps every file apart as a named graph; obograph is JSON for tools that read OBO Graphs.
    """
    from hepagraph.ontology.exports import export_ontology
    from hepagraph.ontology.files import find_ontology

    try:
        write_output(export_ontology(find_ontology(ontology), file_format), output)
    except UnicodeEncodeError as error:
        raise OntologyError(f"the ontology cannot be written as {file_format}: {error}") from None
