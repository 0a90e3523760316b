"""Compile the knowledge graph into a Bayesian network: context -> entity -> subtype -> mechanisms -> features."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.coupling import couple
from hepagraph.inference.network import ENTITY, SUBTYPE, Network, Table, check_network
from hepagraph.inference.pooling import Cell, pool_variable
from hepagraph.inference.priors import (
    entity_table,
    fixed_factors,
    implied_table,
    prior_statements,
    sets_base,
    subtype_table,
)
from hepagraph.kg import Policy, Statement, Variable, read_vocabulary
from hepagraph.kg.vocabulary import literal, nodes_of_kind, origins, targets
from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    import networkx as nx

Array = NDArray[np.float64]
Theta = Callable[[str, str], Array]


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The structure found in the graph, and the pooled cells from which every table is made."""

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
    cells: Mapping[str, Mapping[str, Cell]]
    fixed: dict[tuple[str, str], Array] = field(default_factory=dict)

    def states(self, name: str) -> tuple[str, ...]:
        """Return the states of any variable of the network."""
        if name == ENTITY:
            return self.entities
        return tuple(self.parent_of) if name == SUBTYPE else self.vocabulary[name].states

    def acting_on(self, node: str) -> tuple[str, ...]:
        """Return the context variables that influence the entity or the subtype node."""
        return tuple(c for c in self.contexts if node in self.graph.nodes[c]["literals"].get("influences", ()))


def read_skeleton(graph: nx.MultiDiGraph[str]) -> Skeleton:
    """Find the network's structure in the graph and pool the evidence of every cell.

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
    cells = {
        name: pool_variable(graph, vocabulary[name], policy, entities, parent_of, roots[0])
        for name in (*contexts, *mechanisms, *features)
    }
    causes_of = {name: _causes(graph, vocabulary[name], mechanisms) for name in features}
    skeleton = Skeleton(
        graph, policy, vocabulary, roots[0], entities, parent_of, contexts, mechanisms, features, causes_of, cells
    )
    skeleton.fixed.update(fixed_factors(skeleton))
    return skeleton


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
    """Return the network of a skeleton, every cell at its mean."""
    graph = skeleton.graph
    tables = build_tables(skeleton, lambda variable, given: skeleton.cells[variable][given].mean)
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
    )
    check_network(network)
    return network


def _evidence(skeleton: Skeleton) -> dict[tuple[str, str], tuple[Statement, ...]]:
    """Return the statements behind each (variable, entity or subtype)."""
    found = {(name, given): cell.statements for name, cells in skeleton.cells.items() for given, cell in cells.items()}
    for name in skeleton.contexts:
        if sets_base(skeleton, name):
            found |= {(name, entity): prior_statements(skeleton, name, entity) for entity in skeleton.entities}
            found |= {(name, s): () for s, entity in skeleton.parent_of.items() if s != entity}
    return found


def build_tables(skeleton: Skeleton, theta: Theta, only: set[str] | None = None) -> dict[str, Table]:
    """Return the tables of all variables (or of ``only`` some) from the cells' distributions.

    ``theta(variable, given)`` returns a cell's distribution, so that parameter draws use the same code.
    """
    tables: dict[str, Table] = {}
    wanted = {*skeleton.contexts, ENTITY, SUBTYPE, *skeleton.mechanisms, *skeleton.features} if only is None else only
    for name in skeleton.contexts:
        if name in wanted:
            implied = implied_table(skeleton, name)
            tables[name] = _table(skeleton, name, *(implied or ((), theta(name, skeleton.root))))
    if ENTITY in wanted:
        tables[ENTITY] = _table(skeleton, ENTITY, *entity_table(skeleton, theta))
    if SUBTYPE in wanted:
        tables[SUBTYPE] = _table(skeleton, SUBTYPE, *subtype_table(skeleton, theta))
    for name in (*skeleton.mechanisms, *skeleton.features):
        if name in wanted:
            causes = skeleton.causes_of.get(name, ())
            tables[name] = _table(skeleton, name, (SUBTYPE, *causes), _observable(skeleton, name, causes, theta))
    return tables


def _observable(skeleton: Skeleton, name: str, causes: tuple[str, ...], theta: Theta) -> Array:
    rows = np.stack([theta(name, subtype) for subtype in skeleton.parent_of])
    present = [[theta(mechanism, subtype)[-1] for mechanism in causes] for subtype in skeleton.parent_of]
    return observable_table(skeleton, name, rows, np.array(present))


def observable_table(skeleton: Skeleton, name: str, rows: Array, present: Array) -> Array:
    """Return P(name | subtype, causes) for any stack of subtype rows.

    ``rows`` has shape (n, states), ``present`` (n, causes); the answer (n, 2, ..., 2, states).
    """
    causes, floor = skeleton.causes_of.get(name, ()), skeleton.policy.table_floor
    rows = _floored(rows, floor)
    if not causes:
        return rows
    return couple(rows, np.clip(present, floor, 1 - floor), multipliers(skeleton, name, causes))


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


def _table(skeleton: Skeleton, child: str, parents: tuple[str, ...], values: Array) -> Table:
    array = np.ascontiguousarray(_floored(values, skeleton.policy.table_floor))
    array.setflags(write=False)
    return Table(child, parents, array)
