"""``hepagraph explain``: what speaks for an entity, what against it, why, and says who."""

from __future__ import annotations

import functools

import click

from hepagraph.service.answering import answer_all, lesions_json
from hepagraph.service.options import json_option, ontology_option, reports_errors
from hepagraph.service.reading import read_cases


@click.command()
@click.argument("cases", nargs=-1, required=True, metavar="CASES...")
@json_option
@click.option("--entity", default=None, metavar="NAME", help="Whose ledger. Default: the entity on top.")
@click.option("--against", default=None, metavar="NAME", help="A single rival. Default: all the others together.")
@click.option("--differential", default=None, metavar="NAME", help="Which list of entities to choose between.")
@ontology_option
@reports_errors
def explain(
    cases: tuple[str, ...],
    as_json: bool,
    entity: str | None,
    against: str | None,
    differential: str | None,
    ontology: str | None,
) -> None:
    """Explain the answers to the cases in JSON or JSON Lines files; - reads standard input.

    Each finding gets a weight; the weights add up exactly to the change of the entity's log-odds.
    Nothing is written unless every case is good.
    """
    from hepagraph.inference.ledger import explain as ledgers_of
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.service.explain_text import ledgers_text

    values = read_cases(cases)
    reasoner = Reasoner.load(ontology)
    reasoner.entities(differential)
    ask = functools.partial(ledgers_of, reasoner, differential=differential, entity=entity, against=against)
    found = answer_all(values, reasoner.read, lambda case: (case.id, ask(case)))
    if as_json:
        text = lesions_json(found)
    else:
        text = "\n".join(ledgers_text(name, ledgers, reasoner.network.labels) for name, ledgers in found)
    click.echo(text, nl=False)
