"""Statements of the inverse kind: how common an entity is among lesions in one state of a feature.

P(entity | state, setting) is no likelihood, but with the setting's prior weights it is a ratio of likelihoods (Bayes'
theorem), so it informs the feature's distribution in all entities at once: which share of small lesions is
of one kind says how often each kind is small.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.observations import Observation, effective_size
from hepagraph.inference.pooling import proportion_of
from hepagraph.inference.priors import prior_weights, statements_in
from hepagraph.kg import Statement, Variable
from hepagraph.kg.vocabulary import targets

if TYPE_CHECKING:
    from hepagraph.inference.reconciling import Frame

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prevalence:
    """A prevalence of an entity in a setting, and the setting's prior weights by entity."""

    entity: str
    statement: Statement
    weights: Mapping[str, float]


def read_prevalences(frame: Frame) -> list[Prevalence]:
    """Return the prevalences whose context names, directly or by implication, a setting with prior weights."""
    weights, found = prior_weights(frame.graph, frame.entities), []
    for entity in frame.entities:
        for statement in statements_in(frame.graph, entity, "Prevalence"):
            setting = _setting(frame, statement, weights)
            if setting is not None:
                found.append(Prevalence(entity, statement, weights[setting]))
    return found


def inverse_observations(
    frame: Frame, variable: Variable, prevalences: Iterable[Prevalence], tau: float
) -> list[Observation]:
    """Return an observation for each prevalence of an entity among lesions in some states of a variable.

    Only features are informed so: the context is where a prior starts from.
    """
    if variable.kind != "ImagingFeature":
        return []
    found = []
    for prevalence in prevalences:
        states = _states(variable, prevalence.statement)
        if states:
            observation = _observe(frame, prevalence, states, tau)
            found += [observation] if observation is not None else []
    return sorted(found, key=lambda observation: observation.id)


def _states(variable: Variable, statement: Statement) -> tuple[int, ...]:
    by_node = {node: notation for notation, node in variable.nodes.items()}
    named = {leaf for node in statement.context if node in by_node for leaf in variable.leaves[by_node[node]]}
    return tuple(sorted(variable.states.index(leaf) for leaf in named))


def _setting(frame: Frame, statement: Statement, weights: Mapping[str | None, object]) -> str | None:
    named = [state for state in statement.context if state in weights]
    implied = [end for state in statement.context for end in targets(frame.graph, state, "implies") if end in weights]
    return next(iter([*named, *implied]), None)


def _observe(frame: Frame, prevalence: Prevalence, states: tuple[int, ...], tau: float) -> Observation | None:
    statement = prevalence.statement
    share, size = proportion_of(statement, frame.policy)
    if share is None:
        return None
    rows = _prior_rows(frame, statement, prevalence.weights)
    own = np.array([*(float(e == prevalence.entity) for e in frame.parent_of.values()), 0.0])
    given = np.stack([rows * own, rows * (1 - own)])
    counted = statement.n is not None
    effective = effective_size(size, (share, 1 - share), statement.grade, tau, frame.policy) if counted else size
    return Observation((statement,), np.zeros_like(rows), (states, states), (share, 1 - share), effective, given=given)


def _prior_rows(frame: Frame, statement: Statement, weights: Mapping[str, float]) -> Array:
    """Return the prior share of every subtype in the statement's setting, shape (rows,); the root has none."""
    shares: Sequence[Array] = [frame.primary_match[s] for s in statement.context if s in frame.primary_match]
    matched = frame.shares * np.prod(np.stack([np.ones_like(frame.shares), *shares]), axis=0)
    entities = list(frame.parent_of.values())
    total = {e: sum(m for m, f in zip(matched, entities, strict=True) if f == e) for e in frame.entities}
    rows = [weights[e] * m / total[e] for m, e in zip(matched, entities, strict=True)]
    return np.asarray(np.array([*rows, 0.0]) / sum(rows), dtype=np.float64)
