"""``hepagraph fhir``: cases and answers as FHIR Bundles, and cases out of them; one Bundle a line for several."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

import click

from hepagraph.service.answering import answer_all, each
from hepagraph.service.options import ontology_option, reports_errors, write_output
from hepagraph.service.progress import progress_bar
from hepagraph.service.reading import read_cases

VERSIONS = ("R5", "R4B")
output_option = click.option("-o", "--output", default=None, metavar="FILE", help="Write here; standard output if not.")


@click.group()
def fhir() -> None:
    """Write cases and answers as FHIR, and read cases out of it."""


@fhir.command("export")
@click.argument("cases", nargs=-1, required=True, metavar="CASES...")
@output_option
@click.option("--version", type=click.Choice(VERSIONS), default="R5", show_default=True, help="Release of FHIR.")
@click.option("--differential", default=None, metavar="NAME", help="Which list of entities to choose between.")
@click.option("--interval", is_flag=True, help="Add 95 % credible intervals (200 parameter draws).")
@click.option("--case-only", is_flag=True, help="Only what was seen, no answer.")
@ontology_option
@reports_errors
def export(
    cases: tuple[str, ...],
    output: str | None,
    version: str,
    differential: str | None,
    interval: bool,
    case_only: bool,
    ontology: str | None,
) -> None:
    """Write a Bundle for each case in JSON or JSON Lines files; - reads standard input.

    It holds an Observation for each finding and a RiskAssessment for each lesion.
    """
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.service.healthcare.codes import CodeBook
    from hepagraph.service.healthcare.fhir import to_fhir

    values = read_cases(cases)
    reasoner = Reasoner.load(ontology, progress=progress_bar("reconciling"))
    codes = CodeBook.load(reasoner, ontology)
    ask = functools.partial(reasoner.posterior, differential=differential, interval=interval)
    results = [None] * len(values) if case_only else answer_all(values, reasoner.read, ask)
    pairs = [(where, (case, result)) for (where, case), result in zip(values, results, strict=True)]

    def write(pair: tuple[Mapping[str, Any], Any]) -> dict[str, Any]:
        case, result = pair
        return to_fhir(codes, case, None if result is None else result.to_dict(), version)

    write_output(_lines(each(pairs, write)), output)


@fhir.command("import")
@click.argument("bundles", nargs=-1, required=True, metavar="BUNDLES...")
@output_option
@click.option("--version", type=click.Choice(VERSIONS), default=None, help="Release of FHIR; found out if not given.")
@ontology_option
@reports_errors
def import_(bundles: tuple[str, ...], output: str | None, version: str | None, ontology: str | None) -> None:
    """Write the case of each Bundle as a line of JSON; - reads standard input.

    What says nothing of any variable, or was withdrawn, is left aside and named on standard error.
    """
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.service.healthcare.codes import CodeBook
    from hepagraph.service.healthcare.fhir import read_fhir

    values = read_cases(bundles)
    codes = CodeBook.load(Reasoner.load(ontology, progress=progress_bar("reconciling")), ontology)
    found = each(values, lambda bundle: read_fhir(codes, bundle, version))
    write_output(_lines([imported.case for imported in found]), output)
    for imported in found:
        for what in imported.ignored:
            click.echo(f"hepagraph: left aside: {what}", err=True)


@fhir.command("definitions")
@output_option
@click.option("--version", type=click.Choice(VERSIONS), default="R5", show_default=True, help="Release of FHIR.")
@ontology_option
@reports_errors
def definitions(output: str | None, version: str, ontology: str | None) -> None:
    """Write what defines our extensions and codes, as one Bundle.

    It holds a StructureDefinition for each extension, a CodeSystem, and a ValueSet for each variable.
    """
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.service.healthcare.codes import CodeBook
    from hepagraph.service.healthcare.fhir_definitions import fhir_definitions

    codes = CodeBook.load(Reasoner.load(ontology, progress=progress_bar("reconciling")), ontology)
    write_output(_lines([fhir_definitions(codes, version)]), output)


def _lines(values: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n" for value in values)
