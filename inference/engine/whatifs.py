"""Every marginal, every what-if of one finding and every finding's worth, read off the joints of one backward pass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.engine.program import Program
from hepagraph.inference.engine.rows import Joints
from hepagraph.inference.network import ENTITY, SUBTYPE
from hepagraph.ontology.errors import OntologyError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Survey:
    """Everything about one case from one backward pass.

    Arrays over the entity have its states last. See ``Engine.survey``.
    """

    program: Program
    joints: Joints
    observed: frozenset[str]
    evidence_log: float
    weights: Array
    fixed: frozenset[str] = frozenset()

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

        Raises
        ------
        OntologyError
            The survey took the variable's evidence as fixed (``changes``).
        """
        if name in self.fixed:
            raise OntologyError(f"{name} was taken as fixed; name it among the changes of the survey")
        found = self.joints.values[self._part(self.program.position[name])] @ self.program.members[0]
        return np.asarray(found / found.sum())

    def lane_joint(self, name: str) -> Array:
        """Return P(state, lane, all other evidence) in units of P(evidence), shape (states, lanes); see ``joint``."""
        if name in self.fixed:
            raise OntologyError(f"{name} was taken as fixed; name it among the changes of the survey")
        return np.asarray(self.joints.values[self._part(self.program.position[name])])

    def _part(self, position: int) -> slice:
        column = self.program.columns[position]
        if column.inner >= 0 and column.name not in self.observed:
            return self.joints.parts.inner[column.inner]
        return self.joints.parts.columns[position]

    def what_ifs(self) -> dict[str, Array]:
        """Return ``joint`` of every variable below the entity that can have one, from one product."""
        names, starts, sizes, joint = self._joints
        return {n: joint[a : a + size] for n, a, size in zip(names, starts, sizes, strict=True)}

    @cached_property
    def _joints(self) -> tuple[list[str], list[int], list[int], Array]:
        """Return names, where their rows start, how many, and all joints below each other, each summing to one."""
        names: list[str] = []
        starts: list[int] = []
        sizes: list[int] = []
        rows: list[int] = []
        for position, column in enumerate(self.program.columns):
            if column.name not in (ENTITY, SUBTYPE) and column.name not in self.fixed:
                part = self._part(position)
                names.append(column.name)
                starts.append(len(rows))
                sizes.append(column.states)
                rows += range(part.start, part.stop)
        if not rows:
            return [], [], [], np.zeros((0, self.program.entities))
        joint = self.joints.values[rows] @ self.program.members[0]
        totals = np.add.reduceat(joint.sum(axis=1), starts)
        joint /= np.repeat(np.where(totals > 0, totals, 1.0), sizes)[:, None]
        return names, starts, sizes, joint

    def information(self) -> dict[str, float]:
        """Return the mutual information of the entity and each unobserved variable given the evidence, in nats."""
        names, starts, _sizes, joint = self._joints
        if not names:
            return {}
        by_state, by_entity = joint.sum(axis=1), np.add.reduceat(joint, starts, axis=0)
        gain = np.add.reduceat(_xlogx(joint).sum(axis=1) - _xlogx(by_state), starts) - _xlogx(by_entity).sum(axis=1)
        found = np.maximum(gain, 0.0).tolist()
        return {name: value for name, value in zip(names, found, strict=True) if name not in self.observed}


def _xlogx(values: Array) -> Array:
    return np.asarray(values * np.log(np.where(values > 0, values, 1.0)))
