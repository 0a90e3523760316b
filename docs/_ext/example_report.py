"""Sphinx extension: write the report of the case that a page shows beside that page."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from hepagraph.service.cli import main

PAGE = "how_to/make_a_report"
CASE = re.compile(r"^:caption: case\.json\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def generate(app: Sphinx, failure: Exception | None) -> None:
    """Write ``example_report.html`` into the built site."""
    if failure is not None or app.builder.format != "html":
        return
    case = CASE.search((Path(app.srcdir) / f"{PAGE}.md").read_text("utf-8"))
    if case is None:
        raise ExtensionError(f"{PAGE} shows no case.json")
    target = (Path(app.outdir) / PAGE).parent / "example_report.html"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.json"
        path.write_text(case[1], "utf-8")
        result = CliRunner().invoke(main, ["report", str(path), "-o", str(target)])
    if result.exit_code:
        raise ExtensionError(f"the report of {PAGE} could not be made: {result.output}")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("build-finished", generate)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
