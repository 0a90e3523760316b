"""The baseline: a pooled naive Bayes classifier straight from the evidence, to see what the network adds.

Every feature, and every context variable that sets no prior, is taken as independent given the entity. A cell joins
the published statements (grades A to C) of the entity and of its subtypes together, each capped by its grade, whatever
their modality, agent or condition: what a table of counts gives to whoever adds it up. Only quantities that can stand
for P(state | entity) count, and no repeats. Smoothing: the mean of the entities counts as one proportion printed
without a sample size (the policy's ``default_sample_size`` pseudo-counts), and ``smoothing`` pseudo-counts are spread
evenly over the states (Laplace), so that no probability is zero. The prior of an entity is its ``PriorWeight`` in the
setting that the patient's context gives or implies; without one, the mean over the settings. Judgement (grade D) is
used in those weights alone, where nothing is published. Subtypes, mechanisms and what an examination can show play no
part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.case import Case, Finding, Lesion
from hepagraph.inference.pooling import Observation, observe, pool
from hepagraph.kg import Policy, Statement, Variable, read_vocabulary
from hepagraph.kg.vocabulary import nodes_of_kind, origins, targets
from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    import networkx as nx

Array = NDArray[np.float64]
PUBLISHED = ("A", "B", "C")
SMOOTHING = 0.5


@dataclass(frozen=True, slots=True)
class NaiveBayes:
    """A compiled baseline.

    ``tables_log`` holds log P(state | entity) by variable, shape (entities, states). ``priors`` holds by prior-setting
    variable the prior of each of its states, shape (states, entities), and ``prior`` what holds without any.
    """

    entities: tuple[str, ...]
    prior: Array
    priors: Mapping[str, Array]
    tables_log: Mapping[str, Array]

    def posterior(self, case: Case, entities: tuple[str, ...] | None = None) -> dict[str, dict[str, float]]:
        """Return by lesion the probability of each of ``entities`` (default: all), which share one."""
        chosen = self.entities if entities is None else entities
        keep = [self.entities.index(entity) for entity in chosen]
        return {
            lesion.id: dict(zip(chosen, map(float, self._lesion(case, lesion, keep)), strict=True))
            for lesion in case.lesions
        }

    def _lesion(self, case: Case, lesion: Lesion, keep: list[int]) -> Array:
        seen = {**case.context, **lesion.findings}
        weights_log = np.log(self._prior(seen))
        for name, finding in seen.items():
            if name in self.tables_log:
                weights_log = weights_log + _finding_log(self.tables_log[name], finding)
        kept = weights_log[keep]
        weights = np.exp(kept - kept.max())
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    def _prior(self, seen: Mapping[str, Finding]) -> Array:
        given = next((name for name in self.priors if name in seen), None)
        if given is None:
            return self.prior
        mixed = np.array(seen[given].likelihood) @ self.priors[given]
        return np.asarray(mixed / mixed.sum(), dtype=np.float64)


def _finding_log(table_log: Array, finding: Finding) -> Array:
    """Return log P(what was seen | entity) up to a constant, shape (entities,)."""
    return np.asarray(np.log(np.exp(table_log) @ np.array(finding.likelihood)), dtype=np.float64)


def build_naive_bayes(graph: nx.MultiDiGraph[str], *, smoothing: float = SMOOTHING) -> NaiveBayes:
    """Return the baseline of a knowledge graph.

    Raises
    ------
    OntologyError
        There are fewer than two entities or no prior weights.
    """
    roots = nodes_of_kind(graph, "RootEntity")
    below = origins(graph, roots[0], "subtypeOf") if roots else []
    entities = tuple(e for e in below if graph.nodes[e]["kind"] == "LesionEntity")
    if len(entities) < 2:
        raise OntologyError(f"the ontology has {len(entities)} entities and a baseline needs at least two")
    vocabulary, policy = read_vocabulary(graph), graph.graph["policy"]
    prior, priors = _priors(graph, vocabulary, entities)
    names = [*nodes_of_kind(graph, "ContextVariable"), *nodes_of_kind(graph, "ImagingFeature")]
    tables = {
        name: np.log(_table(graph, vocabulary[name], policy, entities, smoothing))
        for name in names
        if name not in priors
    }
    return NaiveBayes(entities, prior, priors, tables)


def _table(
    graph: nx.MultiDiGraph[str], variable: Variable, policy: Policy, entities: tuple[str, ...], smoothing: float
) -> Array:
    """Return P(state | entity), shape (entities, states), every entry positive."""
    size, weight = len(variable.states), policy.default_sample_size
    uniform = np.full(size, 1 / size)
    observed = {entity: _observations(graph, variable, entity, policy) for entity in entities}
    pooled = [pool(rows, uniform) for rows in observed.values() if rows]
    root = np.mean([counts / counts.sum() for counts in pooled], axis=0) if pooled else uniform
    rows = [pool(observed[entity], root * weight) + smoothing / size for entity in entities]
    return np.stack([counts / counts.sum() for counts in rows])


def _observations(
    graph: nx.MultiDiGraph[str], variable: Variable, entity: str, policy: Policy
) -> tuple[Observation, ...]:
    """Return the published statements on a variable of an entity and of its subtypes, as pseudo-observations."""
    nodes = {variable.name, *variable.nodes.values()}
    seen: dict[str, Statement] = {}
    for given in (entity, *origins(graph, entity, "subtypeOf")):
        for _, end, data in graph.out_edges(given, data=True):
            if data["kind"] in ("shows", "measures") and end in nodes:
                seen.update({s.id: s for s in data["evidence"] if s.grade in PUBLISHED})
    usable = [s for s in seen.values() if s.may_reach_cpt and not s.duplicate and s.feature in ("", variable.name)]
    found = [observe(s, variable, policy) for s in sorted(usable, key=lambda s: s.id)]
    return tuple(o for o in found if o)


def _priors(
    graph: nx.MultiDiGraph[str], vocabulary: Mapping[str, Variable], entities: tuple[str, ...]
) -> tuple[Array, dict[str, Array]]:
    """Return the prior without context, and by prior-setting variable the prior under each of its states."""
    keyed = _prior_weights(graph, entities)
    if not keyed:
        raise OntologyError("no entity has a prior weight; add fl:PriorWeight statements")
    default = keyed[""] if "" in keyed else np.mean(list(keyed.values()), axis=0)
    direct: dict[str, Array] = {}
    implied: dict[str, Array] = {}
    for name in nodes_of_kind(graph, "ContextVariable"):
        nodes = [vocabulary[name].nodes[state] for state in vocabulary[name].states]
        reached = [[n for n in (node, *targets(graph, node, "implies")) if n in keyed] for node in nodes]
        if any(reached):
            group = direct if any(node in keyed for node in nodes) else implied
            group[name] = np.stack([keyed[found[0]] if found else default for found in reached])
    return default, {**direct, **implied}


def _prior_weights(graph: nx.MultiDiGraph[str], entities: tuple[str, ...]) -> dict[str, Array]:
    """Return the entities' prior weights, each set summing to one, by context state; "" holds always."""
    keyed: dict[str, dict[str, float]] = {}
    for entity in entities:
        found = {s.id: s for _, _, data in graph.out_edges(entity, data=True) for s in data["evidence"]}
        for statement in (s for s in found.values() if s.quantity == "PriorWeight" and len(s.context) <= 1):
            share = statement.k / statement.n if statement.k is not None and statement.n else statement.value
            keyed.setdefault("".join(statement.context), {})[entity] = float(share or 0.0)
    whole = {state: weights for state, weights in keyed.items() if len(weights) == len(entities)}
    arrays = {state: np.array([weights[e] for e in entities]) for state, weights in whole.items()}
    return {state: np.asarray(array / array.sum(), dtype=np.float64) for state, array in arrays.items()}
