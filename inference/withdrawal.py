"""Which paper, if it were withdrawn, would move the answer most.

Withdrawing a paper takes every statement of it out of the graph, fits the variables that the case touches again without
them, at the between-study spread as it was, and answers again; what other lesions of the patient say is held. That
costs some tenths of a second a paper, so all papers are first tried with a single step of Fisher scoring, and only
those that move the answer most are fitted to the end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.compiling import Skeleton, build_tables, compile_skeleton
from hepagraph.inference.elimination import marginals, relevant
from hepagraph.inference.estimating import Removal, probabilities
from hepagraph.inference.network import ENTITY, SUBTYPE, Network, Table
from hepagraph.inference.preparing import raw_vectors
from hepagraph.inference.priors import stated_factors, statements_in, subtype_shares
from hepagraph.inference.reconciling import reestimate
from hepagraph.inference.reporting import reported

if TYPE_CHECKING:
    from hepagraph.inference.case import Case, Finding, Lesion
    from hepagraph.inference.preparing import Prepared
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.kg import Variable
    from hepagraph.kg.model import Source, Statement

Array = NDArray[np.float64]
MORE = 3  # papers fitted to the end for each that is wanted
_SHARES = ("Prevalence", "SubtypeShare")


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The answer without one paper.

    ``statements`` counts those of it that the case touches. ``change`` is that of the leading entity's posterior, and
    ``leading`` the entity that would be on top.
    """

    source: Source
    statements: int
    posterior: Mapping[str, float]
    change: float
    leading: str


@dataclass(frozen=True, slots=True)
class Withdrawals:
    """The papers that move one lesion's answer most when withdrawn, the heaviest first.

    ``tried`` counts the papers that the case touches; ``indispensable`` are those among them that prior weights rest
    on: without them there is no answer to compare.
    """

    lesion: str
    leading: str
    posterior: float
    papers: tuple[Withdrawal, ...]
    tried: int
    indispensable: tuple[Source, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "id": self.lesion,
            "leading": self.leading,
            "posterior": self.posterior,
            "tried": self.tried,
            "papers": [
                {
                    "source": paper.source.short(),
                    "statements": paper.statements,
                    "change": paper.change,
                    "leading": paper.leading,
                    "posterior": dict(paper.posterior),
                }
                for paper in self.papers
            ],
            "indispensable": [source.short() for source in self.indispensable],
        }


def withdrawals(
    reasoner: Reasoner,
    case: Case,
    *,
    differential: str | None = None,
    prior: Mapping[str, float] | None = None,
    top: int = 3,
) -> tuple[Withdrawals, ...]:
    """Return for each lesion the ``top`` papers that move its answer most when withdrawn.

    Raises
    ------
    CaseError
        The case, the differential or the prior is bad.
    """
    entities = reasoner.entities(differential)
    prepared = reasoner.prepare(case, entities, prior)
    return tuple(
        _of_lesion(reasoner, case, lesion, evidence, entities, top)
        for lesion, evidence in zip(case.lesions, prepared, strict=True)
    )


def _of_lesion(
    reasoner: Reasoner, case: Case, lesion: Lesion, evidence: Prepared, entities: Sequence[str], top: int
) -> Withdrawals:
    skeleton, network = reasoner.skeleton, reasoner.network
    touched = [n for n in relevant(network.tables, evidence.likelihood) if n in skeleton.reconciliation.estimates]
    answer = _answer(network.tables, evidence.likelihood, network, entities)
    leading = max(answer, key=lambda entity: answer[entity])
    stated = _stated(skeleton, case, touched, entities)
    fixed = {s.source.id for e in skeleton.entities for s in statements_in(skeleton.graph, e, "PriorWeight")}
    movable = {name: found for name, found in stated.items() if name not in fixed}

    def moved(posterior: Mapping[str, float]) -> float:
        return abs(_log_odds(posterior[leading]) - _log_odds(answer[leading]))

    desk = Desk(skeleton)
    rough = _Rough(skeleton, desk, network, evidence.likelihood, touched)
    moves = {name: moved(rough.answer(name, found, entities)) for name, found in movable.items()}
    chosen = sorted(moves, key=lambda name: (-moves[name], name))[: MORE * top]
    exact = [(name, _without(reasoner, desk, lesion, evidence, entities, touched, name)) for name in chosen]
    exact.sort(key=lambda pair: (-moved(pair[1]), pair[0]))
    known = skeleton.graph.graph["sources"]
    papers = tuple(
        Withdrawal(
            source=known[name],
            statements=len(movable[name]),
            posterior=posterior,
            change=posterior[leading] - answer[leading],
            leading=max(posterior, key=lambda entity: posterior[entity]),
        )
        for name, posterior in exact[:top]
    )
    indispensable = tuple(known[name] for name in sorted(set(stated) & fixed))
    return Withdrawals(lesion.id, leading, answer[leading], papers, len(stated), indispensable)


def _answer(
    tables: Mapping[str, Table], likelihood: Mapping[str, Array], network: Network, entities: Sequence[str]
) -> dict[str, float]:
    values = marginals(tables, likelihood, [ENTITY]).posterior[ENTITY]
    found = dict(zip(network.states[ENTITY], map(float, values), strict=True))
    return {entity: found[entity] for entity in entities}


def _log_odds(probability: float) -> float:
    tiny = np.finfo(np.float64).tiny
    return float(np.log(max(probability, tiny)) - np.log(max(1 - probability, tiny)))


def _stated(
    skeleton: Skeleton, case: Case, touched: Sequence[str], entities: Sequence[str]
) -> dict[str, list[Statement]]:
    """Return by source the counts and words that the case touches."""
    found = {s.id: s for name in touched for o in skeleton.estimate(name).observations for s in o.statements}
    given = {node for name, finding in case.context.items() for node in _nodes(skeleton.vocabulary[name], finding)}
    for name in (*entities, *(s for s, e in skeleton.parent_of.items() if e in entities)):
        for quantity in (*_SHARES, "PriorWeight"):
            about = statements_in(skeleton.graph, name, quantity)
            found |= {s.id: s for s in about if not s.context or given & set(s.context)}
    by_source: dict[str, list[Statement]] = {}
    for statement in found.values():
        if statement.grade != "D":
            by_source.setdefault(statement.source.id, []).append(statement)
    return by_source


def _nodes(variable: Variable, finding: Finding) -> set[str]:
    seen = {variable.states[position] for position in finding.states}
    return {node for name, node in variable.nodes.items() if seen & set(variable.leaves[name])}


class _Rough:
    """Answers without a source after one step of scoring; how reports err is held."""

    def __init__(
        self,
        skeleton: Skeleton,
        desk: Desk,
        network: Network,
        likelihood: Mapping[str, Array],
        touched: Sequence[str],
    ) -> None:
        self._skeleton, self._desk, self._network, self._likelihood = skeleton, desk, network, likelihood
        self._names = relevant(network.tables, [*likelihood, ENTITY])
        self._values = dict(skeleton.values)
        self._estimates = {name: skeleton.estimate(name) for name in touched}
        self._removals: dict[str, Removal] = {}

    def answer(self, source: str, stated: Sequence[Statement], entities: Sequence[str]) -> dict[str, float]:
        values, changed = dict(self._values), set()
        for name, estimate in self._estimates.items():
            removed = [o for o in estimate.observations if any(s.source.id == source for s in o.statements)]
            if removed:
                parameters = self._removal(name).without(removed)
                values[name] = probabilities(estimate.design, parameters).reshape(estimate.design.shape)
                changed.add(name)
        if any(s.quantity in _SHARES for s in stated):
            changed.add(ENTITY)
        if changed & {*self._skeleton.contexts, ENTITY}:
            changed |= {ENTITY, SUBTYPE}
        again = {n for n in self._names if n in changed or changed & set(self._skeleton.causes_of.get(n, ()))}
        if ENTITY in changed:
            with self._desk.withdrawn(source) as reduced:
                tables = build_tables(reduced, values, again)
        else:
            tables = build_tables(self._skeleton, values, again)
        return _answer({**self._network.tables, **tables}, self._likelihood, self._network, entities)

    def _removal(self, name: str) -> Removal:
        if name not in self._removals:
            estimate = self._estimates[name]
            self._removals[name] = Removal(
                estimate.design, estimate.precision, estimate.parameters, estimate.judgement_scale
            )
        return self._removals[name]


class Desk:
    """A copy of a skeleton's graph from which one source at a time can be withdrawn. Not for several threads."""

    def __init__(self, skeleton: Skeleton) -> None:
        self._skeleton = skeleton
        self._graph = skeleton.graph.copy()
        self._edges: dict[str, list[dict[str, Any]]] = {}
        for _, _, data in self._graph.edges(data=True):
            for source in {s.source.id for s in data["evidence"]}:
                self._edges.setdefault(source, []).append(data)

    @contextmanager
    def withdrawn(self, source: str) -> Iterator[Skeleton]:
        """Give the skeleton without a source's statements, nothing fitted again; they come back afterwards.

        Raises
        ------
        OntologyError
            Prior weights rest on the source.
        """
        kept = [(data, data["evidence"]) for data in self._edges.get(source, ())]
        try:
            for data, evidence in kept:
                data["evidence"] = tuple(s for s in evidence if s.source.id != source)
            yield self._reduced()
        finally:
            for data, evidence in kept:
                data["evidence"] = evidence

    def _reduced(self) -> Skeleton:
        skeleton, graph = self._skeleton, self._graph
        shares = subtype_shares(graph, skeleton.policy, skeleton.parent_of)
        reconciliation = skeleton.reconciliation
        reduced = replace(
            skeleton,
            graph=graph,
            reconciliation=replace(reconciliation, frame=replace(reconciliation.frame, graph=graph, shares=shares)),
            fixed=dict(skeleton.fixed),
        )
        reduced.fixed.update(stated_factors(reduced))
        return reduced


def fitted_without(skeleton: Skeleton, reduced: Skeleton, source: str, touched: Collection[str]) -> Skeleton:
    """Return a reduced skeleton with those of the ``touched`` variables fitted again that the source bears on."""
    if not np.array_equal(reduced.reconciliation.frame.shares, skeleton.reconciliation.frame.shares):
        return replace(reduced, reconciliation=reestimate(reduced.reconciliation, touched))
    direct = {
        name
        for name in touched
        if any(s.source.id == source for o in skeleton.estimate(name).observations for s in o.statements)
    }
    through = {name for name in touched if direct & set(skeleton.conditions(name))}
    return replace(reduced, reconciliation=reestimate(reduced.reconciliation, direct | through))


def _without(
    reasoner: Reasoner,
    desk: Desk,
    lesion: Lesion,
    evidence: Prepared,
    entities: Sequence[str],
    touched: Sequence[str],
    source: str,
) -> dict[str, float]:
    """Return the answer without a source, fitted to the end."""
    with desk.withdrawn(source) as reduced:
        network = compile_skeleton(fitted_without(reasoner.skeleton, reduced, source, touched))
    again = reported(network, raw_vectors(lesion.findings))
    own = {name: vector for name, vector in again.items() if name not in evidence.given}
    return _answer(network.tables, {**evidence.likelihood, **own}, network, entities)
