"""Credible intervals on the posterior from the uncertainty of the fitted tables.

Every variable that the case touches is drawn and the posterior is computed again; the interval is the 2.5 % to 97.5 %
range over the draws. Its parts (sampling, between studies, judgement) are also given each alone. The make-up of
the patients and the prior weights are given, not estimated, and are not drawn.

A drawn table moves a feature's P(state | subtype, conditions) and keeps how mechanisms make features depend on each
other: each row given mechanisms is multiplied by the ratio of drawn to fitted shares and normalised. That keeps the
drawn margin to first order, where the exact coupling would have to be repeated for every draw.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.compiling import Skeleton, build_tables
from hepagraph.inference.drawing import PARTS, draw_tables
from hepagraph.inference.elimination import marginals
from hepagraph.inference.network import ENTITY, SUBTYPE, Network, Table

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """The ends of the interval for every entity, shape (2, entities), and of each part of the uncertainty alone."""

    ends: Array
    parts: Mapping[str, Array]


def posterior_interval(
    skeleton: Skeleton,
    network: Network,
    likelihood: Mapping[str, Array],
    *,
    seed: int,
    draws: int = 200,
    level: float = 0.95,
    parts: bool = True,
) -> Interval:
    """Return the interval of every entity's posterior.

    ``parts`` adds those of each source of uncertainty alone, from a quarter of the draws.
    """

    def ends(chosen: Collection[str], count: int) -> Array:
        posteriors = draw_posteriors(skeleton, network, likelihood, seed=seed, draws=count, parts=chosen)
        tail = (1 - level) / 2
        return np.asarray(np.quantile(posteriors, [tail, 1 - tail], axis=0), dtype=np.float64)

    alone = {part: ends((part,), draws // 4) for part in PARTS} if parts else {}
    return Interval(ends(PARTS, draws), alone)


def draw_posteriors(
    skeleton: Skeleton,
    network: Network,
    likelihood: Mapping[str, Array],
    *,
    seed: int,
    draws: int,
    parts: Collection[str] = PARTS,
) -> Array:
    """Return the posterior of the entity under each parameter draw, shape (draws, entities)."""
    observed = [name for name in likelihood if network.layers[name] in ("feature", "mechanism")]
    causes = {cause for name in observed for cause in skeleton.causes_of.get(name, ())}
    hidden = {c for name in observed for c in skeleton.conditions(name) if network.layers[c] == "feature"}
    touched = sorted({*observed, *causes, *hidden})
    features = [name for name in touched if network.layers[name] == "feature"]
    names, widening = [*skeleton.contexts, *touched], skeleton.policy.interval_widening
    drawn = draw_tables(skeleton.reconciliation, names, seed, draws, parts, widening)
    for name in skeleton.contexts:  # the make-up of the patients is given, not estimated
        drawn[name][:, -1] = skeleton.values[name][-1]
    ratios = {name: drawn[name][:, :-1] / skeleton.values[name][:-1] for name in features}
    posteriors = np.empty((draws, len(network.states[ENTITY])))
    for draw in range(draws):
        values = {name: drawn[name][draw] for name in (*skeleton.contexts, *causes)}
        above = {*skeleton.contexts, ENTITY, SUBTYPE, *causes}
        tables = build_tables(skeleton, values, above)
        tables |= {name: _tilted(network.tables[name], ratios[name][draw]) for name in features}
        ordered = {name: tables[name] for name in network.layers if name in tables}
        posteriors[draw] = marginals(ordered, likelihood, [ENTITY]).posterior[ENTITY]
    return posteriors


def _tilted(table: Table, ratio: Array) -> Table:
    """Return the table with each state's share multiplied by a ratio of shape (rows, *conditions, states)."""
    causes = table.values.ndim - ratio.ndim
    values = table.values * ratio.reshape(*ratio.shape[:-1], *(1,) * causes, ratio.shape[-1])
    return Table(table.child, table.parents, values / values.sum(axis=-1, keepdims=True))
