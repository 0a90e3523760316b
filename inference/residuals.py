"""How well the network reproduces each statement: its value, the residual, and whether that lies within its interval.

The interval of a count is Wilson's (sampling alone) and, wider, the range that another study of the same lesions would
fall into: the log-odds plus or minus 1.96 times the root of sampling variance and between-study variance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hepagraph.inference.reconciling import Estimate, Reconciliation, log_odds
from hepagraph.kg import Statement

Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Residual:
    """One statement against the network; shares are in (0, 1) and the residual is a difference of log-odds.

    ``sampling`` is the statement's own 95 % interval, ``study`` the one that adds the between-study spread; ``z`` is
    the residual over its standard deviation, between-study spread included.
    """

    statement: Statement
    variable: str
    states: tuple[str, ...]
    stated: float
    network: float
    residual_log: float
    z: float
    sampling: tuple[float, float]
    study: tuple[float, float]

    @property
    def inside_sampling(self) -> bool:
        """Whether the network's value lies within the statement's own interval."""
        return self.sampling[0] <= self.network <= self.sampling[1]

    @property
    def inside_study(self) -> bool:
        """Whether the network's value lies within the interval that allows for another study's population."""
        return self.study[0] <= self.network <= self.study[1]


def residuals(reconciliation: Reconciliation) -> list[Residual]:
    """Return the residual of every statement with a share in the network, worst first."""
    found = [r for e in reconciliation.estimates.values() for r in _of_estimate(e, reconciliation.tau)]
    return sorted(found, key=lambda residual: (-abs(residual.z), residual.statement.id))


def within(found: Sequence[Residual]) -> float:
    """Return the share of residuals that lie within the interval that allows for another study's population."""
    return sum(residual.inside_study for residual in found) / max(len(found), 1)


def _of_estimate(estimate: Estimate, tau: float) -> Iterator[Residual]:
    for observation, implied in zip(estimate.observations, estimate.implied(), strict=True):
        measured = observation.statements[0].mean is not None and len(observation.statements) == 1
        if measured:
            continue  # mean and SD stand for many bands at once
        for position, statement in enumerate(observation.statements):
            place = position if len(observation.statements) > 1 else 0
            shares = observation.shares[place], float(implied[place])
            yield _residual(estimate, statement, observation.sets[place], *shares, observation.size, tau)


def _residual(
    estimate: Estimate,
    statement: Statement,
    states: tuple[int, ...],
    share: float,
    network: float,
    effective: float,
    tau: float,
) -> Residual:
    size = float(statement.n) if statement.n else effective
    counted = statement.grade in ("A", "B")
    judged = statement.grade == "D" and statement.value is not None
    smoothed = share if judged else (share * size + 0.5) / (size + 1)
    variance = estimate.judgement_scale**2 if judged else 1 / (max(size, 1.0) * smoothed * (1 - smoothed))
    centre = log_odds(smoothed)
    spread = math.sqrt(variance + (tau**2 if counted else 0.0))
    gap = log_odds(min(max(network, 1e-9), 1 - 1e-9)) - centre
    own = _range(centre, math.sqrt(variance)) if judged else wilson(share, size)
    names = tuple(estimate.variable.states[p] for p in states)
    return Residual(
        statement, estimate.variable.name, names, share, network, gap, gap / spread, own, _range(centre, spread)
    )


def _range(centre: float, spread: float) -> tuple[float, float]:
    low, high = centre - Z * spread, centre + Z * spread
    return 1 / (1 + math.exp(-low)), 1 / (1 + math.exp(-high))


def wilson(share: float, size: float) -> tuple[float, float]:
    """Return the 95 % interval of a share of ``size`` (Wilson 1927).

    >>> tuple(round(end, 3) for end in wilson(0.5, 10))
    (0.237, 0.763)
    """
    if size <= 0:
        return 0.0, 1.0
    centre = (share + Z**2 / (2 * size)) / (1 + Z**2 / size)
    half = Z * math.sqrt(share * (1 - share) / size + Z**2 / (4 * size**2)) / (1 + Z**2 / size)
    return max(centre - half, 0.0), min(centre + half, 1.0)
