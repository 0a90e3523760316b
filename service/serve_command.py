"""``hepagraph serve``: answer over HTTP."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import click

from hepagraph.ontology.errors import HepagraphError
from hepagraph.service.http.settings import Settings
from hepagraph.service.options import ontology_option, reports_errors
from hepagraph.service.reading import read_text

DEFAULT = Settings()
Command = TypeVar("Command", bound=Callable[..., object])


def _number(name: str, kind: click.IntRange | click.FloatRange, says: str) -> Callable[[Command], Command]:
    """Return the option of a number in the settings, with its default."""
    default = getattr(DEFAULT, name.removeprefix("--").replace("-", "_"))
    return click.option(name, default=default, show_default=True, type=kind, help=says)


@click.command()
@click.option(
    "--host", default=DEFAULT.host, show_default=True, help="Where to listen; others than loopback need a token."
)
@click.option("--port", default=DEFAULT.port, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--token-file", default=None, metavar="FILE", help="Who asks must send the token in it. Or HEPAGRAPH_TOKEN."
)
@click.option("--origin", "origins", multiple=True, metavar="URL", help="A web origin whose pages may ask (CORS).")
@_number("--workers", click.IntRange(1, 256), "Processes.")
@_number("--threads", click.IntRange(1, 256), "Of each process.")
@_number("--queue", click.IntRange(0), "Requests that may wait.")
@_number("--seconds", click.FloatRange(0.1), "Limit of a request.")
@_number("--body-bytes", click.IntRange(1), "Limit of a body.")
@_number("--lesions", click.IntRange(1), "Limit of a case.")
@_number("--scenarios", click.IntRange(1), "Limit of a what-if.")
@_number(
    "--per-client",
    click.IntRange(0),
    "Requests that one address may have open; 0: any number. Behind a proxy all have its address.",
)
@_number("--sparql-seconds", click.FloatRange(0.1), "Limit of a SPARQL query.")
@_number("--sparql-rows", click.IntRange(1), "Rows or triples that a SPARQL query gets; the rest is cut off.")
@_number("--sparql-processes", click.IntRange(1, 256), "SPARQL queries at a time, of each process.")
@_number("--sparql-mebibytes", click.IntRange(512), "Memory of each of these, with the ontology in it.")
@ontology_option
@reports_errors
def serve(token_file: str | None, origins: tuple[str, ...], ontology: str | None, **given: int | float | str) -> None:
    """Answer over HTTP, for other programs; the description is at /openapi.json.

    Listens to this machine only, unless a token is set. Nothing that is sent is kept or logged.
    """
    from hepagraph.service.http.serving import run

    settings = replace(DEFAULT, origins=origins, token=_token(token_file), **given).check()  # type: ignore[arg-type]
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
