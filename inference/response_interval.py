"""Credible intervals of a response network's answers from the uncertainty of its parameters.

Each row is drawn from the Dirichlet distribution of its pseudo-counts, each effect's log-multiplier from a
normal distribution of variance 16 / n, which is Woolf's variance of a log odds ratio (Woolf 1955) when n cases fill the
four cells evenly. The tables are fitted again to every draw and the posterior computed again; the interval is the range
between the 2.5 % and 97.5 % quantiles. How the causes are distributed within a row is held at its estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.elimination import marginals
from hepagraph.inference.network import Table
from hepagraph.inference.response_tables import CompiledResponse, Piece, as_table, tilted

Array = NDArray[np.float64]
FLOOR = 1e-6


def draw_tables(compiled: CompiledResponse, rng: np.random.Generator, draws: int) -> list[dict[str, Table]]:
    """Return the tables of each draw, all variables in topological order."""
    drawn = {name: _draw(piece, rng, draws) for name, piece in compiled.pieces.items()}
    return [
        {name: as_table(piece, compiled.states, drawn[name][draw]) for name, piece in compiled.pieces.items()}
        for draw in range(draws)
    ]


def intervals(
    tables: Sequence[Mapping[str, Table]], likelihood: Mapping[str, Array], targets: Sequence[str], level: float = 0.95
) -> dict[str, Array]:
    """Return the lower and upper end for every state of every target, shape (2, states) each."""
    answers = [marginals(drawn, likelihood, targets).posterior for drawn in tables]
    tail = (1 - level) / 2
    ends = {name: np.quantile(np.stack([a[name] for a in answers]), [tail, 1 - tail], axis=0) for name in targets}
    return {name: np.asarray(found, dtype=np.float64) for name, found in ends.items()}


def _draw(piece: Piece, rng: np.random.Generator, draws: int) -> Array:
    counts = piece.rows.counts
    possible = counts > 0
    gamma = rng.standard_gamma(np.where(possible, counts, 1.0), size=(draws, *counts.shape))
    rows = np.where(possible, np.maximum(gamma, FLOOR), 0.0)
    rows /= rows.sum(axis=2, keepdims=True)
    spread = np.array([4.0 / effect.size**0.5 for effect in piece.effects])
    multipliers_log = piece.multipliers_log + spread * rng.standard_normal((draws, len(piece.effects)))
    return tilted(piece, rows, multipliers_log)
