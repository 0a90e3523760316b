"""From the numbers of a response network to the rows of its tables, before effects couple them.

A row is one combination of the states that a variable's numbers are conditioned on. Every number whose condition the
row satisfies counts in it, as ``size`` pseudo-observations of which ``share`` fall in the number's states; published
counts are capped by their grade. So two sources that disagree both stay in the row and widen it. The row is the
fixed point of EM for set-valued counts (``pooling.pool``) under a flat prior over the states that definitions
leave.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.pooling import pool, proportion_of
from hepagraph.kg.model import Policy
from hepagraph.kg.response import Definition, Given, Number, ResponseModel
from hepagraph.ontology.errors import OntologyError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one variable: pseudo-counts of shape (rows, states), zero where a definition rules a state out.

    ``parents`` are the variables that the numbers are conditioned on; rows run over their states, last fastest.
    """

    variable: str
    parents: tuple[str, ...]
    counts: Array

    @property
    def mean(self) -> Array:
        """P(state | row), shape (rows, states)."""
        return np.asarray(self.counts / self.counts.sum(axis=1, keepdims=True), dtype=np.float64)


def share_of(number: Number, policy: Policy) -> tuple[float, float]:
    """Return the share that a number claims for its states, and the sample size after the cap of its grade.

    Raises
    ------
    OntologyError
        The cited statement holds no proportion.
    """
    share, size = number.share, number.size
    if number.statement is not None:
        share, size = proportion_of(number.statement, policy)
    if share is None or not size:
        raise OntologyError(f"{number.grounds.id}: the statement it cites holds no proportion; give fl:value instead")
    return share, min(size, policy.grade_caps.get(number.grounds.grade, size))


def build_rows(model: ResponseModel, variable: str, policy: Policy) -> Rows:
    """Return the pooled rows of one variable.

    Raises
    ------
    OntologyError
        A row is left without any number or definition, or definitions leave it no state.
    """
    numbers = [number for number in model.numbers if number.variable == variable]
    definitions = [found for found in model.definitions if found.variable == variable]
    conditions: list[Given] = [*(number.given for number in numbers), *(found.given for found in definitions)]
    named = {name for given in conditions for name, _ in given}
    parents = tuple(name for name in model.variables if name in named)
    states = [model.variables[name].states for name in parents]
    rows = [dict(zip(parents, row, strict=True)) for row in itertools.product(*states)]
    counts = [_row(model, variable, row, numbers, definitions, policy) for row in rows]
    return Rows(variable, parents, np.stack(counts))


def applies(given: Given, row: Mapping[str, str]) -> bool:
    """Return whether a row satisfies a condition."""
    return all(row[name] in states for name, states in given)


def _row(
    model: ResponseModel,
    variable: str,
    row: Mapping[str, str],
    numbers: list[Number],
    definitions: list[Definition],
    policy: Policy,
) -> Array:
    states = model.variables[variable].states
    used = [number for number in numbers if applies(number.given, row)]
    masks = [set(found.states) for found in definitions if applies(found.given, row)]
    allowed = [position for position, state in enumerate(states) if all(state in mask for mask in masks)]
    where = f"{variable} given {', '.join(f'{n} {s}' for n, s in row.items()) or 'nothing'}"
    if not allowed:
        raise OntologyError(f"{where}: the definitions leave no state")
    if not used and not masks:
        raise OntologyError(f"{where}: no number says how common its states are; add one, grade D if nobody counted")
    place = {state: index for index, state in enumerate(states[position] for position in allowed)}
    observations = []
    for number in used:
        share, size = share_of(number, policy)
        inside = tuple(sorted(place[state] for state in number.states if state in place))
        outside = tuple(sorted(set(place.values()) - set(inside)))
        if inside and outside:
            observations.append(((inside, share * size), (outside, (1 - share) * size)))
    counts = np.zeros(len(states))
    counts[allowed] = pool(observations, np.full(len(allowed), model.prior_size / len(allowed)))
    return counts
