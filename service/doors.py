"""What every door to the outside answers: one JSON value in, one JSON value out.

The HTTP server, the MCP server and the hooks for other systems all call these methods, so that the same question
gets the same answer through each of them. Every method is safe to call from several threads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hepagraph.inference.reasoner import Reasoner
from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.ontology.locks import ForkSafeLock
from hepagraph.service.vocabulary import vocabulary

if TYPE_CHECKING:
    from hepagraph.inference.response import ResponseReasoner
    from hepagraph.inference.what_if import Scenario
    from hepagraph.kg.costs import Costs
    from hepagraph.kg.rules import RuleBook

Json = dict[str, Any]
_LOADING = ForkSafeLock()


@dataclass(frozen=True)
class Doors:
    """A loaded ontology behind the questions that one may ask of it.

    Every question takes a case as the JSON value of the fixed case format and raises ``CaseError`` for a bad one.
    ``prior`` gives a weight for every entity of the differential, in place of the model's own P(entity | patient).
    """

    reasoner: Reasoner
    ontology: str | None = None

    @classmethod
    def load(cls, ontology: str | None = None) -> Doors:
        """Return the doors of the ontology in a folder, or of the packaged one; see ``Reasoner.load`` for errors."""
        return cls(Reasoner.load(ontology), ontology)

    def warm(self) -> None:
        """Load what the first question of each kind would load: graph, rules, draws, and the response model, if any."""
        from hepagraph.inference.engine.program import TooWideError

        _ = self.rules, self.grades_response and self.response_reasoner
        with contextlib.suppress(TooWideError):  # a network of such a shape has no intervals
            self.posterior({"lesions": [{"findings": {}}]}, interval=True)

    @cached_property
    def grades_response(self) -> bool:
        """Whether the ontology has a response model."""
        from hepagraph.kg.vocabulary import nodes_of_kind

        return bool(nodes_of_kind(self.reasoner.graph, "ResponseModel"))

    @cached_property
    def rules(self) -> RuleBook:
        """The rules of recommendation."""
        from hepagraph.kg.rules_reading import read_rules

        with _LOADING:
            return read_rules(self.reasoner.graph)

    @cached_property
    def response_reasoner(self) -> ResponseReasoner:
        """What grades the response to treatment."""
        from hepagraph.inference.response import ResponseReasoner

        with _LOADING:
            return ResponseReasoner.load(self.ontology)

    def posterior(
        self,
        case: Json,
        *,
        differential: str | None = None,
        interval: bool = False,
        prior: Mapping[str, float] | None = None,
        reasons: bool = True,
        surprise: bool = True,
    ) -> Json:
        """Return the posterior of every lesion in the fixed result format."""
        found = self.reasoner.posterior(
            case, differential=differential, interval=interval, prior=prior, reasons=reasons, surprise=surprise
        )
        return found.to_dict()

    def explain(
        self,
        case: Json,
        *,
        differential: str | None = None,
        entity: str | None = None,
        against: str | None = None,
        prior: Mapping[str, float] | None = None,
    ) -> Json:
        """Return for each lesion the ledger, and the best story of each entity."""
        from hepagraph.inference.ledger import explain
        from hepagraph.inference.most_probable import most_probable

        read = self.reasoner.read(case)
        ledgers = explain(self.reasoner, read, differential=differential, entity=entity, against=against, prior=prior)
        stories = most_probable(self.reasoner, read, differential=differential, prior=prior)
        lesions = [
            {**ledger.to_dict(), "explanations": [story.to_dict() for story in found]}
            for ledger, found in zip(ledgers, stories, strict=True)
        ]
        return self._answer(read.id, lesions)

    def what_if(
        self,
        case: Json,
        scenarios: Sequence[Json],
        *,
        sweep: Sequence[str] = (),
        lesion: str | None = None,
        differential: str | None = None,
        prior: Mapping[str, float] | None = None,
    ) -> Json:
        """Return tidy rows: scenario, lesion, entity, posterior and change; the case as it is comes first.

        A scenario is an object with a ``name``, ``values`` by key (null withdraws) and, if it has one, an ``exam``.
        """
        from hepagraph.inference.what_if import sweep as swept
        from hepagraph.inference.what_if import what_if

        asked = [_scenario(scenario) for scenario in scenarios]
        asked += swept(self.reasoner, *sweep) if sweep else []
        found = what_if(self.reasoner, case, asked, lesion=lesion, differential=differential, prior=prior)
        return {"rows": list(found.rows()), "model": dict(self.reasoner.model)}

    def next_best(
        self,
        case: Json,
        *,
        differential: str | None = None,
        costs: Json | None = None,
        prior: Mapping[str, float] | None = None,
    ) -> Json:
        """Return for each lesion what to look at next; ``costs`` as ``changed_costs`` reads them."""
        from hepagraph.inference.next_best import next_best

        read = self.reasoner.read(case)
        found = next_best(self.reasoner, read, differential=differential, costs=self._costs(costs), prior=prior)
        return self._answer(read.id, [lesion.to_dict() for lesion in found])

    def sensitivity(
        self, case: Json, *, differential: str | None = None, prior: Mapping[str, float] | None = None
    ) -> Json:
        """Return for each lesion on which numbers its answer hangs."""
        from hepagraph.inference.sensitivity import sensitivity

        read = self.reasoner.read(case)
        found = sensitivity(self.reasoner, read, differential=differential, prior=prior)
        return self._answer(read.id, [lesion.to_dict() for lesion in found])

    def recommend(
        self,
        case: Json,
        *,
        differential: str | None = None,
        interval: bool = False,
        prior: Mapping[str, float] | None = None,
    ) -> Json:
        """Return which rules of protocol, reading and follow-up apply."""
        from hepagraph.inference.rules import recommend
        from hepagraph.inference.rules_circumstances import read_rule_case

        read = read_rule_case(self.rules, self.reasoner.reader, case)
        found = recommend(
            self.reasoner, read, book=self.rules, differential=differential, interval=interval, prior=prior
        )
        return found.to_dict()

    def response(self, case: Json) -> Json:
        """Return the response grade of every treated lesion; refused where the ontology has no response model."""
        if not self.grades_response:
            raise CaseError([Problem("missing", "ontology", "has no response model (fl:ResponseModel)")])
        reasoner = self.response_reasoner
        return reasoner.posterior(reasoner.read(case)).to_dict()

    def archetype(
        self,
        entity: str,
        *,
        patient: Json | None = None,
        exam: Sequence[Json] | None = None,
        differential: str | None = None,
    ) -> Json:
        """Return an entity's most telling findings, its closest look-alike, and what tells the two apart."""
        from hepagraph.inference.archetype import archetype

        setting: Json = {"patient": patient, "exam": exam, "lesions": [{"findings": {}}]}
        case = self.reasoner.read({name: value for name, value in setting.items() if value})
        found = archetype(self.reasoner, entity, case=case, differential=differential)
        return {**found.to_dict(), "model": dict(self.reasoner.model)}

    def model(self) -> Json:
        """Return what answers: version, hash of the ontology, differentials, sizes, and what it is not."""
        network = self.reasoner.network
        return {
            **self.reasoner.model,
            "differentials": {name: list(members) for name, members in network.differentials.items()},
            "default_differential": network.default_differential,
            "variables": len(network.tables),
        }

    def vocabulary(self, *, definitions: bool = False) -> Json:
        """Return what a case may state, and the entities; see ``service.vocabulary``."""
        return self._defined if definitions else self._vocabulary

    @cached_property
    def _vocabulary(self) -> Json:
        return vocabulary(self.reasoner)

    @cached_property
    def _defined(self) -> Json:
        return vocabulary(self.reasoner, definitions=True)

    def _answer(self, case: str, lesions: list[Json]) -> Json:
        return {"id": case, "lesions": lesions, "model": dict(self.reasoner.model)}

    def _costs(self, data: Json | None) -> Costs | None:
        if data is None:
            return None
        from hepagraph.inference.costs import burden_names, changed_costs

        entities = self.reasoner.network.states["entity"]
        return changed_costs(self.reasoner.costs, data, entities, burden_names(self.reasoner))


def _scenario(data: Any) -> Scenario:
    from hepagraph.inference.what_if import Scenario

    allowed = ("name", "values", "exam")
    if not isinstance(data, Mapping) or not isinstance(data.get("name"), str):
        raise CaseError([Problem("type", "scenarios", "a scenario is an object with a name", allowed)])
    for key in data:
        if key not in allowed:
            raise CaseError([Problem("unknown_key", f"scenario {data['name']} / {key}", "is not known", allowed)])
    values, exam = data.get("values", {}), data.get("exam")
    if not isinstance(values, Mapping):
        raise CaseError([Problem("type", f"scenario {data['name']} / values", "is not a JSON object")])
    if exam is not None and not (isinstance(exam, list) and all(isinstance(one, Mapping) for one in exam)):
        raise CaseError([Problem("type", f"scenario {data['name']} / exam", "is not a list of objects")])
    return Scenario(data["name"], values, exam)
