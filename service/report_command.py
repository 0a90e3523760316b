"""``hepagraph report``: one printable page for each patient."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from hepagraph.ontology.errors import CaseError, HepagraphError, Problem
from hepagraph.service.answering import each
from hepagraph.service.options import (
    costs_option,
    differential_option,
    ontology_option,
    prior_option,
    reports_errors,
    write_output,
)
from hepagraph.service.own_numbers import own_costs, prior_weights
from hepagraph.service.progress import progress_bar
from hepagraph.service.reading import read_cases

_LONGEST = 60  # characters of a case's id in the name of a file


@click.command()
@click.argument("cases", nargs=-1, required=True, metavar="CASES...")
@click.option(
    "-o",
    "--output",
    default="-",
    metavar="FILE|FOLDER",
    help="Where to write. With several cases a folder, made if need be. Default: standard output.",
)
@differential_option
@prior_option
@costs_option
@click.option("--interval/--no-interval", default=True, help="With or without 95 % intervals. Default: with.")
@click.option("--withdraw", is_flag=True, help="Add the papers that move the answer most when withdrawn; slow.")
@click.option(
    "--date",
    default=None,
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="A date to stand on the page. Default: none, so that the same case gives the same page.",
)
@ontology_option
@reports_errors
def report(
    cases: tuple[str, ...],
    output: str,
    differential: str | None,
    prior: str | None,
    costs: str | None,
    interval: bool,
    withdraw: bool,
    date: datetime.datetime | None,
    ontology: str | None,
) -> None:
    """Write a page on each case in JSON or JSON Lines files; - reads standard input.

    A page is one HTML file without script that loads nothing: the answer, the reasons, what would change it, what to
    look at next, which rules apply, and every source. In a folder a page is named after its case.
    Nothing is written unless every case is good.
    """
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.inference.rules_circumstances import read_rule_case
    from hepagraph.kg.rules_reading import read_rules
    from hepagraph.service.report_gathering import gather
    from hepagraph.service.report_page import report_page

    values = read_cases(cases)
    _check_output(output, len(values))
    reasoner = Reasoner.load(ontology, progress=progress_bar("reconciling"))
    reasoner.entities(differential)
    book = read_rules(reasoner.graph)
    given: dict[str, Any] = {
        "differential": differential,
        "prior": prior_weights(prior),
        "costs": None if costs is None else own_costs(reasoner, costs),
    }
    day = None if date is None else date.date().isoformat()
    draw, done = progress_bar("reports"), iter(range(1, len(values) + 1))

    def page(pair: tuple[Any, Any]) -> str:
        data, case = pair
        found = gather(reasoner, book, data, case, **given, interval=interval, withdraw=withdraw)
        if draw is not None:
            draw(next(done), len(values), found.result.id)
        return report_page(found, reasoner, book, date=day)

    def read(data: Any) -> tuple[Any, Any]:
        return data, read_rule_case(book, reasoner.reader, data)

    read_ones = each(values, read, keep_place=True)
    pages = each(read_ones, page)
    if len(pages) == 1 and not Path(output).is_dir():
        write_output(pages[0], output)
    else:
        names = file_names(case.case.id for _, (_, case) in read_ones)
        write_pages(dict(zip(names, pages, strict=True)), Path(output))


def _check_output(output: str, count: int) -> None:
    """Refuse before the work begins what could not be written after it."""
    path = Path(output)
    if count == 1 and (output == "-" or path.parent.is_dir()):
        return
    if count > 1 and output == "-":
        advice = "give -o FOLDER"
        raise CaseError([Problem("file", "-o", f"{count} cases make {count} pages and need a folder", advice=advice)])
    if count > 1 and path.exists() and not path.is_dir():
        advice = "give the name of a folder"
        raise CaseError([Problem("file", "-o", f"{count} cases need a folder, and {output} is a file", advice=advice)])
    if not path.parent.is_dir():
        raise CaseError([Problem("file", "-o", f"there is no folder {path.parent}", advice="make it first")])


def file_names(ids: Iterable[str]) -> list[str]:
    """Return a name for each case's page, which is safe in any folder and stands for no other case's.

    >>> file_names(["a", "A", "../b c", ""])
    ['a.html', 'A-2.html', 'b_c.html', 'case.html']
    """
    names: list[str] = []
    taken: set[str] = set()
    for name in ids:
        stem = re.sub(r"[^\w.-]+", "_", name)[:_LONGEST].strip("._-") or "case"
        unique, number = stem, 1
        while unique.lower() in taken:
            number += 1
            unique = f"{stem}-{number}"
        taken.add(unique.lower())
        names.append(f"{unique}.html")
    return names


def write_pages(pages: dict[str, str], folder: Path) -> None:
    """Write pages by file name into a folder; all are written beside their places before any takes its own.

    Raises
    ------
    HepagraphError
        The folder cannot be made or written to, or a page's place is taken by a folder; then no page has changed.
    """
    for name in pages:
        if (folder / name).is_dir():
            raise HepagraphError(f"{folder / name}: cannot be written: it is a folder")
    new = not folder.exists()
    partials = {folder / name: folder / f"{os.urandom(8).hex()}.partial" for name in pages}
    try:
        folder.mkdir(exist_ok=True)
        try:
            for partial, text in zip(partials.values(), pages.values(), strict=True):
                partial.write_text(text, encoding="utf-8")
            for place, partial in partials.items():
                partial.replace(place)
        finally:
            for partial in partials.values():
                partial.unlink(missing_ok=True)
            if new and not any(folder.iterdir()):
                folder.rmdir()
    except OSError as error:
        raise HepagraphError(f"{folder}: cannot be written: {error.strerror or error}") from None
