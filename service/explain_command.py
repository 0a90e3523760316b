"""``hepagraph explain``: what speaks for an entity, what against it, why, and says who."""

from __future__ import annotations

import click

from hepagraph.service.answering import answer_all, lesions_json
from hepagraph.service.options import differential_option, json_option, ontology_option, prior_option, reports_errors
from hepagraph.service.own_numbers import prior_weights
from hepagraph.service.reading import read_cases


@click.command()
@click.argument("cases", nargs=-1, required=True, metavar="CASES...")
@json_option
@click.option("--entity", default=None, metavar="NAME", help="Whose ledger. Default: the entity on top.")
@click.option("--against", default=None, metavar="NAME", help="A single rival. Default: all the others together.")
@differential_option
@prior_option
@ontology_option
@reports_errors
def explain(
    cases: tuple[str, ...],
    as_json: bool,
    entity: str | None,
    against: str | None,
    differential: str | None,
    prior: str | None,
    ontology: str | None,
) -> None:
    """Explain the answers to the cases in JSON or JSON Lines files; - reads standard input.

    Each finding gets a weight; the weights add up exactly to the change of the entity's log-odds. Below stands, for the
    leading entities, the subtype and mechanisms that together explain best what was seen.
    Nothing is written unless every case is good.
    """
    from hepagraph.inference.case import Case
    from hepagraph.inference.ledger import explain as ledgers_of
    from hepagraph.inference.most_probable import most_probable
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.service.explain_text import Explained, explained_text

    values = read_cases(cases)
    reasoner = Reasoner.load(ontology)
    reasoner.entities(differential)
    own = prior_weights(prior)

    def ask(case: Case) -> tuple[str, tuple[Explained, ...]]:
        ledgers = ledgers_of(reasoner, case, differential=differential, entity=entity, against=against, prior=own)
        best = most_probable(reasoner, case, differential=differential, prior=own)
        return case.id, tuple(map(Explained, ledgers, best))

    found = answer_all(values, reasoner.read, ask)
    if as_json:
        text = lesions_json(found)
    else:
        text = "\n".join(explained_text(name, lesions, reasoner.network.labels) for name, lesions in found)
    click.echo(text, nl=False)
