"""Compile a network into lanes, bits and blocks: the immutable tables that the kernels run on.

A *lane* is a possible pair of entity and subtype, and everything below them is conditional on it, so lanes are one
vector and never meet until the end (cutset conditioning: Pearl 1988). Below them, variables with children are *inner*
variables, each with a few bits of its own; all others are *leaves*. A factor over inner variables is an array of
blocks, shape (2^bits, lanes), the bits of the variable that is eliminated first being the lowest. A leaf without
evidence is left out and one with evidence is a slice, so any hidden subset of findings is exact and costs nothing.

Context variables above the lanes are summed once and for all: ``weights`` holds P(context, lane) for every
combination of their states, with one state more for "not known". Those that act below the lanes as well stay bits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.elimination import relevant
from hepagraph.inference.engine.order import elimination_order
from hepagraph.inference.network import ENTITY, SUBTYPE, Table
from hepagraph.ontology.errors import OntologyError

Array = NDArray[np.float64]
PANELS = (16, 32)  # lanes are padded to one small panel or to a multiple of large ones
MAXIMUM_WEIGHTS = 2**24
MAXIMUM_BITS = 62


class TooWideError(OntologyError):
    """The network's shape is not one that the engine is made for; general elimination may still answer."""


@dataclass(frozen=True, slots=True)
class Inner:
    """A variable that may be hidden between the lanes and the leaves, and its bits; ``table`` is None above them."""

    name: str
    states: int
    shift: int
    bits: int
    scope: int
    table: Array | None

    @property
    def mask(self) -> int:
        """The bits of the variable."""
        return ((1 << self.bits) - 1) << self.shift


@dataclass(frozen=True, slots=True)
class Column:
    """A variable that may have evidence: leaf, inner variable, entity or subtype.

    ``table`` holds one array of blocks for each state, shape (states, 2^bits of ``mask``, lanes): the likelihood of
    the state.
    """

    name: str
    states: int
    mask: int
    inner: int  # position among the inner variables, or -1
    table: Array


@dataclass(frozen=True)
class Program:
    """A network as the kernels need it.

    Attributes
    ----------
    pairs
        Entity and subtype of each lane, as positions of states, shape (lanes, 2).
    width
        The number of lanes with padding.
    inner
        In elimination order.
    topological
        Positions in ``inner``, parents before children.
    above
        The context variables that only act on entity and subtype, axes of ``weights`` in this order.
    weights
        P(context, lane), shape (states + 1 of each of ``above``, 2^bits of ``weights_mask``, width).
    """

    pairs: NDArray[np.int64]
    width: int
    entities: int
    subtypes: int
    inner: tuple[Inner, ...]
    topological: tuple[int, ...]
    columns: tuple[Column, ...]
    above: tuple[str, ...]
    weights: Array
    weights_mask: int

    @cached_property
    def position(self) -> Mapping[str, int]:
        """The position of each column."""
        return {column.name: position for position, column in enumerate(self.columns)}

    @cached_property
    def members(self) -> tuple[Array, Array]:
        """Which lanes belong to which entity and to which subtype, shape (lanes, entities) and (lanes, subtypes)."""
        lanes = np.arange(len(self.pairs))
        found = np.zeros((len(lanes), self.entities)), np.zeros((len(lanes), self.subtypes))
        for axis, member in enumerate(found):
            member[lanes, self.pairs[:, axis]] = 1
        return found


def compile_program(tables: Mapping[str, Table], latent: Collection[str] = ()) -> Program:
    """Return the program of a network that has an entity and a subtype.

    ``latent`` names the variables that are hardly ever observed; the elimination order counts on it.

    Raises
    ------
    TooWideError
        The network has no such pair, or too many bits, or too many contexts above them.
    """
    if ENTITY not in tables or SUBTYPE not in tables:
        raise TooWideError("the network has no entity and subtype to be conditional on")
    upper = relevant(tables, [ENTITY, SUBTYPE])
    lower = [name for name in tables if name not in upper]
    parents = {parent for name in lower for parent in tables[name].parents}
    interface = [name for name in upper if name in parents and name not in (ENTITY, SUBTYPE)]
    above = tuple(name for name in upper if name not in (*interface, ENTITY, SUBTYPE))
    hidden = [*interface, *(name for name in lower if name in parents)]
    leaves = [name for name in lower if name not in parents]
    bits = {name: _bits(tables[name]) for name in hidden}
    if sum(bits.values()) > MAXIMUM_BITS:
        raise TooWideError(f"{len(hidden)} variables lie between lanes and leaves; their states need too many bits")
    own = {name: frozenset(v for v in tables[name].scope if v in bits) for name in (*hidden, *leaves)}
    order = elimination_order(
        bits, [own[name] for name in leaves], {name: own[name] for name in hidden if name in lower}, interface, latent
    )
    pairs = _pairs(tables)
    layout = _Layout(tables, pairs, _padded(len(pairs)), _shifts(order, bits), bits)
    inner = tuple(layout.inner(name, name in interface) for name in order)
    place = {name: position for position, name in enumerate(order)}
    columns = (
        *(layout.leaf(name) for name in leaves),
        *(layout.own(name, place[name]) for name in hidden),
        layout.lane_column(ENTITY, 0),
        layout.lane_column(SUBTYPE, 1),
    )
    return Program(
        pairs,
        layout.width,
        tables[ENTITY].values.shape[-1],
        tables[SUBTYPE].values.shape[-1],
        inner,
        tuple(place[name] for name in hidden),
        columns,
        above,
        layout.weights(upper, above, interface),
        layout.mask(interface),
    )


def fold_private(tables: Mapping[str, Table], latent: Collection[str]) -> dict[str, Table]:
    """Return the network without the latent variables that have one child only, summed into that child's table.

    Every other variable keeps its distribution. A variable whose table or whose child's has other variables than the
    child's parents is left as it is.
    """
    found = dict(tables)
    for name in latent:
        children = [child for child, table in found.items() if name in table.parents]
        own = found[name]
        if len(children) != 1 or not set(own.parents) <= {ENTITY, SUBTYPE}:
            continue
        child = found[children[0]]
        if not set(own.parents) <= set(child.parents) or any(children[0] in t.parents for t in found.values()):
            continue
        axis = child.parents.index(name)
        weights = np.transpose(own.values, [own.scope.index(v) for v in child.scope if v in own.scope])
        shape = [n if v in own.scope else 1 for v, n in zip(child.scope, child.values.shape, strict=True)]
        summed = (child.values * weights.reshape(shape)).sum(axis=axis)
        found[child.child] = Table(child.child, tuple(v for v in child.parents if v != name), summed)
        del found[name]
    return found


def _padded(lanes: int) -> int:
    small, large = PANELS
    return small if lanes <= small else -(-lanes // large) * large


def _bits(table: Table) -> int:
    return max(1, int(np.ceil(np.log2(table.values.shape[-1]))))


def _shifts(order: Sequence[str], bits: Mapping[str, int]) -> dict[str, int]:
    shifts, at = {}, 0
    for name in order:
        shifts[name] = at
        at += bits[name]
    return shifts


def _pairs(tables: Mapping[str, Table]) -> NDArray[np.int64]:
    """Return the pairs of entity and subtype that are possible in some context, shape (lanes, 2)."""
    table = tables[SUBTYPE]
    if ENTITY not in table.parents:
        return np.argwhere(np.ones((tables[ENTITY].values.shape[-1], table.values.shape[-1])))
    by_entity = np.moveaxis(table.values, table.parents.index(ENTITY), -2)
    return np.argwhere(by_entity.reshape(-1, *by_entity.shape[-2:]).max(axis=0) > 0)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where lanes and bits lie, and how a table is laid out in blocks."""

    tables: Mapping[str, Table]
    pairs: NDArray[np.int64]
    width: int
    shifts: Mapping[str, int]
    bits: Mapping[str, int]

    def mask(self, names: Sequence[str]) -> int:
        return sum(((1 << self.bits[name]) - 1) << self.shifts[name] for name in names)

    def inner(self, name: str, above: bool) -> Inner:
        table = self.tables[name]
        scope = [v for v in table.scope if v in self.bits]
        blocks = None if above else self.blocks(table.values, table.scope, padding=1.0)
        return Inner(
            name, table.values.shape[-1], self.shifts[name], self.bits[name], 0 if above else self.mask(scope), blocks
        )

    def leaf(self, name: str) -> Column:
        table = self.tables[name]
        values = np.moveaxis(table.values, -1, 0)
        rows = np.stack([self.blocks(of_state, table.parents, padding=1.0) for of_state in values])
        scope = [v for v in table.parents if v in self.bits]
        return Column(name, table.values.shape[-1], self.mask(scope), -1, rows)

    def own(self, name: str, position: int) -> Column:
        states = self.tables[name].values.shape[-1]
        rows = np.zeros((states, 1 << self.bits[name], self.width))
        rows[np.arange(states), np.arange(states)] = 1
        return Column(name, states, self.mask([name]), position, rows)

    def lane_column(self, name: str, axis: int) -> Column:
        states = self.tables[name].values.shape[-1]
        rows = np.zeros((states, 1, self.width))
        rows[self.pairs[:, axis], 0, np.arange(len(self.pairs))] = 1
        return Column(name, states, 0, -1, rows)

    def blocks(self, values: Array, scope: Sequence[str], *, padding: float) -> Array:
        """Return an array over ``scope`` as blocks, shape (2^bits, width); lanes without a pair hold ``padding``."""
        lanes = [v for v in scope if v in (ENTITY, SUBTYPE)]
        inner = sorted((v for v in scope if v in self.bits), key=lambda v: -self.shifts[v])
        if len(lanes) + len(inner) < len(scope):
            raise TooWideError("a variable below the lanes depends on one that has no bits")
        moved = np.transpose(values, [scope.index(v) for v in (*inner, *lanes)])
        if lanes:
            moved = self.at_lanes(moved, lanes)
        else:
            moved = np.broadcast_to(moved[..., None], (*moved.shape, len(self.pairs)))
        padded = np.zeros((*(1 << self.bits[v] for v in inner), self.width))
        padded[..., len(self.pairs) :] = padding
        padded[(*(slice(None, n) for n in moved.shape[:-1]), slice(None, len(self.pairs)))] = moved
        return padded.reshape(-1, self.width)

    def at_lanes(self, values: Array, pivots: Sequence[str]) -> Array:
        """Return an array whose last axes are entity or subtype or both with one axis of lanes instead."""
        index: tuple[Any, ...] = (..., *(self.pairs[:, (ENTITY, SUBTYPE).index(v)] for v in pivots))
        return np.asarray(values[index])

    def weights(self, upper: Sequence[str], above: Sequence[str], interface: Sequence[str]) -> Array:
        """Return P(context, lane) with a state more for each context that is not known."""
        kept = sorted(interface, key=lambda v: -self.shifts[v])
        axes = [*above, *kept]
        sizes = [self.tables[v].values.shape[-1] for v in axes]
        cells = float(np.prod([n + 1 for n in sizes], dtype=np.float64)) * self.width
        if cells > MAXIMUM_WEIGHTS:
            raise TooWideError(f"contexts above entity and subtype have {cells:.2g} combinations")
        joint = np.ones((*sizes, len(self.pairs)))
        for name in upper:
            table = self.tables[name]
            lanes = [v for v in table.scope if v in (ENTITY, SUBTYPE)]
            scope = [v for v in axes if v in table.scope]
            values = np.transpose(table.values, [table.scope.index(v) for v in (*scope, *lanes)])
            if lanes:
                values = self.at_lanes(values, lanes)
            else:
                values = values[..., None]
            shape = [n if v in scope else 1 for v, n in zip(axes, sizes, strict=True)]
            joint *= values.reshape(*shape, values.shape[-1])
        for axis in range(len(above)):
            joint = np.concatenate([joint, joint.sum(axis=axis, keepdims=True)], axis=axis)
        padded = np.zeros((*joint.shape[: len(above)], *(1 << self.bits[v] for v in kept), self.width))
        padded[tuple(slice(None, n) for n in joint.shape)] = joint
        return padded.reshape(*joint.shape[: len(above)], -1, self.width)
