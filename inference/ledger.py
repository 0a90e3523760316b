"""What speaks for an entity and what against it: a ledger that adds up to the change of its log-odds, exactly.

A finding's weight depends on what else is known, so leaving one out, or adding one after the other, gives no sum that
means anything. The ledger gives each finding its Shapley value (see ``shapley``), so that the weights add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.network import ENTITY, SUBTYPE, Network
from hepagraph.inference.shapley import shapley
from hepagraph.ontology.errors import Problem, UnknownKeyError, nearest

if TYPE_CHECKING:
    from hepagraph.inference.case import Case, Finding
    from hepagraph.inference.causes import Link
    from hepagraph.inference.preparing import Prepared
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.kg import Statement, Variable

Array = NDArray[np.float64]
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

    ``weight`` is in nats of log-odds: positive speaks for the entity. ``favours`` is the entity itself then, else the
    rival that the finding speaks for most, and ``path`` the causal path from that entity's likeliest subtype (and the
    patient's primary) to what was seen. ``mechanisms`` are the causes of the finding whose own probability it moved by
    at least ``MOVED``, the most moved first; ``flips`` is what it would have to be for another answer, ``statements``
    the evidence behind it in the ledger's entity and ``rival_statements`` that in the rival that it favours.
    """

    variable: str
    label: str
    given: str
    weight: float
    mechanisms: tuple[str, ...] = ()
    flips: tuple[Flip, ...] = ()
    statements: tuple[Statement, ...] = ()
    favours: str = ""
    path: tuple[Link, ...] = ()
    rival_statements: tuple[Statement, ...] = ()


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
        "favours": entry.favours or None,
        "mechanisms": list(entry.mechanisms),
        "path": [
            {"cause": link.cause, "relation": link.relation, "effect": link.effect, "sources": list(link.sources)}
            for link in entry.path
        ],
        "flips": [{"state": f.state, "entity": f.entity, "probability": f.probability} for f in entry.flips],
        "statements": [_statement_dict(statement) for statement in entry.statements],
        "rival_statements": [_statement_dict(statement) for statement in entry.rival_statements],
    }


def _statement_dict(statement: Statement) -> dict[str, Any]:
    return {
        "id": statement.id,
        "figure": statement.figure(),
        "grade": statement.grade,
        "source": statement.source.short(),
    }


def explain(
    reasoner: Reasoner,
    case: Case,
    *,
    differential: str | None = None,
    entity: str | None = None,
    against: str | None = None,
    prior: Mapping[str, float] | None = None,
    lesion: str | None = None,
) -> tuple[Ledger, ...]:
    """Return one ledger for each lesion.

    Parameters
    ----------
    lesion
        The id of the only lesion that is wanted; the others still inform it.
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
    wanted = case.positions(lesion)
    prepared = reasoner.prepare(case, entities, prior)
    return tuple(
        _ledger(reasoner, case, position, prepared[position], entities, entity, against) for position in wanted
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
    wanted = (ENTITY, SUBTYPE, *network.variables("mechanism"))
    survey = network.engine.marginals(evidence.likelihood, wanted).posterior
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
        rest = {n: vector for n, vector in evidence.likelihood.items() if n != name}
        before = network.engine.marginals(rest, wanted).posterior
        gain = survey[ENTITY] - before[ENTITY]
        favours = leading if weight >= 0 else states[max(rivals, key=lambda r: float(gain[r]))]
        entry = Entry(
            name,
            network.labels[name],
            given[name].given,
            weight,
            _moved(network, name, survey, before),
            flips.get(name, ()),
            reasoner.statements(name, leading, given[name], survey[SUBTYPE]),
            favours,
            _path(reasoner, case, name, given[name], favours, survey),
            () if favours == leading else reasoner.statements(name, favours, given[name], survey[SUBTYPE]),
        )
        entries.append(entry)
    entries.sort(key=lambda entry: -abs(entry.weight))
    return Ledger(lesion.id, leading, against, values.before, values.after, tuple(entries))


def _moved(network: Network, name: str, after: Mapping[str, Array], before: Mapping[str, Array]) -> tuple[str, ...]:
    """Return the causes of a finding whose probability it moved, the most moved first."""
    causes = [p for p in network.tables[name].parents if network.layers[p] == "mechanism"]
    moved = {cause: abs(float(after[cause][-1] - before[cause][-1])) for cause in causes}
    return tuple(sorted((cause for cause in causes if moved[cause] >= MOVED), key=lambda cause: -moved[cause]))


def _path(
    reasoner: Reasoner, case: Case, name: str, finding: Finding, entity: str, survey: Mapping[str, Array]
) -> tuple[Link, ...]:
    """Return the causal path from an entity's likeliest subtype to what was seen."""
    network, variables = reasoner.network, reasoner.reader.variables
    subtypes = dict(zip(network.states[SUBTYPE], survey[SUBTYPE].tolist(), strict=True))
    own = sorted((s for s in subtypes if network.parent_of[s] == entity), key=lambda s: -subtypes[s])
    if network.layers[name] == "context":
        return reasoner.causes.of_patient(own[0], _nodes(variables[name], finding))
    known = [node for n, found in case.context.items() for node in _nodes(variables[n], found)]
    present = {m: float(survey[m][-1]) for m in network.variables("mechanism")}
    seen, ends = _named(variables[name], finding), _nodes(variables[name], finding)
    return reasoner.causes.path((own[0], entity), known, seen, ends, present)


def _best(variable: Variable, finding: Finding) -> set[str]:
    """Return the states that fit a finding best."""
    most = max(finding.likelihood)
    return {state for state, value in zip(variable.states, finding.likelihood, strict=True) if value == most}


def _nodes(variable: Variable, finding: Finding) -> set[str]:
    """Return the nodes of the states that fit a finding best, and of the groups that they belong to."""
    best = _best(variable, finding)
    return {node for name, node in variable.nodes.items() if best & set(variable.leaves[name])}


def _named(variable: Variable, finding: Finding) -> str:
    """Return the node of the narrowest group that holds all the states that fit best, or of the first of them."""
    best = _best(variable, finding)
    around = [name for name in variable.nodes if best <= set(variable.leaves[name])]
    first = next(state for state in variable.states if state in best)
    return variable.nodes[min(around, key=lambda name: (len(variable.leaves[name]), name), default=first)]


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
