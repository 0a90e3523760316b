"""Why a finding goes with an entity: the causal path from the primary over the subtype and its mechanism to the state.

Of several mechanisms that an entity's subtype has and that cause what was seen, the path takes the most probable one;
where none does, it goes straight from the subtype to the state, as the network does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hepagraph.kg.paths import STANDS_FOR, CausalRelation

SHOWS = "shows"
HISTOLOGY = "hasHistology"


@dataclass(frozen=True, slots=True)
class Link:
    """One step of a path: ``cause`` and ``effect`` are nodes of the graph; ``sources`` who says so, if anybody does.

    Each step starts where the last one ended, except that what follows a histology starts at its subtype.
    """

    cause: str
    relation: str
    effect: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Causes:
    """The causal relations by cause, made for looking up."""

    relations: Sequence[CausalRelation]
    _after: dict[str, list[CausalRelation]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        after: dict[str, list[CausalRelation]] = {}
        for relation in self.relations:
            after.setdefault(relation.cause, []).append(relation)
        object.__setattr__(self, "_after", after)

    def path(
        self,
        subtypes: Iterable[str],
        known: Iterable[str],
        seen: str,
        ends: Collection[str],
        probability: Mapping[str, float],
    ) -> tuple[Link, ...]:
        """Return the path to what was seen, with the subtype's histology.

        Parameters
        ----------
        subtypes
            Those of the entity, the most probable first; the entity itself may stand last, for what all of them have.
        known
            Nodes of what is known of the patient; primaries that they stand for start the path.
        seen
            The node that best names what was seen.
        ends
            The nodes of the states that fit it, and of their groups.
        probability
            P(mechanism is present) by node.
        """
        names = tuple(subtypes)
        primaries = {r.effect for state in known for r in self._of(state, STANDS_FOR)}
        head = (*self._from_primary(names[0], primaries), *map(_link, self._of(names[0], HISTOLOGY)[:1]))
        found = [
            (has, then)
            for name in names
            for has in self._of(name)
            if has.effect in probability
            for then in self._of(has.effect, "causes")
            if then.effect in ends
        ]
        if not found:
            return (*head, Link(names[0], SHOWS, seen))
        has, then = max(found, key=lambda pair: (probability[pair[0].effect], pair[0].effect))
        return (*head, Link(names[0], has.relation, has.effect, has.sources), _link(then))

    def of_patient(self, subtype: str, known: Iterable[str]) -> tuple[Link, ...]:
        """Return the path from what is known of the patient to a subtype; empty where it stands for no cause of it."""
        return self._from_primary(subtype, {r.effect for state in known for r in self._of(state, STANDS_FOR)})

    def _from_primary(self, subtype: str, primaries: Collection[str]) -> tuple[Link, ...]:
        return tuple(
            _link(relation)
            for primary in sorted(primaries)
            for relation in self._of(primary)
            if relation.effect == subtype
        )[:1]

    def _of(self, cause: str, kind: str | None = None) -> list[CausalRelation]:
        return [r for r in self._after.get(cause, ()) if kind is None or r.relation == kind]


def _link(relation: CausalRelation) -> Link:
    return Link(relation.cause, relation.relation, relation.effect, relation.sources)
