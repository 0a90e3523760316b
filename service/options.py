"""Options and error handling that the commands share."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from hepagraph.ontology.errors import CaseError, HepagraphError, printable_lines
from hepagraph.ontology.whole_files import whole_file

P = ParamSpec("P")
R = TypeVar("R")

ontology_option = click.option(
    "--ontology",
    "ontology",
    metavar="FOLDER",
    envvar="HEPAGRAPH_ONTOLOGY",
    default=None,
    help="Folder with another ontology's Turtle files. Default: the packaged one.",
)
differential_option = click.option(
    "--differential", default=None, metavar="NAME", help="Which list of entities to choose between, e.g. six or wide."
)
prior_option = click.option(
    "--prior",
    default=None,
    metavar="NAME=WEIGHT,...",
    help="Your own prior: a weight for each entity of the differential.",
)
costs_option = click.option(
    "--costs", metavar="FILE", default=None, help="Your own losses and burdens (JSON) in place of ours."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON and nothing else to standard output.")


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn an expected error into a message on standard error and exit status 2."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except CaseError as error:
            shown = error.problems[:50]
            for problem in shown:
                click.echo(f"hepagraph: {problem}", err=True)
            if len(error.problems) > len(shown):
                click.echo(f"hepagraph: and {len(error.problems) - len(shown)} more problems", err=True)
        except HepagraphError as error:
            click.echo(printable_lines(f"hepagraph: {error}"), err=True)
        except UnicodeEncodeError as error:
            click.echo(f"hepagraph: {_unwritable(error)}", err=True)
        except BrokenPipeError:
            sys.stderr.close()
        sys.exit(2)

    return wrapped


def _unwritable(error: UnicodeEncodeError) -> str:
    """Say which character cannot be written, and what helps; nothing does where it is half of one (a surrogate)."""
    found = error.object[error.start]
    if "\ud800" <= found <= "\udfff":
        return f"{found!r} is half a character and cannot be written; mend the text that holds it"
    what = f"standard output takes {error.encoding} and cannot show {found!r}"
    return f"{what}; set PYTHONIOENCODING=utf-8, or write to a file with -o"


def write_output(content: str | bytes, output: str | None) -> None:
    """Write to standard output, or to a file that appears whole or not at all."""
    if output is None or output == "-":
        click.echo(content, nl=False)
        return
    try:
        with whole_file(Path(output)) as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise HepagraphError(f"{output}: cannot be written: {error.strerror or error}") from None
