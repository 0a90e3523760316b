"""Reconcile all evidence: fit every variable of the network to its statements, and keep what each fit rests on.

The hidden mechanisms are coupled in afterwards without moving P(feature | subtype, conditions) (see ``coupling``), so
the likelihood of all statements falls apart into one factor a variable, given the subtypes' shares; variables that
condition others are fitted before them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.conditions import Condition, admits, conditioning_variables, reference_state
from hepagraph.inference.estimating import Design, Precision, fit, implied, precision_of, probabilities
from hepagraph.inference.inverse import Prevalence, inverse_observations, read_prevalences
from hepagraph.inference.observations import Observation, Reading, mixture_rows, observe, read_statement
from hepagraph.inference.priors import statements_in
from hepagraph.inference.stopping import stop_if_over
from hepagraph.kg import Policy, Statement, Variable
from hepagraph.kg.vocabulary import targets

if TYPE_CHECKING:
    import networkx as nx

Array = NDArray[np.float64]
Progress = Callable[[int, int, str], None]
ROUNDS = 3
MINIMUM_SURPLUS = 20.0
SPREAD_BOUNDS = (0.01, 3.0)


@dataclass(frozen=True, slots=True)
class Frame:
    """What every fit shares: the rows (subtypes, then the root), their entities, shares and matching primaries."""

    graph: nx.MultiDiGraph[str]
    policy: Policy
    vocabulary: Mapping[str, Variable]
    root: str
    entities: tuple[str, ...]
    parent_of: Mapping[str, str]
    shares: Array
    primary_match: Mapping[str, Array]

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows' names: the subtypes in order, then the root."""
        return (*self.parent_of, self.root)

    def members(self, given: str) -> dict[str, float]:
        """Return the rows that an entity, a subtype or the root consists of, with their shares."""
        if given == self.root or given in self.parent_of:
            return {given: 1.0}
        found = {s: float(w) for (s, e), w in zip(self.parent_of.items(), self.shares, strict=True) if e == given}
        total = sum(found.values())
        return {name: share / total for name, share in found.items()}


@dataclass(frozen=True)
class Estimate:
    """One variable fitted: its table P(state | row, conditions) and what it rests on.

    ``table`` has shape (rows, *condition cardinalities, states), the rows as in ``Frame.rows``. ``evidence`` maps
    every row and entity to its statements; ``left_out`` holds the statements that could not be used.
    """

    variable: Variable
    conditions: tuple[Condition, ...]
    design: Design
    observations: tuple[Observation, ...]
    parameters: Array
    table: Array
    evidence: Mapping[str, tuple[Statement, ...]]
    left_out: tuple[Statement, ...]
    judgement_scale: float

    @property
    def condition_names(self) -> tuple[str, ...]:
        """The conditioning variables' names, in the order of the table's axes."""
        return tuple(condition.variable.name for condition in self.conditions)

    def usual(self) -> Array:
        """Return P(state | row) where nothing is said of the conditions, shape (rows, states)."""
        table = self.table
        for position in range(len(self.conditions) - 1, -1, -1):
            condition = self.conditions[position]
            spread = (
                condition.usual
                if condition.reference is None
                else np.eye(condition.usual.shape[1])[[condition.reference]]
            )
            weights = spread.reshape(spread.shape[0], *(1,) * position, spread.shape[1], 1)
            table = (table * weights).sum(axis=1 + position)
        return np.asarray(table, dtype=np.float64)

    @cached_property
    def precision(self) -> Precision:
        """The precision of the fit, made when first asked for; see ``precision_of``."""
        return precision_of(self.design, self.observations, self.parameters, self.judgement_scale)

    def implied(self) -> list[Array]:
        """Return for each observation the shares that the fit implies for its sets."""
        return implied(self.design, self.observations, self.parameters)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """All fits by variable, and the between-study spread that the evidence showed (SD of the log-odds)."""

    frame: Frame
    estimates: Mapping[str, Estimate]
    tau: float


def reconcile(
    frame: Frame,
    names: Sequence[str],
    *,
    plain: frozenset[str] = frozenset(),
    stored: Mapping[str, Array] | None = None,
    tau: float | None = None,
    progress: Progress | None = None,
) -> Reconciliation:
    """Fit the variables, conditioning ones first.

    Parameters
    ----------
    frame, names
        What the fits share, and the variables to fit.
    plain
        Variables that nothing conditions: context and mechanisms.
    stored, tau
        Parameters that an earlier fit of the same evidence found, by variable, and its between-study spread; then
        nothing is fitted, and each estimate is made when it is first asked for.
    progress
        Called with (fits done, fits in all, variable) after each fit.
    """
    conditioning = [n for n in conditioning_variables(frame.graph, frame.vocabulary) if n in names]
    order = [*conditioning, *(n for n in names if n not in conditioning)]
    spread = frame.policy.study_spread if tau is None else tau
    prevalences = read_prevalences(frame)
    if stored is not None:
        return Reconciliation(frame, _Stored(frame, order, conditioning, plain, prevalences, stored, spread), spread)
    estimates: dict[str, Estimate] = {}
    for turn in range(ROUNDS):
        for number, name in enumerate(order):
            conditions = (
                () if name in plain or name in conditioning else _conditions(frame, name, conditioning, estimates)
            )
            earlier = estimates[name].parameters if name in estimates else None
            estimates[name] = _estimate(frame, name, conditions, prevalences, spread, None, earlier)
            if progress is not None:
                progress(turn * len(order) + number + 1, ROUNDS * len(order), name)
        if turn < ROUNDS - 1:
            spread = between_study_spread(list(estimates.values()), frame.policy.study_spread)
    return Reconciliation(frame, estimates, spread)


@dataclass(frozen=True, eq=False)
class _Stored(Mapping[str, Estimate]):
    """Estimates from parameters that were found before, in the order of ``names``.

    Each is made when it is first asked for, since an answer needs some of them only. Two threads that ask at once may
    both make one; the first is kept.
    """

    frame: Frame
    names: Sequence[str]
    conditioning: Sequence[str]
    plain: frozenset[str]
    prevalences: Sequence[Prevalence]
    parameters: Mapping[str, Array]
    tau: float
    made: dict[str, Estimate] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Estimate:
        if name not in self.made:
            if name not in self.names:
                raise KeyError(name)
            bare = name in self.plain or name in self.conditioning
            conditions = () if bare else _conditions(self.frame, name, self.conditioning, self)
            start = self.parameters.get(name)
            found = _estimate(self.frame, name, conditions, self.prevalences, self.tau, start, None)
            self.made.setdefault(name, found)
        return self.made[name]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def reestimate(reconciliation: Reconciliation, names: Collection[str]) -> Reconciliation:
    """Return a reconciliation with some variables fitted again to what its graph holds now, the spread as it was.

    Each fit starts from the earlier one; variables that condition others are fitted first.
    """
    frame, estimates = reconciliation.frame, dict(reconciliation.estimates)
    prevalences = read_prevalences(frame)
    conditioning = [n for n in conditioning_variables(frame.graph, frame.vocabulary) if n in estimates]
    for name in (*(n for n in conditioning if n in names), *sorted(set(names) - set(conditioning))):
        stop_if_over()
        conditioned = estimates[name].conditions and name not in conditioning
        conditions = _conditions(frame, name, conditioning, estimates) if conditioned else ()
        start = estimates[name].parameters
        estimates[name] = _estimate(frame, name, conditions, prevalences, reconciliation.tau, None, start)
    return Reconciliation(frame, estimates, reconciliation.tau)


def evidence_key(frame: Frame, names: Sequence[str]) -> str:
    """Return the SHA-256 of everything that a reconciliation depends on, 64 hex digits.

    That is the method's own numbers, the variables with their states and conditions, the rows with their shares, and
    every statement about them. A changed label or definition leaves it as it is.
    """
    digest = hashlib.sha256(repr(frame.policy).encode())

    def add(*parts: object) -> None:
        digest.update(repr(parts).encode())

    add(frame.rows, frame.entities, [round(float(share), 12) for share in frame.shares])
    add(sorted((state, [round(float(m), 12) for m in match]) for state, match in frame.primary_match.items()))
    for name in names:
        variable = frame.vocabulary[name]
        covers = sorted((state, sorted(nodes)) for state, nodes in variable.covers.items())
        add(name, variable.states, sorted(variable.leaves.items()), covers, targets(frame.graph, name, "conditions"))
        add(reference_state(frame.graph, variable), targets(frame.graph, name, "pooledFrom"), variable.measure)
        for given in _givens(frame):
            for s in statements_about(frame.graph, variable, given):
                neutral = admits(frame.graph, variable, s, ())
                add(_numbers(s), neutral)
    for entity in frame.entities:
        for quantity in ("Prevalence", "PriorWeight"):
            add([_numbers(s) for s in statements_in(frame.graph, entity, quantity)])
    return digest.hexdigest()


def _numbers(s: Statement) -> tuple[object, ...]:
    about = (s.id, s.source.id, s.quantity, s.given, s.feature, s.states, s.context, s.modalities, s.agents, s.grade)
    return (*about, s.bound, s.k, s.n, s.value, s.ci, s.range, s.mean, s.sd, s.word_mean, s.word_size, s.poolable)


def _conditions(
    frame: Frame, name: str, conditioning: Sequence[str], estimates: Mapping[str, Estimate]
) -> tuple[Condition, ...]:
    """Return the conditions that some admissible statement about the variable names."""
    possible = []
    for other in conditioning:
        if name in targets(frame.graph, other, "conditions") and other in estimates:
            variable = frame.vocabulary[other]
            possible.append(Condition(variable, reference_state(frame.graph, variable), estimates[other].usual()))
    statements = [s for given in _givens(frame) for s in statements_about(frame.graph, frame.vocabulary[name], given)]
    admitted = [s for s in statements if admits(frame.graph, frame.vocabulary[name], s, possible)]
    return tuple(c for c in possible if any(c.named(s) not in ((), (c.reference,)) for s in admitted))


def _givens(frame: Frame) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*frame.rows, *frame.entities]))


def statements_about(graph: nx.MultiDiGraph[str], variable: Variable, given: str) -> list[Statement]:
    """Return the statements of one entity, subtype or root about a variable's states, by id."""
    seen: dict[str, Statement] = {}
    known = graph.adj.get(given, {})
    for end in {variable.name, *variable.nodes.values()} & known.keys():
        for data in known[end].values():
            if data["kind"] in ("shows", "measures"):
                seen.update({s.id: s for s in data["evidence"] if s.feature in ("", variable.name)})
    return [seen[name] for name in sorted(seen)]


def _estimate(
    frame: Frame,
    name: str,
    conditions: tuple[Condition, ...],
    prevalences: Sequence[Prevalence],
    tau: float,
    stored: Array | None,
    earlier: Array | None,
) -> Estimate:
    variable = frame.vocabulary[name]
    readings: list[tuple[Reading, Array]] = []
    evidence: dict[str, tuple[Statement, ...]] = {}
    left_out: list[Statement] = []
    for given in _givens(frame):
        used = []
        for statement in statements_about(frame.graph, variable, given):
            reading = read_statement(statement, variable, frame.policy)
            admitted = admits(frame.graph, variable, statement, conditions)
            if admitted and reading is not None:
                readings.append((reading, _rows(frame, statement, given, conditions)))
                used.append(statement)
            elif admitted and statement.quantity == "NotMeasured":
                used.append(statement)
            else:
                left_out.append(statement)
        evidence[given] = tuple(used)
    observations = (
        *observe(readings, variable, frame.policy, tau),
        *inverse_observations(frame, variable, prevalences, tau),
    )
    design = _design(frame, variable, conditions, observations)
    scale = frame.policy.judgement_scale
    shape = (design.effects.shape[1], design.states)
    parameters = stored
    if earlier is not None and earlier.shape != shape:
        earlier = None
    if parameters is None or parameters.shape != shape:
        parameters = fit(design, observations, scale, earlier).parameters if observations else np.zeros(shape)
    table = probabilities(design, parameters).reshape(design.shape)
    return Estimate(variable, conditions, design, observations, parameters, table, evidence, tuple(left_out), scale)


def _rows(frame: Frame, statement: Statement, given: str, conditions: Sequence[Condition]) -> Array:
    shares = frame.members(given)
    for state in statement.context:
        match = frame.primary_match.get(state)
        if match is not None and len(shares) > 1:
            position = {s: i for i, s in enumerate(frame.parent_of)}
            shares = {name: share * float(match[position[name]]) for name, share in shares.items()}
    index = {row: position for position, row in enumerate(frame.rows)}
    return mixture_rows(shares, index, [c.spread(statement) for c in conditions], len(frame.rows))


def _design(
    frame: Frame, variable: Variable, conditions: Sequence[Condition], observations: Sequence[Observation]
) -> Design:
    """Return the effects of a variable's rows: of all lesions, entities, subtypes, and of each condition."""
    policy, rows = frame.policy, frame.rows
    shape = (len(rows), *(len(c.variable.states) for c in conditions))
    columns: list[Array] = [np.ones(shape)]
    scale = [policy.common_scale]
    names: list[tuple[str, ...]] = [("all",)]

    def add(inside: Array, width: float, *name: str) -> None:
        columns.append(inside)
        scale.append(width)
        names.append(name)

    def of(given: str) -> Array:
        members = frame.members(given)
        chosen = np.array([float(row in members) for row in rows])
        return np.broadcast_to(chosen.reshape(-1, *(1,) * len(conditions)), shape)

    for entity in frame.entities:
        add(of(entity), policy.entity_scale, entity)
    for subtype, entity in frame.parent_of.items():
        if subtype != entity:
            add(of(subtype), policy.subtype_scale, subtype)
    for axis, condition in enumerate(conditions):
        speaking = {s.given for o in observations for s in o.statements if condition.named(s)}
        for state, label in enumerate(condition.variable.states):
            if state == condition.reference:
                continue
            here = np.zeros(shape)
            here[(slice(None), *(state if a == axis else slice(None) for a in range(len(conditions))))] = 1.0
            add(here, policy.condition_scale, "all", label)
            for given in sorted(speaking - {frame.root}):
                add(here * of(given), policy.entity_condition_scale, given, label)
    effects = np.stack([column.ravel() for column in columns], axis=1)
    return Design(effects, np.array(scale), (*shape, len(variable.states)), tuple(names))


def between_study_spread(estimates: Sequence[Estimate], default: float) -> float:
    """Return tau, the standard deviation of the log-odds between studies, by the method of moments.

    Chosen so that the squared residuals of primary counts on the log-odds scale, each over its variance
    1 / (n s (1 - s)) + tau^2 with s = (k + 1/2) / (n + 1), sum to the surplus of counts over fitted parameters
    (DerSimonian and Laird 1986, for many shares at once).
    ``default`` where fewer than twenty counts are left over.
    """
    squares: list[float] = []
    variances: list[float] = []
    surplus = 0.0
    for estimate in (e for e in estimates if e.observations):
        used = estimate.precision.used_by_counts()
        terms = 0
        for observation, shares in zip(estimate.observations, estimate.implied(), strict=True):
            statement = observation.statements[0]
            if observation.elicited or statement.grade != "A" or not statement.n or observation.given is not None:
                continue
            terms += len(observation.sets) - 1
            for share, seen in zip(shares[:-1], observation.shares[:-1], strict=True):
                found = (seen * statement.n + 0.5) / (statement.n + 1)
                squares.append((log_odds(found) - log_odds(float(share))) ** 2)
                variances.append(1 / (statement.n * found * (1 - found)))
        surplus += max(terms - used, 0.0)
    if surplus < MINIMUM_SURPLUS:
        return default
    square, variance = np.array(squares), np.array(variances)
    low, high = SPREAD_BOUNDS
    for _ in range(60):
        middle = (low + high) / 2
        total = float((square / (variance + middle**2)).sum())
        low, high = (middle, high) if total > surplus else (low, middle)
    return (low + high) / 2


def log_odds(share: float) -> float:
    """Return the logarithm of the odds of a share strictly between 0 and 1."""
    return math.log(share / (1 - share))
