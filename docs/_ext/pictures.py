"""Sphinx extension: draw the pictures of a page by running the code that the page shows above them."""

from __future__ import annotations

import contextlib
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
PAGE = "how_to/draw_pictures.md"
CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
IMAGE = re.compile(r"\]\(pictures/([^)]+)\)")
WITHOUT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 40">
<text x="8" y="26" font-family="sans-serif" font-size="16">\
This copy was built without Matplotlib, so the picture was not drawn.</text></svg>
"""


def generate(app: Sphinx) -> None:
    """Write ``pictures/`` beside the page."""
    page = Path(app.srcdir) / PAGE
    folder = page.parent / "pictures"
    folder.mkdir(exist_ok=True)
    text = page.read_text("utf-8")
    if find_spec("matplotlib") is None:
        for name in IMAGE.findall(text):
            (folder / name).write_text(WITHOUT, "utf-8")
        LOGGER.info("pictures: none drawn, Matplotlib is not installed")
        return
    names: dict[str, Any] = {}
    with contextlib.chdir(folder):
        for code in CODE.findall(text):
            exec(compile(code, PAGE, "exec"), names)  # noqa: S102 - the page's own code
    LOGGER.info("pictures: %d drawn", len(IMAGE.findall(text)))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("builder-inited", generate)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
