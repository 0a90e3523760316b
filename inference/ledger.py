"""What speaks for an entity and what against it: a ledger that adds up to the change of its log-odds, exactly.

A finding's weight depends on what else is known, so leaving one out, or adding one after the other, gives no sum that
means anything. The ledger gives each finding its Shapley value: the mean, over all orders in which the findings might
have come in, of how much it moved the log-odds when it came (Shapley 1953; Strumbelj and Kononenko 2014). Within any
order the moves add up to the whole shift, so their means do as well. Up to ``EXACT`` findings all subsets are computed;
with more, the mean is over random orders and their reverses, and the sum stays exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.network import ENTITY, SUBTYPE, Network
from hepagraph.ontology.errors import Problem, UnknownKeyError, nearest

if TYPE_CHECKING:
    from hepagraph.inference.case import Case
    from hepagraph.inference.preparing import Prepared
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.kg.model import Statement

Array = NDArray[np.float64]
EXACT = 12
ORDERS = 400
MOVED = 0.05
OTHER_LESIONS = "other_lesions"


@dataclass(frozen=True, slots=True)
class Flip:
    """A state that would put another entity on top, had the finding been that: ``probability`` is that entity's."""

    state: str
    entity: str
    probability: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger.

    ``weight`` is in nats of log-odds: positive speaks for the entity. ``mechanisms`` are the causes of the finding
    whose own probability it moved by at least ``MOVED``, the most moved first; ``flips`` is what it would have to be
    for another answer, ``statements`` the evidence behind it.
    """

    variable: str
    label: str
    given: str
    weight: float
    mechanisms: tuple[str, ...] = ()
    flips: tuple[Flip, ...] = ()
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Ledger:
    """Log-odds of ``entity`` against ``against`` (None: against all others), from before any finding to after all.

    ``before`` plus the weights of all entries is ``after``.
    """

    lesion: str
    entity: str
    against: str | None
    before: float
    after: float
    entries: tuple[Entry, ...]

    def by_mechanism(self) -> dict[str, tuple[Entry, ...]]:
        """Return the entries that move the same mechanism most, by mechanism, the heaviest group first."""
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            if entry.mechanisms:
                found.setdefault(entry.mechanisms[0], []).append(entry)
        ranked = sorted(found.items(), key=lambda item: -abs(sum(entry.weight for entry in item[1])))
        return {mechanism: tuple(entries) for mechanism, entries in ranked}

    def to_dict(self) -> dict[str, Any]:
        """Return the ledger as a JSON object; weights are natural logarithms."""
        return {
            "id": self.lesion,
            "entity": self.entity,
            "against": self.against,
            "log_odds_before": self.before,
            "log_odds_after": self.after,
            "entries": [_entry_dict(entry) for entry in self.entries],
        }


def _entry_dict(entry: Entry) -> dict[str, Any]:
    return {
        "finding": entry.variable,
        "given": entry.given,
        "weight": entry.weight,
        "mechanisms": list(entry.mechanisms),
        "flips": [{"state": f.state, "entity": f.entity, "probability": f.probability} for f in entry.flips],
        "statements": [
            {"id": s.id, "figure": s.figure(), "grade": s.grade, "source": s.source.short()} for s in entry.statements
        ],
    }


def explain(
    reasoner: Reasoner,
    case: Case,
    *,
    differential: str | None = None,
    entity: str | None = None,
    against: str | None = None,
    prior: Mapping[str, float] | None = None,
) -> tuple[Ledger, ...]:
    """Return one ledger for each lesion.

    Parameters
    ----------
    entity
        Whose log-odds; None: the entity on top, lesion by lesion.
    against
        A single rival; None: all other entities of the differential together.

    Raises
    ------
    CaseError
        The case, the prior, or one of the names is bad.
    """
    entities = reasoner.entities(differential)
    for key, name in (("entity", entity), ("against", against)):
        if name is not None and name not in entities:
            what = f"{name!r} is not in the differential"
            raise UnknownKeyError([Problem("unknown_key", key, what, entities, nearest(name, entities))])
    if entity is not None and entity == against:
        raise UnknownKeyError([Problem("contradiction", "against", f"{entity} cannot stand against itself", entities)])
    prepared = reasoner.prepare(case, entities, prior)
    return tuple(
        _ledger(reasoner, case, position, evidence, entities, entity, against)
        for position, evidence in enumerate(prepared)
    )


def _ledger(
    reasoner: Reasoner,
    case: Case,
    position: int,
    evidence: Prepared,
    entities: Sequence[str],
    entity: str | None,
    against: str | None,
) -> Ledger:
    network, lesion = reasoner.network, case.lesions[position]
    states = network.states[ENTITY]
    start = {ENTITY: evidence.likelihood[ENTITY]}
    players = {name: vector for name, vector in evidence.likelihood.items() if name != ENTITY}
    survey = network.engine.marginals(evidence.likelihood, [ENTITY, SUBTYPE]).posterior
    inside = [states.index(e) for e in entities]
    leading = entity or states[max(inside, key=lambda row: float(survey[ENTITY][row]))]
    if leading == against:
        against = None
    row = states.index(leading)
    rivals = [states.index(against)] if against else [r for r in inside if r != row]
    values = shapley(network, start, players, row, rivals)
    flips = _flips(reasoner, evidence, leading, inside)
    others = {n: f for other in case.lesions for n, f in other.findings.items()}  # what is said once of the patient
    given = {**others, **case.context, **lesion.findings}
    entries = []
    for name, weight in values.weights.items():
        if name == SUBTYPE:
            entries.append(Entry(OTHER_LESIONS, "the patient's other lesions", "", weight))
            continue
        finding = given[name]
        acting = _moved(network, evidence.likelihood, name)
        statements = reasoner.statements(name, leading, finding, survey[SUBTYPE])
        label = network.labels[name]
        entries.append(Entry(name, label, finding.given, weight, acting, flips.get(name, ()), statements))
    entries.sort(key=lambda entry: -abs(entry.weight))
    return Ledger(lesion.id, leading, against, values.before, values.after, tuple(entries))


def _moved(network: Network, likelihood: Mapping[str, Array], name: str) -> tuple[str, ...]:
    """Return the causes of a finding whose probability it moved, the most moved first."""
    causes = [p for p in network.tables[name].parents if network.layers[p] == "mechanism"]
    if not causes:
        return ()
    rest = {n: vector for n, vector in likelihood.items() if n != name}
    after, before = (network.engine.marginals(seen, causes).posterior for seen in (likelihood, rest))
    moved = {cause: abs(float(after[cause][-1] - before[cause][-1])) for cause in causes}
    return tuple(sorted((cause for cause in causes if moved[cause] >= MOVED), key=lambda cause: -moved[cause]))


@dataclass(frozen=True, slots=True)
class Values:
    """Shapley values in nats by variable, and the log-odds before and after; they add up."""

    weights: Mapping[str, float]
    before: float
    after: float


def shapley(
    network: Network, start: Mapping[str, Array], players: Mapping[str, Array], row: int, rivals: Sequence[int]
) -> Values:
    """Return what each player adds to the log-odds of one entity against rivals.

    Parameters
    ----------
    start
        Likelihood vectors that hold before any player comes in.
    players
        Likelihood vectors, shape (states,), by variable.
    row
        The position of the entity.
    rivals
        The positions of what it stands against.

    Raises
    ------
    ImpossibleEvidenceError
        All players together have probability zero.
    """
    names = tuple(players)
    count = len(names)
    sets = _all_subsets(count) if count <= EXACT else _prefixes(count)
    odds = _log_odds(network, start, players, sets, row, rivals)
    if count <= EXACT:
        weights = _exact(odds, count)
        before, after = float(odds[0]), float(odds[-1])
    else:
        weights, before, after = _sampled(odds, sets, count)
    return Values(dict(zip(names, map(float, weights), strict=True)), before, after)


def _all_subsets(count: int) -> NDArray[np.bool_]:
    """Return every subset of players, shape (2^count, count), the whole last."""
    numbers = np.arange(2**count)
    return (numbers[:, None] >> np.arange(count) & 1).astype(bool)


def _prefixes(count: int) -> NDArray[np.bool_]:
    """Return the growing subsets of random orders and of their reverses, shape (orders * (count + 1), count)."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(ORDERS // 2):
        order = rng.permutation(count)
        for way in (order, order[::-1]):
            rank = np.empty(count, dtype=np.int64)
            rank[way] = np.arange(count)
            rows.append(rank[None, :] < np.arange(count + 1)[:, None])
    return np.concatenate(rows)


def _log_odds(
    network: Network,
    start: Mapping[str, Array],
    players: Mapping[str, Array],
    sets: NDArray[np.bool_],
    row: int,
    rivals: Sequence[int],
) -> Array:
    different, inverse = np.unique(sets, axis=0, return_inverse=True)
    likelihood: dict[str, Array] = dict(start)
    for position, (name, vector) in enumerate(players.items()):
        seen = different[:, position]
        likelihood[name] = np.where(seen[:, None], vector, 1.0)
    posterior = network.engine.batch_marginals(likelihood, [ENTITY]).posterior[ENTITY]
    tiny = np.finfo(np.float64).tiny
    odds = np.log(np.maximum(posterior[:, row], tiny)) - np.log(np.maximum(posterior[:, rivals].sum(axis=1), tiny))
    return np.asarray(odds[inverse.reshape(-1)], dtype=np.float64)


def _exact(odds: Array, count: int) -> Array:
    """Return the weights from the log-odds of all subsets, shape (2^count,)."""
    numbers = np.arange(2**count)
    size = np.array([int(n).bit_count() for n in numbers])
    share = np.array([factorial(s) * factorial(count - s - 1) / factorial(count) for s in range(count)])
    weights = np.empty(count)
    for player in range(count):
        without = numbers[(numbers >> player & 1) == 0]
        weights[player] = (share[size[without]] * (odds[without | 1 << player] - odds[without])).sum()
    return weights


def _sampled(odds: Array, sets: NDArray[np.bool_], count: int) -> tuple[Array, float, float]:
    steps = odds.reshape(-1, count + 1)
    moves = np.diff(steps, axis=1)
    came = np.diff(sets.reshape(-1, count + 1, count).astype(np.int8), axis=1).argmax(axis=2)
    weights = np.zeros(count)
    np.add.at(weights, came, moves)
    return weights / len(steps), float(steps[0, 0]), float(steps[0, -1])


def _flips(reasoner: Reasoner, evidence: Prepared, leading: str, inside: Sequence[int]) -> dict[str, tuple[Flip, ...]]:
    """Return for each finding the reported states that would put another entity on top, the likeliest first."""
    network = reasoner.network
    found: dict[str, tuple[Flip, ...]] = {}
    for name, joint in reasoner.what_if_reports(evidence).items():
        if name not in evidence.likelihood:
            continue
        flips = []
        for state, row in zip(network.states[name], joint, strict=True):
            total = float(row[inside].sum())
            best = max(inside, key=lambda r: float(row[r]))
            if total > 0 and network.states[ENTITY][best] != leading:
                flips.append((float(total), Flip(state, network.states[ENTITY][best], float(row[best]) / total)))
        found[name] = tuple(flip for _, flip in sorted(flips, key=lambda pair: -pair[0]))
    return found
