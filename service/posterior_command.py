"""``hepagraph posterior`` and ``hepagraph demo``: answer cases.

This is the path that is asked most, so nothing is imported here that an answer from a stored model does not need
(``tests/service/test_cold_start.py`` holds it).
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hepagraph.service.answering import answer_all
from hepagraph.service.options import differential_option, json_option, ontology_option, prior_option, reports_errors
from hepagraph.service.own_numbers import prior_weights
from hepagraph.service.progress import progress_bar
from hepagraph.service.reading import read_cases

if TYPE_CHECKING:
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.inference.result import CaseResult

DEMO = Path(__file__).resolve().parent / "data" / "demo.json"


@click.command()
@click.argument("cases", nargs=-1, required=True, metavar="CASES...")
@json_option
@differential_option
@click.option("--interval", is_flag=True, help="Add 95 % credible intervals (200 parameter draws).")
@prior_option
@ontology_option
@reports_errors
def posterior(
    cases: tuple[str, ...],
    as_json: bool,
    differential: str | None,
    interval: bool,
    prior: str | None,
    ontology: str | None,
) -> None:
    """Answer the cases in JSON or JSON Lines files; - reads standard input.

    Nothing is written unless every case is good.
    """
    from hepagraph.inference.reasoner import Reasoner

    values = read_cases(cases)
    reasoner = Reasoner.load(ontology, progress=progress_bar("reconciling"))
    reasoner.entities(differential)
    ask = functools.partial(
        reasoner.posterior,
        differential=differential,
        interval=interval,
        prior=prior_weights(prior),
    )
    _write(reasoner, answer_all(values, reasoner.read, ask), as_json)


def _write(reasoner: Reasoner, results: list[CaseResult], as_json: bool) -> None:
    if as_json:
        text = "".join(json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False) + "\n" for result in results)
    else:
        from hepagraph.service.text import case_text

        text = "\n".join(case_text(result, reasoner.network.labels) for result in results)
    click.echo(text, nl=False)
    for result in results:
        for lesion in result.lesions:
            for warning in lesion.warnings if as_json else ():
                click.echo(f"hepagraph: {result.id} / {lesion.id}: {warning.level}: {warning.message}", err=True)


@click.command()
@json_option
@reports_errors
def demo(as_json: bool) -> None:
    """Answer the built-in example case."""
    from hepagraph.inference.reasoner import Reasoner

    reasoner = Reasoner.load(None)
    value = json.loads(DEMO.read_text(encoding="utf-8"))
    _write(
        reasoner,
        answer_all([("demo", value)], reasoner.read, functools.partial(reasoner.posterior, interval=True)),
        as_json,
    )
