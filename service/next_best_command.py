"""``hepagraph next-best``: which finding to look for, and which examination to do next."""

from __future__ import annotations

import functools

import click

from hepagraph.service.answering import answer_all, lesions_json
from hepagraph.service.options import json_option, ontology_option, reports_errors
from hepagraph.service.reading import read_cases


@click.command()
@click.argument("cases", nargs=-1, required=True, metavar="CASES...")
@json_option
@click.option("--differential", default=None, metavar="NAME", help="Which list of entities to choose between.")
@click.option("--top", default=5, show_default=True, type=click.IntRange(min=1), help="How many to list of each kind.")
@ontology_option
@reports_errors
def next_best(cases: tuple[str, ...], as_json: bool, differential: str | None, top: int, ontology: str | None) -> None:
    """Rank what to look at next for the cases in JSON or JSON Lines files; - reads standard input.

    Findings that the examinations at hand can show, and examinations that were not done, by the bits that they are
    expected to tell. Costs and risks are not weighed. Nothing is written unless every case is good.
    """
    from hepagraph.inference.next_best import next_best as ranked
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.service.next_best_text import next_best_text

    values = read_cases(cases)
    reasoner = Reasoner.load(ontology)
    reasoner.entities(differential)
    ask = functools.partial(ranked, reasoner, differential=differential)
    found = answer_all(values, reasoner.read, lambda case: (case.id, ask(case)))
    if as_json:
        text = lesions_json(found)
    else:
        labels = reasoner.network.labels
        text = "\n".join(next_best_text(name, lesions, labels, top=top) for name, lesions in found)
    click.echo(text, nl=False)
