"""Sphinx extension: bring the notebooks, which lie beside the documentation, in before the pages are read.

They are shown with the output that is committed with them; nothing is run.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
WIDGET = "application/vnd.jupyter.widget-view+json"
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\(\.\./(?P<path>[^)\s]+)\)")

INDEX = """\
# Tutorials

Notebooks, each of a few minutes, shown with the output that they had when they were last run.
To run and change them yourself, in a checkout:

```sh
pip install '.[notebook]'
jupyter lab notebooks/
```

```{toctree}
:maxdepth: 1
:glob:

[0-9]*
```
"""


def relinked(text: str) -> str:
    """Return a text cell with its links fixed: to pages of the documentation, or as the name of a file elsewhere."""

    def link(found: re.Match[str]) -> str:
        text, path = found["text"], found["path"]
        if path.startswith("docs/"):
            return f"[{text}](../{path.removeprefix('docs/')})"
        return f"`{path}`" if text.strip("`") == path else f"{text} (`{path}`)"

    return LINK.sub(link, text)


def without_widgets(output: dict[str, Any]) -> dict[str, Any]:
    """Return an output as it is shown without a running kernel: the widget's other forms, or a word in its place."""
    if WIDGET not in output.get("data", {}):
        return output
    data = {kind: value for kind, value in output["data"].items() if kind != WIDGET}
    if not set(data) - {"text/plain"}:
        data = {"text/plain": "(something to click on: run the notebook to see it)"}
    return {**output, "data": data}


def page(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook as it is shown: links fixed, without widgets, which need a running kernel."""
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cells.append({**cell, "source": relinked("".join(cell["source"]))})
        elif cell["cell_type"] == "code":
            cells.append({**cell, "outputs": [without_widgets(output) for output in cell["outputs"]]})
        else:
            cells.append(cell)
    metadata = {key: value for key, value in notebook["metadata"].items() if key != "widgets"}
    return {**notebook, "cells": cells, "metadata": metadata}


def generate(app: Sphinx) -> None:
    """Write ``tutorials/`` below the source folder."""
    target = Path(app.srcdir) / "tutorials"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    paths = sorted((Path(app.srcdir).parent / "notebooks").glob("[0-9]*.ipynb"))
    for path in paths:
        shown = page(json.loads(path.read_text(encoding="utf-8")))
        (target / path.name).write_text(json.dumps(shown), encoding="utf-8")
    (target / "index.md").write_text(INDEX, encoding="utf-8")
    LOGGER.info("tutorials: %d notebooks", len(paths))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("builder-inited", generate)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
