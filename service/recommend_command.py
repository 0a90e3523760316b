"""``hepagraph recommend``: what to do next, with the rule, its source, and why it fired."""

from __future__ import annotations

import functools
import json

import click

from hepagraph.service.answering import answer_all
from hepagraph.service.options import differential_option, json_option, ontology_option, prior_option, reports_errors
from hepagraph.service.own_numbers import prior_weights
from hepagraph.service.reading import read_cases


@click.command()
@click.argument("cases", nargs=-1, required=True, metavar="CASES...")
@json_option
@differential_option
@prior_option
@click.option("--interval", is_flag=True, help="Give 95 % credible intervals with the probabilities that rules read.")
@click.option("--all", "every", is_flag=True, help="List every rule that one unstated item blocks.")
@ontology_option
@reports_errors
def recommend(
    cases: tuple[str, ...],
    as_json: bool,
    differential: str | None,
    prior: str | None,
    interval: bool,
    every: bool,
    ontology: str | None,
) -> None:
    """Recommend what to do next for the cases in JSON or JSON Lines files; - reads standard input.

    A patient or lesion may hold further keys that rules alone read (see docs/rules.md).
    Nothing is written unless every case is good.
    """
    from hepagraph.inference import Reasoner
    from hepagraph.inference.rules import recommend as applied
    from hepagraph.inference.rules_circumstances import read_rule_case
    from hepagraph.kg.rules_reading import read_rules
    from hepagraph.service.recommend_text import recommendations_text

    values = read_cases(cases)
    reasoner = Reasoner.load(ontology)
    book = read_rules(reasoner.graph)
    reasoner.entities(differential)
    results = answer_all(
        values,
        functools.partial(read_rule_case, book, reasoner.reader),
        functools.partial(
            applied,
            reasoner,
            book=book,
            differential=differential,
            interval=interval,
            prior=prior_weights(prior),
        ),
    )
    if as_json:
        text = "".join(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False) + "\n" for found in results)
    else:
        text = "\n".join(recommendations_text(found, book.labels, book.variables, every=every) for found in results)
    click.echo(text, nl=False)
