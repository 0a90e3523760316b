"""Compile a response network: pooled rows, tilted by effects, into conditional probability tables.

An effect multiplies the odds of some states where its cause is present. The rows keep what was pooled: for each row the
base is scaled until the table, averaged over the effect's causes as the network itself distributes them in
that row, gives the row back (iterative proportional fitting; Deming and Stephan 1940, Csiszar 1975). Published
margins are therefore reproduced, and effects only say how signs and causes hang together.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.elimination import marginals
from hepagraph.inference.network import Table
from hepagraph.inference.response_rows import Rows, build_rows
from hepagraph.kg.model import Policy
from hepagraph.kg.response import Effect, ResponseModel
from hepagraph.ontology.errors import ImpossibleEvidenceError, OntologyError

Array = NDArray[np.float64]
ROUNDS, TOLERANCE = 20_000, 1e-10


@dataclass(frozen=True, slots=True)
class Piece:
    """What one table is made of.

    ``causes`` are the parents through which effects act; ``weights`` is P(their states | row), shape (rows, causes'
    configurations); ``switches`` says for each effect where it acts, shape (effects, configurations, states).
    """

    rows: Rows
    causes: tuple[str, ...]
    effects: tuple[Effect, ...]
    weights: Array
    switches: Array

    @property
    def multipliers_log(self) -> Array:
        """Natural logarithms of the effects' odds multipliers, shape (effects,)."""
        return np.asarray(np.log([effect.multiplier for effect in self.effects]), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class CompiledResponse:
    """The compiled network: tables in topological order, and the pieces they were made of."""

    states: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, Table]
    pieces: Mapping[str, Piece]


def compile_response(model: ResponseModel, policy: Policy) -> CompiledResponse:
    """Compile a response network.

    Raises
    ------
    OntologyError
        The network has a cycle, a row without numbers, or an effect whose cause is also a condition of its rows.
    """
    states = {name: variable.states for name, variable in model.variables.items()}
    rows = {name: build_rows(model, name, policy) for name in model.variables}
    effects = {name: tuple(e for e in model.effects if e.variable == name) for name in model.variables}
    parents = {name: _parents(model, rows[name], effects[name]) for name in model.variables}
    tables: dict[str, Table] = {}
    pieces: dict[str, Piece] = {}
    for name in _topological(parents):
        causes = parents[name][len(rows[name].parents) :]
        weights = _weights(tables, states, rows[name].parents, causes)
        piece = Piece(rows[name], causes, effects[name], weights, _switches(effects[name], states, causes, name))
        values = tilted(piece, piece.rows.mean[None], piece.multipliers_log[None])[0]
        pieces[name], tables[name] = piece, as_table(piece, states, values)
    return CompiledResponse(states, tables, pieces)


def as_table(piece: Piece, states: Mapping[str, tuple[str, ...]], values: Array) -> Table:
    """Return the table of one piece from values of shape (rows, configurations, states)."""
    scope = (*piece.rows.parents, *piece.causes)
    shape = tuple(len(states[name]) for name in (*scope, piece.rows.variable))
    return Table(piece.rows.variable, scope, np.asarray(values.reshape(shape), dtype=np.float64))


def tilted(piece: Piece, rows: Array, multipliers_log: Array) -> Array:
    """Return tables whose rows average to the given ones under the given multipliers.

    Parameters
    ----------
    rows
        P(state | row), shape (draws, rows, states).
    multipliers_log
        Shape (draws, effects).

    Returns
    -------
    Shape (draws, rows, configurations, states).
    """
    if not piece.effects:
        return rows[:, :, None, :]
    tilt = np.exp(np.einsum("de,ecs->dcs", multipliers_log, piece.switches))
    base = rows.copy()
    for _ in range(ROUNDS):
        joint = base[:, :, None, :] * tilt[:, None, :, :]
        joint /= joint.sum(axis=3, keepdims=True)
        margin = np.einsum("rc,drcs->drs", piece.weights, joint)
        if np.abs(margin - rows).max() < TOLERANCE:
            return np.asarray(joint, dtype=np.float64)
        base *= np.divide(rows, margin, out=np.zeros_like(rows), where=margin > 0)
    raise OntologyError(
        f"the table of {piece.rows.variable} does not settle within {ROUNDS} rounds; soften its effects"
    )


def _parents(model: ResponseModel, rows: Rows, effects: Sequence[Effect]) -> tuple[str, ...]:
    acting = {effect.cause for effect in effects}
    if both := sorted(acting & set(rows.parents)):
        raise OntologyError(
            f"{rows.variable}: {both[0]} is a condition of its rows and also the cause of an effect; keep one"
        )
    return (*rows.parents, *(name for name in model.variables if name in acting))


def _topological(parents: Mapping[str, tuple[str, ...]]) -> list[str]:
    done: list[str] = []
    while len(done) < len(parents):
        ready = [name for name in parents if name not in done and set(parents[name]) <= set(done)]
        if not ready:
            left = ", ".join(name for name in parents if name not in done)
            raise OntologyError(f"the response network has a cycle among {left}; turn one of its numbers or effects")
        done.append(ready[0])
    return done


def _weights(
    tables: Mapping[str, Table], states: Mapping[str, tuple[str, ...]], rows: tuple[str, ...], causes: tuple[str, ...]
) -> Array:
    """Return P(configuration of the causes | row) under the tables so far; even where the row cannot occur."""
    names = (*rows, *causes)
    if not causes:
        return np.ones((int(np.prod([len(states[name]) for name in rows])), 1))
    joint = np.zeros([len(states[name]) for name in names])
    for configuration in itertools.product(*(range(len(states[name])) for name in names)):
        seen = {n: np.eye(len(states[n]))[position] for n, position in zip(names, configuration, strict=True)}
        try:
            joint[configuration] = np.exp(marginals(tables, seen, []).evidence_log)
        except ImpossibleEvidenceError:
            joint[configuration] = 0.0
    flat = joint.reshape(int(np.prod(joint.shape[: len(rows)])), -1)
    totals = flat.sum(axis=1, keepdims=True)
    even = np.full_like(flat, 1 / flat.shape[1])
    return np.asarray(np.divide(flat, totals, out=even, where=totals > 0), dtype=np.float64)


def _switches(
    effects: Sequence[Effect], states: Mapping[str, tuple[str, ...]], causes: tuple[str, ...], variable: str
) -> Array:
    configurations = list(itertools.product(*(states[name] for name in causes)))
    switches = np.zeros((len(effects), len(configurations), len(states[variable])))
    for row, effect in enumerate(effects):
        axis = causes.index(effect.cause)
        acts = np.array([configuration[axis] in effect.causes for configuration in configurations], dtype=np.float64)
        switches[row] = acts[:, None] * np.array([float(state in effect.effects) for state in states[variable]])
    return switches
