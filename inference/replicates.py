"""Replicate findings: lesions drawn from the network and reported as coarsely as the lesion at hand.

A report is a channel from the true leaf state to what is said. Row 0 is the report that was made, with
probability proportional to its likelihood vector (most willing state: 1); with what is left, the leaf itself is
reported. A hard finding gives the leaves themselves; a group or list gives "one of these" beside the leaves outside
it; a soft finding gives the same soft report again as often as its own numbers say. Each column sums to one, so
replicates and the lesion at hand are outcomes of one experiment and their probabilities can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from hepagraph.inference.batch import batch_marginals, batch_size
from hepagraph.inference.elimination import relevant
from hepagraph.inference.layers import Array, Index
from hepagraph.inference.network import ENTITY, SUBTYPE, Network, Table


def report_channel(given: Array, confusion: Array | None = None) -> Array:
    """Return P(report | true leaf state), shape (reports, states); row 0 is the report that was made.

    Parameters
    ----------
    given
        The likelihood vector of what was reported, shape (states,), before any noise of observation is added.
    confusion
        P(leaf read | true leaf), shape (states read, states), where readers err; None: they do not.

    Examples
    --------
    >>> report_channel(np.array([1.0, 1.0, 0.0]))
    array([[1., 1., 0.],
           [0., 0., 1.]])
    """
    said = np.asarray(given, dtype=np.float64) / np.max(given)
    rows = np.vstack([said, np.diag(1 - said)[said < 1]])
    return rows if confusion is None else np.asarray(rows @ confusion, dtype=np.float64)


def reading_error(base_rate: Array, error: float) -> Array:
    """Return P(state read | true state), shape (states, states), of readers who err with probability ``error``.

    A reader who errs names any state, as often as ``base_rate``, shape (states,), says.

    >>> reading_error(np.array([0.25, 0.75]), 0.4)
    array([[0.7, 0.1],
           [0.3, 0.9]])
    """
    return np.asarray((1 - error) * np.eye(len(base_rate)) + error * base_rate[:, None], dtype=np.float64)


def draw_reports(states: Index, channel: Array, rng: np.random.Generator) -> Index:
    """Return which report each lesion gets, shape (batch,), from its true leaf states."""
    return pick(channel.T[states], rng)


def draw_states(
    tables: Mapping[str, Table], evidence: Mapping[str, Array], names: Iterable[str], rng: np.random.Generator
) -> dict[str, Index]:
    """Draw states of ``names`` given evidence, one draw for each row of the evidence arrays.

    Variables with evidence and their ancestors are drawn one after the other from their exact posterior given those
    drawn before; everything below them is drawn from its table.

    Parameters
    ----------
    tables
        The network's tables by child, in topological order.
    evidence
        Likelihood vectors, shape (batch, states), or (states,) for all; at least one of shape (batch, states).
    names
        The variables wanted.

    Returns
    -------
    dict
        Positions of states, shape (batch,), for the names and every variable that had to be drawn for them.
    """
    batch = batch_size(evidence)
    above = set(relevant(tables, evidence))
    upper = {name: tables[name] for name in tables if name in above}
    drawn: dict[str, Index] = {}
    seen = {name: np.asarray(vectors, dtype=np.float64) for name, vectors in evidence.items()}
    for name in upper:
        posterior = batch_marginals(upper, seen, [name]).posterior[name]
        drawn[name] = pick(np.broadcast_to(posterior, (batch, posterior.shape[1])), rng)
        seen[name] = np.eye(posterior.shape[1])[drawn[name]]
    below = set(relevant(tables, names)) - set(drawn)
    for name in (name for name in tables if name in below):
        table = tables[name]
        rows = table.values[tuple(drawn[parent] for parent in table.parents)]
        drawn[name] = pick(np.broadcast_to(rows, (batch, rows.shape[-1])), rng)
    return drawn


def draw_under(
    network: Network,
    given: Mapping[str, Array],
    conditions: Array,
    draws: int,
    names: Iterable[str],
    rng: np.random.Generator,
) -> dict[str, Index]:
    """Draw states of ``names`` given evidence, ``draws`` under each condition on the entity, one after the other.

    Parameters
    ----------
    network
        The compiled network.
    given
        Likelihood vectors, shape (states,), of evidence that all draws share; the entity's holds every condition's.
    conditions
        Vectors on the entity, shape (conditions, entities).

    Returns
    -------
    dict
        Positions of states, shape (conditions * draws,), for the names and every variable that had to be drawn.
    """
    names = tuple(names)
    survey = network.engine.lanes(given) if _lanes_suffice(network, given) else None
    if survey is None:
        return draw_states(network.tables, {**given, ENTITY: np.repeat(conditions, draws, axis=0)}, names, rng)
    contexts, joint = survey.contexts()
    pairs = survey.program.pairs
    weights = (joint[None] * conditions[:, pairs[:, 0]].reshape(len(conditions), *(1,) * len(contexts), -1)).reshape(
        len(conditions), -1
    )
    chosen = np.concatenate([_pick_many(row, draws, rng) for row in weights])
    *states, lane = np.unravel_index(chosen, joint.shape)
    drawn = {ENTITY: pairs[lane, 0], SUBTYPE: pairs[lane, 1], **dict(zip(contexts, states, strict=True))}
    upper = set(relevant(network.tables, [ENTITY, SUBTYPE]))
    below = set(relevant(network.tables, names)) - upper
    for name in (name for name in network.tables if name in below):
        table = network.tables[name]
        rows = table.values[tuple(drawn[parent] for parent in table.parents)]
        rows = np.broadcast_to(rows * given.get(name, 1.0), (len(chosen), rows.shape[-1]))
        drawn[name] = pick(rows, rng)
    return drawn


def _lanes_suffice(network: Network, given: Mapping[str, Array]) -> bool:
    """Return whether no evidence bears on anything below the lanes but the variable itself."""
    upper = set(relevant(network.tables, [ENTITY, SUBTYPE]))
    return all(name in upper or set(network.tables[name].parents) <= upper for name in given)


def _pick_many(weights: Array, count: int, rng: np.random.Generator) -> Index:
    """Return ``count`` positions with probability proportional to the weights, shape (positions,)."""
    heights = np.cumsum(weights)
    found = np.searchsorted(heights, rng.random(count) * heights[-1], side="right")
    return np.asarray(np.minimum(found, len(weights) - 1), dtype=np.int64)


def pick(rows: Array, rng: np.random.Generator) -> Index:
    """Return one position for each row, with probability proportional to the row's entries."""
    heights = np.cumsum(rows, axis=1)
    level = rng.random(len(rows)) * heights[:, -1]
    return np.asarray(np.minimum((heights <= level[:, None]).sum(axis=1), rows.shape[1] - 1), dtype=np.int64)
