"""Compile the knowledge graph into a Bayesian network: context -> entity -> subtype -> mechanisms -> features."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.artifact import find_artifact
from hepagraph.inference.coupling import couple
from hepagraph.inference.model import Artifact
from hepagraph.inference.network import ENTITY, SUBTYPE, Network, Table, check_network
from hepagraph.inference.priors import (
    Theta,
    base_parents,
    entity_table,
    fixed_factors,
    implied_table,
    primary_matches,
    prior_statements,
    sets_base,
    subtype_shares,
    subtype_table,
)
from hepagraph.inference.reconciling import Estimate, Frame, Progress, Reconciliation, evidence_key, reconcile
from hepagraph.kg import Policy, Statement, Variable, read_vocabulary
from hepagraph.kg.vocabulary import literal, nodes_of_kind, origins, targets
from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    import networkx as nx

Array = NDArray[np.float64]
Values = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The structure found in the graph, and the reconciled estimates from which every table is made."""

    graph: nx.MultiDiGraph[str]
    policy: Policy
    vocabulary: Mapping[str, Variable]
    root: str
    entities: tuple[str, ...]
    parent_of: Mapping[str, str]
    contexts: tuple[str, ...]
    mechanisms: tuple[str, ...]
    features: tuple[str, ...]
    causes_of: Mapping[str, tuple[str, ...]]
    reconciliation: Reconciliation
    base_parents: frozenset[str]
    fixed: dict[tuple[str, str], Array] = field(default_factory=dict)
    draws: dict[Hashable, dict[str, Array]] = field(default_factory=dict, init=False, compare=False, repr=False)

    def states(self, name: str) -> tuple[str, ...]:
        """Return the states of any variable of the network."""
        if name == ENTITY:
            return self.entities
        return tuple(self.parent_of) if name == SUBTYPE else self.vocabulary[name].states

    def acting_on(self, node: str) -> tuple[str, ...]:
        """Return the context variables that influence the entity or the subtype node."""
        return tuple(c for c in self.contexts if node in self.graph.nodes[c]["literals"].get("influences", ()))

    def estimate(self, name: str) -> Estimate:
        """Return the fit of a variable."""
        return self.reconciliation.estimates[name]

    def conditions(self, name: str) -> tuple[str, ...]:
        """Return the variables that condition a feature besides subtype and mechanisms."""
        return self.estimate(name).condition_names

    @property
    def values(self) -> Values:
        """Every variable's fitted table P(state | row, conditions), the rows as in ``Frame.rows``."""
        return _Fitted(self.reconciliation.estimates)

    def evidence(self, name: str, given: str) -> tuple[Statement, ...]:
        """Return the statements behind a variable in an entity, subtype or the root."""
        return self.estimate(name).evidence.get(given, ())


@dataclass(frozen=True, eq=False, slots=True)
class _Fitted(Mapping[str, Array]):
    """The tables of estimates, which may be made when first asked for."""

    estimates: Mapping[str, Estimate]

    def __getitem__(self, name: str) -> Array:
        return self.estimates[name].table

    def __iter__(self) -> Iterator[str]:
        return iter(self.estimates)

    def __len__(self) -> int:
        return len(self.estimates)


def read_skeleton(
    graph: nx.MultiDiGraph[str],
    *,
    fresh: bool = False,
    artifact: Artifact | None = None,
    same: bool = False,
    progress: Progress | None = None,
) -> Skeleton:
    """Find the network's structure in the graph and reconcile the evidence of every variable.

    An artifact of the same evidence is used where there is one, first the one given, unless ``fresh``; see
    ``artifact``. ``same`` says that the one given is known to be of this graph, and saves finding out.
    ``progress`` is called with (fits done, fits in all, variable) while fitting.

    Raises
    ------
    OntologyError
        There is no root entity, there are fewer than two entities, a variable has a reserved name, or a
        mechanism is not absent or present.
    """
    vocabulary, policy = read_vocabulary(graph), graph.graph["policy"]
    roots = nodes_of_kind(graph, "RootEntity")
    if len(roots) != 1:
        raise OntologyError(f"the ontology has {len(roots)} root entities (fl:RootEntity) and needs exactly one")
    entities = tuple(e for e in origins(graph, roots[0], "subtypeOf") if graph.nodes[e]["kind"] == "LesionEntity")
    if len(entities) < 2:
        raise OntologyError(f"the ontology has {len(entities)} entities under {roots[0]} and needs at least two")
    parent_of = {s: e for e in entities for s in (origins(graph, e, "subtypeOf") or [e])}
    reserved = sorted({ENTITY, SUBTYPE} & set(vocabulary))
    if reserved:
        raise OntologyError(f"{reserved[0]}: the network itself uses this name; rename the variable")
    mechanisms = tuple(nodes_of_kind(graph, "Mechanism"))
    for name in mechanisms:
        _check_mechanism(vocabulary[name])
    features = tuple(nodes_of_kind(graph, "ImagingFeature"))
    contexts = tuple(nodes_of_kind(graph, "ContextVariable"))
    frame = Frame(
        graph,
        policy,
        vocabulary,
        roots[0],
        entities,
        parent_of,
        subtype_shares(graph, policy, parent_of),
        primary_matches(graph, policy, vocabulary, contexts, parent_of),
    )
    names, plain = (*contexts, *mechanisms, *features), frozenset((*contexts, *mechanisms))
    if artifact is None or not same:
        key = evidence_key(frame, names)
        if artifact is None or artifact.key != key:
            artifact = None if fresh else find_artifact(key)
    if artifact is None:
        reconciliation = reconcile(frame, names, plain=plain, progress=progress)
    else:
        reconciliation = reconcile(frame, names, plain=plain, stored=artifact.parameters, tau=artifact.tau)
    causes_of = {name: _causes(graph, vocabulary[name], mechanisms) for name in features}
    skeleton = Skeleton(
        graph,
        policy,
        vocabulary,
        roots[0],
        entities,
        parent_of,
        contexts,
        mechanisms,
        features,
        causes_of,
        reconciliation,
        base_parents(graph, vocabulary, contexts, entities),
    )
    skeleton.fixed.update(fixed_factors(skeleton))
    return skeleton


def skeleton_key(skeleton: Skeleton) -> str:
    """Return the key of the evidence that a skeleton's estimates rest on; see ``evidence_key``."""
    names = (*skeleton.contexts, *skeleton.mechanisms, *skeleton.features)
    return evidence_key(skeleton.reconciliation.frame, names)


def _check_mechanism(variable: Variable) -> None:
    """Refuse a mechanism whose last state is not its presence, since the tables rely on that order."""
    present = variable.booleans.get(True, variable.states[-1])
    if len(variable.states) != 2 or variable.states[-1] != present:
        states = ", ".join(variable.states)
        raise OntologyError(
            f"{variable.name}: a mechanism has two states, absent then present (fl:order), not {states}"
        )


def compile_network(graph: nx.MultiDiGraph[str], *, ontology_sha256: str = "") -> Network:
    """Return the network of a knowledge graph.

    Raises
    ------
    OntologyError
        The graph cannot carry a network; the message says what is missing.
    """
    return compile_skeleton(read_skeleton(graph), ontology_sha256=ontology_sha256)


def compile_skeleton(skeleton: Skeleton, *, ontology_sha256: str = "") -> Network:
    """Return the network of a skeleton, every variable as fitted."""
    graph = skeleton.graph
    tables = build_tables(skeleton, skeleton.values)
    layers = {
        **dict.fromkeys(_context_order(skeleton), "context"),
        ENTITY: "entity",
        SUBTYPE: "subtype",
        **dict.fromkeys(skeleton.mechanisms, "mechanism"),
        **dict.fromkeys(skeleton.features, "feature"),
    }
    differentials = {
        d: tuple(e for e in skeleton.entities if e in targets(graph, d, "member"))
        for d in nodes_of_kind(graph, "Differential")
    } or {"all": skeleton.entities}
    default = [d for d in differentials if d in graph and literal(graph, d, "defaultDifferential")]
    network = Network(
        states={name: skeleton.states(name) for name in layers},
        layers=layers,
        tables={name: tables[name] for name in layers},
        parent_of=skeleton.parent_of,
        labels={node: data["label"] for node, data in graph.nodes(data=True)},
        evidence=_evidence(skeleton),
        differentials=differentials,
        default_differential=(default or list(differentials))[0],
        ontology_sha256=ontology_sha256,
        base_rates=_base_rates(skeleton),
        reporting_error=skeleton.policy.reporting_error,
    )
    check_network(network)
    return network


def _base_rates(skeleton: Skeleton) -> dict[str, Array]:
    """Return for each feature that a report puts into words the mean of P(state | entity) over the entities."""
    members = np.array([[float(e == entity) for e in skeleton.parent_of.values()] for entity in skeleton.entities])
    shares = members * skeleton.reconciliation.frame.shares
    weights = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
    reported = [name for name in skeleton.features if skeleton.vocabulary[name].section == "findings"]
    return {name: weights @ skeleton.estimate(name).usual()[:-1] for name in reported}


def _evidence(skeleton: Skeleton) -> dict[tuple[str, str], tuple[Statement, ...]]:
    """Return the statements behind each (variable, entity or subtype)."""
    estimates = skeleton.reconciliation.estimates
    found = {(name, given): s for name, estimate in estimates.items() for given, s in estimate.evidence.items()}
    for name in skeleton.contexts:
        if sets_base(skeleton, name):
            found |= {(name, entity): prior_statements(skeleton, name, entity) for entity in skeleton.entities}
            found |= {(name, s): () for s, entity in skeleton.parent_of.items() if s != entity}
    return found


def build_tables(skeleton: Skeleton, values: Values, only: set[str] | None = None) -> dict[str, Table]:
    """Return the tables of all variables (or of ``only`` some) from P(state | row, conditions) of each.

    ``values`` may be the fitted tables or a draw of them, so that parameter draws use the same code.
    """
    tables: dict[str, Table] = {}
    wanted = {*skeleton.contexts, ENTITY, SUBTYPE, *skeleton.mechanisms, *skeleton.features} if only is None else only
    theta = marginal_reader(skeleton, values)
    for name in skeleton.contexts:
        if name in wanted:
            implied = implied_table(skeleton, name)
            tables[name] = _table(skeleton, name, *(implied or ((), theta(name, skeleton.root))))
    if ENTITY in wanted:
        tables[ENTITY] = _table(skeleton, ENTITY, *entity_table(skeleton, theta))
    if SUBTYPE in wanted:
        parents, shares = subtype_table(skeleton, theta)
        tables[SUBTYPE] = _table(skeleton, SUBTYPE, parents, shares, member=shares > 0)
    for name in (*skeleton.mechanisms, *skeleton.features):
        if name in wanted:
            causes = skeleton.causes_of.get(name, ())
            parents = (SUBTYPE, *skeleton.conditions(name), *causes)
            present = (
                np.stack([values[c][:-1, -1] for c in causes], axis=-1)
                if causes
                else np.zeros((len(skeleton.parent_of), 0))
            )
            tables[name] = _table(skeleton, name, parents, observable_table(skeleton, name, values[name][:-1], present))
    return tables


def marginal_reader(skeleton: Skeleton, values: Values) -> Theta:
    """Return a function giving P(state | entity, subtype or root) of an unconditioned variable, shape (..., states).

    The leading axes are those of ``values``, which may be draws.
    """
    frame = skeleton.reconciliation.frame
    index = {row: position for position, row in enumerate(frame.rows)}

    def theta(name: str, given: str) -> Array:
        members = frame.members(given)
        mixed = sum(
            (share * values[name][..., index[row], :] for row, share in members.items()),
            np.zeros(values[name].shape[-1]),
        )
        return np.asarray(mixed, dtype=np.float64)

    return theta


def observable_table(skeleton: Skeleton, name: str, rows: Array, present: Array) -> Array:
    """Return P(name | row, conditions, causes) for any stack of rows.

    ``rows`` has shape (n, *condition cardinalities, states), ``present`` (n, causes); the answer has shape
    (n, *condition cardinalities, 2, ..., 2, states).
    """
    causes, floor = skeleton.causes_of.get(name, ()), skeleton.policy.table_floor
    rows = _floored(rows, floor)
    if not causes:
        return rows
    head, states = rows.shape[:-1], rows.shape[-1]
    repeated = np.broadcast_to(present.reshape(len(present), *(1,) * (len(head) - 1), -1), (*head, present.shape[-1]))
    flat = couple(
        rows.reshape(-1, states),
        np.clip(repeated, floor, 1 - floor).reshape(-1, len(causes)),
        multipliers(skeleton, name, causes),
    )
    return flat.reshape(*head, *(2,) * len(causes), states)


def multipliers(skeleton: Skeleton, name: str, causes: tuple[str, ...]) -> Array:
    """Return the odds multiplier of each cause on each state, shape (causes, states)."""
    variable, graph = skeleton.vocabulary[name], skeleton.graph
    found = np.ones((len(causes), len(variable.states)))
    for (row, cause), relation in itertools.product(enumerate(causes), ("causes", "prevents")):
        for effect in targets(graph, cause, relation):
            notation = next((n for n, node in variable.nodes.items() if node == effect), None)
            if notation is None:
                continue
            strength = graph.edges[cause, effect, relation]["strength"]
            if strength not in skeleton.policy.odds_multipliers:
                raise OntologyError(
                    f"{cause} {relation} {effect}: no strength; add an fl:CausalRelation with fl:strength"
                )
            odds = skeleton.policy.odds_multipliers[strength]
            for leaf in variable.leaves[notation]:
                found[row, variable.states.index(leaf)] *= odds if relation == "causes" else 1 / odds
    return found


def _causes(graph: nx.MultiDiGraph[str], variable: Variable, mechanisms: tuple[str, ...]) -> tuple[str, ...]:
    acting = {
        start
        for node in variable.nodes.values()
        for start, _, data in graph.in_edges(node, data=True)
        if data["causal"] and data["kind"] in ("causes", "prevents")
    }
    return tuple(m for m in mechanisms if m in acting)


def _context_order(skeleton: Skeleton) -> tuple[str, ...]:
    """Return the context variables with those that another implies last."""
    return tuple(sorted(skeleton.contexts, key=lambda c: bool(origins(skeleton.graph, c, "influences"))))


def _floored(values: Array, floor: float) -> Array:
    raised = np.maximum(values, floor)
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), dtype=np.float64)


def _table(
    skeleton: Skeleton, child: str, parents: tuple[str, ...], values: Array, member: NDArray[np.bool_] | None = None
) -> Table:
    """Return the table with no entry below the floor, except where ``member`` says that the state cannot be."""
    raised = np.maximum(values, skeleton.policy.table_floor) * (1.0 if member is None else member)
    array = np.ascontiguousarray(raised / raised.sum(axis=-1, keepdims=True))
    array.setflags(write=False)
    return Table(child, parents, array)
