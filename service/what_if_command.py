"""``hepagraph what-if``: the answer as it is, and as it would be had something else been seen."""

from __future__ import annotations

import json

import click

from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.service.assignments import examination, setting, spelt
from hepagraph.service.options import differential_option, json_option, ontology_option, prior_option, reports_errors
from hepagraph.service.own_numbers import prior_weights
from hepagraph.service.reading import read_cases


@click.command(name="what-if")
@click.argument("case", metavar="CASE")
@json_option
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change or add; a|b: one of these.")
@click.option("--drop", "dropped", multiple=True, metavar="KEY", help="Withdraw a finding or something of the patient.")
@click.option("--exam", "exams", multiple=True, metavar="MODALITY[/AGENT]", help="Examinations in place of the case's.")
@click.option("--each", "each", is_flag=True, help="Make every --set, --drop and --exam a scenario of its own.")
@click.option("--sweep", multiple=True, metavar="KEY", help="All states of a variable in turn; given twice, a grid.")
@click.option("--lesion", default=None, metavar="ID", help="Whose findings change. Default: the first lesion.")
@differential_option
@prior_option
@ontology_option
@reports_errors
def what_if(
    case: str,
    as_json: bool,
    changes: tuple[str, ...],
    dropped: tuple[str, ...],
    exams: tuple[str, ...],
    each: bool,
    sweep: tuple[str, ...],
    lesion: str | None,
    differential: str | None,
    prior: str | None,
    ontology: str | None,
) -> None:
    """Answer the one case in a JSON file (- reads standard input) as it is and with changes, side by side."""
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.inference.what_if import Scenario
    from hepagraph.inference.what_if import sweep as swept
    from hepagraph.inference.what_if import what_if as answered
    from hepagraph.service.what_if_text import what_if_text

    values = read_cases((case,))
    if len(values) != 1:
        raise CaseError([Problem("type", case, f"holds {len(values)} cases", advice="what-if takes one case")])
    data = values[0][1]
    settings = [setting(text) for text in changes] + [(name, None) for name in dropped]
    done = [examination(text) for text in exams]
    scenarios: list[Scenario] = []
    if each:
        scenarios += [Scenario(spelt(key, value), {key: value}) for key, value in settings]
        scenarios += [Scenario(text, {}, [exam]) for text, exam in zip(exams, done, strict=True)]
    elif settings or done:
        name = ", ".join([*(spelt(key, value) for key, value in settings), *exams])
        scenarios.append(Scenario(name, dict(settings), done or None))
    reasoner = Reasoner.load(ontology)
    reasoner.entities(differential)
    own = prior_weights(prior)
    scenarios += swept(reasoner, *sweep) if sweep else []
    if not scenarios:
        advice = "add --set KEY=VALUE, --drop KEY, --exam MODALITY/AGENT or --sweep KEY"
        raise CaseError([Problem("missing", "what-if", "nothing is to be changed", advice=advice)])
    found = answered(reasoner, data, scenarios, lesion=lesion, differential=differential, prior=own)
    if as_json:
        text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in found.rows())
    else:
        text = what_if_text(found, reasoner.network.labels)
    click.echo(text, nl=False)
