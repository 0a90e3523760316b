"""``hepagraph mcp``: answer the tools of the Model Context Protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hepagraph.ontology.errors import MissingExtraError
from hepagraph.service.options import ontology_option, reports_errors

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

HOST = "127.0.0.1"


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
    from hepagraph.service.sparql_limits import SparqlLimits
    from hepagraph.service.sparql_workers import SparqlWorkers

    doors = Doors.load(ontology)
    limits = SparqlLimits(seconds=seconds, rows=rows, processes=1)
    workers = SparqlWorkers(ontology, sha256=doors.reasoner.model["ontology_sha256"], limits=limits)
    try:
        server = mcp_server(doors, workers)
        if port is None:
            server.run("stdio")
        else:
            _listen(server, port)
    finally:
        workers.close()


def _listen(server: MCPServer[Any], port: int) -> None:
    import uvicorn

    from hepagraph.service.logs import config

    application = server.streamable_http_app(host=HOST, stateless_http=True, json_response=True)
    logs = config({"uvicorn": {"level": "WARNING"}, "uvicorn.access": {"level": "CRITICAL", "handlers": []}})
    uvicorn.run(application, host=HOST, port=port, log_config=logs, access_log=False, server_header=False)
