"""Write MyST Markdown from text that may hold anything: escaping, links, tables, headings with stable anchors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape as escape_html
from urllib.parse import quote

_ACTIVE = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|$~&^=:@\"'])")
_NOT_IN_ANCHORS = re.compile(r"[^A-Za-z0-9_.]+")


def escape(text: object) -> str:
    r"""Return a text on one line that Markdown shows as it is.

    >>> escape("a|b  <b>*x*")
    'a\\|b \\<b\\>\\*x\\*'
    """
    return _ACTIVE.sub(r"\\\1", " ".join(str(text).split()))


def anchor(*parts: str) -> str:
    """Return the parts joined to a name that a link can point to.

    >>> anchor("cell", "an entity", "some_feature")
    'cell-an_entity-some_feature'
    """
    return "-".join(_NOT_IN_ANCHORS.sub("_", part) for part in parts)


def link(text: object, target: str) -> str:
    """Return a link to an anchor of any page."""
    return f"[{escape(text)}](#{target})"


def styled(markdown: str, style: str) -> str:
    """Return a piece of Markdown under a CSS class."""
    return f"[{markdown}]{{.{style}}}"


def target(markdown: str, name: str) -> str:
    """Return a piece of Markdown as an anchor that links of any page may point to."""
    return f"[{markdown}]{{#{name}}}"


def web_link(text: object, address: str) -> str:
    """Return a link to an address of the web, or the bare text where the address is of another kind."""
    if not re.match(r"https?://", address):
        return escape(text)
    return f"[{escape(text)}]({quote(address, safe='/:;,.?=&%#~-_+')})"


def heading(level: int, text: object, *anchors: str) -> str:
    """Return a heading with its anchors above it."""
    return "".join(f"({name})=\n" for name in anchors) + f"{'#' * level} {escape(text)}\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], style: str = "") -> str:
    """Return a table of cells that are Markdown already; the first row of dashes sets no alignment.

    >>> print(table(["a", "b"], [["1", "2"]]), end="")
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    lines = [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]
    return (f"{{.{style}}}\n" if style else "") + "\n".join(lines) + "\n"


def bullets(items: Iterable[str]) -> str:
    """Return a list of items that are Markdown already."""
    return "".join(f"- {item}\n" for item in items)


def joined(*blocks: str) -> str:
    """Return the blocks that are not empty, a blank line between them."""
    return "\n".join(block if block.endswith("\n") else f"{block}\n" for block in blocks if block)


def wide(page: str) -> str:
    """Return a page that leaves out the list of its sections, so that its table has the room."""
    return f"---\nhtml_theme.sidebar_secondary.remove: true\n---\n\n{page}"


def inline_svg(path: str) -> str:
    """Return the directive that puts a picture's source into the page, so that it takes the page's colours."""
    return f"```{{raw}} html\n:file: {path}\n```\n"


def toctree(pages: Iterable[str], *, hidden: bool = False, depth: int = 1) -> str:
    """Return a table of contents of pages, given relative to this one."""
    options = f":maxdepth: {depth}\n" + (":hidden:\n" if hidden else "")
    return f"```{{toctree}}\n{options}\n" + "".join(f"{page}\n" for page in pages) + "```\n"


def percent(value: float) -> str:
    """Return a probability for people, never 0 or 100 unless it is.

    >>> percent(0.3649), percent(0.9996), percent(0.0004), percent(0.004), percent(0.0)
    ('36 %', '> 99.9 %', '< 0.1 %', '0.4 %', '0 %')
    """
    if value in (0, 1):
        return f"{100 * value:.0f} %"
    if value < 0.001 or value > 0.999:
        return "< 0.1 %" if value < 0.5 else "> 99.9 %"
    return f"{100 * value:.1f} %" if value < 0.0095 or value > 0.9905 else f"{100 * value:.0f} %"


def bar(value: float) -> str:
    """Return a probability as a small bar; the number stands beside it."""
    return f'<span class="probability-bar" aria-hidden="true"><span style="width:{100 * value:.1f}%"></span></span>'


def shade(value: float, text: str = "") -> str:
    """Return a probability on a ground that is the stronger the larger it is."""
    shown = escape_html(text or percent(value))
    return f'<span class="probability" style="--p:{value:.3f}">{shown}</span>'
