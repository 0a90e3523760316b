"""``hepagraph sensitivity``: on which numbers an answer hangs."""

from __future__ import annotations

from typing import Any

import click

from hepagraph.service.answering import answer_all, lesions_json
from hepagraph.service.options import differential_option, json_option, ontology_option, prior_option, reports_errors
from hepagraph.service.own_numbers import prior_weights
from hepagraph.service.progress import progress_bar
from hepagraph.service.reading import read_cases


@click.command()
@click.argument("cases", nargs=-1, required=True, metavar="CASES...")
@json_option
@differential_option
@prior_option
@click.option("--top", default=6, show_default=True, type=click.IntRange(min=1), help="How many to list of each kind.")
@click.option("--papers", default=3, show_default=True, type=click.IntRange(min=0), help="How many to list; 0: none.")
@ontology_option
@reports_errors
def sensitivity(
    cases: tuple[str, ...],
    as_json: bool,
    differential: str | None,
    prior: str | None,
    top: int,
    papers: int,
    ontology: str | None,
) -> None:
    """Tell on which numbers the answers to the cases hang; - reads standard input.

    Ranges: how far the leading entity's probability moves when one variable's numbers alone are drawn from their
    uncertainty. Turns: the smallest changes of one number that would put another entity beside it. Papers: those that
    move the answer most when withdrawn, with all that they bear on fitted again (some seconds a lesion; 0: none).
    Nothing is written unless every case is good.
    """
    from hepagraph.inference.case import Case
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.inference.sensitivity import sensitivity as asked
    from hepagraph.inference.withdrawal import withdrawals
    from hepagraph.service.sensitivity_text import Sensed, sensitivity_text

    values = read_cases(cases)
    reasoner = Reasoner.load(ontology, progress=progress_bar("reconciling"))
    reasoner.entities(differential)
    given: dict[str, Any] = {"differential": differential, "prior": prior_weights(prior)}

    def ask(case: Case) -> tuple[str, tuple[Sensed, ...]]:
        found = asked(reasoner, case, **given)
        without = withdrawals(reasoner, case, **given, top=papers) if papers else (None,) * len(found)
        return case.id, tuple(map(Sensed, found, without))

    found = answer_all(values, reasoner.read, ask)
    if as_json:
        text = lesions_json(found)
    else:
        labels = reasoner.network.labels
        text = "\n".join(sensitivity_text(name, lesions, labels, top=top) for name, lesions in found)
    click.echo(text, nl=False)
