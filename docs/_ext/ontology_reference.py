"""Sphinx extension: write the reference from the ontology before the pages are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

from hepagraph.inference import compile_network
from hepagraph.kg import build_graph
from hepagraph.ontology.store import load_ontology
from hepagraph.service.reference import write_reference

LOGGER = logging.getLogger(__name__)


def generate(app: Sphinx) -> None:
    """Write ``reference/`` below the source folder."""
    rdf = load_ontology()
    graph = build_graph(rdf)
    files = write_reference(Path(app.srcdir) / "reference", rdf, graph, compile_network(graph))
    LOGGER.info("reference: %d files", len(files))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("builder-inited", generate)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
