"""``hepagraph dicom``: a case and its answer as a structured report, and cases out of structured reports."""

from __future__ import annotations

import functools
import io
import json
from typing import TYPE_CHECKING

import click

from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.service.answering import answer_all, each
from hepagraph.service.options import ontology_option, reports_errors, write_output
from hepagraph.service.progress import progress_bar
from hepagraph.service.reading import read_cases

if TYPE_CHECKING:
    from hepagraph.service.healthcare.codes import CodeBook


@click.group()
def dicom() -> None:
    """Write a case and its answer as a DICOM structured report, and read cases out of such reports."""


@dicom.command("export")
@click.argument("case", metavar="CASE")
@click.option("--image", "images", multiple=True, required=True, metavar="FILE", help="A picture that was read.")
@click.option("-o", "--output", required=True, metavar="FILE", help="Write here.")
@click.option("--differential", default=None, metavar="NAME", help="Which list of entities to choose between.")
@click.option("--interval", is_flag=True, help="Add 95 % credible intervals (200 parameter draws).")
@click.option("--case-only", is_flag=True, help="Only what was seen, no answer.")
@ontology_option
@reports_errors
def export(
    case: str,
    images: tuple[str, ...],
    output: str,
    differential: str | None,
    interval: bool,
    case_only: bool,
    ontology: str | None,
) -> None:
    """Write a measurement report (TID 1500) for the case in a JSON file; - reads standard input.

    It takes patient and study from the pictures, all of one study, and refers to them.
    """
    from hepagraph.service.healthcare.dicom import read_image, to_dicom_sr

    values = read_cases([case])
    if len(values) != 1:
        raise CaseError([Problem("range", case, f"holds {len(values)} cases; a report is of one")])
    codes = _codes(ontology)
    ask = functools.partial(codes.reasoner.posterior, differential=differential, interval=interval)
    (result,) = [None] if case_only else answer_all(values, codes.reasoner.read, ask)
    evidence = [read_image(path) for path in images]
    report = to_dicom_sr(codes, values[0][1], None if result is None else result.to_dict(), evidence)
    stream = io.BytesIO()
    report.save_as(stream, enforce_file_format=True)
    write_output(stream.getvalue(), output)


@dicom.command("import")
@click.argument("reports", nargs=-1, required=True, metavar="REPORTS...")
@click.option("-o", "--output", default=None, metavar="FILE", help="Write here; standard output if not.")
@ontology_option
@reports_errors
def import_(reports: tuple[str, ...], output: str | None, ontology: str | None) -> None:
    """Write the case of each measurement report as a line of JSON.

    What says nothing of any variable is left aside and named on standard error.
    """
    from hepagraph.service.healthcare.dicom import read_dicom_sr

    codes = _codes(ontology)
    found = each([(path, path) for path in reports], functools.partial(read_dicom_sr, codes))
    write_output("".join(json.dumps(one.case, ensure_ascii=False, allow_nan=False) + "\n" for one in found), output)
    for one in found:
        for what in one.ignored:
            click.echo(f"hepagraph: left aside: {what}", err=True)


def _codes(ontology: str | None) -> CodeBook:
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.service.healthcare.codes import CodeBook

    return CodeBook.load(Reasoner.load(ontology, progress=progress_bar("reconciling")), ontology)
