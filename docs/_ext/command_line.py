"""Sphinx extension: write the reference of the command line from the commands' own help."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from sphinx.application import Sphinx
from sphinx.util import logging

from hepagraph.service.cli import main

LOGGER = logging.getLogger(__name__)
WIDTH = 78
START = """\
# Command line

This page is made from the commands' own help (`hepagraph --help`, `hepagraph COMMAND --help`).

Results go to standard output, messages to standard error. The exit status is 0, or 2 where something
is wrong with what was given; then nothing is written.
The environment variable `HEPAGRAPH_ONTOLOGY` stands for `--ontology`; `XDG_CACHE_HOME`
says where compiled models are kept.
"""


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Context]]:
    """Yield the full name and the context of every command that does something, in order of name."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context, max_content_width=WIDTH, terminal_width=WIDTH)
        if isinstance(command, click.Group):
            yield from commands(command, inner)
        else:
            yield inner.command_path, inner


def section(path: str, context: click.Context) -> str:
    """Return the Markdown of one command."""
    return f"\n## {path}\n\n```text\n{textwrap.dedent(context.get_help())}\n```\n"


def generate(app: Sphinx) -> None:
    """Write ``api/command_line.md`` below the source folder."""
    settings = {**main.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH}
    top = click.Context(main, info_name="hepagraph", **settings)
    found = list(commands(main, top))
    text = START + "".join(section(*one) for one in found)
    (Path(app.srcdir) / "api" / "command_line.md").write_text(text, encoding="utf-8")
    LOGGER.info("command line: %d commands", len(found))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("builder-inited", generate)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
