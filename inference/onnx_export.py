"""The scorer as an ONNX model: codes or likelihoods in, the posterior of the entity out, exact whatever is missing.

Exact elimination, unrolled into matrix products, multiplications and sums: lanes (pairs of entity and subtype) are one
axis, hidden variables are summed out in an order fixed beforehand, and a finding that was not stated has a likelihood
of ones. Reports err as in ``Reasoner.score``.
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
    seen = read(graph, {name: len(network.states[name]) for name in names}, errors)
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

    def leaf(self, name: str) -> tuple[Array, tuple[str, ...]]:
        """Return a leaf's table, its own states first and lanes last, and the hidden variables between."""
        scope = tuple(v for v in self.hidden if v in self.tables[name].scope)
        values = self.at_lanes(name, (name, *scope))
        return np.asarray(np.broadcast_to(values, (*values.shape[:-1], len(self.lanes)))), scope


def _lanes(graph: FactorGraph, shape: _Shape, seen: Mapping[str, str]) -> Factor:
    """Return P(all that was seen, lane)."""
    factors = []
    above = sorted(shape.above, key=lambda v: -graph.sizes[v])
    if above:
        rest = tuple(v for v in graph.sizes if v in (*above[1:], *shape.interface))
        joint = graph.seen_through(seen[above[0]], shape.contexts(above[0]), rest)
        for name in above[1:]:
            joint = graph.without(graph.times(joint, _own(graph, seen, name)), name)
    else:
        joint = graph.factor(shape.contexts(None), shape.interface)
    factors.append(joint)
    factors += [graph.seen_through(seen[name], *shape.leaf(name)) for name in shape.leaves]
    for name in shape.hidden:
        if name in seen:
            factors.append(_own(graph, seen, name))
        if name not in shape.interface:
            scope = tuple(v for v in shape.hidden if v in shape.tables[name].scope)
            factors.append(graph.factor(shape.at_lanes(name, scope), scope))
    return eliminate(graph, factors, shape.hidden)


def _own(graph: FactorGraph, seen: Mapping[str, str], name: str) -> Factor:
    return Factor(graph.reshaped(seen[name], [graph.sizes[name], 1]), (name,), 1)


def _finish(graph: FactorGraph, lanes: Factor, shape: _Shape) -> None:
    entity = graph.node("MatMul", lanes.value, graph.numbers(shape.members))
    total = graph.node("ReduceSum", entity, graph.integers([1]), keepdims=1)
    nothing = graph.node("Equal", total, graph.numbers(np.zeros(1)))
    graph.node("Div", entity, graph.node("Where", nothing, graph.numbers(np.ones(1)), total), output="posterior")
    graph.node("Log", graph.node("Squeeze", total, graph.integers([1])), output="evidence_log")


def _codes(graph: FactorGraph, sizes: Mapping[str, int], errors: Mapping[str, Array]) -> dict[str, str]:
    """Return each variable's likelihood, looked up by its code; the first row of each table is for not stated."""
    shifted = graph.node("Add", "codes", graph.integers(1))
    rows = graph.node("Max", shifted, graph.integers(0))
    found = {}
    for position, (name, size) in enumerate(sizes.items()):
        meanings = np.vstack([np.ones(size), errors.get(name, np.eye(size))])
        row = graph.node("Gather", rows, graph.integers(position), axis=1)
        found[name] = graph.node("Gather", graph.numbers(meanings), row, axis=0)
    return found


def _likelihoods(graph: FactorGraph, sizes: Mapping[str, int], errors: Mapping[str, Array]) -> dict[str, str]:
    """Return each variable's likelihood with reading error, cut out of the columns."""
    given, found, start = graph.double("likelihoods"), {}, 0
    for name, size in sizes.items():
        ends = (graph.integers([end]) for end in (start, start + size, 1))
        own = graph.node("Slice", given, *ends)
        found[name] = graph.node("MatMul", own, graph.numbers(errors[name])) if name in errors else own
        start += size
    return found


def _check_room(shape: _Shape, names: tuple[str, ...], errors: Mapping[str, Array]) -> None:
    """Refuse a network in which everything seen at once may be less probable than double precision can hold."""

    def least(values: Array) -> float:
        return float(np.log10(values[values > 0].min()))

    total = least(shape.contexts(None))
    for name in names:
        values = errors.get(name)
        if name in shape.leaves:
            table = shape.leaf(name)[0]
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
