"""The compiled model: everything that answering a case reads, and nothing that compiling alone needs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.case import CaseReader
from hepagraph.inference.network import Network
from hepagraph.kg.costs import Costs, read_costs
from hepagraph.kg.paths import CausalRelation, causal_relations
from hepagraph.kg.surprise import (
    SharingPolicy,
    SurprisePolicy,
    patient_level_features,
    read_sharing_policy,
    read_surprise_policy,
)
from hepagraph.kg.vocabulary import targets

if TYPE_CHECKING:
    import networkx as nx

    from hepagraph.inference.compiling import Skeleton
    from hepagraph.inference.engine.program import Program

Array = NDArray[np.float64]
FULL, FOLDED = "full", "folded"


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a reconciliation found: parameters by variable, shape (effects, states), and the between-study spread.

    ``key`` is the key of the evidence that they were fitted to (see ``reconciling.evidence_key``).
    """

    parameters: Mapping[str, Array]
    tau: float
    key: str


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """A network with the rules for reading cases, checking for surprise and letting lesions inform each other.

    ``patient_level`` names the features that describe the patient, ``implied`` maps a node of the graph to the nodes
    that it implies, and ``fit`` is what the network's tables were made from. ``programs`` holds the engine's programs:
    ``FULL`` of the network, ``FOLDED`` without the mechanisms that have one child; none that would be too wide.
    ``causal`` holds the causal relations of the graph, ``costs`` what a wrong management costs, if the ontology says.
    """

    network: Network
    reader: CaseReader
    surprise: SurprisePolicy
    sharing: SharingPolicy
    patient_level: tuple[str, ...]
    implied: Mapping[str, tuple[str, ...]]
    fit: Artifact
    programs: Mapping[str, Program]
    causal: tuple[CausalRelation, ...] = ()
    costs: Costs | None = None


def compile_model(skeleton: Skeleton, *, ontology_sha256: str = "") -> CompiledModel:
    """Return the model of a skeleton, every variable as fitted.

    Raises
    ------
    OntologyError
        The graph lacks what a network, the predictive check or several lesions need; the message says what.
    """
    from hepagraph.inference.compiling import compile_skeleton, skeleton_key

    graph, reconciliation = skeleton.graph, skeleton.reconciliation
    parameters = {name: estimate.parameters for name, estimate in reconciliation.estimates.items()}
    network = compile_skeleton(skeleton, ontology_sha256=ontology_sha256)
    programs = _programs(network)
    network.bring(programs)
    return CompiledModel(
        network=network,
        reader=CaseReader.from_graph(graph),
        surprise=read_surprise_policy(graph),
        sharing=read_sharing_policy(graph),
        patient_level=patient_level_features(graph),
        implied=_implied(graph),
        fit=Artifact(parameters, reconciliation.tau, skeleton_key(skeleton)),
        programs=programs,
        causal=causal_relations(graph),
        costs=read_costs(graph),
    )


def _programs(network: Network) -> dict[str, Program]:
    from hepagraph.inference.engine.program import TooWideError, compile_program, fold_private

    latent, found = network.variables("mechanism"), {}
    for name, tables in ((FULL, network.tables), (FOLDED, fold_private(network.tables, latent))):
        with contextlib.suppress(TooWideError):
            found[name] = compile_program(tables, latent)
    return found


def _implied(graph: nx.MultiDiGraph[str]) -> dict[str, tuple[str, ...]]:
    starts = sorted({start for start, _, key in graph.edges(keys=True) if key == "implies"})
    return {start: tuple(targets(graph, start, "implies")) for start in starts}
