"""Sphinx configuration. ``make docs`` builds into ``_build/html``; warnings are errors there."""

from __future__ import annotations

import sys
from pathlib import Path

from hepagraph.ontology.version import package_version

sys.path.insert(0, str(Path(__file__).resolve().parent / "_ext"))

project = "hepagraph"
author = "The hepagraph developers"
project_copyright = author
version = release = package_version()

extensions = ["myst_parser", "ontology_reference"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
language = "en"
smartquotes = False  # what a source says is shown as it stands

myst_enable_extensions = ["attrs_block", "attrs_inline"]
myst_ref_domains = ["std"]

html_theme = "pydata_sphinx_theme"
html_title = "hepagraph"
html_static_path = ["_static"]
html_css_files = ["reference.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {"index": []}
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
