"""The scorer as an ONNX model: codes or likelihoods in, the posterior of the entity out, exact whatever is missing.

Exact elimination, unrolled into look-ups, multiplications and sums: lanes (pairs of entity and subtype) are one axis,
hidden variables are summed out in an order fixed beforehand, and a finding that was not stated has a likelihood of
ones. Hidden variables that a row states are cut out of it (see ``onnx_graph``). Reports err as in ``Reasoner.score``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.elimination import relevant
from hepagraph.inference.engine.program import fold_private
from hepagraph.inference.network import ENTITY, SUBTYPE, Table
from hepagraph.inference.onnx_graph import IR_VERSION, OPSET, Factor, FactorGraph, eliminate, onnx_modules
from hepagraph.inference.replicates import reading_error
from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    from hepagraph.inference.network import Network
    from hepagraph.inference.reasoner import Reasoner

Array = NDArray[np.float64]
INPUTS = ("codes", "likelihoods")
MOST_CONTEXTS = 2**21  # numbers in the table of all that rows may say of the context
SMALLEST_LOG10 = -290.0  # products below would be lost in double precision


def onnx_model(reasoner: Reasoner, *, differential: str | None = None, inputs: str = "codes") -> bytes:
    """Return the scorer of a differential as a serialised ONNX model.

    Parameters
    ----------
    differential
        The name of a differential of the ontology; None: the default.
    inputs
        ``codes``: one integer tensor ``codes``, shape (rows, variables): the position of the state that was reported,
        negative for not stated. ``likelihoods``: one real tensor ``likelihoods``, shape (rows, states of all
        variables side by side): P(what was seen | state), ones for not stated.

    Notes
    -----
    Outputs are ``posterior``, shape (rows, entities of the differential), and ``evidence_log``, shape (rows,), the
    logarithm of P(findings and an entity of the differential), both in double precision. The model's metadata name
    variables, states and entities in order, and hold version, hash of the ontology and notice.

    Raises
    ------
    CaseError
        The differential is not known.
    MissingExtraError
        The package ``onnx`` is not installed.
    OntologyError
        There is no such kind of inputs, or the network has too many findings for sums without scaling.
    TooWideError
        The network has no entity and subtype to be conditional on.
    """
    if inputs not in INPUTS:
        raise OntologyError(f"{inputs}: no such inputs; allowed: {', '.join(INPUTS)}")
    onnx = onnx_modules()
    network, entities = reasoner.network, reasoner.entities(differential)
    names = model_variables(reasoner)
    folded = fold_private(network.tables, network.variables("mechanism"))
    shape = _Shape.of(folded, network, entities)
    graph = FactorGraph({name: folded[name].values.shape[-1] for name in (*shape.above, *shape.hidden)})
    errors = {n: reading_error(base, network.reporting_error) for n, base in network.base_rates.items()}
    _check_room(shape, names, errors)
    read = _codes if inputs == "codes" else _likelihoods
    seen = read(graph, shape, {name: len(network.states[name]) for name in names}, errors)
    _finish(graph, _lanes(graph, shape, seen), shape)
    double = onnx.TensorProto.DOUBLE
    value = onnx.helper.make_tensor_value_info
    taken = (
        value("codes", onnx.TensorProto.INT64, ["rows", len(names)])
        if inputs == "codes"
        else value("likelihoods", onnx.TensorProto.FLOAT, ["rows", sum(len(network.states[n]) for n in names)])
    )
    given = [value("posterior", double, ["rows", len(entities)]), value("evidence_log", double, ["rows"])]
    made = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "hepagraph", [taken], given, graph.constants),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="hepagraph",
        producer_version=reasoner.model["version"],
        doc_string=reasoner.model["notice"],
    )
    onnx.helper.set_model_props(made, _metadata(reasoner, names, entities, differential, inputs))
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def model_variables(reasoner: Reasoner) -> tuple[str, ...]:
    """Return the variables of patient and lesion that the model takes, in the order of its columns."""
    network = reasoner.network
    return (*network.variables("context"), *network.variables("feature"))


@dataclass(frozen=True)
class _Shape:
    """What lies above the lanes, what is hidden below them, and what is seen.

    ``above`` act only on entity and subtype. ``hidden`` lie between lanes and leaves; those in ``interface`` act on
    entity and subtype too.
    """

    tables: Mapping[str, Table]
    lanes: NDArray[np.int64]  # positions of entity and subtype, shape (lanes, 2)
    members: Array  # which lane is of which entity, shape (lanes, entities)
    upper: tuple[str, ...]
    above: tuple[str, ...]
    interface: tuple[str, ...]
    hidden: tuple[str, ...]
    leaves: tuple[str, ...]

    @classmethod
    def of(cls, tables: Mapping[str, Table], network: Network, entities: tuple[str, ...]) -> _Shape:
        pairs = network.engine.full_program().pairs
        wanted = [network.states[ENTITY].index(entity) for entity in entities]
        lanes = pairs[np.isin(pairs[:, 0], wanted)]
        members = (lanes[:, :1] == np.array(wanted)).astype(np.float64)
        upper = tuple(relevant(tables, [ENTITY, SUBTYPE]))
        lower = [name for name in tables if name not in upper]
        parents = {parent for name in lower for parent in tables[name].parents}
        interface = tuple(n for n in upper if n in parents and n not in (ENTITY, SUBTYPE))
        above = tuple(n for n in upper if n not in (*interface, ENTITY, SUBTYPE))
        hidden = (*interface, *(n for n in lower if n in parents))
        leaves = tuple(n for n in lower if n not in parents)
        return cls(tables, lanes, members, upper, above, interface, hidden, leaves)

    def at_lanes(self, name: str, axes: tuple[str, ...]) -> Array:
        """Return a variable's table with the given axes first, those it lacks of size one, and then the lanes."""
        table = self.tables[name]
        pivots = [v for v in (ENTITY, SUBTYPE) if v in table.scope]
        scope = [v for v in axes if v in table.scope]
        values = np.transpose(table.values, [table.scope.index(v) for v in (*scope, *pivots)])
        index: tuple[Any, ...] = (..., *(self.lanes[:, (ENTITY, SUBTYPE).index(v)] for v in pivots))
        at = values[index] if pivots else values[..., None]
        sizes = dict(zip(scope, values.shape, strict=False))
        return np.asarray(at.reshape([*(sizes.get(v, 1) for v in axes), at.shape[-1]]))

    def contexts(self, first: str | None) -> Array:
        """Return P(context, lane), with the axis of ``first`` before all others of ``above`` and ``interface``."""
        axes = tuple(sorted((*self.above, *self.interface), key=lambda v: v != first))
        joint = np.ones(1)
        for name in self.upper:
            joint = joint * self.at_lanes(name, axes)
        return np.asarray(joint)

    def parts(self, name: str, graph: FactorGraph) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the hidden variables of a table, those that are split apart from the others."""
        scope = [v for v in graph.sizes if v in self.hidden and v in self.tables[name].scope]
        return tuple(v for v in scope if v in graph.possible), tuple(v for v in scope if v not in graph.possible)

    def leaf(self, name: str, scope: tuple[str, ...]) -> Array:
        """Return a leaf's table: its own states, the hidden variables of ``scope``, lanes."""
        values = self.at_lanes(name, (name, *scope))
        return np.asarray(np.broadcast_to(values, (*values.shape[:-1], len(self.lanes))))


def _lanes(graph: FactorGraph, shape: _Shape, seen: Seen) -> Factor:
    """Return P(all that was seen, lane)."""
    for name in shape.hidden:
        if name in seen.likelihoods:
            graph.split(name, seen.likelihoods[name])
    factors = [_context(graph, shape, seen)]
    factors += [seen.leaf(graph, shape, name) for name in shape.leaves]
    for name in shape.hidden:
        if name in graph.possible:
            factors.append(graph.opened(_own(graph, seen, name), (name,)))
        if name not in shape.interface:
            split, scope = shape.parts(name, graph)
            factors.append(graph.opened(graph.factor(shape.at_lanes(name, (*split, *scope)), (*split, *scope)), split))
    return eliminate(graph, factors, shape.hidden)


def _context(graph: FactorGraph, shape: _Shape, seen: Seen) -> Factor:
    """Return P(what was seen of the context, interface, lane)."""
    above = sorted(shape.above, key=lambda v: -graph.sizes[v])
    split = tuple(v for v in graph.sizes if v in shape.interface and v in graph.possible)
    if not above:
        return graph.opened(graph.factor(shape.contexts(None), shape.interface), split)
    table = shape.contexts(above[0])
    if seen.codes and table.size * np.prod([1 + 1 / graph.sizes[v] for v in above]) <= MOST_CONTEXTS:
        return seen.context(graph, shape, split)
    rest = tuple(v for v in graph.sizes if v in (*above[1:], *shape.interface))
    joint = graph.seen_through(seen.likelihoods[above[0]], table, rest)
    for name in above[1:]:
        joint = graph.without(graph.times(joint, _own(graph, seen, name)), name)
    return graph.opened(joint, split)


def _own(graph: FactorGraph, seen: Seen, name: str) -> Factor:
    return Factor(graph.reshaped(seen.likelihoods[name], [graph.sizes[name], 1]), (name,), 1)


def _finish(graph: FactorGraph, lanes: Factor, shape: _Shape) -> None:
    entity = graph.node("MatMul", lanes.value, graph.numbers(shape.members))
    total = graph.node("ReduceSum", entity, graph.integers([1]), keepdims=1)
    nothing = graph.node("Equal", total, graph.numbers(np.zeros(1)))
    graph.node("Div", entity, graph.node("Where", nothing, graph.numbers(np.ones(1)), total), output="posterior")
    graph.node("Log", graph.node("Squeeze", total, graph.integers([1])), output="evidence_log")


@dataclass(frozen=True)
class Seen:
    """What the rows say of each variable: its likelihood, and the number of a meaning where they give codes."""

    likelihoods: Mapping[str, str]
    codes: Mapping[str, str]
    meanings: Mapping[str, Array]

    def context(self, graph: FactorGraph, shape: _Shape, split: tuple[str, ...]) -> Factor:
        """Return P(what was seen of the context, interface, lane) from a table of all that it may say."""
        table = np.broadcast_to(
            shape.contexts(None),
            [*(graph.sizes[v] for v in (*shape.above, *shape.interface)), len(shape.lanes)],
        )
        code = graph.integers(0)
        for axis, name in enumerate(shape.above):
            table = np.moveaxis(np.tensordot(self.meanings[name], table, (1, axis)), 0, axis)
            code = graph.node(
                "Add", graph.node("Mul", code, graph.integers(len(self.meanings[name]))), self.codes[name]
            )
        inside = tuple(v for v in shape.interface if v not in split)
        first = len(shape.above)
        order = [*range(first), *(first + shape.interface.index(v) for v in (*split, *inside)), table.ndim - 1]
        tail = [*(graph.sizes[v] for v in inside), len(shape.lanes)]
        said = np.transpose(table, order).reshape(-1, graph.cells(split), *tail)
        return graph.by_code(code, said, inside, split)

    def leaf(self, graph: FactorGraph, shape: _Shape, name: str) -> Factor:
        """Return P(what was seen of a leaf | hidden, lane)."""
        split, scope = shape.parts(name, graph)
        table = shape.leaf(name, (*split, *scope))
        if name not in self.codes:
            return graph.opened(graph.seen_through(self.likelihoods[name], table, (*split, *scope)), split)
        said = np.tensordot(self.meanings[name], table, 1)
        return graph.by_code(
            self.codes[name], said.reshape(len(said), graph.cells(split), *table.shape[1 + len(split) :]), scope, split
        )


def _codes(graph: FactorGraph, shape: _Shape, sizes: Mapping[str, int], errors: Mapping[str, Array]) -> Seen:
    """Return what codes say; the first meaning of each variable is not stated."""
    rows = graph.node("Max", graph.node("Add", "codes", graph.integers(1)), graph.integers(0))
    found, likelihoods, meanings = {}, {}, {}
    for position, (name, size) in enumerate(sizes.items()):
        meanings[name] = np.vstack([np.ones(size), errors.get(name, np.eye(size))])
        found[name] = graph.node("Gather", rows, graph.integers(position), axis=1)
        if name not in shape.leaves:
            likelihoods[name] = graph.node("Gather", graph.numbers(meanings[name]), found[name], axis=0)
    return Seen(likelihoods, found, meanings)


def _likelihoods(graph: FactorGraph, shape: _Shape, sizes: Mapping[str, int], errors: Mapping[str, Array]) -> Seen:
    """Return each variable's likelihood with reading error, cut out of the columns."""
    given, found, start = graph.double("likelihoods"), {}, 0
    for name, size in sizes.items():
        ends = (graph.integers([end]) for end in (start, start + size, 1))
        own = graph.node("Slice", given, *ends)
        found[name] = graph.node("MatMul", own, graph.numbers(errors[name])) if name in errors else own
        start += size
    return Seen(found, {}, {})


def _check_room(shape: _Shape, names: tuple[str, ...], errors: Mapping[str, Array]) -> None:
    """Refuse a network in which everything seen at once may be less probable than double precision can hold."""

    def least(values: Array) -> float:
        return float(np.log10(values[values > 0].min()))

    total = least(shape.contexts(None))
    for name in names:
        values = errors.get(name)
        if name in shape.leaves:
            table = shape.leaf(name, tuple(v for v in shape.hidden if v in shape.tables[name].scope))
            total += least(table if values is None else np.tensordot(values, table, 1))
        elif values is not None:
            total += least(values)
    if total < SMALLEST_LOG10:
        raise OntologyError(f"findings seen together may be as improbable as 1e{total:.0f}, too little to sum unscaled")


def _metadata(
    reasoner: Reasoner, names: tuple[str, ...], entities: tuple[str, ...], differential: str | None, inputs: str
) -> dict[str, str]:
    network = reasoner.network
    variables = reasoner.reader.variables
    described = [
        {
            "name": name,
            "label": network.labels[name],
            "states": [
                {"name": s, "label": network.labels.get(variables[name].nodes[s], s)} for s in network.states[name]
            ],
        }
        for name in names
    ]
    listed = [{"name": entity, "label": network.labels.get(entity, entity)} for entity in entities]
    return {
        **reasoner.model,
        "differential": differential or network.default_differential,
        "input": inputs,
        "variables": json.dumps(described, ensure_ascii=False),
        "entities": json.dumps(listed, ensure_ascii=False),
    }
