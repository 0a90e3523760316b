"""Write an ONNX graph of factors: each has a batch axis first, then its variables, then the lanes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
    """A value of the graph, shape (batch or 1, states of each variable of the scope, lanes or 1)."""

    value: str
    scope: tuple[str, ...]
    lanes: int


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
    """

    sizes: Mapping[str, int]
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    _numbers: Any = field(default_factory=count)

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add an operation and return the name of its value."""
        name = output or f"v{next(self._numbers)}"
        self.nodes.append(onnx_modules().helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def numbers(self, values: Array) -> str:
        """Add a constant of real numbers and return the name of its value in double precision."""
        kept = self._constant(np.asarray(values, dtype=np.float32))
        return self.double(kept)

    def integers(self, values: Sequence[int] | int) -> str:
        """Add a constant of integers, a vector or a scalar."""
        return self._constant(np.asarray(values, dtype=np.int64))

    def double(self, value: str) -> str:
        """Cast a value to double precision."""
        return self.node("Cast", value, to=onnx_modules().TensorProto.DOUBLE)

    def reshaped(self, value: str, shape: Iterable[int]) -> str:
        """Reshape all axes but the first, which stays as it is."""
        return self.node("Reshape", value, self.integers([0, *shape]))

    def factor(self, values: Array, scope: tuple[str, ...]) -> Factor:
        """Add a table over ``scope`` and the lanes as a constant factor."""
        return Factor(self.numbers(values[None]), scope, values.shape[-1])

    def times(self, a: Factor, b: Factor) -> Factor:
        """Return the product of two factors."""
        union = tuple(v for v in self.sizes if v in a.scope or v in b.scope)
        value = self.node("Mul", self._spread(a, union), self._spread(b, union))
        return Factor(value, union, max(a.lanes, b.lanes))

    def without(self, factor: Factor, variable: str) -> Factor:
        """Return the factor with a variable summed out."""
        axis = self.integers([1 + factor.scope.index(variable)])
        rest = tuple(v for v in factor.scope if v != variable)
        return Factor(self.node("ReduceSum", factor.value, axis, keepdims=0), rest, factor.lanes)

    def seen_through(self, likelihood: str, table: Array, scope: tuple[str, ...]) -> Factor:
        """Return sum over x of likelihood(x) table(x, scope, lanes), where the likelihood has shape (batch, x)."""
        flat = self.numbers(table.reshape(len(table), -1))
        shape = [self.sizes[v] for v in scope]
        lanes = table.shape[-1]
        return Factor(self.reshaped(self.node("MatMul", likelihood, flat), [*shape, lanes]), scope, lanes)

    def cells(self, scope: Iterable[str]) -> int:
        """Return how many combinations of states the variables have."""
        return int(np.prod([self.sizes[v] for v in scope], dtype=np.int64))

    def _spread(self, factor: Factor, scope: tuple[str, ...]) -> str:
        if factor.scope == scope:
            return factor.value
        return self.reshaped(factor.value, [*(self.sizes[v] if v in factor.scope else 1 for v in scope), factor.lanes])

    def _constant(self, values: NDArray[Any]) -> str:
        name = f"c{next(self._numbers)}"
        self.constants.append(onnx_modules().numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def eliminate(graph: FactorGraph, factors: Sequence[Factor], variables: Iterable[str]) -> Factor:
    """Sum all the variables out of the product of the factors, cheapest cluster first; returns one without scope."""
    left, remaining = list(factors), set(variables)
    while remaining:
        clusters = {v: {u for f in left if v in f.scope for u in f.scope} for v in remaining}
        best = min(remaining, key=lambda v: (graph.cells(clusters[v]), v))
        inside = [f for f in left if best in f.scope]
        left = [f for f in left if best not in f.scope]
        left.append(graph.without(_product(graph, inside), best))
        remaining.discard(best)
    return _product(graph, left)


def _product(graph: FactorGraph, factors: Sequence[Factor]) -> Factor:
    first, *others = sorted(factors, key=lambda f: (graph.cells(f.scope), f.scope))
    for other in others:
        first = graph.times(first, other)
    return first
