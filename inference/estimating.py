"""Fit one variable to all of its observations at once: a multinomial logit over subtypes and conditions.

The logarithm of each state's odds is a sum of a term of all lesions, of the entity, of the subtype and of each
condition (how large it is, what was given), with normal priors that let a subtype borrow from its entity and a
condition from its absence. The penalised likelihood is maximised by Fisher scoring with step halving; the inverse of
the expected information plus the priors' precision is the covariance (Laplace's approximation; Tierney and Kadane
1986).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.observations import Observation
from hepagraph.ontology.errors import OntologyError

Array = NDArray[np.float64]
MAXIMUM_STEPS = 500
TOLERANCE = 1e-8
STALL = 1e-10
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Design:
    """How parameters add up to the logits of rows.

    ``effects`` has shape (rows * conditions, effects): one where an effect acts on a row under a condition. Every
    effect has one parameter a state, with prior mean zero and the standard deviation in ``scale``, shape (effects,).
    ``shape`` is (rows, *condition cardinalities, states).
    """

    effects: Array
    scale: Array
    shape: tuple[int, ...]
    names: tuple[tuple[str, ...], ...]

    @property
    def states(self) -> int:
        """The number of states of the variable."""
        return self.shape[-1]


@dataclass(frozen=True, slots=True)
class Fit:
    """The fitted parameters, shape (effects, states), and how far Fisher scoring had to go."""

    parameters: Array
    steps: int
    objective: float


@dataclass(frozen=True, slots=True)
class _Compiled:
    """Observations as arrays: ``rows`` (observations, cells), ``part_of`` (parts,), ``masks`` (parts, states)."""

    rows: Array
    part_of: NDArray[np.int64]
    masks: Array
    shares: Array
    sizes: Array
    elicited: NDArray[np.bool_]
    ratio: NDArray[np.bool_]
    part_rows: Array


def probabilities(design: Design, parameters: Array) -> Array:
    """Return P(state | row, conditions), shape (..., cells, states), for parameters of shape (..., effects, states)."""
    logits = design.effects @ parameters
    logits -= logits.max(axis=-1, keepdims=True)
    odds = np.exp(logits)
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True), dtype=np.float64)


def fit(design: Design, observations: Sequence[Observation], judgement_scale: float, start: Array | None = None) -> Fit:
    """Return the parameters that maximise the penalised likelihood of the observations.

    Raises
    ------
    OntologyError
        Fisher scoring does not settle within ``MAXIMUM_STEPS`` steps.
    """
    compiled = _compile(design, observations)
    beta = np.zeros((design.effects.shape[1], design.states)) if start is None else start.copy()
    value = _objective(design, compiled, beta, judgement_scale)
    for step in range(MAXIMUM_STEPS):
        gradient, information = _scores(design, compiled, beta, judgement_scale)
        move = np.linalg.solve(information, gradient.ravel()).reshape(beta.shape)
        if float((gradient * move).sum()) < TOLERANCE:
            return Fit(beta, step, value)
        length, best = 1.0, value
        while length > 1e-8:
            tried = _objective(design, compiled, beta + length * move, judgement_scale)
            if tried <= best and best > value:
                break
            best = max(best, tried)
            length /= 2
        if best <= value:
            return Fit(beta, step, value)
        gain, beta, value = best - value, beta + 2 * length * move, best
        if gain <= STALL * (1 + abs(value)):
            return Fit(beta, step, value)
    raise OntologyError(f"the fit did not settle within {MAXIMUM_STEPS} steps; look for contradicting statements")


@dataclass(frozen=True)
class Precision:
    """The precision of a fit: the information of published counts and of judgement, and that of the priors.

    ``counted`` R_c, shape (parameters, parts), has R_c R_c^T the information of published counts, ``judged`` likewise
    that of judged shares; the priors' is diagonal and ``prior``, shape (parameters,), its root.
    """

    counted: Array
    judged: Array
    prior: Array

    @cached_property
    def covariance(self) -> Array:
        """S, the inverse of the whole precision; by Woodbury's identity where there are fewer parts than parameters."""
        root, variance = np.hstack([self.counted, self.judged]), 1 / self.prior**2
        if root.shape[1] >= len(self.prior):
            return np.asarray(np.linalg.inv(root @ root.T + np.diag(self.prior**2)), dtype=np.float64)
        scaled = root * variance[:, None]
        inner = np.eye(root.shape[1]) + root.T @ scaled
        return np.asarray(np.diag(variance) - scaled @ np.linalg.solve(inner, scaled.T), dtype=np.float64)

    @cached_property
    def spread(self) -> Mapping[str, Array]:
        """For each part S R: deviates of covariance S R R^T S are normal deviates times it."""
        judged = np.hstack([self.covariance @ self.judged, self.covariance * self.prior])
        return {"sampling": self.covariance @ self.counted, "judgement": judged}

    def used_by_counts(self) -> float:
        """Return how many parameters the counts determine: the trace of S R_c R_c^T."""
        return float((self.counted * (self.covariance @ self.counted)).sum())


def precision_of(
    design: Design, observations: Sequence[Observation], parameters: Array, judgement_scale: float
) -> Precision:
    """Return the expected information at the fit, split into counts (grades A and B), judgement and priors."""
    compiled = _compile(design, observations)
    table = probabilities(design, parameters)
    shares, numerators, totals = _shares(compiled, table)
    root = (
        _jacobian(design, compiled, table, numerators, totals)
        * np.sqrt(_weights(compiled, shares, judgement_scale))[:, None]
    ).T
    counted = _is_counted(observations)[compiled.part_of]
    return Precision(root[:, counted], root[:, ~counted], np.repeat(1 / design.scale, design.states))


class Removal:
    """Where a fit would go, to one step of Fisher scoring, if some of its observations were taken away.

    The step is (H - R R^T)^-1 g with H the information of the fit, R R^T that of what is taken away and g minus its
    gradient (zero with the rest, at the fit); the inverse of H is made once (Woodbury's identity).
    """

    def __init__(self, design: Design, precision: Precision, parameters: Array, judgement_scale: float) -> None:
        self._design, self._parameters, self._scale = design, parameters, judgement_scale
        self._inverse = precision.covariance

    def without(self, removed: Sequence[Observation]) -> Array:
        """Return the parameters without some observations, shape (effects, states)."""
        compiled, beta = _compile(self._design, removed), self._parameters
        table = probabilities(self._design, beta)
        shares, numerators, totals = _shares(compiled, table)
        jacobian = _jacobian(self._design, compiled, table, numerators, totals)
        root = jacobian.T * np.sqrt(_weights(compiled, shares, self._scale))
        gradient = _slopes(compiled, shares, self._scale) @ jacobian
        through = self._inverse @ root
        step = self._inverse @ -gradient
        left = np.eye(root.shape[1]) - root.T @ through
        step += through @ np.linalg.lstsq(left, root.T @ step, rcond=None)[0]
        moved: Array = beta + step.reshape(beta.shape)
        return moved


def _weights(compiled: _Compiled, shares: Array, judgement_scale: float) -> Array:
    """Return the weight of each part's squared slope in the expected information."""
    judged = compiled.elicited[compiled.part_of]
    return np.where(judged, 1 / (judgement_scale * shares) ** 2, compiled.sizes[compiled.part_of] / shares)


def _is_counted(observations: Sequence[Observation]) -> NDArray[np.bool_]:
    return np.array([o.statements[0].grade in ("A", "B") for o in observations], dtype=bool)


def implied(design: Design, observations: Sequence[Observation], parameters: Array) -> list[Array]:
    """Return for each observation the shares that the parameters imply for its sets."""
    return implied_by(design, observations, probabilities(design, parameters))


def implied_by(design: Design, observations: Sequence[Observation], table: Array) -> list[Array]:
    """Return for each observation the shares that a table, shape (cells, states), implies for its sets."""
    compiled = _compile(design, observations)
    shares, _, _ = _shares(compiled, table)
    ends = np.searchsorted(compiled.part_of, np.arange(len(observations) + 1))
    return [shares[a:b] for a, b in itertools.pairwise(ends)]


def _compile(design: Design, observations: Sequence[Observation]) -> _Compiled:
    cells = design.effects.shape[0]
    rows = np.array([o.rows.ravel() for o in observations]).reshape(len(observations), cells)
    part_of, masks, shares, part_rows = [], [], [], []
    for position, observation in enumerate(observations):
        for number, (states, share) in enumerate(zip(observation.sets, observation.shares, strict=True)):
            part_of.append(position)
            mask = np.zeros(design.states)
            mask[list(states)] = 1.0
            masks.append(mask)
            shares.append(share)
            own = observation.rows if observation.given is None else observation.given[number]
            part_rows.append(own.ravel())
    return _Compiled(
        rows,
        np.array(part_of, dtype=np.int64),
        np.array(masks).reshape(-1, design.states),
        np.array(shares),
        np.array([o.size for o in observations]),
        np.array([o.elicited for o in observations], dtype=bool),
        np.array([o.given is not None for o in observations], dtype=bool),
        np.array(part_rows).reshape(-1, cells),
    )


def _shares(compiled: _Compiled, table: Array) -> tuple[Array, Array, Array]:
    """Return every part's share, its numerator, and its observation's total (one unless it is a ratio)."""
    numerators = np.einsum("pc,cs,ps->p", compiled.part_rows, table, compiled.masks, optimize=True)
    sums: Array = np.bincount(compiled.part_of, weights=numerators, minlength=len(compiled.sizes)).astype(np.float64)
    totals = np.where(compiled.ratio, sums, 1.0).astype(np.float64)
    return np.maximum(numerators / totals[compiled.part_of], TINY), numerators, totals


def _objective(design: Design, compiled: _Compiled, beta: Array, judgement_scale: float) -> float:
    shares, _, _ = _shares(compiled, probabilities(design, beta))
    judged = compiled.elicited[compiled.part_of]
    counts = compiled.sizes[compiled.part_of] * compiled.shares
    value = float((counts * np.log(shares))[~judged].sum())
    if judged.any():
        gap = np.log(shares[judged]) - np.log(np.maximum(compiled.shares[judged], TINY))
        value -= 0.5 * float((gap**2).sum()) / judgement_scale**2
    return value - 0.5 * float(((beta / design.scale[:, None]) ** 2).sum())


def _scores(design: Design, compiled: _Compiled, beta: Array, judgement_scale: float) -> tuple[Array, Array]:
    """Return the gradient, shape (effects, states), and the expected information with the priors' precision."""
    table = probabilities(design, beta)
    shares, numerators, totals = _shares(compiled, table)
    jacobian = _jacobian(design, compiled, table, numerators, totals)
    slopes = _slopes(compiled, shares, judgement_scale)
    gradient = (slopes @ jacobian).reshape(beta.shape) - beta / design.scale[:, None] ** 2
    information = (jacobian.T * _weights(compiled, shares, judgement_scale)) @ jacobian
    information[np.diag_indices_from(information)] += np.repeat(1 / design.scale**2, design.states)
    return gradient, information


def _slopes(compiled: _Compiled, shares: Array, judgement_scale: float) -> Array:
    """Return the derivative of the log-likelihood by each part's share, shape (parts,)."""
    judged = compiled.elicited[compiled.part_of]
    gap = np.log(np.maximum(compiled.shares, TINY)) - np.log(shares)
    counts = compiled.sizes[compiled.part_of] * compiled.shares / shares
    return np.where(judged, gap / (judgement_scale**2 * shares), counts)


def _jacobian(design: Design, compiled: _Compiled, table: Array, numerators: Array, totals: Array) -> Array:
    """Return d share / d parameters, shape (parts, effects * states)."""
    parts, states = compiled.masks.shape
    inside = compiled.masks @ table.T  # P(set | cell), shape (parts, cells)
    found = np.empty((parts, design.effects.shape[1], states))
    for state in range(states):
        slope = table[None, :, state] * (compiled.masks[:, state, None] - inside)
        found[:, :, state] = (compiled.part_rows * slope) @ design.effects
    flat = found.reshape(parts, design.effects.shape[1] * states)
    if compiled.ratio.any():
        whole = np.zeros((len(compiled.sizes), flat.shape[1]))
        np.add.at(whole, compiled.part_of, flat)
        chosen = compiled.ratio[compiled.part_of]
        share = numerators / totals[compiled.part_of]
        corrected = (flat - share[:, None] * whole[compiled.part_of]) / totals[compiled.part_of][:, None]
        flat = np.where(chosen[:, None], corrected, flat)
    return np.asarray(flat, dtype=np.float64)
