"""Which of several media types to answer in, as the Accept header of RFC 9110 asks."""

from __future__ import annotations

import re
from collections.abc import Sequence

_QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def acceptable(header: str | None, offered: Sequence[str]) -> list[str]:
    """Return the offered media types that a client takes, the one it likes best first, else in the order offered.

    >>> acceptable("text/csv;q=0.5, application/*", ["text/csv", "text/html", "application/json"])
    ['application/json', 'text/csv']
    >>> acceptable(None, ["text/csv"]), acceptable("text/csv;q=0, */*", ["text/csv", "text/html"])
    (['text/csv'], ['text/html'])
    """
    if header is None or not header.strip():
        return list(offered)
    ranges = [found for part in header.split(",") if (found := _range(part)) is not None]
    quality = {media: _quality(media, ranges) for media in offered}
    return sorted((media for media in offered if quality[media] > 0), key=lambda media: -quality[media])


def _range(part: str) -> tuple[str, float] | None:
    """Return a media range and its quality; None for what is none. Other parameters than quality are not looked at."""
    media, *parameters = [piece.strip().lower() for piece in part.split(";")]
    if media.count("/") != 1:
        return None
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return (media, float(value.strip())) if _QUALITY.fullmatch(value.strip()) else None
    return media, 1.0


def _quality(media: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the quality that the most specific range gives, 0 where none fits."""
    kind = media.partition("/")[0]
    for wanted in (media, f"{kind}/*", "*/*"):
        found = [quality for name, quality in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0
