"""Credible intervals on the posterior from the uncertainty of the pooled cells.

Each cell of a variable that the case touches is drawn and the posterior is computed again; the interval is the 2.5 % to
97.5 % range over the draws. A draw moves the logarithm of each state's probability by a normal deviate of variance
1 / (c + 1/2), where c is the state's pseudo-count, and normalises; for two states that is the variance of the
log-odds with the Haldane-Anscombe correction. What is drawn is the sampling and judgement uncertainty
within the capped counts; between-study spread and the prior weights are not drawn yet.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.compiling import Skeleton, build_tables, observable_table
from hepagraph.inference.elimination import marginals
from hepagraph.inference.network import ENTITY, SUBTYPE, Network, Table

Array = NDArray[np.float64]


def posterior_interval(
    skeleton: Skeleton,
    network: Network,
    likelihood: Mapping[str, Array],
    *,
    rng: np.random.Generator,
    draws: int = 200,
    level: float = 0.95,
) -> Array:
    """Return the lower and upper end for every entity, shape (2, entities)."""
    observed = [name for name in likelihood if network.layers[name] in ("feature", "mechanism")]
    drawn = _draw(skeleton, observed, rng, draws)
    subtypes = tuple(skeleton.parent_of)
    stacks = {}
    for name in observed:
        causes = skeleton.causes_of.get(name, ())
        rows = np.stack([drawn[name, s] for s in subtypes], axis=1)
        present = np.zeros((draws, len(subtypes), len(causes)))
        for column, cause in enumerate(causes):
            present[:, :, column] = np.stack([drawn[cause, s][:, -1] for s in subtypes], axis=1)
        size = draws * len(subtypes)
        flat = observable_table(skeleton, name, rows.reshape(size, -1), present.reshape(size, len(causes)))
        stacks[name] = flat.reshape(draws, len(subtypes), *flat.shape[1:])
    posteriors = [_one_draw(skeleton, network, likelihood, drawn, stacks, draw) for draw in range(draws)]
    tail = (1 - level) / 2
    return np.asarray(np.quantile(np.stack(posteriors), [tail, 1 - tail], axis=0), dtype=np.float64)


def _draw(
    skeleton: Skeleton, observed: list[str], rng: np.random.Generator, draws: int
) -> dict[tuple[str, str], Array]:
    """Draw every touched cell, shape (draws, states) each, in a fixed order so that a seed repeats the answer."""
    causes = {cause for name in observed for cause in skeleton.causes_of.get(name, ())}
    drawn = {}
    for name in (*skeleton.contexts, *sorted(causes), *observed):
        for given, cell in skeleton.cells[name].items():
            deviates = rng.standard_normal((draws, len(cell.counts))) / np.sqrt(cell.counts + 0.5)
            moved = np.maximum(cell.mean, skeleton.policy.table_floor) * np.exp(deviates)
            drawn[name, given] = moved / moved.sum(axis=1, keepdims=True)
    for name in skeleton.contexts:  # the make-up of the patients is given, not estimated
        drawn[name, skeleton.root] = np.repeat(skeleton.cells[name][skeleton.root].mean[None], draws, axis=0)
    return drawn


def _one_draw(
    skeleton: Skeleton,
    network: Network,
    likelihood: Mapping[str, Array],
    drawn: Mapping[tuple[str, str], Array],
    stacks: Mapping[str, Array],
    draw: int,
) -> Array:
    tables = build_tables(skeleton, lambda name, given: drawn[name, given][draw], {*skeleton.contexts, ENTITY, SUBTYPE})
    causes = {cause for name in stacks for cause in skeleton.causes_of.get(name, ())}
    for cause in causes:
        rows = np.stack([drawn[cause, s][draw] for s in skeleton.parent_of])
        tables[cause] = Table(cause, (SUBTYPE,), rows / rows.sum(axis=1, keepdims=True))
    for name, stack in stacks.items():
        tables[name] = Table(name, network.tables[name].parents, stack[draw])
    ordered = {name: tables[name] for name in network.layers if name in tables}
    return marginals(ordered, likelihood, [ENTITY]).posterior[ENTITY]
