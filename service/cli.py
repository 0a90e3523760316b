"""The ``hepagraph`` command. Each subcommand is thin: it reads, calls one function below, and writes."""

from __future__ import annotations

import functools
import json
import logging
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hepagraph.ontology.errors import CaseError, HepagraphError, Problem, nearest
from hepagraph.ontology.version import package_version
from hepagraph.service.answering import answer_all
from hepagraph.service.compile_command import compile_command
from hepagraph.service.evaluate_command import evaluate
from hepagraph.service.evidence_commands import evidence
from hepagraph.service.ontology_commands import ontology
from hepagraph.service.options import json_option, ontology_option, reports_errors, write_output
from hepagraph.service.progress import progress_bar
from hepagraph.service.reading import read_cases
from hepagraph.service.recommend_command import recommend
from hepagraph.service.response_command import response
from hepagraph.service.sparql_command import sparql

if TYPE_CHECKING:
    from hepagraph.inference import CaseResult, Reasoner

# The matrices are small: threads of their own wait for each other, and threefold where other work is on the machine.
# Read by NumPy when it is first imported, which is later.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

DEMO = Path(__file__).resolve().parent / "data" / "demo.json"
GRAPH_FORMATS = ("graphml", "jsonld", "dot", "mermaid")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_version(), prog_name="hepagraph")
def main() -> None:
    """Sourced posterior probabilities from an ontology of findings.

    For research and teaching; not a medical device.
    """
    logging.getLogger("rdflib.term").setLevel(logging.ERROR)  # it logs a traceback for every literal of a wrong type


main.add_command(sparql)
main.add_command(ontology)
main.add_command(evidence)
main.add_command(compile_command)
main.add_command(recommend)
main.add_command(response)
main.add_command(evaluate)


@main.command()
@click.argument("cases", nargs=-1, required=True, metavar="CASES...")
@json_option
@click.option(
    "--differential", default=None, metavar="NAME", help="Which list of entities to choose between, e.g. six or wide."
)
@click.option("--interval", is_flag=True, help="Add 95 % credible intervals (200 parameter draws).")
@click.option(
    "--prior",
    default=None,
    metavar="NAME=WEIGHT,...",
    help="Your own prior: a weight for each entity of the differential.",
)
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
    from hepagraph.inference import Reasoner

    values = read_cases(cases)
    reasoner = Reasoner.load(ontology, progress=progress_bar("reconciling"))
    reasoner.entities(differential)
    ask = functools.partial(
        reasoner.posterior,
        differential=differential,
        interval=interval,
        prior=None if prior is None else _weights(prior),
    )
    _write(reasoner, answer_all(values, reasoner.read, ask), as_json)


def _weights(text: str) -> dict[str, float]:
    """Return the weights that ``name=number,...`` gives; the reasoner checks the names."""
    found: dict[str, float] = {}
    problems = []
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        try:
            found[name] = float(number) if equals and name not in found else float("nan")
        except ValueError:
            found[name] = float("nan")
        if math.isnan(found[name]):
            advice = "write name=number, once for each entity, with commas between"
            problems.append(Problem("prior", "--prior", f"cannot read {part.strip()[:60]!r}", advice=advice))
    if problems:
        raise CaseError(problems)
    return found


def _write(reasoner: Reasoner, results: list[CaseResult], as_json: bool) -> None:
    from hepagraph.service.text import case_text

    if as_json:
        text = "".join(json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False) + "\n" for result in results)
    else:
        text = "\n".join(case_text(result, reasoner.network.labels) for result in results)
    click.echo(text, nl=False)
    for result in results:
        for lesion in result.lesions:
            for warning in lesion.warnings if as_json else ():
                click.echo(f"hepagraph: {result.id} / {lesion.id}: {warning.level}: {warning.message}", err=True)


@main.command()
@click.option(
    "--format",
    "file_format",
    required=True,
    type=click.Choice(["xdsl", "bif", "xmlbif", "net", "uai", *GRAPH_FORMATS]),
    help="xdsl, bif, xmlbif, net, uai: the network, through pgmpy. graphml, jsonld, dot, mermaid: the knowledge graph.",
)
@click.option("-o", "--output", default=None, metavar="FILE", help="Write here instead of standard output.")
@click.option("--around", default=None, metavar="NODE", help="Only what is next to this node (graphml, dot, mermaid).")
@ontology_option
@reports_errors
def export(file_format: str, output: str | None, around: str | None, ontology: str | None) -> None:
    """Export the network or the knowledge graph."""
    write_output(_exported(file_format, around, ontology), output)


def _exported(file_format: str, around: str | None, folder: str | None) -> str:
    from hepagraph import kg
    from hepagraph.inference import compile_network
    from hepagraph.ontology.store import load_ontology

    rdf = load_ontology(folder)
    if around is not None and file_format not in ("graphml", "dot", "mermaid"):
        raise HepagraphError(f"--around works with graphml, dot and mermaid, not with {file_format}")
    if file_format == "jsonld":
        from hepagraph.ontology.exports import to_jsonld

        return to_jsonld(rdf)
    graph = kg.build_graph(rdf)
    if file_format not in GRAPH_FORMATS:
        from hepagraph.inference.pgmpy_model import network_text

        return network_text(compile_network(graph), file_format)
    if around is not None:
        if around not in graph:
            close = nearest(around, graph.nodes)
            raise HepagraphError(
                f"--around: {around} is not in the graph" + (f"; did you mean {close}?" if close else "")
            )
        graph = kg.neighbourhood(graph, around)
    writers = {"graphml": kg.to_graphml, "dot": kg.to_dot, "mermaid": kg.to_mermaid}
    return writers[file_format](graph)


@main.command()
@json_option
@reports_errors
def demo(as_json: bool) -> None:
    """Answer the built-in example case."""
    from hepagraph.inference import Reasoner

    reasoner = Reasoner.load(None)
    value = json.loads(DEMO.read_text(encoding="utf-8"))
    _write(
        reasoner,
        answer_all([("demo", value)], reasoner.read, functools.partial(reasoner.posterior, interval=True)),
        as_json,
    )


if __name__ == "__main__":
    sys.exit(main())
