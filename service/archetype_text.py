"""Write archetypes as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hepagraph.inference.archetype import Archetype
from hepagraph.inference.result import NOTICE
from hepagraph.service.tables import table
from hepagraph.service.text import percent

_LEAST = 0.01


def archetypes_text(found: Sequence[Archetype], labels: Mapping[str, str], *, top: int = 8) -> str:
    """Return for each entity its most telling traits and what it is mistaken for."""
    return "\n\n".join([*(_archetype(one, labels, top) for one in found), NOTICE]) + "\n"


def _archetype(found: Archetype, labels: Mapping[str, str], top: int) -> str:
    rows = [
        [trait.label, trait.state.replace("_", " "), percent(trait.share), percent(trait.elsewhere), times(trait.ratio)]
        for trait in found.traits[:top]
    ]
    traits = table(["finding", "typically", "of these", "of the others", "odds"], rows).rstrip()
    ranked = sorted(found.taken_for.items(), key=lambda item: -item[1])
    taken = ", ".join(f"{labels.get(entity, entity)} {percent(p)}" for entity, p in ranked if p >= _LEAST)
    finding, bits = found.separator
    rival = labels.get(found.look_alike, found.look_alike)
    return "\n".join(
        [
            labels.get(found.entity, found.entity),
            traits,
            f"  with everything reported such a lesion is taken for: {taken} (mean of {found.lesions} simulated)",
            f"  closest look-alike: {rival}; best told apart by {labels.get(finding, finding)} ({bits:.2f} bits)",
        ]
    )


def times(ratio: float) -> str:
    """Return a likelihood ratio as a factor.

    >>> times(2.5), times(0.25)
    ('x 2.5', '/ 4')
    """
    return f"x {ratio:.3g}" if ratio >= 1 else f"/ {1 / ratio:.3g}"
