"""The ``hepagraph`` command. Each subcommand is thin: it reads, calls one function below, and writes.

A subcommand's module is imported when it is run, listed or completed, so that none pays for what another needs.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from importlib import import_module
from typing import Any

import click

# The matrices are small: threads of their own wait for each other, and threefold where other work is on the machine.
# Read by NumPy when it is first imported, which is later.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Importing and decoding make many objects and hardly any garbage: look for it less often than every 700 objects, and
# not once more in all of them at the end of the process.
gc.set_threshold(50_000)
atexit.register(gc.freeze)

# Subcommand -> module of this package, and the name in it.
COMMANDS = {
    "archetype": ("archetype_command", "archetype"),
    "batch": ("batch_command", "batch"),
    "compile": ("compile_command", "compile_command"),
    "demo": ("posterior_command", "demo"),
    "dicom": ("dicom_commands", "dicom"),
    "evaluate": ("evaluate_command", "evaluate"),
    "evidence": ("evidence_commands", "evidence"),
    "explain": ("explain_command", "explain"),
    "export": ("export_command", "export"),
    "fhir": ("fhir_commands", "fhir"),
    "mcp": ("mcp_command", "mcp"),
    "next-best": ("next_best_command", "next_best"),
    "ontology": ("ontology_commands", "ontology"),
    "posterior": ("posterior_command", "posterior"),
    "recommend": ("recommend_command", "recommend"),
    "report": ("report_command", "report"),
    "response": ("response_command", "response"),
    "sensitivity": ("sensitivity_command", "sensitivity"),
    "serve": ("serve_command", "serve"),
    "sparql": ("sparql_command", "sparql"),
    "what-if": ("what_if_command", "what_if"),
}


class Commands(click.Group):
    """A group whose subcommands are imported one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands, sorted."""
        return sorted({*COMMANDS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand, or None where there is none of the name."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, name = COMMANDS[cmd_name]
        found: click.Command = getattr(import_module(f"hepagraph.service.{module}"), name)
        return found


def _show_version(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value and not context.resilient_parsing:
        from hepagraph.ontology.version import package_version

        click.echo(f"hepagraph, version {package_version()}")
        context.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def main() -> None:
    """Sourced posterior probabilities from an ontology of findings.

    For research and teaching; not a medical device.
    """


if __name__ == "__main__":
    sys.exit(main())
