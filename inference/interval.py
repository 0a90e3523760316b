"""Credible intervals on the posterior from the uncertainty of the fitted tables.

Every variable that the case touches is drawn and the posterior is computed again; the interval is the 2.5 % to 97.5 %
range over the draws. Its parts (sampling, between studies, judgement) are also given each alone. The make-up of
the patients and the prior weights are given, not estimated, and are not drawn.

A drawn table moves a feature's P(state | subtype, conditions) and keeps how mechanisms make features depend on each
other: each row given mechanisms is multiplied by the ratio of drawn to fitted shares and normalised. That keeps the
drawn margin to first order, where the exact coupling would have to be repeated for every draw.

All draws are one batch: a draw is a row of the engine, which reads likelihoods, mechanisms and weights of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.compiling import Skeleton
from hepagraph.inference.drawing import PARTS
from hepagraph.inference.drawn import drawn_rows
from hepagraph.inference.network import Network

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
    only: Collection[str] | None = None,
) -> Array:
    """Return the posterior of the entity under each parameter draw, shape (draws, entities).

    ``only`` draws the tables of some variables and leaves the others as fitted; None draws all.

    Raises
    ------
    TooWideError
        The network's shape is not one that the engine can draw.
    ImpossibleEvidenceError
        The evidence has probability zero.
    """
    program = network.engine.full_program()
    rows = drawn_rows(skeleton, network, program, likelihood, seed=seed, draws=draws, parts=parts, only=only)
    return network.engine.answer_rows(program, rows).entity
