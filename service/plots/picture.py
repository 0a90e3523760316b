"""A figure that carries a text alternative and shows itself in a notebook without pyplot."""

from __future__ import annotations

import io
from collections.abc import Container
from typing import Any

from matplotlib.figure import Figure

NOTEBOOK_DPI = 100  # pixels an inch on the page; drawn twice as fine for sharp screens


class Picture(Figure):
    """A Matplotlib figure with a title and the words for who cannot see it.

    IPython shows a bare ``Figure`` as an image only after pyplot has set up a backend. A picture brings its own image,
    with the text alternative in the output's metadata.
    """

    title: str = ""
    alt_text: str = ""

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the image and its metadata for IPython, which chooses by itself what to show."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=2 * NOTEBOOK_DPI)
        # No height: with the inline backend IPython takes that backend's own image, which is cropped.
        about = {"alt": self.alt_text, "width": round(NOTEBOOK_DPI * self.get_size_inches()[0])}
        return {"image/png": buffer.getvalue(), "text/plain": self.alt_text}, {"image/png": about}
