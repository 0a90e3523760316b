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

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_line",
    "example_report",
    "ontology_reference",
    "pictures",
    "tutorials",
]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["_build"]
language = "en"
smartquotes = False  # what a source says is shown as it stands

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence"]
myst_heading_anchors = 3
myst_ref_domains = ["std"]

# Notebooks are shown with the output that they were committed with. Nothing is fetched from elsewhere: the site works
# without a network.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "pydata_sphinx_theme"
html_title = "hepagraph"
html_static_path = ["_static"]
html_css_files = ["reference.css", "site.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {
    page: []
    for page in (
        "index",
        "start",
        "model_card",
        "evaluation",
        "benchmarks",
        "rules",
        "response",
        "genindex",
    )
}
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
