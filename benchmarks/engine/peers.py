"""The peers: pyAgrum on any tables, pgmpy on the network. Each answers what the engine answers, its own best way."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyagrum as gum
from numpy.typing import NDArray

from benchmarks.engine.networks import Subject
from hepagraph.inference.network import ENTITY, Network
from hepagraph.inference.pgmpy_model import to_pgmpy

Array = NDArray[np.float64]
AGRUM = {
    "Lazy": gum.LazyPropagation,
    "ShaferShenoy": gum.ShaferShenoyInference,
    "VariableElimination": gum.VariableElimination,
}
# pgmpy's other orders are left out: at least MinWeight needs over 16 GB on this network.
PGMPY = ("greedy", "MinFill")


def agrum_network(subject: Subject) -> Any:
    """Return the network as pyAgrum's, which is told to use one thread."""
    gum.setNumberOfThreads(1)
    network = gum.BayesNet()
    for name in subject.tables:
        network.add(gum.LabelizedVariable(name, name, subject.states(name)))
    for name, table in subject.tables.items():
        for parent in table.parents:
            network.addArc(parent, name)
        cpt = network.cpt(name)
        axes = [table.scope.index(variable) for variable in reversed(list(cpt.names))]
        cpt.fillWith(list(np.transpose(table.values, axes).ravel()))
    return network


class Agrum:
    """One of pyAgrum's engines on one network, kept from query to query."""

    def __init__(self, network: Any, kind: str, targets: Iterable[str] = (ENTITY,)) -> None:
        self.engine = AGRUM[kind](network)
        self.engine.setTargets(set(targets))

    def posterior(self, evidence: Mapping[str, Any], target: str = ENTITY) -> Array:
        """Return one posterior; evidence is a position of a state or a list of likelihoods."""
        self.engine.setEvidence(dict(evidence))
        self.engine.makeInference()
        return np.asarray(self.engine.posterior(target).toarray())

    def changed(self, name: str, code: int) -> Array:
        """Return the entity's posterior after one finding of the last query is changed."""
        self.engine.chgEvidence(name, code)
        self.engine.makeInference()
        return np.asarray(self.engine.posterior(ENTITY).toarray())


class AgrumInformation:
    """The ways in which pyAgrum can tell the information of every unobserved feature, for one engine."""

    def __init__(self, network: Any, kind: str) -> None:
        self._network, self._make = network, AGRUM[kind]
        self._engine = self._make(network)

    def impact(self, evidence: Mapping[str, int], features: Sequence[str]) -> dict[str, float]:
        """Ask ``evidenceImpact`` for every feature. It leaves out the case's own evidence: too easy a question."""
        found = {}
        self._engine.setEvidence(dict(evidence))
        for name in features:
            found[name] = float(self._engine.evidenceImpact(ENTITY, [name]).sum())
        return found

    def by_state(self, evidence: Mapping[str, int], features: Sequence[str]) -> dict[str, float]:
        """Ask what each feature's states would make of the entity, by ``chgEvidence``."""
        engine, found = self._engine, {}
        engine.setEvidence(dict(evidence))
        engine.setTargets(set(features))
        engine.makeInference()
        shares = {name: engine.posterior(name).toarray() for name in features}
        engine.setTargets({ENTITY})
        for name in features:
            engine.addEvidence(name, 0)
            rows = []
            for state, share in enumerate(shares[name]):
                engine.chgEvidence(name, state)
                engine.makeInference()
                rows.append(share * engine.posterior(ENTITY).toarray())
            engine.eraseEvidence(name)
            found[name] = information(np.stack(rows))
        return found

    def by_entity(self, evidence: Mapping[str, int], features: Sequence[str]) -> dict[str, float]:
        """Condition on each state of the entity in turn, by ``chgEvidence``, and ask for all features at once."""
        engine = self._engine
        engine.setEvidence(dict(evidence))
        engine.setTargets({ENTITY})
        engine.makeInference()
        entity = engine.posterior(ENTITY).toarray()
        engine.setTargets(set(features))
        engine.addEvidence(ENTITY, 0)
        joints: dict[str, list[Array]] = {name: [] for name in features}
        for state, probability in enumerate(entity):
            engine.chgEvidence(ENTITY, state)
            engine.makeInference()
            for name in features:
                joints[name].append(probability * engine.posterior(name).toarray())
        return {name: information(np.stack(joint)) for name, joint in joints.items()}

    def joints(self, evidence: Mapping[str, int], features: Sequence[str]) -> dict[str, float]:
        """Make every pair of entity and feature a joint target of one inference."""
        engine = self._make(self._network)
        engine.setEvidence(dict(evidence))
        engine.eraseAllTargets()
        for name in features:
            engine.addJointTarget({ENTITY, name})
        engine.makeInference()
        return {name: information(engine.jointPosterior({ENTITY, name}).toarray()) for name in features}


def information(joint: Array) -> float:
    """Return the mutual information of the two axes in nats."""
    joint = joint / joint.sum()
    apart = joint.sum(axis=0, keepdims=True) * joint.sum(axis=1, keepdims=True)
    inside = joint > 0
    return float((joint[inside] * np.log(joint[inside] / apart[inside])).sum())


class Pgmpy:
    """pgmpy's variable elimination on the network, with one order."""

    def __init__(self, network: Network, order: str) -> None:
        self._network, self._order = network, order

    @cached_property
    def _engine(self) -> Any:
        with warnings.catch_warnings(action="ignore"):
            from pgmpy.inference import VariableElimination

            return VariableElimination(to_pgmpy(self._network))

    def posterior(self, evidence: Mapping[str, int], target: str = ENTITY) -> Array:
        """Return one posterior; evidence is positions of states."""
        states = self._network.states
        named = {name: states[name][code] for name, code in evidence.items()}
        with warnings.catch_warnings(action="ignore"):
            factor = self._engine.query([target], evidence=named, elimination_order=self._order, show_progress=False)
        order = [factor.get_state_no(target, state) for state in states[target]]
        return np.asarray(factor.values, dtype=np.float64)[order]
