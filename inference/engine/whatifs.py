"""Every marginal, every what-if of one finding and every finding's worth, read off the joints of one backward pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.engine.program import Program
from hepagraph.inference.engine.rows import Joints
from hepagraph.inference.network import ENTITY, SUBTYPE
from hepagraph.ontology.errors import OntologyError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything about one case from one backward pass.

    Arrays over the entity have its states last. See ``Engine.survey``.
    """

    program: Program
    joints: Joints
    observed: frozenset[str]
    evidence_log: float
    weights: Array

    @property
    def entity(self) -> Array:
        """The posterior of the entity, shape (entities,)."""
        return np.asarray(self.joints.lanes @ self.program.members[0])

    @property
    def subtype(self) -> Array:
        """The posterior of the subtype, shape (subtypes,)."""
        return np.asarray(self.joints.lanes @ self.program.members[1])

    def contexts(self) -> tuple[tuple[str, ...], Array]:
        """Return the contexts that act below the lanes, and P(their states, lane | evidence).

        The joint has shape (*cardinalities, lanes), in the order of the names.
        """
        interface = [v for v in self.program.inner if v.table is None]
        joint = self.joints.values[self.joints.parts.weights] * self.weights[:, : len(self.program.pairs)]
        by_bits = joint.reshape(*(1 << v.bits for v in reversed(interface)), joint.shape[-1])
        cut = by_bits[tuple(slice(None, v.states) for v in reversed(interface))]
        return tuple(v.name for v in reversed(interface)), np.asarray(cut)

    def posterior(self, name: str) -> Array:
        """Return the posterior of entity, subtype or any variable below, shape (states,)."""
        if name in (ENTITY, SUBTYPE):
            return self.entity if name == ENTITY else self.subtype
        column = self.program.columns[self.program.position[name]]
        if column.inner >= 0:
            return np.asarray(self.joints.values[self.joints.parts.inner[column.inner]].sum(axis=1))
        if name in self.observed:
            raise OntologyError(f"{name} has evidence; its posterior needs a query of its own")
        return np.asarray(self.joints.values[self.joints.parts.columns[self.program.position[name]]].sum(axis=1))

    def joint(self, name: str) -> Array:
        """Return P(state, entity | all other evidence), shape (states, entities): a finding's own evidence is left out.

        Its sum over states is the posterior without the finding; each row normalised is the posterior if the finding
        were that state.
        """
        position = self.program.position[name]
        column = self.program.columns[position]
        part = self.joints.parts.columns[position]
        if column.inner >= 0 and name not in self.observed:
            part = self.joints.parts.inner[column.inner]
        found = self.joints.values[part] @ self.program.members[0]
        return np.asarray(found / found.sum())

    def what_ifs(self) -> dict[str, Array]:
        """Return ``joint`` of every variable below the entity, from one product."""
        whole = self.joints.values @ self.program.members[0]
        found = {}
        for position, column in enumerate(self.program.columns):
            if column.mask == 0 and column.name in (ENTITY, SUBTYPE):
                continue
            inner = column.inner >= 0 and column.name not in self.observed
            joint = whole[self.joints.parts.inner[column.inner] if inner else self.joints.parts.columns[position]]
            total = joint.sum()
            found[column.name] = joint / total if total > 0 else joint
        return found

    def information(self) -> dict[str, float]:
        """Return the mutual information of the entity and each unobserved variable given the evidence, in nats."""
        found = {}
        for name, joint in self.what_ifs().items():
            if name not in self.observed:
                apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
                inside = joint > 0
                found[name] = max(0.0, float((joint[inside] * np.log(joint[inside] / apart[inside])).sum()))
        return found
