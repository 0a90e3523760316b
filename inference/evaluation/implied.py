"""What the network implies of a sign: exactly, and by drawing lesions, beside what was published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hepagraph.inference.evaluation.metrics import Array
from hepagraph.inference.evaluation.operating import Characteristic, Published
from hepagraph.inference.network import ENTITY, SUBTYPE, Network
from hepagraph.inference.simulation import share_showing, simulate

LESIONS = 10_000
Given = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Implied:
    """A share under the network: exact, and simulated with its Monte Carlo standard error."""

    exact: float
    simulated: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One published number beside the network's.

    ``inside`` is None where no interval was published. ``informed`` says that the network's tables were made with
    this very statement.
    """

    characteristic: Characteristic
    published: Published
    implied: Implied
    inside: bool | None
    informed: bool


def compare_all(
    network: Network,
    characteristics: Sequence[Characteristic],
    *,
    seed: int = 0,
    lesions: int = LESIONS,
    progress: Callable[[str], None] = lambda what: None,
) -> tuple[Comparison, ...]:
    """Return the comparisons of every published number, simulating ``lesions`` of each entity or subtype."""
    used = {statement.id for found in network.evidence.values() for statement in found}
    comparisons: list[Comparison] = []
    for number, characteristic in enumerate(characteristics):
        progress(f"simulating {number + 1} of {len(characteristics)}: {characteristic.label}")
        rng = np.random.default_rng([seed, number])
        for published in characteristic.published:
            implied = implied_measure(network, characteristic, published, rng, lesions)
            low_high = published.interval
            inside = None if low_high is None else bool(low_high[0] <= implied.exact <= low_high[1])
            comparisons.append(Comparison(characteristic, published, implied, inside, published.id in used))
    return tuple(comparisons)


def implied_measure(
    network: Network,
    characteristic: Characteristic,
    published: Published,
    rng: np.random.Generator,
    lesions: int = LESIONS,
) -> Implied:
    """Return what the network implies of a published number, under the conditions of the sign and of the number."""
    given = {
        name: s for name, s in published.given.items() if name in network.states and name not in characteristic.sign
    }
    given |= characteristic.given
    positive = () if published.measure == "specificity" else characteristic.positive
    negative = () if published.measure == "sensitivity" else characteristic.negative
    weights = {**_weights(network, given, positive + negative), **characteristic.mix}
    right = {member: _share(network, characteristic, member, given, rng, lesions) for member in positive}
    for member in negative:
        shown = _share(network, characteristic, member, given, rng, lesions)
        right[member] = Implied(1 - shown.exact, 1 - shown.simulated, shown.standard_error)
    return _mean(right, weights)


def exact_share(network: Network, characteristic: Characteristic, member: str, given: Given) -> float:
    """Return P(sign | entity or subtype, conditions), from the probabilities of evidence with and without the sign."""
    clamped = _clamped(network, {**_member(network, member), **given})
    sign, every = characteristic.sign, characteristic.every
    parts = {name: _indicator(network, name, states) for name, states in sign.items()}
    if not every:
        parts = {name: 1 - vector for name, vector in parts.items()}
    if not all(vector.any() for vector in parts.values()):
        return 0.0 if every else 1.0
    without = network.engine.marginals(clamped, []).evidence_log
    share = float(np.exp(network.engine.marginals({**clamped, **parts}, []).evidence_log - without))
    return min(share, 1.0) if every else max(1 - share, 0.0)


def _share(
    network: Network,
    characteristic: Characteristic,
    member: str,
    given: Given,
    rng: np.random.Generator,
    lesions: int,
) -> Implied:
    clamped = {**_member(network, member), **given}
    draws = simulate(network, lesions, rng, given=clamped, variables=tuple(characteristic.sign))
    found = share_showing(network, draws, characteristic.sign, every=characteristic.every)
    return Implied(exact_share(network, characteristic, member, given), found.value, found.standard_error)


def _weights(network: Network, given: Given, members: Sequence[str]) -> dict[str, float]:
    """Return each entity's or subtype's probability under the conditions."""
    answer = network.engine.marginals(_clamped(network, given), [ENTITY, SUBTYPE]).posterior
    by_name = {
        **dict(zip(network.states[SUBTYPE], map(float, answer[SUBTYPE]), strict=True)),
        **dict(zip(network.states[ENTITY], map(float, answer[ENTITY]), strict=True)),
    }
    return {member: by_name[member] for member in members}


def _mean(shares: Mapping[str, Implied], weights: Mapping[str, float]) -> Implied:
    weight = np.array([weights[member] for member in shares])
    weight = weight / weight.sum()
    found = list(shares.values())
    variance = float(weight**2 @ np.array([s.standard_error**2 for s in found]))
    exact, drawn = ([s.exact for s in found], [s.simulated for s in found])
    return Implied(float(weight @ np.array(exact)), float(weight @ np.array(drawn)), float(np.sqrt(variance)))


def _member(network: Network, member: str) -> dict[str, tuple[str, ...]]:
    if member in network.states[ENTITY]:
        return {ENTITY: (member,)}
    return {ENTITY: (network.parent_of[member],), SUBTYPE: (member,)}


def _clamped(network: Network, given: Given) -> dict[str, Array]:
    return {name: _indicator(network, name, states) for name, states in given.items()}


def _indicator(network: Network, name: str, states: Sequence[str]) -> Array:
    return np.array([float(state in states) for state in network.states[name]])
