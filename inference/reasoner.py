"""Answer cases: the public door to the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.case import Case, CaseReader, Finding, Lesion
from hepagraph.inference.compiling import Skeleton, compile_skeleton, read_skeleton
from hepagraph.inference.elimination import Marginals, marginals
from hepagraph.inference.interval import posterior_interval
from hepagraph.inference.network import ENTITY, SUBTYPE, Network
from hepagraph.inference.result import NOTICE, CaseResult, LesionResult, Reason, ResultWarning
from hepagraph.kg import Statement, build_graph
from hepagraph.kg.vocabulary import targets
from hepagraph.ontology.errors import Problem, UnknownKeyError, nearest
from hepagraph.ontology.files import content_hash, find_ontology
from hepagraph.ontology.store import load_ontology
from hepagraph.ontology.version import package_version

if TYPE_CHECKING:
    import networkx as nx

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Reasoner:
    """One compiled ontology, ready to answer. Immutable; share it between threads.

    Examples
    --------
    >>> reasoner = Reasoner.load()                                          # doctest: +SKIP
    >>> result = reasoner.posterior({"lesions": [{"findings": {}}]})        # doctest: +SKIP
    """

    graph: nx.MultiDiGraph[str]
    skeleton: Skeleton
    network: Network
    reader: CaseReader

    @classmethod
    def load(cls, directory: str | Path | None = None) -> Reasoner:
        """Load and compile the ontology in ``directory``, or the packaged one.

        Raises
        ------
        OntologyError
            The ontology cannot be read or compiled.
        """
        files = find_ontology(directory)
        graph = build_graph(load_ontology(files))
        skeleton = read_skeleton(graph)
        network = compile_skeleton(skeleton, ontology_sha256=content_hash(files))
        return cls(graph, skeleton, network, CaseReader.from_graph(graph))

    @cached_property
    def model(self) -> Mapping[str, str]:
        """What answered: package version, hash of the ontology, and what the answer is not."""
        return {"version": package_version(), "ontology_sha256": self.network.ontology_sha256, "notice": NOTICE}

    def read(self, data: Any) -> Case:
        """Return the case that a JSON value describes; see ``CaseReader.read``."""
        return self.reader.read(data)

    def posterior(
        self,
        case: Case | Mapping[str, Any],
        *,
        differential: str | None = None,
        interval: bool = False,
        draws: int = 200,
        seed: int = 0,
    ) -> CaseResult:
        """Answer a case.

        Parameters
        ----------
        case
            A ``Case``, or the JSON value of one.
        differential
            The name of a differential of the ontology; its entities share probability one. None: the default.
        interval
            Add 95 % credible intervals, from ``draws`` parameter draws with the given ``seed``.

        Raises
        ------
        CaseError
            The case is bad, the differential is not known, or the findings have probability zero.
        """
        found = case if isinstance(case, Case) else self.read(case)
        entities = self.entities(differential)
        lesions = tuple(
            self._lesion(found, lesion, entities, (draws, seed) if interval else None) for lesion in found.lesions
        )
        return CaseResult(found.id, lesions, self.model)

    def query(
        self, case: Case, lesion: Lesion, targets: list[str], *, differential: str | None = None
    ) -> Mapping[str, dict[str, float]]:
        """Return the posterior of any variables for one lesion, as state -> probability."""
        likelihood = self._likelihood(case, lesion, self.entities(differential))
        answer = marginals(self.network.tables, likelihood, targets).posterior
        return {n: dict(zip(self.network.states[n], map(float, p), strict=True)) for n, p in answer.items()}

    def entities(self, differential: str | None = None) -> tuple[str, ...]:
        """Return the entities of a differential, the default one when no name is given."""
        known = self.network.differentials
        name = differential or self.network.default_differential
        if name not in known:
            problem = Problem(
                "unknown_key", "differential", f"{name!r} is not known", tuple(known), nearest(name, known)
            )
            raise UnknownKeyError([problem])
        return known[name]

    # -- one lesion -------------------------------------------------------------------------------------------

    def _likelihood(self, case: Case, lesion: Lesion, entities: tuple[str, ...]) -> dict[str, Array]:
        member = np.array([float(entity in entities) for entity in self.network.states[ENTITY]])
        seen = {**case.context, **lesion.findings}
        return {ENTITY: member, **{name: np.array(finding.likelihood) for name, finding in seen.items()}}

    def _lesion(
        self, case: Case, lesion: Lesion, entities: tuple[str, ...], draws: tuple[int, int] | None
    ) -> LesionResult:
        network, likelihood = self.network, self._likelihood(case, lesion, entities)
        answer = marginals(network.tables, likelihood, [ENTITY, SUBTYPE, *network.variables("mechanism")])
        posterior = self._by_entity(answer.posterior[ENTITY], entities)
        subtypes = dict(zip(network.states[SUBTYPE], map(float, answer.posterior[SUBTYPE]), strict=True))
        subtypes = {s: p for s, p in subtypes.items() if network.parent_of[s] in entities}
        intervals = None
        if draws is not None:
            low, high = posterior_interval(
                self.skeleton, network, likelihood, rng=np.random.default_rng(draws[1]), draws=draws[0]
            )
            ends = {e: (float(a), float(b)) for e, a, b in zip(network.states[ENTITY], low, high, strict=True)}
            intervals = {entity: ends[entity] for entity in entities}
        return LesionResult(
            id=lesion.id,
            posterior=posterior,
            subtype=dict(sorted(subtypes.items(), key=lambda item: -item[1])),
            mechanisms={m: float(answer.posterior[m][-1]) for m in network.variables("mechanism")},
            evidence_log=answer.evidence_log,
            reasons=self._reasons(case, lesion, likelihood, posterior, answer),
            interval=intervals,
            warnings=self._warnings(lesion),
        )

    def _by_entity(self, values: Array, entities: tuple[str, ...]) -> dict[str, float]:
        found = dict(zip(self.network.states[ENTITY], map(float, values), strict=True))
        return {entity: found[entity] for entity in entities}

    def _warnings(self, lesion: Lesion) -> tuple[ResultWarning, ...]:
        warnings = []
        if not lesion.findings:
            warnings.append(
                ResultWarning("warning", "no finding was given: the answer is the prior in this patient's context")
            )
        if lesion.not_assessable:
            warnings.append(
                ResultWarning("info", "not assessable, so not counted: " + ", ".join(lesion.not_assessable))
            )
        return tuple(warnings)

    def _reasons(
        self, case: Case, lesion: Lesion, likelihood: dict[str, Array], posterior: dict[str, float], answer: Marginals
    ) -> tuple[Reason, ...]:
        """Weigh each finding by withdrawing it: the change of the leading entity's log-odds."""
        leading = max(posterior, key=lambda entity: posterior[entity])
        row = self.network.states[ENTITY].index(leading)
        full = _log_odds(answer.posterior[ENTITY], row)
        reasons = []
        for name, finding in {**case.context, **lesion.findings}.items():
            rest = {key: vector for key, vector in likelihood.items() if key != name}
            without = marginals(self.network.tables, rest, [ENTITY]).posterior[ENTITY]
            statements = self._statements(name, leading, finding, answer.posterior[SUBTYPE])
            reasons.append(
                Reason(name, self.network.labels[name], finding.given, full - _log_odds(without, row), statements)
            )
        return tuple(sorted(reasons, key=lambda reason: -abs(reason.likelihood_ratio_log)))

    def _statements(self, name: str, leading: str, finding: Finding, subtypes: Array) -> tuple[Statement, ...]:
        """Return the leading entity's statements that speak of what was seen, best grade first."""
        states = self.network.states[SUBTYPE]
        own = [i for i, s in enumerate(states) if self.network.parent_of[s] == leading]
        likeliest = states[max(own, key=lambda i: float(subtypes[i]))]
        variable = self.reader.variables[name]
        seen = {variable.states[position] for position in finding.states}
        conditions = {variable.nodes[state] for state in seen}
        conditions |= {end for node in conditions for end in targets(self.graph, node, "implies")}

        def speaks_of_it(statement: Statement) -> bool:
            if not statement.states and statement.context:
                return bool(conditions & set(statement.context))
            nodes = {n for n, node in variable.nodes.items() if node in statement.states}
            return not nodes or any(leaf in seen for n in nodes for leaf in variable.leaves[n])

        found = self.network.statements(name, likeliest)
        relevant = [statement for statement in found if speaks_of_it(statement)] or list(found)
        return tuple(sorted(relevant, key=lambda s: (s.grade, -(s.n or 0), s.id)))


def _log_odds(values: Array, row: int) -> float:
    rest = float(np.delete(values, row).sum())
    return float(np.log(max(float(values[row]), 1e-300)) - np.log(max(rest, 1e-300)))
