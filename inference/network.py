"""The compiled network: immutable variables and conditional probability tables, each row with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepagraph.kg import Statement
from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    from hepagraph.inference.engine import Engine
    from hepagraph.inference.engine.program import Program

ENTITY = "entity"
SUBTYPE = "subtype"


@dataclass(frozen=True, slots=True)
class Table:
    """P(child | parents): float64 array of shape (each parent's cardinality, child cardinality), rows summing to 1."""

    child: str
    parents: tuple[str, ...]
    values: NDArray[np.float64]

    @property
    def scope(self) -> tuple[str, ...]:
        """The variables along the array's axes."""
        return (*self.parents, self.child)


@dataclass(frozen=True)
class Network:
    """A Bayesian network with its states, layers and evidence.

    ``states`` and ``layers`` (context, entity, subtype, mechanism, feature) are keyed by variable in
    topological order. ``evidence`` maps (variable, entity or subtype) to the statements pooled there, and
    ``parent_of`` maps every subtype to its entity. ``base_rates`` holds for each reported feature how often a report
    that errs names each state, and ``reporting_error`` how often a report errs (see ``reporting``).
    """

    states: Mapping[str, tuple[str, ...]]
    layers: Mapping[str, str]
    tables: Mapping[str, Table]
    parent_of: Mapping[str, str]
    labels: Mapping[str, str]
    evidence: Mapping[tuple[str, str], tuple[Statement, ...]]
    differentials: Mapping[str, tuple[str, ...]]
    default_differential: str
    ontology_sha256: str
    base_rates: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    reporting_error: float = 0.0

    def variables(self, layer: str) -> tuple[str, ...]:
        """Return the variables of one layer in order."""
        return tuple(name for name, found in self.layers.items() if found == layer)

    @cached_property
    def engine(self) -> Engine:
        """The network compiled for fast exact inference; made when first asked for."""
        from hepagraph.inference.engine import Engine

        return Engine(self.tables, self.variables("mechanism"), programs=vars(self).get("_programs"))

    def bring(self, programs: Mapping[str, Program]) -> None:
        """Give the engine the programs of these tables, if it is not made yet; a copy by ``replace`` has none."""
        vars(self)["_programs"] = programs

    def statements(self, variable: str, subtype: str) -> tuple[Statement, ...]:
        """Return the statements behind a variable's row for a subtype: its own, then its entity's."""
        own = self.evidence.get((variable, subtype), ())
        entity = self.parent_of.get(subtype, subtype)
        return own if entity == subtype else (*own, *self.evidence.get((variable, entity), ()))


def check_network(network: Network) -> None:
    """Refuse a network with a bad table.

    Raises
    ------
    OntologyError
        A table has the wrong shape, an entry outside (0, 1), or a row that does not sum to 1 within 1e-9. Only a
        subtype may have probability zero: under an entity that is not its own.
    """
    for name, table in network.tables.items():
        shape = tuple(len(network.states[variable]) for variable in table.scope)
        if table.values.shape != shape:
            raise OntologyError(f"table of {name} has shape {table.values.shape} and needs {shape}")
        within = (table.values > 0) & (table.values < 1)
        if name == SUBTYPE:
            within |= (table.values == 0) | (table.values == 1)
        if not within.all():
            raise OntologyError(f"table of {name} holds a probability that is not strictly between 0 and 1")
        if np.abs(table.values.sum(axis=-1) - 1).max() > 1e-9:
            raise OntologyError(f"table of {name} has a row that does not sum to 1")
