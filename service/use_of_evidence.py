"""Whether a statement stands behind a table of the network, and if not, why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from hepagraph.inference.conditions import Condition, admits, conditioning_variables
from hepagraph.inference.network import Network
from hepagraph.kg import Statement, Variable, read_vocabulary
from hepagraph.kg.vocabulary import targets

if TYPE_CHECKING:
    import networkx as nx

NEVER = "this kind of figure never enters"


@dataclass(frozen=True, slots=True)
class Uses:
    """What becomes of each statement; ``inside`` holds the ids of those behind a table, shares and priors included."""

    graph: nx.MultiDiGraph[str]
    network: Network
    vocabulary: Mapping[str, Variable]
    statements: Mapping[str, Statement]
    inside: frozenset[str]
    repeats: Mapping[str, str] = field(default_factory=dict)

    def enters(self, statement: Statement) -> bool:
        """Return whether a statement stands behind a table of the network."""
        return statement.id in self.inside

    def why_not(self, statement: Statement, label: Callable[[str], str] = str) -> str:
        """Return why a statement stays out of the tables; nothing when it enters. ``label`` names things."""
        return "; ".join(self.reasons(statement, label))

    def reasons(self, statement: Statement, label: Callable[[str], str] = str) -> list[str]:
        """Return each reason why a statement stays out of the tables, what it is itself before where it stands."""
        if self.enters(statement):
            return []
        found = [*self._own_reasons(statement), *self._reasons_of_place(statement, label)]
        return found or ["gives no number in a form that a table can take"]

    def _own_reasons(self, statement: Statement) -> list[str]:
        found = {
            NEVER: not statement.may_reach_cpt,
            statement.kept_apart: bool(statement.kept_apart),
            "a selected sample, which does not stand for the whole": statement.selected,
            f"repeats {self.repeats.get(statement.id, 'another statement')}": statement.duplicate,
        }
        return [reason for reason, holds in found.items() if holds]

    def _reasons_of_place(self, statement: Statement, label: Callable[[str], str]) -> list[str]:
        variable = self.vocabulary.get(subject_of(self.graph, statement))
        if variable is None or variable.name not in self.network.tables:
            return _reasons_without_variable(statement, label) if statement.poolable else []
        found = [
            *self._foreign_context(variable, statement, label),
            *self._foreign_modality(variable, statement, label),
        ]
        if not found and statement.poolable:
            found = self._reasons_of_number(variable, statement)
        return found

    def _conditions(self, variable: Variable) -> list[Condition]:
        conditioning = conditioning_variables(self.graph, self.vocabulary)
        named = [self.vocabulary[name] for name in self.network.tables[variable.name].parents if name in conditioning]
        return [Condition(v, None, np.full((1, len(v.states)), 1 / len(v.states))) for v in named]

    def _admits(self, variable: Variable, statement: Statement) -> bool:
        return admits(self.graph, variable, _freed(statement), self._conditions(variable))

    def _foreign_context(self, variable: Variable, statement: Statement, label: Callable[[str], str]) -> list[str]:
        bare = replace(statement, modalities=())
        found = [c for c in statement.context if not self._admits(variable, replace(bare, context=(c,)))]
        return [f"holds only under: {' and '.join(map(label, found))}"] if found else []

    def _foreign_modality(self, variable: Variable, statement: Statement, label: Callable[[str], str]) -> list[str]:
        if self._admits(variable, replace(statement, context=())):
            return []
        wanted = ", ".join(label(m) for m in targets(self.graph, variable.name, "pooledFrom"))
        return [f"another modality; the table takes {wanted} only"]

    def _reasons_of_number(self, variable: Variable, statement: Statement) -> list[str]:
        if statement.mean is not None and not statement.sd:
            return ["a mean without its standard deviation"]
        evidence = [s for (name, _), found in self.network.evidence.items() if name == variable.name for s in found]
        if any(s.quantity == "PriorWeight" for s in evidence):
            return ["what this variable says of the entities comes from prior weights and prevalences"]
        return []


def uses_of_evidence(
    graph: nx.MultiDiGraph[str],
    network: Network,
    vocabulary: Mapping[str, Variable] | None = None,
    repeats: Mapping[str, str] | None = None,
) -> Uses:
    """Return what becomes of each statement of a graph in its network.

    ``repeats`` maps the id of a repeated statement to the statement that it repeats.
    """
    statements = {s.id: s for _, _, data in graph.edges(data=True) for s in data["evidence"]}
    behind = {s.id for found in network.evidence.values() for s in found}
    behind |= {s.id for s in statements.values() if _weighs(s, network)}
    ordered = {name: statements[name] for name in sorted(statements)}
    known = read_vocabulary(graph) if vocabulary is None else vocabulary
    return Uses(graph, network, known, ordered, frozenset(behind), repeats or {})


def subject_of(graph: nx.MultiDiGraph[str], statement: Statement) -> str:
    """Return the variable that a statement speaks of; nothing when it speaks of none."""
    owners = (owner for state in statement.states for owner in targets(graph, state, "stateOf"))
    return statement.feature or next(owners, "")


def _weighs(statement: Statement, network: Network) -> bool:
    """Return whether a statement is a prior weight, or one that the subtypes' shares are pooled from."""
    if statement.quantity == "PriorWeight":
        return statement.poolable
    usable = statement.poolable and statement.value is not None and not statement.context
    return statement.quantity == "SubtypeShare" and usable and statement.given in network.parent_of


def _reasons_without_variable(statement: Statement, label: Callable[[str], str]) -> list[str]:
    if statement.quantity == "Prevalence":
        return ["a prevalence under no single state of the patient that the prior tells apart"]
    if statement.context:
        return [f"holds only under: {' and '.join(map(label, statement.context))}"]
    return []


def _freed(statement: Statement) -> Statement:
    """Return the statement without what keeps it out wherever it stands."""
    return replace(statement, may_reach_cpt=True, kept_apart="", selected=False, duplicate=False)
