"""Keep a picture as a file, with its text alternative inside."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from hepagraph.ontology.errors import HepagraphError

if TYPE_CHECKING:
    from hepagraph.service.plots.picture import Picture

FORMATS = ("pdf", "png", "svg")


def alt_text(picture: Picture) -> str:
    """Return what the picture shows in words, for who cannot see it."""
    return picture.alt_text


def save(picture: Picture, path: str | Path, *, dpi: int = 200) -> Path:
    """Write a picture as PNG, SVG or PDF, by the name's ending, and return the path.

    The text alternative goes along: in the PNG's Description, in the SVG's ``title`` and ``desc``, in the PDF's
    Subject. The same picture gives the same bytes.

    Raises
    ------
    HepagraphError
        The name ends otherwise.
    """
    target = Path(path)
    form = target.suffix.lower().lstrip(".")
    if form not in FORMATS:
        raise HepagraphError(f"pictures are kept as {', '.join(FORMATS)}, not as {target.name!r}")
    if form == "png":
        picture.savefig(target, dpi=dpi, metadata={"Title": picture.title, "Description": picture.alt_text})
    elif form == "pdf":
        picture.savefig(target, metadata={"Title": picture.title, "Subject": picture.alt_text, "CreationDate": None})
    else:
        target.write_text(_svg(picture), encoding="utf-8")
    return target


def _svg(picture: Picture) -> str:
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": "hepagraph"}):
        picture.savefig(buffer, format="svg", metadata={"Date": None})
    words = (
        f"<title>{html.escape(picture.title, quote=False)}</title>"
        f"<desc>{html.escape(picture.alt_text, quote=False)}</desc>"
    )
    opening = re.compile(r"<svg\b[^>]*")
    return opening.sub(lambda found: f'{found.group()} role="img"', buffer.getvalue(), count=1).replace(
        "\n <metadata>", f"\n {words}\n <metadata>", 1
    )
