"""``hepagraph next-best``: which finding to look for, and which examination to do next."""

from __future__ import annotations

import functools
import json

import click

from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.service.answering import answer_all, lesions_json
from hepagraph.service.options import (
    costs_option,
    differential_option,
    json_option,
    ontology_option,
    prior_option,
    reports_errors,
)
from hepagraph.service.own_numbers import own_costs, prior_weights
from hepagraph.service.reading import read_cases


@click.command()
@click.argument("cases", nargs=-1, metavar="CASES...")
@json_option
@differential_option
@prior_option
@click.option("--top", default=5, show_default=True, type=click.IntRange(min=1), help="How many to list of each kind.")
@click.option(
    "--by",
    type=click.Choice(("information", "cost")),
    default="information",
    show_default=True,
    help="Rank by bits, or by the points that it saves.",
)
@costs_option
@click.option("--show-costs", is_flag=True, help="Write the losses and burdens in use as JSON, to edit, and stop.")
@ontology_option
@reports_errors
def next_best(
    cases: tuple[str, ...],
    as_json: bool,
    differential: str | None,
    prior: str | None,
    top: int,
    by: str,
    costs: str | None,
    show_costs: bool,
    ontology: str | None,
) -> None:
    """Rank what to look at next for the cases in JSON or JSON Lines files; - reads standard input.

    Findings that the examinations at hand can show, and examinations that were not done, by the bits that they are
    expected to tell; and what each is expected to save of the loss of a wrong management, in points (our judgement,
    grade D: see --show-costs). Nothing is written unless every case is good.
    """
    from hepagraph.inference.costs import costs_json
    from hepagraph.inference.next_best import next_best as ranked
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.service.next_best_text import next_best_text

    if not cases and not show_costs:
        raise CaseError(
            [Problem("missing", "CASES", "no case was given", advice="name a file, or - for standard input")]
        )
    values = read_cases(cases)
    reasoner = Reasoner.load(ontology)
    reasoner.entities(differential)
    own = own_costs(reasoner, costs)
    if show_costs or (by == "cost" and own is None):
        if own is None:
            raise CaseError([Problem("missing", "costs", "the ontology states none", advice="give them with --costs")])
        click.echo(json.dumps(costs_json(own), indent=2))
        return
    ask = functools.partial(ranked, reasoner, differential=differential, prior=prior_weights(prior), costs=own)
    found = answer_all(values, reasoner.read, lambda case: (case.id, ask(case)))
    if by == "cost":
        found = [(name, tuple(lesion.by_saving() for lesion in lesions)) for name, lesions in found]
    if as_json:
        text = lesions_json(found)
    else:
        labels = reasoner.network.labels
        text = "\n".join(next_best_text(name, lesions, labels, top=top) for name, lesions in found)
    click.echo(text, nl=False)
