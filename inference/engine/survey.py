"""All joints of one row in NumPy: a forward elimination that keeps its steps, and the adjoint of every factor.

The adjoint of a factor is the derivative of P(evidence) by it (Darwiche 2003): the product of all other factors summed
over what the factor does not hold. For the likelihood of a finding that is P(state, evidence without the finding), so
one backward pass answers every what-if of one finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.engine.rows import JointParts, Joints, Rows

if TYPE_CHECKING:
    from hepagraph.inference.engine.numpy_kernel import NumpyKernel

Array = NDArray[np.float64]
MAXIMUM_STEP_BITS = 20


@dataclass(slots=True)
class _Factor:
    """A factor over hidden bits, one axis of two for each, the highest first, and lanes last."""

    mask: int
    values: Array
    adjoint: Array = field(init=False)

    def __post_init__(self) -> None:
        self.adjoint = np.zeros_like(self.values)


@dataclass(frozen=True, slots=True)
class _Step:
    inputs: tuple[_Factor, ...]
    out: _Factor
    union: int
    summed: tuple[int, ...]
    scale: Array


def survey(kernel: NumpyKernel, rows: Rows) -> tuple[Joints | None, int]:
    """Return the joints of one row, and its flag: None and 2 where a step would need too much room."""
    program = kernel.program
    columns, inner, weights, hidden = _factors(kernel, rows)
    factors = [f for f in (*columns, *inner, weights) if f is not None]
    steps: list[_Step] = []
    exponent = np.zeros(program.width)
    for variable in program.inner:
        inside = [f for f in factors if f.mask & variable.mask & hidden]
        if not inside:
            continue
        union = 0
        for factor in inside:
            union |= factor.mask
        if union.bit_count() > MAXIMUM_STEP_BITS:
            return None, 2
        step = _send(inside, union, variable.mask & union, exponent)
        steps.append(step)
        factors = [f for f in factors if not any(f is used for used in inside)] + [step.out]
    value, exponent = _finish(factors, exponent)
    for step in reversed(steps):
        _spread(step)
    return _joints(kernel, columns, inner, weights, value, exponent), 0


def _factors(kernel: NumpyKernel, rows: Rows) -> tuple[list[_Factor | None], list[_Factor | None], _Factor, int]:
    """Return the factors of columns and of inner variables, the weights, and the hidden bits; nothing is fixed."""
    program = kernel.program
    columns: list[_Factor | None] = []
    needed = program.weights_mask
    for c, column in enumerate(program.columns):
        code, bits = int(rows.codes[0, c]), column.mask.bit_count()
        if code < 0 and column.inner >= 0:
            columns.append(None)
            continue
        stack = column.table if c not in rows.stacks else rows.stacks[c].blocks
        blocks = np.ones((1 << bits, program.width)) if code < 0 else np.asarray(stack[code], dtype=np.float64)
        columns.append(_Factor(column.mask, blocks.reshape(*(2,) * bits, program.width)))
        needed |= column.mask
    inner: list[_Factor | None] = [None] * len(program.inner)
    for v in reversed(program.topological):
        variable = program.inner[v]
        if variable.table is not None and needed & variable.mask:
            chosen = rows.priors[v][rows.sets[0]] if v in rows.priors and rows.sets is not None else variable.table
            values = np.asarray(chosen, dtype=np.float64).reshape(*(2,) * variable.scope.bit_count(), program.width)
            inner[v] = _Factor(variable.scope, values)
            needed |= variable.scope
    bits = program.weights_mask.bit_count()
    all_weights = (program.weights if rows.weights is None else rows.weights).reshape(-1, 1 << bits, program.width)
    values = np.asarray(all_weights[rows.context[0]], dtype=np.float64).reshape(*(2,) * bits, program.width)
    return columns, inner, _Factor(program.weights_mask, values), needed


def _axes(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length() - 1, -1, -1) if mask >> bit & 1]


def _over(factor: _Factor, union: int) -> Array:
    shape = [2 if factor.mask >> bit & 1 else 1 for bit in _axes(union)]
    return factor.values.reshape(*shape, factor.values.shape[-1])


def _send(inputs: list[_Factor], union: int, summed: int, exponent: Array) -> _Step:
    values: Any = 1.0
    for factor in sorted(inputs, key=lambda f: f.mask.bit_count()):
        values = values * _over(factor, union)
    axes = tuple(axis for axis, bit in enumerate(_axes(union)) if summed >> bit & 1)
    message = np.broadcast_to(values, (*(2,) * union.bit_count(), values.shape[-1])).sum(axis=axes)
    top = message.max(axis=tuple(range(message.ndim - 1)))
    power = np.where(top > 0, np.frexp(top)[1], 0)
    scale = np.ldexp(1.0, -power)
    exponent += power
    return _Step(tuple(inputs), _Factor(union & ~summed, message * scale), union, axes, scale)


def _finish(factors: list[_Factor], exponent: Array) -> tuple[Array, Array]:
    """Return the lanes' values and exponents, and give the remaining factors, vectors of lanes, their adjoints."""
    count = len(factors)
    before, after = np.ones((count + 1, len(exponent))), np.ones((count + 1, len(exponent)))
    up, down = np.zeros((count + 1, len(exponent)), dtype=int), np.zeros((count + 1, len(exponent)), dtype=int)
    for i, factor in enumerate(factors):
        before[i + 1], shift = np.frexp(before[i] * factor.values)
        up[i + 1] = up[i] + shift
    for i in range(count - 1, -1, -1):
        after[i], shift = np.frexp(after[i + 1] * factors[i].values)
        down[i] = down[i + 1] + shift
    for i, factor in enumerate(factors):
        factor.adjoint = np.ldexp(before[i] * after[i + 1], up[i] + down[i + 1] - up[-1])
    return before[-1], exponent + up[-1]


def _spread(step: _Step) -> None:
    union = _axes(step.union)
    kept = [1 if axis in step.summed else 2 for axis in range(len(union))]
    source = (step.out.adjoint * step.scale).reshape(*kept, -1)
    for factor in step.inputs:
        others: Any = source
        for other in step.inputs:
            if other is not factor:
                others = others * _over(other, step.union)
        whole = np.broadcast_to(others, (*(2,) * len(union), others.shape[-1]))
        axes = tuple(axis for axis, bit in enumerate(union) if not factor.mask >> bit & 1)
        factor.adjoint += whole.sum(axis=axes)


def _joints(
    kernel: NumpyKernel,
    columns: list[_Factor | None],
    inner: list[_Factor | None],
    weights: _Factor,
    value: Array,
    exponent: Array,
) -> Joints:
    program, lanes = kernel.program, len(kernel.program.pairs)
    with np.errstate(divide="ignore"):
        logs = np.log(value) + exponent * np.log(2)
    evidence_log = float(np.logaddexp.reduce(logs))
    unit = np.exp(exponent * np.log(2) - evidence_log) if np.isfinite(evidence_log) else np.zeros_like(value)
    parts = JointParts.of(program)
    found = np.zeros((parts.rows, program.width))
    for column, own, part in zip(program.columns, columns, parts.columns, strict=True):
        if own is not None:
            adjoint = own.adjoint.reshape(-1, program.width)
            leaf = column.inner < 0
            found[part] = np.einsum("cl,scl->sl", adjoint, column.table) if leaf else adjoint[: column.states]
    for variable, prior, part in zip(program.inner, inner, parts.inner, strict=True):
        factor = prior or weights
        if factor.mask & variable.mask:
            axes = tuple(axis for axis, bit in enumerate(_axes(factor.mask)) if not variable.mask >> bit & 1)
            joint = (factor.adjoint * factor.values).sum(axis=axes)
            found[part] = joint.reshape(-1, program.width)[: variable.states]
    found[parts.weights] = weights.adjoint.reshape(-1, program.width)
    return Joints((value * unit)[:lanes], (found * unit)[:, :lanes], parts, evidence_log)
