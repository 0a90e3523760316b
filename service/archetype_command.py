"""``hepagraph archetype``: what an entity typically looks like, and what it is mistaken for."""

from __future__ import annotations

import json

import click

from hepagraph.service.assignments import examination, setting
from hepagraph.service.options import json_option, ontology_option, reports_errors


@click.command()
@click.argument("entities", nargs=-1, metavar="[ENTITIES]...")
@json_option
@click.option("--set", "patient", multiple=True, metavar="KEY=VALUE", help="What is known of the patient.")
@click.option("--exam", "exams", multiple=True, metavar="MODALITY[/AGENT]", help="On these examinations. Default: all.")
@click.option("--differential", default=None, metavar="NAME", help="Which list of entities to choose between.")
@click.option("--top", default=8, show_default=True, type=click.IntRange(min=1), help="How many traits to list.")
@ontology_option
@reports_errors
def archetype(
    entities: tuple[str, ...],
    as_json: bool,
    patient: tuple[str, ...],
    exams: tuple[str, ...],
    differential: str | None,
    top: int,
    ontology: str | None,
) -> None:
    """Show the traits that tell most for the entities (default: all), and what each is mistaken for.

    Shares are those of the network, in the patient that --set describes and on the examinations that --exam lists.
    """
    from hepagraph.inference.archetype import archetype as typical
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.service.archetype_text import archetypes_text

    data = {
        "patient": dict(map(setting, patient)),
        "exam": [examination(text) for text in exams],
        "lesions": [{"findings": {}}],
    }
    reasoner = Reasoner.load(ontology)
    known = reasoner.entities(differential)
    case = reasoner.read({name: value for name, value in data.items() if value})
    found = [typical(reasoner, entity, case=case, differential=differential) for entity in entities or known]
    if as_json:
        text = "".join(json.dumps(one.to_dict(), ensure_ascii=False, allow_nan=False) + "\n" for one in found)
    else:
        text = archetypes_text(found, reasoner.network.labels, top=top)
    click.echo(text, nl=False)
