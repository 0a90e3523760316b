"""What an entity typically looks like, what looks most like it, and which finding tells the two apart.

A trait is the state or group of a feature whose share among lesions of the entity tells most for it: the largest
P ln(P / Q), P its share in the entity and Q that in the other entities of the differential, as common as they are in
this patient. The closest look-alike is the rival that gets most of the posterior, on average, when lesions of the
entity are drawn from the network and everything that the examinations show is reported, with reports that err.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.network import ENTITY
from hepagraph.inference.next_best import information
from hepagraph.inference.replicates import draw_reports, reading_error
from hepagraph.inference.simulation import simulate
from hepagraph.ontology.errors import Problem, UnknownKeyError, nearest

if TYPE_CHECKING:
    from hepagraph.inference.case import Case
    from hepagraph.inference.reasoner import Reasoner

Array = NDArray[np.float64]
LESIONS = 2000


@dataclass(frozen=True, slots=True)
class Trait:
    """A state or group that is typical: its share in the entity and among the others, in this patient."""

    variable: str
    label: str
    state: str
    share: float
    elsewhere: float

    @property
    def ratio(self) -> float:
        """The likelihood ratio of the state for the entity against the others."""
        return self.share / self.elsewhere

    @property
    def weight(self) -> float:
        """P ln(P / Q), in nats."""
        return float(self.share * np.log(self.ratio))


@dataclass(frozen=True, slots=True)
class Archetype:
    """An entity's traits, the most telling first, and what it is mistaken for.

    ``taken_for`` is the mean posterior of lesions that are the entity, from ``lesions`` simulated ones. ``look_alike``
    is the rival that gets most of it, and ``separator`` the finding that best tells the two apart where both are as
    probable, with its bits.
    """

    entity: str
    traits: tuple[Trait, ...]
    taken_for: Mapping[str, float]
    look_alike: str
    separator: tuple[str, float]
    lesions: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "entity": self.entity,
            "traits": [
                {"finding": t.variable, "state": t.state, "share": t.share, "elsewhere": t.elsewhere, "ratio": t.ratio}
                for t in self.traits
            ],
            "taken_for": dict(self.taken_for),
            "look_alike": self.look_alike,
            "separator": {"finding": self.separator[0], "information": self.separator[1]},
            "lesions": self.lesions,
        }


def archetype(
    reasoner: Reasoner,
    entity: str,
    *,
    case: Case | None = None,
    differential: str | None = None,
    lesions: int = LESIONS,
    seed: int = 0,
) -> Archetype:
    """Return what an entity typically looks like in a patient, on the examinations of ``case``.

    Parameters
    ----------
    case
        Who the patient is and how they were examined; its findings are not used. None: anybody, by everything.
    lesions
        How many lesions are drawn to see what the entity is mistaken for.

    Raises
    ------
    CaseError
        The entity is not in the differential, or the patient is so rare that too few lesions could be drawn.
    """
    entities = reasoner.entities(differential)
    if entity not in entities:
        what = f"{entity!r} is not in the differential"
        raise UnknownKeyError([Problem("unknown_key", "entity", what, entities, nearest(entity, entities))])
    network = reasoner.network
    patient = case or reasoner.read({"lesions": [{"findings": {}}]})
    context = {name: np.asarray(found.likelihood) for name, found in patient.context.items()}
    shown = [name for name in network.variables("feature") if _shows(reasoner, name, patient)]
    own, others = (
        _shares(reasoner, {**context, ENTITY: _members(network.states[ENTITY], chosen)}, shown)
        for chosen in ([entity], [e for e in entities if e != entity])
    )
    traits = [_trait(reasoner, name, own[name], others[name]) for name in shown]
    traits.sort(key=lambda trait: (-trait.weight, trait.variable))
    drawn = _reports(reasoner, entity, patient, shown, lesions, seed)
    posterior, _ = reasoner.score(drawn, differential=differential)
    taken = dict(zip(entities, map(float, posterior.mean(axis=0)), strict=True))
    look_alike = max((e for e in entities if e != entity), key=lambda e: taken[e])
    return Archetype(
        entity,
        tuple(traits),
        taken,
        look_alike,
        _separator(reasoner, (entity, look_alike), context, shown),
        lesions,
    )


def _members(states: Sequence[str], chosen: Sequence[str]) -> Array:
    return np.array([float(state in chosen) for state in states])


def _shows(reasoner: Reasoner, name: str, case: Case) -> bool:
    variable = reasoner.reader.variables[name]
    return reasoner.reader.assessability.reason_against(variable, variable.states, case.exams, advice=True) is None


def _shares(reasoner: Reasoner, given: Mapping[str, Array], names: Sequence[str]) -> Mapping[str, Array]:
    return reasoner.network.engine.marginals(given, names).posterior


def _trait(reasoner: Reasoner, name: str, own: Array, others: Array) -> Trait:
    """Return the state or group of a feature that tells most for the entity."""
    variable = reasoner.reader.variables[name]
    found = []
    for spelling in variable.nodes:
        inside = [variable.states.index(leaf) for leaf in variable.leaves[spelling]]
        if len(inside) < len(variable.states):
            share, elsewhere = float(own[inside].sum()), float(others[inside].sum())
            found.append(Trait(name, reasoner.network.labels[name], spelling, share, elsewhere))
    return max(found, key=lambda trait: (trait.weight, trait.state))


def _reports(
    reasoner: Reasoner, entity: str, case: Case, shown: Sequence[str], lesions: int, seed: int
) -> dict[str, NDArray[np.int64]]:
    """Return simulated lesions of the entity as reported, positions of states by variable, each shape (lesions,)."""
    network, rng = reasoner.network, np.random.default_rng(seed)
    given = {
        name: [network.states[name][position] for position in found.states] for name, found in case.context.items()
    }
    drawn = simulate(network, lesions, rng, given={**given, ENTITY: [entity]}, variables=(*shown, *given))
    codes = {name: drawn[name] for name in (*given, *shown)}
    for name in shown:
        if name in network.base_rates:
            channel = reading_error(network.base_rates[name], network.reporting_error)
            codes[name] = draw_reports(drawn[name], channel, rng)
    return codes


def _separator(
    reasoner: Reasoner, pair: tuple[str, str], context: Mapping[str, Array], shown: Sequence[str]
) -> tuple[str, float]:
    """Return the finding that best tells two entities apart that are as probable, and how many bits it tells."""
    network = reasoner.network
    each = [_shares(reasoner, {**context, ENTITY: _members(network.states[ENTITY], [e])}, shown) for e in pair]
    bits = {}
    for name in shown:
        joint = np.stack([shares[name] for shares in each], axis=1) / 2
        if name in network.base_rates:
            joint = reading_error(network.base_rates[name], network.reporting_error) @ joint
        bits[name] = information(joint)
    best = max(bits, key=lambda name: (bits[name], name))
    return best, bits[best]
