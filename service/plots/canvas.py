"""The sheet that all pictures are drawn on: sizes in inches, measured text, title, notice at the foot, colours.

Everything is placed by measuring, so that no label leaves the sheet or runs into another. Colours are those of Okabe
and Ito (2008), which colour-blind readers tell apart; whatever a colour says, a hatch, a place or a word says too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hepagraph.inference.result import NOTICE
from hepagraph.ontology.errors import MissingExtraError, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    from hepagraph.service.plots.picture import Picture

WIDTH = 7.2  # inches, between the margins of a page
MARGIN = 0.15
GAP = 0.12
BODY, TITLE, SMALL = 9.0, 11.0, 8.0  # points
DPIS = (72, 100, 200)  # letters are fitted to the dots, so that their widths differ a little
FAMILY = "DejaVu Sans"  # comes with Matplotlib, so that widths are the same everywhere
INK, MUTED, GRID, PAPER = "#1a1a1a", "#555555", "#d9d9d9", "#ffffff"
STRONG, WEAK, FOR, AGAINST = "#0072b2", "#a9d4ee", "#0072b2", "#e69f00"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "+++", "ooo")
HATCH = HATCHES[1]
DARKEST = (0.0, 0.25, 0.44)  # red, green, blue of probability 1


@dataclass(frozen=True, slots=True)
class Sheet:
    """A picture with its title and notice, and the room between them: inches from the left and from the bottom."""

    picture: Picture
    left: float
    bottom: float
    width: float
    height: float

    def axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """Return bare axes at a place in inches, counted from the corner of the room."""
        wide, high = self.picture.get_size_inches()
        box = ((self.left + left) / wide, (self.bottom + bottom) / high, width / wide, height / high)
        axes = self.picture.add_axes(box)
        for side in ("top", "right", "left", "bottom"):
            axes.spines[side].set_visible(False)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        axes.set_xticks([])
        axes.set_yticks([])
        return axes


def sheet(title: str, note: str, height: float, *, width: float = WIDTH, alt: str) -> Sheet:
    """Return a sheet with ``height`` inches of room under the title and its note.

    Raises
    ------
    MissingExtraError
        Matplotlib is not installed.
    """
    picture_type = _picture_type()
    title_lines = wrap(title, width - 2 * MARGIN, TITLE, "bold")
    note_lines = wrap(note, width - 2 * MARGIN, SMALL)
    head = MARGIN + line_height(TITLE) * len(title_lines) + line_height(SMALL) * len(note_lines) + GAP
    foot_lines = wrap(NOTICE, width - 2 * MARGIN, SMALL)
    foot = MARGIN + line_height(SMALL) * len(foot_lines) + GAP
    total = head + height + foot
    picture = picture_type(figsize=(width, total), dpi=100, facecolor=PAPER)
    picture.title, picture.alt_text = " ".join(title_lines), f"{alt} {NOTICE}"
    left, top = MARGIN / width, total - MARGIN
    write(picture, left, top / total, "\n".join(title_lines), size=TITLE, weight="bold", va="top")
    top -= line_height(TITLE) * len(title_lines)
    write(picture, left, top / total, "\n".join(note_lines), size=SMALL, color=MUTED, va="top")
    write(picture, left, MARGIN / total, "\n".join(foot_lines), size=SMALL, color=MUTED, va="bottom")
    return Sheet(picture, MARGIN, foot, width - 2 * MARGIN, height)


def _picture_type() -> type[Picture]:
    try:
        from hepagraph.service.plots.picture import Picture
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "matplotlib":
            raise
        raise MissingExtraError("drawing a picture", "plot") from error
    return Picture


def font(size: float = BODY, weight: str = "normal") -> dict[str, Any]:
    """Return the keywords of a text that is written as it stands, whatever the user's settings."""
    return {
        "fontfamily": FAMILY,
        "fontsize": size,
        "fontweight": weight,
        "fontstyle": "normal",
        "parse_math": False,
        "usetex": False,
    }


def write(
    target: Axes | Figure, x: float, y: float, text: str, *, size: float = BODY, weight: str = "normal", **more: Any
) -> Text:
    """Write a text, left and centred on its place unless ``more`` says otherwise."""
    keywords = {"ha": "left", "va": "center_baseline", "color": INK, "linespacing": 1.2, **font(size, weight), **more}
    return target.text(x, y, text, **keywords)


def line_height(size: float) -> float:
    """Return the height of a line in inches."""
    return 1.25 * size / 72


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = BODY, weight: str = "normal") -> float:
    """Return the width of a line of text in inches, on a screen or in print, whichever is more."""
    _picture_type()
    from matplotlib.font_manager import FontProperties

    found = FontProperties(family=FAMILY, size=size, weight=weight)
    return max(float(_renderer(dpi).get_text_width_height_descent(text, found, ismath=False)[0]) / dpi for dpi in DPIS)


@lru_cache(maxsize=len(DPIS))
def _renderer(dpi: int) -> Any:
    from matplotlib.backends.backend_agg import RendererAgg

    return RendererAgg(1, 1, dpi)  # type: ignore[no-untyped-call]


def widest(texts: Sequence[str], size: float = BODY, weight: str = "normal") -> float:
    """Return the width in inches of the widest line of some texts; 0 where there are none."""
    return max((text_width(line, size, weight) for text in texts for line in text.split("\n")), default=0.0)


def wrap(text: str, width: float, size: float = BODY, weight: str = "normal") -> list[str]:
    """Return the lines of a text in ``width`` inches; a word that is wider is cut."""
    lines: list[str] = []
    for word in printable(text).split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(joined, size, weight) <= width:
            lines[-1] = joined
            continue
        lines.append(word)
        while text_width(lines[-1], size, weight) > width and len(lines[-1]) > 1:
            whole = lines.pop()
            cut = next(
                n for n in range(len(whole) - 1, 0, -1) if n == 1 or text_width(whole[:n], size, weight) <= width
            )
            lines += [whole[:cut], whole[cut:]]
    return lines


def words(name: str) -> str:
    """Return a name of the ontology or of a case as words.

    >>> words("two_words"), words("hasPart"), words("WholeThing")
    ('two words', 'has part', 'whole thing')
    """
    spaced = "".join(f" {c.lower()}" if c.isupper() and name[i - 1 : i].islower() else c for i, c in enumerate(name))
    spaced = spaced.replace("_", " ")
    return spaced[0].lower() + spaced[1:] if spaced[1:2].islower() else spaced


def state_words(variable: str, state: str, labels: Mapping[str, str]) -> str:
    """Return a state as its label says it, without the variable's name, or else its own name as words.

    >>> state_words("toss", "heads", {"toss": "toss", "toss_heads": "toss: the head"})
    'the head'
    """
    label, before = labels.get(f"{variable}_{state}", ""), f"{labels.get(variable, variable)}: "
    return label.removeprefix(before) if label.startswith(before) else words(state)


def colour_of(probability: float) -> tuple[tuple[float, float, float], str]:
    """Return the shade of a probability, deeper for more, and the colour of text that is best read on it."""
    red, green, blue = (1 + (dark - 1) * probability for dark in DARKEST)
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]  # WCAG 2.2, relative luminance
    return (red, green, blue), PAPER if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.06 else INK
