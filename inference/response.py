"""Answer cases of treated lesions: the public door to the response network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.case import CaseReader, Finding
from hepagraph.inference.elimination import marginals
from hepagraph.inference.network import Table
from hepagraph.inference.response_case import ResponseCase, ResponseLesion, ResponseReader
from hepagraph.inference.response_interval import draw_tables, intervals
from hepagraph.inference.response_reasons import firing, reasons
from hepagraph.inference.response_result import ResponseCaseResult, ResponseLesionResult
from hepagraph.inference.response_tables import CompiledResponse, compile_response
from hepagraph.inference.result import NOTICE, ResultWarning
from hepagraph.kg import build_graph
from hepagraph.kg.response import ANSWER, CAUSE, ResponseModel
from hepagraph.kg.response_reading import read_response
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.files import content_hash, find_ontology
from hepagraph.ontology.store import load_ontology
from hepagraph.ontology.version import package_version

Array = NDArray[np.float64]
DRAWS = 200


@dataclass(frozen=True)
class ResponseReasoner:
    """The response network of one ontology, ready to answer. Immutable; share it between threads.

    Examples
    --------
    >>> reasoner = ResponseReasoner.load()                                   # doctest: +SKIP
    >>> result = reasoner.posterior({"lesions": [{"response": {}}]})         # doctest: +SKIP
    """

    model: ResponseModel
    compiled: CompiledResponse
    reader: ResponseReader
    ontology_sha256: str = ""
    draws: int = DRAWS
    seed: int = 0

    @classmethod
    def load(cls, directory: str | Path | None = None) -> ResponseReasoner:
        """Load and compile the response network of the ontology in ``directory``, or of the packaged one.

        Raises
        ------
        OntologyError
            The ontology cannot be read, or has no response network.
        """
        files = find_ontology(directory)
        rdf = load_ontology(files)
        graph = build_graph(rdf)
        model = read_response(rdf, graph)
        if model is None:
            raise OntologyError(f"{files.directory}: has no response network (fl:ResponseModel)")
        reader = ResponseReader(model, CaseReader.from_graph(graph))
        return cls(model, compile_response(model, graph.graph["policy"]), reader, content_hash(files))

    @cached_property
    def about(self) -> Mapping[str, str]:
        """What answered: package version, hash of the ontology, the model's name, and what the answer is not."""
        return {
            "version": package_version(),
            "ontology_sha256": self.ontology_sha256,
            "response_model": self.model.label,
            "notice": NOTICE,
        }

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """Return how to print a variable."""
        return {name: variable.label for name, variable in self.model.variables.items()}

    @cached_property
    def drawn(self) -> list[dict[str, Table]]:
        """The tables of every parameter draw; made once."""
        return draw_tables(self.compiled, np.random.default_rng(self.seed), self.draws)

    def read(self, data: Any) -> ResponseCase:
        """Return the case that a JSON value describes; see ``ResponseReader.read``."""
        return self.reader.read(data)

    def posterior(self, case: ResponseCase | Mapping[str, Any]) -> ResponseCaseResult:
        """Answer a case, given as read or as its JSON value.

        Raises
        ------
        CaseError
            The case is bad, or what was seen has probability zero.
        """
        found = case if isinstance(case, ResponseCase) else self.read(case)
        lesions = tuple(self._lesion(found, lesion) for lesion in found.lesions)
        return ResponseCaseResult(found.id, lesions, self.about)

    def query(self, seen: Mapping[str, Finding], targets: list[str]) -> dict[str, dict[str, float]]:
        """Return the posterior of any variables of the network, as state -> probability."""
        likelihood = {name: np.array(finding.likelihood) for name, finding in seen.items()}
        answer = marginals(self.compiled.tables, likelihood, targets).posterior
        return {n: self._by_state(n, values) for n, values in answer.items()}

    def _by_state(self, name: str, values: Array) -> dict[str, float]:
        return dict(zip(self.compiled.states[name], map(float, values), strict=True))

    def _lesion(self, case: ResponseCase, lesion: ResponseLesion) -> ResponseLesionResult:
        seen = {**case.context, **lesion.seen}
        likelihood = {name: np.array(finding.likelihood) for name, finding in seen.items()}
        answers, causes = self.model.of_role(ANSWER), self.model.of_role(CAUSE)
        answer = marginals(self.compiled.tables, likelihood, [*answers, *causes])
        posterior = {name: self._by_state(name, answer.posterior[name]) for name in answers}
        leading = max(posterior[answers[0]], key=lambda state: posterior[answers[0]][state])
        ends = intervals(self.drawn, likelihood, [*answers, *causes])
        return ResponseLesionResult(
            id=lesion.id,
            answers=posterior,
            interval={name: self._ends(name, ends[name]) for name in answers},
            causes={name: float(answer.posterior[name][-1]) for name in causes},
            cause_interval={name: (float(ends[name][0][-1]), float(ends[name][1][-1])) for name in causes},
            evidence_log=answer.evidence_log,
            reasons=reasons(self.model, self.compiled.tables, seen, (answers[0], leading)),
            pitfalls=firing(self.model.pitfalls, self.model, seen, answer.posterior),
            warnings=self._warnings(case, lesion),
        )

    def _ends(self, name: str, ends: Array) -> dict[str, tuple[float, float]]:
        pairs = zip(self.compiled.states[name], *ends.tolist(), strict=True)
        return {state: (low, high) for state, low, high in pairs}

    def _warnings(self, case: ResponseCase, lesion: ResponseLesion) -> tuple[ResultWarning, ...]:
        found = []
        if not lesion.seen:
            found.append(ResultWarning("warning", "nothing was seen: the answer is what the treatment alone suggests"))
        if case.presumed:
            found.append(ResultWarning("info", "taken for granted: " + "; ".join(case.presumed)))
        if lesion.taken:
            labels = ", ".join(self.labels[name] for name in lesion.taken)
            found.append(ResultWarning("info", f"read from the ordinary findings: {labels}"))
        if lesion.conflicts:
            labels = ", ".join(self.labels[name] for name in lesion.conflicts)
            found.append(
                ResultWarning("warning", f"the ordinary findings contradict each other, not counted: {labels}")
            )
        if lesion.not_assessable:
            found.append(ResultWarning("info", "not assessable, so not counted: " + ", ".join(lesion.not_assessable)))
        return tuple(found)
