"""``hepagraph serve``: answer over HTTP."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace

import click

from hepagraph.ontology.errors import HepagraphError
from hepagraph.service.http.settings import Settings
from hepagraph.service.options import ontology_option, reports_errors
from hepagraph.service.reading import read_text

DEFAULT = Settings()


@click.command()
@click.option(
    "--host", default=DEFAULT.host, show_default=True, help="Where to listen; others than loopback need a token."
)
@click.option("--port", default=DEFAULT.port, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--token-file", default=None, metavar="FILE", help="Who asks must send the token in it. Or HEPAGRAPH_TOKEN."
)
@click.option("--origin", "origins", multiple=True, metavar="URL", help="A web origin whose pages may ask (CORS).")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 256), help="Processes.")
@click.option(
    "--threads", default=DEFAULT.threads, show_default=True, type=click.IntRange(1, 256), help="Of each process."
)
@click.option(
    "--queue", default=DEFAULT.queue, show_default=True, type=click.IntRange(0), help="Requests that may wait."
)
@click.option(
    "--seconds", default=DEFAULT.seconds, show_default=True, type=click.FloatRange(0.1), help="Limit of a request."
)
@click.option(
    "--body-bytes", default=DEFAULT.body_bytes, show_default=True, type=click.IntRange(1), help="Limit of a body."
)
@click.option("--lesions", default=DEFAULT.lesions, show_default=True, type=click.IntRange(1), help="Limit of a case.")
@click.option(
    "--scenarios", default=DEFAULT.scenarios, show_default=True, type=click.IntRange(1), help="Limit of a what-if."
)
@click.option(
    "--per-client",
    default=DEFAULT.per_client,
    show_default=True,
    type=click.IntRange(0),
    help="Requests that one address may have open; 0: any number. Behind a proxy all have its address.",
)
@click.option(
    "--sparql-seconds",
    default=DEFAULT.sparql_seconds,
    show_default=True,
    type=click.FloatRange(0.1),
    help="Limit of a SPARQL query.",
)
@click.option(
    "--sparql-rows",
    default=DEFAULT.sparql_rows,
    show_default=True,
    type=click.IntRange(1),
    help="Rows or triples that a SPARQL query gets; the rest is cut off.",
)
@click.option(
    "--sparql-processes",
    default=DEFAULT.sparql_processes,
    show_default=True,
    type=click.IntRange(1, 256),
    help="SPARQL queries at a time, of each process.",
)
@click.option(
    "--sparql-mebibytes",
    default=DEFAULT.sparql_mebibytes,
    show_default=True,
    type=click.IntRange(512),
    help="Memory of each of these, with the ontology in it.",
)
@ontology_option
@reports_errors
def serve(token_file: str | None, origins: tuple[str, ...], ontology: str | None, **given: int | float | str) -> None:
    """Answer over HTTP, for other programs; the description is at /openapi.json.

    Listens to this machine only, unless a token is set. Nothing that is sent is kept or logged.
    """
    from hepagraph.service.http.serving import run

    settings = replace(DEFAULT, origins=origins, token=_token(token_file), **given)  # type: ignore[arg-type]
    settings.check()
    if settings.workers > 1:  # read by prometheus-client when it is imported, which is later
        with tempfile.TemporaryDirectory(prefix="hepagraph-metrics-") as folder:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
            run(settings, ontology)
    else:
        run(settings, ontology)


def _token(path: str | None) -> str | None:
    """Return the token of a file, or that of the environment; an empty one is a mistake, not none."""
    if path is not None:
        return read_text(path, path, "a token in one line").strip()
    found = os.environ.get("HEPAGRAPH_TOKEN")
    if found == "":
        raise HepagraphError("HEPAGRAPH_TOKEN is set but empty; give it a token, or unset it")
    return found
