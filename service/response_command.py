"""The command ``hepagraph response``: how far a treated lesion has responded."""

from __future__ import annotations

import json

import click

from hepagraph.service.answering import answer_all
from hepagraph.service.options import json_option, ontology_option, reports_errors
from hepagraph.service.reading import read_cases


@click.command()
@click.argument("cases", nargs=-1, required=True, metavar="CASES...")
@json_option
@ontology_option
@reports_errors
def response(cases: tuple[str, ...], as_json: bool, ontology: str | None) -> None:
    """Grade the response to treatment of the lesions in JSON or JSON Lines files; - reads standard input.

    Nothing is written unless every case is good.
    """
    from hepagraph.inference.response import ResponseReasoner
    from hepagraph.service.response_text import response_text

    values = read_cases(cases)
    reasoner = ResponseReasoner.load(ontology)
    results = answer_all(values, reasoner.read, reasoner.posterior)
    if as_json:
        lines = [json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False) + "\n" for result in results]
        click.echo("".join(lines), nl=False)
    else:
        click.echo("\n".join(response_text(result, reasoner.model) for result in results), nl=False)
