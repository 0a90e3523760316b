"""The tables above the features: how likely each entity and subtype is in a patient's context.

P(entity | context) is proportional to the entity's share among the lesions of the setting, times its propensity under
the given context state (from prevalences), times P(context state | entity) / P(context state) for each other
context variable; that is Bayes' theorem with the context variables independent given the entity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepagraph.kg import Policy, Statement, Variable
from hepagraph.kg.vocabulary import targets
from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    import networkx as nx

    from hepagraph.inference.compiling import Skeleton

Array = NDArray[np.float64]
Theta = Callable[[str, str], Array]
Kept = Mapping[str, NDArray[np.int64]]


def implied_table(skeleton: Skeleton, name: str) -> tuple[tuple[str, ...], Array] | None:
    """Return (parents, P(name | parent)) where another context variable implies this one, else None.

    Each parent state gives its implied state the policy's share and spreads the rest evenly.
    """
    parents = [c for c in skeleton.contexts if name in targets(skeleton.graph, c, "influences")]
    if not parents:
        return None
    if len(parents) > 1:
        raise OntologyError(f"{name}: more than one context variable influences it ({', '.join(parents)}); keep one")
    states = skeleton.vocabulary[name].states
    share = skeleton.policy.implied_setting_share
    rows = np.full((len(skeleton.states(parents[0])), len(states)), 1 / len(states))
    for row, implied in enumerate(_implied(skeleton, parents[0], name)):
        if implied is not None:
            rows[row] = (1 - share) / (len(states) - 1)
            rows[row, states.index(implied)] = share
    return (parents[0],), rows


def entity_table(skeleton: Skeleton, theta: Theta, kept: Kept = MappingProxyType({})) -> tuple[tuple[str, ...], Array]:
    """Return (parents, P(entity | parents)), array of shape (..., *parent cardinalities, entities).

    The leading axes are those of what ``theta`` returns, draws for example. ``kept`` restricts parents to some states.
    """
    parents = skeleton.acting_on("EntityNode")
    weights = _weights(skeleton, "entity", parents, skeleton.entities, theta, kept)
    return parents, weights / weights.sum(axis=-1, keepdims=True)


def subtype_table(skeleton: Skeleton, theta: Theta, kept: Kept = MappingProxyType({})) -> tuple[tuple[str, ...], Array]:
    """Return (parents, P(subtype | entity, context)), shape (..., entities, *parent cardinalities, subtypes).

    A subtype of another entity has probability zero; see ``entity_table`` for the rest.
    """
    parents, subtypes = skeleton.acting_on("SubtypeNode"), tuple(skeleton.parent_of)
    weights = _weights(skeleton, "subtype", parents, subtypes, theta, kept)
    member = np.array([[skeleton.parent_of[s] == e for s in subtypes] for e in skeleton.entities], dtype=np.float64)
    member = member.reshape(len(skeleton.entities), *(1,) * len(parents), len(subtypes))
    joint = member * np.expand_dims(weights, -2 - len(parents))
    return ("entity", *parents), joint / joint.sum(axis=-1, keepdims=True)


def _weights(
    skeleton: Skeleton, node: str, parents: Sequence[str], given: tuple[str, ...], theta: Theta, kept: Kept
) -> Array:
    """Return the product of what every parent says, shape (..., *parent cardinalities, given)."""
    weights: Array = np.asarray(skeleton.fixed[node, ""], dtype=np.float64)
    weights = weights.reshape(*(1,) * len(parents), -1)
    for axis, parent in enumerate(parents):
        factor = skeleton.fixed[node, parent] * _context_ratio(skeleton, parent, theta, given)
        factor = factor[..., kept[parent], :] if parent in kept else factor
        shape = [factor.shape[-2] if a == axis else 1 for a in range(len(parents))]
        weights = weights * factor.reshape(*factor.shape[:-2], *shape, factor.shape[-1])
    return weights


def fixed_factors(skeleton: Skeleton) -> dict[tuple[str, str], Array]:
    """Return the parts of the entity's and the subtype's table that no parameter draw changes.

    Keyed by (entity or subtype, parent); the empty parent holds what applies under any context.
    """
    fixed = stated_factors(skeleton)
    for parent in skeleton.acting_on("SubtypeNode"):
        fixed["subtype", parent] = primary_match(
            skeleton.graph, skeleton.policy, skeleton.vocabulary[parent], skeleton.parent_of
        )
    return fixed


def stated_factors(skeleton: Skeleton) -> dict[tuple[str, str], Array]:
    """Return those of ``fixed_factors`` that rest on statements."""
    keyed = prior_weights(skeleton.graph, skeleton.entities)
    always = [keyed[None][entity] if None in keyed else 1.0 for entity in skeleton.entities]
    fixed = {("entity", ""): np.array(always), ("subtype", ""): skeleton.reconciliation.frame.shares}
    for parent in skeleton.acting_on("EntityNode"):
        fixed["entity", parent] = _base(skeleton, parent, keyed) * _propensity(skeleton, parent)
    return fixed


def statements_of(skeleton: Skeleton, given: str, quantity: str) -> list[Statement]:
    """Return the poolable statements of one quantity about an entity or subtype, by id."""
    return statements_in(skeleton.graph, given, quantity)


def statements_in(graph: nx.MultiDiGraph[str], given: str, quantity: str) -> list[Statement]:
    """Return the poolable statements of one quantity about an entity or subtype of a graph, by id."""
    found = {
        s.id: s
        for _, _, data in graph.out_edges(given, data=True)
        for s in data["evidence"]
        if s.quantity == quantity and s.poolable
    }
    return [found[name] for name in sorted(found)]


def prior_statements(skeleton: Skeleton, parent: str, entity: str) -> tuple[Statement, ...]:
    """Return the statements behind what a base-setting context variable says of an entity: weights and prevalences."""
    return (*statements_of(skeleton, entity, "PriorWeight"), *prevalence_statements(skeleton, parent, entity))


def prevalence_statements(skeleton: Skeleton, parent: str, entity: str) -> tuple[Statement, ...]:
    """Return the prevalences of an entity under a single state of a context variable."""
    nodes = set(skeleton.vocabulary[parent].nodes.values())
    found = statements_of(skeleton, entity, "Prevalence")
    return tuple(s for s in found if len(s.context) == 1 and s.context[0] in nodes)


def prior_weights(graph: nx.MultiDiGraph[str], entities: Sequence[str]) -> dict[str | None, dict[str, float]]:
    """Return the entities' prior weights, keyed by the context state they hold for (None: always).

    Raises
    ------
    OntologyError
        A state has weights for some entities only, or no entity has any.
    """
    keyed: dict[str | None, dict[str, float]] = {}
    for entity in entities:
        for statement in statements_in(graph, entity, "PriorWeight"):
            value = statement.k / statement.n if statement.k is not None and statement.n else statement.value
            for state in statement.context or (None,):
                keyed.setdefault(state, {})[entity] = float(value or 0.0)
    for state, weights in keyed.items():
        missing = [entity for entity in entities if entity not in weights]
        if missing:
            where = f" under {state}" if state else ""
            raise OntologyError(f"no prior weight{where} for {', '.join(missing)}; add an fl:PriorWeight statement")
    if not keyed:
        raise OntologyError("no entity has a prior weight; add fl:PriorWeight statements")
    return keyed


def _base(skeleton: Skeleton, parent: str, keyed: dict[str | None, dict[str, float]]) -> Array:
    """Return the base weights by state of a parent that carries the keyed settings, else ones.

    A parent that implies keyed states carries them only where no other parent of the entity has them as its own.
    """
    states = skeleton.vocabulary[parent].states
    base = np.ones((len(states), len(skeleton.entities)))
    nodes = skeleton.vocabulary[parent].nodes
    others = [c for c in skeleton.acting_on("EntityNode") if c != parent]
    theirs = {node for other in others for node in skeleton.vocabulary[other].nodes.values()}
    for row, state in enumerate(states):
        implied = [
            nodes[state],
            *(node for node in targets(skeleton.graph, nodes[state], "implies") if node not in theirs),
        ]
        for node in implied:
            if node in keyed:
                base[row] = [keyed[node][entity] for entity in skeleton.entities]
    return base


def _propensity(skeleton: Skeleton, parent: str) -> Array:
    """Return odds multipliers by (state of parent, entity) from prevalences, relative to their geometric mean."""
    variable, limit = skeleton.vocabulary[parent], skeleton.policy.propensity_limit
    found = np.ones((len(variable.states), len(skeleton.entities)))
    for column, entity in enumerate(skeleton.entities):
        logs: dict[int, float] = {}
        statements = statements_of(skeleton, entity, "Prevalence")
        for row, state in enumerate(variable.states):
            own = [s for s in statements if s.context == (variable.nodes[state],) and s.value is not None]
            if own:
                cap = skeleton.policy.grade_caps
                sizes = [min(float(s.n or skeleton.policy.default_sample_size), cap.get(s.grade, 1.0)) for s in own]
                mean = sum(size * (s.value or 0.0) for size, s in zip(sizes, own, strict=True)) / sum(sizes)
                mean = min(max(mean, 0.005), 0.995)
                logs[row] = float(np.log(mean / (1 - mean)))
        centre = float(np.mean(list(logs.values()))) if logs else 0.0
        for row, value in logs.items():
            found[row, column] = np.clip(np.exp(value - centre), 1 / limit, limit)
    return found


def _context_ratio(skeleton: Skeleton, parent: str, theta: Theta, given: tuple[str, ...]) -> Array:
    """Return P(state | given) / P(state) by (state of parent, given); one where the parent sets the base."""
    root = theta(parent, skeleton.root)
    if sets_base(skeleton, parent):
        return np.ones((root.shape[-1], len(given)))
    ratios = [theta(parent, name) / root for name in given]
    return np.stack(ratios, axis=-1)


def sets_base(skeleton: Skeleton, parent: str) -> bool:
    """Return whether a parent's effect on the entity is counted by prior weights and prevalences already."""
    return parent in skeleton.base_parents


def base_parents(
    graph: nx.MultiDiGraph[str], vocabulary: Mapping[str, Variable], contexts: Sequence[str], entities: Sequence[str]
) -> frozenset[str]:
    """Return the context variables whose states carry prior weights or primaries, or imply settings that do."""
    weighed = {state for e in entities for s in statements_in(graph, e, "PriorWeight") for state in s.context}

    def carries(node: str) -> bool:
        return node in weighed or bool(targets(graph, node, "implies") or targets(graph, node, "primary"))

    return frozenset(name for name in contexts if any(map(carries, vocabulary[name].nodes.values())))


def subtype_shares(graph: nx.MultiDiGraph[str], policy: Policy, parent_of: Mapping[str, str]) -> Array:
    """Return each subtype's share of its entity, pooled over the admissible statements, shape (subtypes,)."""
    caps, default = policy.grade_caps, policy.default_sample_size
    shares = []
    for subtype in parent_of:
        rows = [s for s in statements_in(graph, subtype, "SubtypeShare") if s.value is not None and not s.context]
        sizes = [min(float(s.n or default), caps.get(s.grade, 1.0)) for s in rows]
        total = sum(sizes)
        share = sum(size * (s.value or 0.0) for size, s in zip(sizes, rows, strict=True)) / total if total else 1.0
        shares.append(max(share, 1e-4))
    return np.array(shares)


def primary_match(
    graph: nx.MultiDiGraph[str], policy: Policy, variable: Variable, parent_of: Mapping[str, str]
) -> Array:
    """Return by (state of variable, subtype) one where the primary fits and the policy's small share where not."""
    found = np.ones((len(variable.states), len(parent_of)))
    origins = [set(targets(graph, subtype, "fromPrimary")) for subtype in parent_of]
    for row, state in enumerate(variable.states):
        primaries = set(targets(graph, variable.nodes[state], "primary"))
        for column, own in enumerate(origins):
            if primaries and own and not primaries & own:
                found[row, column] = policy.other_primary_share
    return found


def primary_matches(
    graph: nx.MultiDiGraph[str],
    policy: Policy,
    vocabulary: Mapping[str, Variable],
    contexts: Sequence[str],
    parent_of: Mapping[str, str],
) -> dict[str, Array]:
    """Return ``primary_match`` for each context state that names a primary, by the state's node."""
    found: dict[str, Array] = {}
    for name in contexts:
        variable = vocabulary[name]
        match = primary_match(graph, policy, variable, parent_of)
        named = [
            (row, node) for row, s in enumerate(variable.states) if targets(graph, node := variable.nodes[s], "primary")
        ]
        found |= {node: match[row] for row, node in named}
    return found


def _implied(skeleton: Skeleton, parent: str, name: str) -> list[str | None]:
    """Return for each state of ``parent`` the state of ``name`` that it implies."""
    by_node = {node: notation for notation, node in skeleton.vocabulary[name].nodes.items()}
    parent_variable = skeleton.vocabulary[parent]
    found = []
    for state in parent_variable.states:
        implied = targets(skeleton.graph, parent_variable.nodes[state], "implies")
        found.append(next((by_node[node] for node in implied if node in by_node), None))
    return found
