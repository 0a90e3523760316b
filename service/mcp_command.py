"""``hepagraph mcp``: answer the tools of the Model Context Protocol."""

from __future__ import annotations

import click

from hepagraph.ontology.errors import MissingExtraError
from hepagraph.service.options import ontology_option, reports_errors


@click.command()
@click.option(
    "--http",
    "port",
    default=None,
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Listen on this port of this machine, not on standard input.",
)
@click.option(
    "--seconds", default=10.0, show_default=True, type=click.FloatRange(0.1), help="Time limit of a SPARQL query."
)
@click.option("--rows", default=1000, show_default=True, type=click.IntRange(1), help="Row limit of a SPARQL query.")
@ontology_option
@reports_errors
def mcp(port: int | None, seconds: float, rows: int, ontology: str | None) -> None:
    """Serve the reasoner to assistants, by the Model Context Protocol on standard input and output.

    With --http at http://127.0.0.1:PORT/mcp, for this machine only.
    """
    try:
        import mcp as _  # noqa: F401
    except ImportError:
        raise MissingExtraError("The MCP server", "mcp") from None
    from hepagraph.service.doors import Doors
    from hepagraph.service.mcp_server import mcp_server
    from hepagraph.service.sparql_workers import SparqlLimits, SparqlWorkers

    workers = SparqlWorkers(ontology, limits=SparqlLimits(seconds=seconds, rows=rows, processes=1))
    try:
        server = mcp_server(Doors.load(ontology), workers)
        if port is None:
            server.run("stdio")
        else:
            server.run("streamable-http", host="127.0.0.1", port=port, stateless_http=True, json_response=True)
    finally:
        workers.close()
