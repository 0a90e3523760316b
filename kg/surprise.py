"""The numbers of the predictive check and of several lesions in one patient, read from the graph's own nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hepagraph.kg.vocabulary import literal, nodes_of_kind, number
from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class SurprisePolicy:
    """When findings are flagged; the shares are in [0, 1] (see ``fl:SurprisePolicy``)."""

    replicate_draws: int
    surprise_threshold: float
    fit_threshold: float
    plausible_posterior: float
    conflict_ratio: float


@dataclass(frozen=True, slots=True)
class SharingPolicy:
    """How alike the lesions of one patient are; shares in [0, 1] that sum to at most one (``fl:SharingPolicy``)."""

    same_subtype_share: float
    same_entity_share: float


def read_surprise_policy(graph: nx.MultiDiGraph[str]) -> SurprisePolicy:
    """Return the thresholds of the predictive check.

    Raises
    ------
    OntologyError
        There is not exactly one ``fl:SurprisePolicy``, or a number of it is missing or out of range.
    """
    node = _the_only(graph, "SurprisePolicy")
    draws = _number(graph, node, "replicateDraws", 1, 10**6)
    if not draws.is_integer():
        raise OntologyError(f"{node}: replicateDraws = {draws:g} is no whole number")
    return SurprisePolicy(
        replicate_draws=int(draws),
        surprise_threshold=_number(graph, node, "surpriseThreshold", 0, 1),
        fit_threshold=_number(graph, node, "fitThreshold", 0, 1),
        plausible_posterior=_number(graph, node, "plausiblePosterior", 0, 1),
        conflict_ratio=_number(graph, node, "conflictRatio", 1, float("inf")),
    )


def read_sharing_policy(graph: nx.MultiDiGraph[str]) -> SharingPolicy:
    """Return how alike the lesions of one patient are.

    Raises
    ------
    OntologyError
        There is not exactly one ``fl:SharingPolicy``, or its shares are missing, negative or above one together.
    """
    node = _the_only(graph, "SharingPolicy")
    subtype = _number(graph, node, "sameSubtypeShare", 0, 1)
    entity = _number(graph, node, "sameEntityShare", 0, 1)
    if subtype + entity > 1:
        raise OntologyError(f"{node}: sameSubtypeShare and sameEntityShare sum to {subtype + entity:g}, above one")
    return SharingPolicy(subtype, entity)


def patient_level_features(graph: nx.MultiDiGraph[str]) -> tuple[str, ...]:
    """Return the features that describe the patient and not one lesion (``fl:patientLevel``)."""
    return tuple(name for name in nodes_of_kind(graph, "ImagingFeature") if literal(graph, name, "patientLevel"))


def _the_only(graph: nx.MultiDiGraph[str], kind: str) -> str:
    found = nodes_of_kind(graph, kind)
    if len(found) != 1:
        raise OntologyError(f"the ontology has {len(found)} things of class fl:{kind} and needs exactly one")
    return found[0]


def _number(graph: nx.MultiDiGraph[str], node: str, name: str, low: float, high: float) -> float:
    found = number(graph, node, name)
    if found is None:
        raise OntologyError(f"{node}: lacks {name}; add fl:{name} with a number from {low:g} to {high:g}")
    if not low <= found <= high:
        raise OntologyError(f"{node}: {name} = {found:g} is not between {low:g} and {high:g}")
    return found
