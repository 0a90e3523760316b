"""Which variables condition another, and what mixture of rows and conditions a statement speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepagraph.kg import Statement, Variable
from hepagraph.kg.vocabulary import literal, targets

if TYPE_CHECKING:
    import networkx as nx

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Condition:
    """A variable that changes how another looks: its states, and the one that holds where nothing is said.

    ``usual`` has shape (rows, states): the distribution of the states in every row, used where a statement names
    none and there is no single ``reference`` state.
    """

    variable: Variable
    reference: int | None
    usual: Array

    def spread(self, statement: Statement) -> Array:
        """Return the distribution of the states that a statement speaks of in every row, shape (rows, states)."""
        named = self.named(statement)
        if named:
            allowed = np.zeros(len(self.variable.states))
            allowed[list(named)] = 1.0
            chosen = self.usual * allowed
            return np.asarray(chosen / chosen.sum(axis=1, keepdims=True), dtype=np.float64)
        if self.reference is None:
            return self.usual
        only = np.zeros_like(self.usual)
        only[:, self.reference] = 1.0
        return only

    def named(self, statement: Statement) -> tuple[int, ...]:
        """Return the positions of the states that the statement's context, modalities or agents name."""
        variable = self.variable
        by_node = {node: notation for notation, node in variable.nodes.items()}
        found = {
            variable.states.index(leaf)
            for c in statement.context
            if c in by_node
            for leaf in variable.leaves[by_node[c]]
        }
        technique = {*statement.modalities, *statement.agents}
        if variable.covers and technique:
            found |= {variable.states.index(state) for state, nodes in variable.covers.items() if nodes & technique}
        return tuple(sorted(found)) if len(found) < len(variable.states) else ()


def conditioning_variables(graph: nx.MultiDiGraph[str], vocabulary: Mapping[str, Variable]) -> tuple[str, ...]:
    """Return the variables that the ontology lets condition a feature (``fl:conditions``)."""
    return tuple(name for name in vocabulary if targets(graph, name, "conditions"))


def reference_state(graph: nx.MultiDiGraph[str], variable: Variable) -> int | None:
    """Return the position of a variable's only reference state, or None."""
    found = [i for i, s in enumerate(variable.states) if literal(graph, variable.nodes[s], "referenceState")]
    return found[0] if len(found) == 1 else None


def admits(
    graph: nx.MultiDiGraph[str], variable: Variable, statement: Statement, conditions: Sequence[Condition]
) -> bool:
    """Return whether a statement may inform the variable's rows.

    It must be poolable; its modality must be one that the variable or a condition covers; every context state must be
    a reference state, belong to a variable that is pooled over, name a primary, or be a condition's.
    """
    if not statement.poolable:
        return False
    pooled_from = set(targets(graph, variable.name, "pooledFrom"))
    covered = {node for c in conditions for nodes in c.variable.covers.values() for node in nodes}
    if pooled_from and statement.modalities and not (pooled_from | covered) & set(statement.modalities):
        return False
    known = {node for condition in conditions for node in condition.variable.nodes.values()}
    return all(state in known or _is_neutral(graph, state) for state in statement.context)


def _is_neutral(graph: nx.MultiDiGraph[str], state: str) -> bool:
    if literal(graph, state, "referenceState"):
        return True
    return any(literal(graph, owner, "pooledOver") for owner in targets(graph, state, "stateOf"))
