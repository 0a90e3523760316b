"""Answer cases: the public door to the network."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.case import Case, CaseReader, Finding, Lesion
from hepagraph.inference.elimination import Marginals
from hepagraph.inference.knowledge import Knowledge
from hepagraph.inference.model import CompiledModel, compile_model
from hepagraph.inference.model_cache import find_model, keep_model
from hepagraph.inference.network import ENTITY, SUBTYPE, Network
from hepagraph.inference.preparing import Prepared, prepare, raw_vectors
from hepagraph.inference.replicates import reading_error
from hepagraph.inference.result import NOTICE, CaseResult, LesionResult, Reason, ResultWarning
from hepagraph.inference.surprise import SurpriseReport, check_findings
from hepagraph.kg.model import Statement
from hepagraph.ontology.errors import OntologyError, Problem, UnknownKeyError, nearest
from hepagraph.ontology.files import content_hash, find_ontology, ontology_folder
from hepagraph.ontology.version import package_version

if TYPE_CHECKING:
    import networkx as nx

    from hepagraph.inference.causes import Causes
    from hepagraph.inference.compiling import Skeleton
    from hepagraph.inference.reconciling import Progress
    from hepagraph.kg.costs import Costs

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Options:
    """How to answer: draws for intervals (0: none), the seed, and whether to check for surprise and weigh findings."""

    draws: int
    seed: int
    surprise: bool
    reasons: bool


@dataclass(frozen=True)
class Reasoner:
    """One compiled ontology, ready to answer. Immutable; share it between threads.

    It may be pickled (about 30 MB; the graph is not in it and is read again from the ontology's folder where it is
    asked for), sent to other processes, and used after a fork once it has answered (Python itself does not survive a
    fork while another thread imports). A copy is the reasoner itself.

    Examples
    --------
    >>> reasoner = Reasoner.load()                                          # doctest: +SKIP
    >>> result = reasoner.posterior({"lesions": [{"findings": {}}]})        # doctest: +SKIP
    """

    compiled: CompiledModel
    knowledge: Knowledge

    @classmethod
    def load(cls, directory: str | Path | None = None, *, progress: Progress | None = None) -> Reasoner:
        """Return the reasoner of the ontology in ``directory``, or of the packaged one.

        The compiled model is taken from the user's cache folder if it is current (see ``model_cache``), else made and
        kept there. Making it reconciles the evidence, unless an artifact of the same evidence is at hand
        (``hepagraph compile``); ``progress`` is then called with (fits done, fits in all, variable).

        Raises
        ------
        OntologyError
            The ontology cannot be read or compiled.
        """
        folder = ontology_folder(directory)
        model = find_model(folder)
        if model is not None:
            sha256 = model.network.ontology_sha256
            return cls(model, Knowledge(folder, sha256, fit=model.fit))
        reasoner = cls.compile(folder, progress=progress)
        with contextlib.suppress(OntologyError):  # a cache that cannot be written costs time, not the answer
            keep_model(folder, reasoner.compiled, reasoner.graph)
        return reasoner

    @classmethod
    def compile(cls, directory: str | Path | None = None, *, progress: Progress | None = None) -> Reasoner:
        """Load and compile the ontology in full, whatever is stored, and store nothing; see ``load``."""
        folder = ontology_folder(directory)
        sha256 = content_hash(find_ontology(folder))
        knowledge = Knowledge(folder, sha256)
        model = compile_model(knowledge.compiled(progress), ontology_sha256=sha256)
        return cls(model, knowledge.fitted(model.fit))

    def __repr__(self) -> str:
        network = self.network
        return f"<Reasoner of {len(network.tables)} variables, ontology {network.ontology_sha256[:12]}>"

    def __copy__(self) -> Reasoner:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Reasoner:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {"compiled": self.compiled, "knowledge": self.knowledge}

    @property
    def network(self) -> Network:
        """The compiled network."""
        return self.compiled.network

    @property
    def reader(self) -> CaseReader:
        """What reads cases."""
        return self.compiled.reader

    @property
    def costs(self) -> Costs | None:
        """What a wrong management and another examination cost; None where the ontology does not say."""
        return self.compiled.costs

    @property
    def graph(self) -> nx.MultiDiGraph[str]:
        """The knowledge graph, read when it is first asked for: as stored with the model, or else from the ontology.

        Raises
        ------
        OntologyError
            The ontology has changed since it was compiled.
        """
        return self.knowledge.graph

    @property
    def skeleton(self) -> Skeleton:
        """The network's structure and estimates; made from the graph when first asked for, and raises as it does."""
        return self.knowledge.skeleton

    @cached_property
    def causes(self) -> Causes:
        """The causal relations of the graph, for explanations."""
        from hepagraph.inference.causes import Causes

        return Causes(self.compiled.causal)

    @cached_property
    def model(self) -> Mapping[str, str]:
        """Version of the package, hash of the ontology and a notice: what answered, and what the answer is not."""
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
        surprise: bool = True,
        reasons: bool = True,
        prior: Mapping[str, float] | None = None,
        draws: int = 200,
        seed: int = 0,
    ) -> CaseResult:
        """Answer a case; lesions of one patient inform each other.

        Parameters
        ----------
        case
            A ``Case``, or the JSON value of one.
        differential
            The name of a differential of the ontology; its entities share probability one. None: the default.
        interval
            Add 95 % credible intervals, from ``draws`` parameter draws with the given ``seed``.
        surprise
            Check the findings against replicate lesions: do they fit any entity, and which of them clash.
        reasons
            Weigh every finding, by withdrawing it.
        prior
            A weight for every entity of the differential, in place of the model's P(entity | patient).

        Raises
        ------
        CaseError
            The case or the prior is bad, the differential is not known, or the findings have probability zero.
        """
        found = case if isinstance(case, Case) else self.read(case)
        entities = self.entities(differential)
        options = Options(draws if interval else 0, seed, surprise, reasons)
        prepared = self.prepare(found, entities, prior)
        lesions = tuple(
            self._lesion(found, lesion, entities, evidence, options)
            for lesion, evidence in zip(found.lesions, prepared, strict=True)
        )
        return CaseResult(found.id, lesions, self.model)

    def score(
        self,
        codes: Mapping[str, NDArray[np.integer[Any]]],
        *,
        vectors: Mapping[str, Array] | None = None,
        differential: str | None = None,
        threads: int = 1,
    ) -> tuple[Array, Array]:
        """Return what ``posterior`` would of many single lesions given as codes, and log P(findings), in one call.

        Parameters
        ----------
        codes
            For each variable, of patient or lesion, an integer array, shape (rows,): the position of the state that
            was reported, negative for not stated. Reports err as in ``posterior``.
        vectors
            By variable, what further codes mean: likelihood vectors, shape (codes, states), largest entry one; the
            first has the number of states as its code. So groups, lists and soft findings can be scored.
        threads
            How many threads share the rows.

        Returns
        -------
        tuple
            Posteriors in single precision's accuracy, shape (rows, entities of the differential), in the order of
            ``entities``, and logarithms, shape (rows,).

        Raises
        ------
        CaseError
            The differential is not known.
        OntologyError
            A variable is not known, or codes are out of range or of different length.
        """
        network, entities = self.network, self.entities(differential)
        meanings = {}
        for name in codes:
            more = (vectors or {}).get(name)
            base = network.base_rates.get(name)
            if more is not None or base is not None:
                said = np.eye(len(network.states.get(name, ())))
                said = said if more is None else np.vstack([said, more])
                meanings[name] = said if base is None else said @ reading_error(base, network.reporting_error)
        rows = [network.states[ENTITY].index(entity) for entity in entities]
        member = np.isin(np.arange(len(network.states[ENTITY])), rows).astype(np.float64)
        found, log = network.engine.score(codes, meanings=meanings, given={ENTITY: member}, threads=threads)
        return found[:, rows], log

    def query(
        self, case: Case, lesion: Lesion, targets: list[str], *, differential: str | None = None
    ) -> Mapping[str, dict[str, float]]:
        """Return the posterior of any variables for one lesion, as state -> probability."""
        evidence = self.prepare(case, self.entities(differential), None)[case.lesions.index(lesion)]
        answer = self.network.engine.marginals(evidence.likelihood, targets).posterior
        return {n: dict(zip(self.network.states[n], map(float, p), strict=True)) for n, p in answer.items()}

    def prepare(
        self, case: Case, entities: tuple[str, ...], prior: Mapping[str, float] | None = None
    ) -> list[Prepared]:
        """Return every lesion's evidence as likelihood vectors; see ``preparing.prepare``."""
        return prepare(
            self.network,
            case,
            entities,
            prior=prior,
            sharing=self.compiled.sharing,
            patient_level=self.compiled.patient_level,
        )

    def what_if_reports(self, evidence: Prepared) -> dict[str, Array]:
        """Return for every variable below the entity P(report, entity | all other evidence), shape (states, entities).

        A report names a state and errs as reports do; variables that are not read from pictures are named as they are.

        Raises
        ------
        ImpossibleEvidenceError
            The evidence has probability zero.
        TooWideError
            The network's shape is not one that the engine can survey.
        """
        network = self.network
        found = network.engine.survey(evidence.likelihood).what_ifs()
        for name, base_rate in network.base_rates.items():
            if name in found:
                found[name] = reading_error(base_rate, network.reporting_error) @ found[name]
        return found

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

    def _lesion(
        self, case: Case, lesion: Lesion, entities: tuple[str, ...], evidence: Prepared, options: Options
    ) -> LesionResult:
        network, likelihood = self.network, evidence.likelihood
        answer = network.engine.marginals(likelihood, [ENTITY, SUBTYPE, *network.variables("mechanism")])
        posterior = self._by_entity(answer.posterior[ENTITY], entities)
        subtypes = dict(zip(network.states[SUBTYPE], map(_probability, answer.posterior[SUBTYPE]), strict=True))
        subtypes = {s: p for s, p in subtypes.items() if network.parent_of[s] in entities}
        surprise = self._surprise(lesion, evidence, options) if options.surprise else None
        intervals, parts = self._interval(likelihood, entities, options)
        return LesionResult(
            id=lesion.id,
            posterior=posterior,
            subtype=dict(sorted(subtypes.items(), key=lambda item: -item[1])),
            mechanisms={m: _probability(answer.posterior[m][-1]) for m in network.variables("mechanism")},
            evidence_log=answer.evidence_log,
            reasons=self._reasons(case, lesion, likelihood, posterior, answer) if options.reasons else (),
            interval=intervals,
            interval_parts=parts,
            posterior_alone=self._alone(evidence, entities),
            surprise=surprise,
            warnings=self._warnings(lesion, surprise),
        )

    def _interval(
        self, likelihood: Mapping[str, Array], entities: tuple[str, ...], options: Options
    ) -> tuple[dict[str, tuple[float, float]] | None, dict[str, dict[str, tuple[float, float]]] | None]:
        if not options.draws:
            return None, None
        from hepagraph.inference.interval import posterior_interval

        found = posterior_interval(self.skeleton, self.network, likelihood, seed=options.seed, draws=options.draws)

        def by_entity(ends: Array) -> dict[str, tuple[float, float]]:
            pairs = zip(self.network.states[ENTITY], *ends.tolist(), strict=True)
            return {entity: (low, high) for entity, low, high in pairs if entity in entities}

        return by_entity(found.ends), {part: by_entity(ends) for part, ends in found.parts.items()}

    def _alone(self, evidence: Prepared, entities: tuple[str, ...]) -> dict[str, float] | None:
        """Return the posterior without what other lesions of the patient say, or None where there are none."""
        if evidence.alone is evidence.likelihood:
            return None
        return self._by_entity(self.network.engine.marginals(evidence.alone, [ENTITY]).posterior[ENTITY], entities)

    def _surprise(self, lesion: Lesion, evidence: Prepared, options: Options) -> SurpriseReport | None:
        policy, network = self.compiled.surprise, self.network
        if not lesion.findings:
            return None
        findings = raw_vectors(lesion.findings)
        given = {name: vector for name, vector in evidence.given.items() if name not in findings}
        errors = {
            n: reading_error(network.base_rates[n], network.reporting_error)
            for n in findings
            if n in network.base_rates
        }
        return check_findings(network, given, findings, policy, confusion=errors, seed=options.seed)

    def _by_entity(self, values: Array, entities: tuple[str, ...]) -> dict[str, float]:
        found = dict(zip(self.network.states[ENTITY], map(_probability, values), strict=True))
        return {entity: found[entity] for entity in entities}

    def _warnings(self, lesion: Lesion, surprise: SurpriseReport | None) -> tuple[ResultWarning, ...]:
        warnings = []
        if not lesion.findings:
            warnings.append(
                ResultWarning("warning", "no finding was given: the answer is the prior in this patient's context")
            )
        if lesion.not_assessable:
            warnings.append(
                ResultWarning("info", "not assessable, so not counted: " + ", ".join(lesion.not_assessable))
            )
        if surprise is not None and surprise.none_of_these:
            text = (
                f"none of these entities explains the findings well (p = {surprise.fit_p_value:.3f}); think of others"
            )
            warnings.append(ResultWarning("warning", text))
        elif surprise is not None and surprise.flag:
            text = f"the findings are unusual for what this patient is likely to have (p = {surprise.p_value:.3f})"
            warnings.append(ResultWarning("info", text))
        for conflict in surprise.conflicts if surprise is not None else ():
            a, b = (self.network.labels[name] for name in conflict.findings)
            end = f", unless it is {self.network.labels[conflict.explained_by]}" if conflict.explained_by else ""
            text = f"{a} and {b} are {conflict.ratio:.2g} times rarer together than apart{end}"
            warnings.append(ResultWarning("info", text))
        return tuple(warnings)

    def _reasons(
        self,
        case: Case,
        lesion: Lesion,
        likelihood: Mapping[str, Array],
        posterior: dict[str, float],
        answer: Marginals,
    ) -> tuple[Reason, ...]:
        """Weigh each finding by withdrawing it: the change of the leading entity's log-odds."""
        leading = max(posterior, key=lambda entity: posterior[entity])
        row = self.network.states[ENTITY].index(leading)
        full = _log_odds(answer.posterior[ENTITY], row)
        reasons = []
        derived = {n for n, variable in self.reader.variables.items() if variable.covers}
        given = {n: f for n, f in {**case.context, **lesion.findings}.items() if n not in derived}
        for name, finding in given.items():
            rest = {key: vector for key, vector in likelihood.items() if key != name}
            without = self.network.engine.marginals(rest, [ENTITY]).posterior[ENTITY]
            statements = self.statements(name, leading, finding, answer.posterior[SUBTYPE])
            reasons.append(
                Reason(name, self.network.labels[name], finding.given, full - _log_odds(without, row), statements)
            )
        return tuple(sorted(reasons, key=lambda reason: -abs(reason.likelihood_ratio_log)))

    def statements(self, name: str, leading: str, finding: Finding, subtypes: Array) -> tuple[Statement, ...]:
        """Return the leading entity's statements that speak of what was seen, best grade first."""
        states = self.network.states[SUBTYPE]
        own = [i for i, s in enumerate(states) if self.network.parent_of[s] == leading]
        return self.statements_of(name, states[max(own, key=lambda i: float(subtypes[i]))], finding)

    def statements_of(self, name: str, subtype: str, finding: Finding) -> tuple[Statement, ...]:
        """Return the statements of a subtype and its entity that speak of what was seen, best grade first."""
        variable = self.reader.variables[name]
        seen = {variable.states[position] for position in finding.states}
        conditions = {variable.nodes[state] for state in seen}
        conditions |= {end for node in conditions for end in self.compiled.implied.get(node, ())}

        def speaks_of_it(statement: Statement) -> bool:
            if not statement.states and statement.context:
                return bool(conditions & set(statement.context))
            nodes = {n for n, node in variable.nodes.items() if node in statement.states}
            return not nodes or any(leaf in seen for n in nodes for leaf in variable.leaves[n])

        found = self.network.statements(name, subtype)
        relevant = [statement for statement in found if speaks_of_it(statement)] or list(found)
        return tuple(sorted(relevant, key=lambda s: (s.grade, -(s.n or 0), s.id)))


def _probability(value: float) -> float:
    """Return the number, and one where rounding has left it a trifle above."""
    return min(float(value), 1.0)


def _log_odds(values: Array, row: int) -> float:
    rest = float(np.delete(values, row).sum())
    return float(np.log(max(float(values[row]), 1e-300)) - np.log(max(rest, 1e-300)))
