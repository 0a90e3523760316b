"""How well each cell is covered: best grade and number of statements, by entity and by subtype."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hepagraph.kg import Statement
from hepagraph.service.reference.cells import about, cell_anchor
from hepagraph.service.reference.markdown import escape, heading, joined, link, styled, table
from hepagraph.service.reference.material import Material

_MEANING = {
    "a": "A: counted in a primary study",
    "b": "B: counted, in a secondary source",
    "c": "C: in words only",
    "d": "D: our own judgement only",
    "n": "N: said not to have been measured; taken to be as in the other entities",
    "none": "–: no statement",
}
_INTRODUCTION = (
    "What each cell of the widest differential rests on: the best grade among the statements that enter the network,"
    " and how many of them are published; after the plus sign, how many more were read and kept out. Each cell leads to"
    " its statements. Our own judgement stands beside the published statements in every cell and is not counted here."
)
_SUBTYPES = "Statements on a subtype itself; what they leave open comes from its entity."


def coverage_page(material: Material) -> str:
    """Return the matrix of entities and features, and that of subtypes."""
    legend = " ".join(styled(escape(text), f"grade-{style}") for style, text in _MEANING.items())
    subtypes = [name for found in material.subtypes.values() for name in found]
    return joined(
        heading(1, "Coverage", "reference-coverage"),
        _INTRODUCTION,
        legend,
        heading(2, "Entities"),
        _summary(material),
        _by_feature(material),
        joined(heading(2, "Subtypes"), _SUBTYPES, _by_subtype(material, subtypes)) if subtypes else "",
    )


def _inside(material: Material, given: str, feature: str) -> tuple[Statement, ...]:
    return material.network.evidence.get((feature, given), ())


def best(statements: tuple[Statement, ...]) -> str:
    """Return the style of the best statement: a, b, c, d, n (said not to be measured) or none."""
    grades = sorted(s.grade.lower() for s in statements if s.quantity != "NotMeasured")
    return grades[0] if grades else "n" if statements else "none"


def _published(statements: Iterable[Statement]) -> int:
    return sum(statement.grade != "D" for statement in statements)


def _text(style: str, inside: int, outside: int) -> str:
    shown = "–" if style == "none" else style.upper()
    return shown + (f" {inside}" if inside else "") + (f" +{outside}" if outside else "")


def _summary(material: Material) -> str:
    features = material.network.variables("feature")
    found = Counter(best(_inside(material, e, f)) for f in features for e in material.entities)
    total = sum(found.values())
    parts = [f"{found[style]} {escape(meaning)}" for style, meaning in _MEANING.items() if found[style]]
    return f"Of {total} cells: {'; '.join(parts)}."


def _by_feature(material: Material) -> str:
    rows = [
        [material.link(feature), *(_cell(material, entity, feature) for entity in material.entities)]
        for feature in material.network.variables("feature")
    ]
    return table(["feature", *(material.link(e) for e in material.entities)], rows, "coverage")


def _cell(material: Material, given: str, feature: str) -> str:
    inside = _inside(material, given, feature)
    style = best(inside)
    text = _text(style, _published(inside), len(about(material, given, feature)) - len(inside))
    return styled(link(text, cell_anchor(given, feature)), f"grade-{style}")


def _by_subtype(material: Material, subtypes: list[str]) -> str:
    features = material.network.variables("feature")
    rows = [[material.link(name), *(_subtype_cell(material, name, f) for f in features)] for name in subtypes]
    header = ["subtype", *(material.link(feature) for feature in features)]
    return table(header, rows, "coverage-subtypes")


def _subtype_cell(material: Material, subtype: str, feature: str) -> str:
    inside, known = _inside(material, subtype, feature), about(material, subtype, feature)
    style = best(inside)
    if not known:
        return ""
    text = str(len(known)) if style == "none" else f"{style.upper()}{_published(inside) or ''}"
    return styled(link(text, cell_anchor(subtype, feature)), f"grade-{style}")
