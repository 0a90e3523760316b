"""``hepagraph export``: the network, its scorer, the knowledge graph or the features in other programs' formats."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from hepagraph.ontology.errors import HepagraphError, nearest
from hepagraph.service.options import ontology_option, reports_errors, write_output

if TYPE_CHECKING:
    from hepagraph.inference import Reasoner

NETWORK_FORMATS = ("xdsl", "bif", "xmlbif", "net", "uai")
GRAPH_FORMATS = ("graphml", "jsonld", "dot", "mermaid")
FINDINGS = "findings"
NAMES = ".names.json"


@click.command()
@click.option(
    "--format",
    "file_format",
    required=True,
    type=click.Choice([*NETWORK_FORMATS, "onnx", *GRAPH_FORMATS, FINDINGS]),
    help="xdsl, bif, xmlbif, net, uai: the network. onnx: its scorer. graphml, jsonld, dot, mermaid: the graph. "
    "findings: the features as definitions for a reporting tool.",
)
@click.option(
    "-o",
    "--output",
    default=None,
    metavar="FILE",
    help=f"Write here instead of standard output; with uai the names go beside it, to FILE{NAMES}.",
)
@click.option("--around", default=None, metavar="NODE", help="Only what is next to this node (graphml, dot, mermaid).")
@click.option(
    "--input",
    "inputs",
    default=None,
    type=click.Choice(["codes", "likelihoods"]),
    help="What the onnx model takes: codes of states (default), or a likelihood for every state.",
)
@click.option("--differential", default=None, metavar="NAME", help="Whose entities the onnx model tells apart.")
@ontology_option
@reports_errors
def export(
    file_format: str,
    output: str | None,
    around: str | None,
    inputs: str | None,
    differential: str | None,
    ontology: str | None,
) -> None:
    """Export the network, its scorer, the knowledge graph or the features."""
    if around is not None and file_format not in ("graphml", "dot", "mermaid"):
        raise HepagraphError(f"--around works with graphml, dot and mermaid, not with {file_format}")
    if (inputs or differential) and file_format != "onnx":
        raise HepagraphError(f"--input and --differential work with onnx, not with {file_format}")
    if file_format in GRAPH_FORMATS:
        write_output(_graph_text(file_format, around, ontology), output)
        return
    from hepagraph.inference import Reasoner

    reasoner = Reasoner.load(ontology)
    if file_format == FINDINGS:
        write_output(_findings(reasoner, ontology), output)
    elif file_format == "onnx":
        from hepagraph.inference.onnx_export import onnx_model

        write_output(onnx_model(reasoner, differential=differential, inputs=inputs or "codes"), output)
    else:
        _write_network(reasoner, file_format, output)


def _write_network(reasoner: Reasoner, file_format: str, output: str | None) -> None:
    from hepagraph.inference.pgmpy_model import network_names, network_text

    write_output(network_text(reasoner.network, file_format), output)
    if file_format != "uai":
        return
    if output is None or output == "-":
        click.echo(f"hepagraph: uai keeps no names; with -o FILE they are written to FILE{NAMES}", err=True)
        return
    names = {**reasoner.model, **network_names(reasoner.network)}
    write_output(json.dumps(names, ensure_ascii=False, indent=1) + "\n", output + NAMES)


def _graph_text(file_format: str, around: str | None, folder: str | None) -> str:
    from hepagraph import kg
    from hepagraph.ontology.store import load_ontology

    rdf = load_ontology(folder)
    if file_format == "jsonld":
        from hepagraph.ontology.exports import to_jsonld

        return to_jsonld(rdf)
    graph = kg.build_graph(rdf)
    if around is not None:
        if around not in graph:
            close = nearest(around, graph.nodes)
            raise HepagraphError(
                f"--around: {around} is not in the graph" + (f"; did you mean {close}?" if close else "")
            )
        graph = kg.neighbourhood(graph, around)
    writers = {"graphml": kg.to_graphml, "dot": kg.to_dot, "mermaid": kg.to_mermaid}
    return writers[file_format](graph)


def _findings(reasoner: Reasoner, folder: str | None) -> str:
    from hepagraph.service.healthcare import CodeBook, finding_definitions

    definitions = finding_definitions(CodeBook.load(reasoner, folder))
    return json.dumps(definitions, ensure_ascii=False, indent=1) + "\n"
