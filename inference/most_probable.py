"""The most probable explanation: which entity, subtype and mechanisms together best account for what was seen.

The most probable value of each variable by itself need not fit the others'; this is the joint optimum (maximum a
posteriori over entity, subtype and mechanisms; everything else that was not seen is summed out first, Park and
Darwiche 2004). One explanation is given for each entity, so that the story of the second can be held against the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.elimination import (
    Factor,
    marginals,
    min_fill_order,
    multiply,
    reduced_factors,
    relevant,
    sum_to,
)
from hepagraph.inference.network import ENTITY, SUBTYPE, Network, Table
from hepagraph.inference.stopping import stop_if_over

if TYPE_CHECKING:
    from hepagraph.inference.case import Case
    from hepagraph.inference.reasoner import Reasoner

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A joint state of entity, subtype and mechanisms, with its posterior probability.

    ``present`` are the mechanisms at work and ``absent`` the others of those that bear on what was seen.
    """

    entity: str
    subtype: str
    present: tuple[str, ...]
    absent: tuple[str, ...]
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "entity": self.entity,
            "subtype": self.subtype,
            "present": list(self.present),
            "absent": list(self.absent),
            "probability": self.probability,
        }


def most_probable(
    reasoner: Reasoner,
    case: Case,
    *,
    differential: str | None = None,
    prior: Mapping[str, float] | None = None,
) -> tuple[tuple[Explanation, ...], ...]:
    """Return for each lesion the best explanation within each entity, the most probable first.

    Mechanisms that bear on none of what was seen are left out.

    Raises
    ------
    CaseError
        The case, the differential or the prior is bad.
    """
    entities = reasoner.entities(differential)
    return tuple(
        _explanations(reasoner.network, evidence.likelihood, entities)
        for evidence in reasoner.prepare(case, entities, prior)
    )


def _explanations(
    network: Network, likelihood: Mapping[str, Array], entities: Sequence[str]
) -> tuple[Explanation, ...]:
    states, bearing = network.states[ENTITY], set(relevant(network.tables, likelihood))
    mechanisms = [name for name in network.variables("mechanism") if name in bearing]
    evidence_log = marginals(network.tables, likelihood, [ENTITY]).evidence_log
    found = []
    for entity in entities:
        own = likelihood[ENTITY] * np.array([float(state == entity) for state in states])
        if not own.any():
            continue
        best, log = joint_optimum(network.tables, {**likelihood, ENTITY: own}, [SUBTYPE, *mechanisms])
        there = {name: best[name] == len(network.states[name]) - 1 for name in mechanisms}
        found.append(
            Explanation(
                entity,
                network.states[SUBTYPE][best[SUBTYPE]],
                tuple(name for name in mechanisms if there[name]),
                tuple(name for name in mechanisms if not there[name]),
                float(np.exp(log - evidence_log)),
            )
        )
    return tuple(sorted(found, key=lambda explanation: -explanation.probability))


def joint_optimum(
    tables: Mapping[str, Table], likelihood: Mapping[str, Array], targets: Sequence[str]
) -> tuple[dict[str, int], float]:
    """Return the states of the targets that are jointly most probable, and log P(those states and the evidence).

    Raises
    ------
    ImpossibleEvidenceError
        The evidence has probability zero.
    OntologyError
        A table in between would be too large.
    """
    names = relevant(tables, [*likelihood, *targets])
    factors, cards, kept = reduced_factors(tables, names, likelihood)
    wanted = frozenset(names.index(target) for target in targets)
    decisions: list[tuple[int, Factor]] = []
    for variable in min_fill_order(tuple(factor.scope for factor in factors), len(names), wanted):
        stop_if_over()
        touching = [factor for factor in factors if variable in factor.scope]
        factors = [factor for factor in factors if variable not in factor.scope]
        product = multiply(touching, cards)
        rest = tuple(v for v in product.scope if v != variable)
        if variable in wanted:
            decisions.append((variable, product))
            axis = product.scope.index(variable)
            factors.append(Factor(rest, product.values.max(axis=axis), product.scale_log))
        else:
            factors.append(sum_to(product, rest))
    chosen: dict[int, int] = {}
    for variable, product in reversed(decisions):
        line = product.values[tuple(slice(None) if v == variable else chosen[v] for v in product.scope)]
        chosen[variable] = int(line.argmax())
    with np.errstate(divide="ignore"):  # a story may be impossible
        log = sum(float(np.log(factor.values)) + factor.scale_log for factor in factors)
    states = {names[v]: int(kept[names[v]][s]) if names[v] in kept else s for v, s in chosen.items()}
    return states, log
