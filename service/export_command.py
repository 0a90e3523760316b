"""``hepagraph export``: the network, the knowledge graph or the features in other programs' formats."""

from __future__ import annotations

import click

from hepagraph.ontology.errors import HepagraphError, nearest
from hepagraph.service.options import ontology_option, reports_errors, write_output

GRAPH_FORMATS = ("graphml", "jsonld", "dot", "mermaid")
FINDINGS = "findings"


@click.command()
@click.option(
    "--format",
    "file_format",
    required=True,
    type=click.Choice(["xdsl", "bif", "xmlbif", "net", "uai", *GRAPH_FORMATS, FINDINGS]),
    help="xdsl, bif, xmlbif, net, uai: the network, through pgmpy. graphml, jsonld, dot, mermaid: the knowledge graph. "
    "findings: the features as definitions for a reporting tool.",
)
@click.option("-o", "--output", default=None, metavar="FILE", help="Write here instead of standard output.")
@click.option("--around", default=None, metavar="NODE", help="Only what is next to this node (graphml, dot, mermaid).")
@ontology_option
@reports_errors
def export(file_format: str, output: str | None, around: str | None, ontology: str | None) -> None:
    """Export the network, the knowledge graph or the features."""
    write_output(_exported(file_format, around, ontology), output)


def _exported(file_format: str, around: str | None, folder: str | None) -> str:
    if file_format == FINDINGS and around is None:
        return _findings(folder)
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


def _findings(folder: str | None) -> str:
    import json

    from hepagraph.inference import Reasoner
    from hepagraph.service.healthcare import CodeBook, finding_definitions

    codes = CodeBook.load(Reasoner.load(folder), folder)
    return json.dumps(finding_definitions(codes), ensure_ascii=False, indent=1) + "\n"
