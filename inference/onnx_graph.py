"""Write an ONNX graph of factors whose rows are the batch's, or those that a few variables leave open.

A *split* variable is one that rows may state. A factor over such variables has an entry for each row and each
combination of their states that is possible there, and for no other: one, where the row states them all. So a row costs
what it leaves open. The other variables of a factor are axes, and lanes come last.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.ontology.errors import MissingExtraError

Array = NDArray[np.float64]
OPSET = 17
IR_VERSION = 9  # what runtimes since 2023 read


@dataclass(frozen=True, slots=True)
class Factor:
    """A value of the graph, shape (entries, states of each variable of the scope, lanes or 1).

    The entries are those of the variables in ``split``; ``fixed`` factors are the same for all rows and have one.
    """

    value: str
    scope: tuple[str, ...]
    lanes: int
    split: tuple[str, ...] = ()
    fixed: bool = False

    @property
    def names(self) -> set[str]:
        """All variables that it is about."""
        return {*self.split, *self.scope}


@dataclass(frozen=True, slots=True)
class Entries:
    """Where the entries of some split variables lie: each one's row and combination, and each combination's entry.

    ``place`` has shape (rows * combinations,); where a combination is not possible it means nothing.
    """

    row: str
    combination: str
    place: str
    combinations: int


def onnx_modules() -> Any:
    """Return the package ``onnx``, or raise a ``MissingExtraError``."""
    try:
        import onnx
    except ImportError:
        raise MissingExtraError("the ONNX export", "onnx") from None
    return onnx


@dataclass
class FactorGraph:
    """Nodes and constants as they are added; ``sizes`` holds the number of states of each variable, in axis order.

    Constants are kept in single precision, at most 6e-8 off, and everything is computed in double.
    ``possible`` holds for each split variable the value that says which of its states each row allows.
    """

    sizes: Mapping[str, int]
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    possible: dict[str, str] = field(default_factory=dict)
    _numbers: Any = field(default_factory=count)
    _entries: dict[tuple[str, ...], Entries] = field(default_factory=dict)
    _between: dict[tuple[tuple[str, ...], tuple[str, ...]], str] = field(default_factory=dict)

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add an operation and return the name of its value."""
        name = output or f"v{next(self._numbers)}"
        self.nodes.append(onnx_modules().helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def numbers(self, values: Array) -> str:
        """Add a constant of real numbers and return the name of its value in double precision."""
        kept = self._constant(np.asarray(values, dtype=np.float32))
        return self.double(kept)

    def integers(self, values: Sequence[int] | NDArray[np.int64] | int) -> str:
        """Add a constant of integers, a vector or a scalar."""
        return self._constant(np.asarray(values, dtype=np.int64))

    def double(self, value: str) -> str:
        """Cast a value to double precision."""
        return self.node("Cast", value, to=onnx_modules().TensorProto.DOUBLE)

    def reshaped(self, value: str, shape: Iterable[int]) -> str:
        """Reshape all axes but the first, which stays as it is."""
        return self.node("Reshape", value, self.integers([0, *shape]))

    def cells(self, names: Iterable[str]) -> int:
        """Return how many combinations of states the variables have."""
        return int(np.prod([self.sizes[v] for v in names], dtype=np.int64))

    # -- entries ----------------------------------------------------------------------------------------------

    def split(self, variable: str, likelihood: str) -> None:
        """Make a variable split; ``likelihood``, shape (rows, states), is zero where a row rules a state out."""
        self.possible[variable] = self.node("Greater", likelihood, self.double(self._constant(np.zeros(1, np.float32))))

    def entries(self, names: tuple[str, ...]) -> Entries:
        """Return the entries of split variables."""
        if names not in self._entries:
            allowed = self.possible[names[0]]
            for name in names[1:]:
                pair = self.reshaped(allowed, [-1, 1]), self.reshaped(self.possible[name], [1, -1])
                allowed = self.reshaped(self.node("And", *pair), [-1])
            where = self.node("NonZero", allowed)
            row, combination = (self.node("Gather", where, self.integers(axis), axis=0) for axis in (0, 1))
            flat = self.node("Reshape", allowed, self.integers([-1]))
            counted = self.node(
                "CumSum", self.node("Cast", flat, to=onnx_modules().TensorProto.INT64), self.integers(0)
            )
            place = self.node("Sub", counted, self.integers(1))
            self._entries[names] = Entries(row, combination, place, self.cells(names))
        return self._entries[names]

    def looked_up(self, values: str, names: tuple[str, ...]) -> str:
        """Return for every entry what ``values``, shape (rows * combinations, ...), holds there."""
        found = self.entries(names)
        return self.node("Gather", values, self._flat(found.row, found.combination, found.combinations), axis=0)

    def by_code(self, codes: str, table: Array, scope: tuple[str, ...], names: tuple[str, ...]) -> Factor:
        """Return what rows' codes name in a table, shape (codes, combinations of ``names``, *scope, lanes)."""
        values, lanes = self.numbers(table.reshape(-1, *table.shape[2:])), table.shape[-1]
        if not names:
            return Factor(self.node("Gather", values, codes, axis=0), scope, lanes)
        found = self.entries(names)
        own = self.node("Gather", codes, found.row, axis=0)
        at = self._flat(own, found.combination, found.combinations)
        return Factor(self.node("Gather", values, at, axis=0), scope, lanes, names)

    def opened(self, factor: Factor, names: tuple[str, ...]) -> Factor:
        """Return a factor of rows, or a fixed one, with ``names``, which lead its scope and are split, as entries."""
        if not names:
            return factor
        rest = tuple(v for v in factor.scope if v not in names)
        tail = [*(self.sizes[v] for v in rest), factor.lanes]
        flat = self.node("Reshape", factor.value, self.integers([-1, *tail]))
        if factor.fixed:
            return Factor(self.node("Gather", flat, self.entries(names).combination, axis=0), rest, factor.lanes, names)
        return Factor(self.looked_up(flat, names), rest, factor.lanes, names)

    def _flat(self, first: str, second: str, size: int) -> str:
        return self.node("Add", self.node("Mul", first, self.integers(size)), second)

    def _entry_of(self, names: tuple[str, ...], fewer: tuple[str, ...]) -> str:
        """Return for each entry of some split variables that of fewer of them, or its row where there are none."""
        found = self.entries(names)
        if not fewer:
            return found.row
        if (names, fewer) not in self._between:
            positions = np.indices([self.sizes[v] for v in names]).reshape(len(names), -1)
            kept = [positions[names.index(v)] for v in fewer]
            part = np.ravel_multi_index(kept, [self.sizes[v] for v in fewer]).astype(np.int64)
            own = self.node("Gather", self.integers(part), found.combination, axis=0)
            less = self.entries(fewer)
            at = self._flat(found.row, own, less.combinations)
            self._between[names, fewer] = self.node("Gather", less.place, at, axis=0)
        return self._between[names, fewer]

    # -- factors ----------------------------------------------------------------------------------------------

    def factor(self, values: Array, scope: tuple[str, ...]) -> Factor:
        """Add a table over ``scope`` and the lanes as a constant factor."""
        return Factor(self.numbers(values[None]), scope, values.shape[-1], fixed=True)

    def times(self, a: Factor, b: Factor) -> Factor:
        """Return the product of two factors."""
        split = tuple(v for v in self.sizes if v in a.split or v in b.split)
        union = tuple(v for v in self.sizes if v in a.scope or v in b.scope)
        value = self.node("Mul", self._spread(a, union, split), self._spread(b, union, split))
        return Factor(value, union, max(a.lanes, b.lanes), split, a.fixed and b.fixed)

    def without(self, factor: Factor, variable: str) -> Factor:
        """Return the factor with a variable summed out."""
        if variable in factor.split:
            return self._gathered(factor, tuple(v for v in factor.split if v != variable))
        axis = 1 + factor.scope.index(variable)
        rest = tuple(v for v in factor.scope if v != variable)
        if self.sizes[variable] == 2:  # runtimes add two halves several times faster than they sum an axis of two
            halves = [f"{factor.value}_{half}" for half in range(2)]
            self.nodes.append(onnx_modules().helper.make_node("Split", [factor.value], halves, axis=axis))
            value = self.reshaped(self.node("Add", *halves), [*(self.sizes[v] for v in rest), factor.lanes])
        else:
            value = self.node("ReduceSum", factor.value, self.integers([axis]), keepdims=0)
        return replace(factor, value=value, scope=rest)

    def seen_through(self, likelihood: str, table: Array, scope: tuple[str, ...]) -> Factor:
        """Return sum over x of likelihood(x) table(x, scope, lanes), where the likelihood has shape (rows, x)."""
        flat = self.numbers(table.reshape(len(table), -1))
        shape = [self.sizes[v] for v in scope]
        lanes = table.shape[-1]
        return Factor(self.reshaped(self.node("MatMul", likelihood, flat), [*shape, lanes]), scope, lanes)

    def _gathered(self, factor: Factor, fewer: tuple[str, ...]) -> Factor:
        """Return the sums of the entries that are one entry of fewer variables."""
        rows = self.node("Shape", self.entries(fewer).row if fewer else self.rows)
        tail = [*(self.sizes[v] for v in factor.scope), factor.lanes]
        size = self.node(
            "Concat", self.node("Slice", rows, self.integers([0]), self.integers([1])), self.integers(tail), axis=0
        )
        zero = onnx_modules().numpy_helper.from_array(np.zeros(1))
        nothing = self.node("ConstantOfShape", size, value=zero)
        where = self.node("Reshape", self._entry_of(factor.split, fewer), self.integers([-1, 1]))
        value = self.node("ScatterND", nothing, where, factor.value, reduction="add")
        return replace(factor, value=value, split=fewer)

    @property
    def rows(self) -> str:
        """A value with as many rows as the batch."""
        return next(iter(self.possible.values()))

    def _spread(self, factor: Factor, scope: tuple[str, ...], split: tuple[str, ...]) -> str:
        value = factor.value
        if not factor.fixed and factor.split != split:
            value = self.node("Gather", value, self._entry_of(split, factor.split), axis=0)
        if factor.scope == scope:
            return value
        return self.reshaped(value, [*(self.sizes[v] if v in factor.scope else 1 for v in scope), factor.lanes])

    def _constant(self, values: NDArray[Any]) -> str:
        name = f"c{next(self._numbers)}"
        self.constants.append(onnx_modules().numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name


def eliminate(graph: FactorGraph, factors: Sequence[Factor], variables: Iterable[str]) -> Factor:
    """Sum all the variables out of the product of the factors, cheapest cluster first; returns one without scope."""
    left, remaining = list(factors), set(variables)
    while remaining:
        clusters = {v: set().union(*(f.names for f in left if v in f.names)) for v in remaining}
        best = min(remaining, key=lambda v: (_work(graph, clusters[v]), v))
        inside = [f for f in left if best in f.names]
        left = [f for f in left if best not in f.names]
        left.append(graph.without(_product(graph, inside), best))
        remaining.discard(best)
    return _product(graph, left)


def _work(graph: FactorGraph, names: Iterable[str]) -> float:
    """Return how many cells a row has to multiply, if it states about every other split variable."""
    return float(np.prod([(graph.sizes[v] + 1) / 2 if v in graph.possible else graph.sizes[v] for v in names]))


def _product(graph: FactorGraph, factors: Sequence[Factor]) -> Factor:
    """Return the product, the two whose own product is smallest first."""
    left = list(factors)
    while len(left) > 1:
        pairs = itertools.combinations(range(len(left)), 2)
        a, b = min(pairs, key=lambda pair: (_work(graph, left[pair[0]].names | left[pair[1]].names), pair))
        both = graph.times(left[a], left[b])
        left = [f for position, f in enumerate(left) if position not in (a, b)] + [both]
    return left[0]
