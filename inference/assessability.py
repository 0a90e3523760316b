"""Which findings the listed examinations can show at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hepagraph.kg import Variable
from hepagraph.kg.vocabulary import literal, nodes_of_kind, targets

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class Exam:
    """One examination: its modality and agent as graph nodes; None means not stated."""

    modality: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A feature needs one of these modalities and agents, or a sign is not read on these phases with these agents.

    A rule that does not bind says where to look for a finding and refuses none, since no case lists its examination.
    """

    about: frozenset[str]
    modalities: frozenset[str]
    agents: frozenset[str]
    invalid_phases: frozenset[str]
    advice: str
    binding: bool = True


@dataclass(frozen=True, slots=True)
class Assessability:
    """The rules of an ontology, and which modality each agent belongs to."""

    feature_rules: tuple[Rule, ...]
    sign_rules: tuple[Rule, ...]
    modalities_of_agent: dict[str, frozenset[str]]

    @property
    def advised_modalities(self) -> tuple[str, ...]:
        """The modalities that no case lists and that show something."""
        return tuple(sorted({m for rule in self.feature_rules if not rule.binding for m in rule.modalities}))

    def reason_against(
        self, variable: Variable, states: Sequence[str], exams: Sequence[Exam], *, advice: bool = False
    ) -> str | None:
        """Return why none of the examinations can show any of the states, or None when one can.

        Without examinations everything is assessable; an examination whose agent is not stated may have used any.
        ``advice`` counts the rules that do not bind as well.
        """
        if not exams:
            return None
        rules = [rule for rule in self.feature_rules if variable.name in rule.about and (rule.binding or advice)]
        able = [exam for exam in exams if all(self._shows(exam, rule) for rule in rules)]
        if not able:
            return rules[0].advice
        against = [self._against_state(variable, state, able) for state in states]
        return against[0] if all(against) else None

    def _shows(self, exam: Exam, rule: Rule) -> bool:
        if rule.modalities and exam.modality is not None and exam.modality not in rule.modalities:
            return False
        if not rule.agents or exam.agent in rule.agents:
            return True
        if exam.agent is not None:
            return False
        possible = (self.modalities_of_agent.get(agent, frozenset()) for agent in rule.agents)
        return exam.modality is None or any(exam.modality in modalities for modalities in possible)

    def _against_state(self, variable: Variable, state: str, exams: Sequence[Exam]) -> str | None:
        sign = variable.expresses.get(state)
        rules = [r for r in self.sign_rules if sign in r.about and variable.phase in r.invalid_phases]
        blocked = [next((r.advice for r in rules if exam.agent in r.agents), None) for exam in exams]
        return blocked[0] if all(blocked) else None


def read_assessability(graph: nx.MultiDiGraph[str]) -> Assessability:
    """Return the assessability rules of a knowledge graph."""
    features: list[Rule] = []
    signs: list[Rule] = []
    for node in nodes_of_kind(graph, "AssessabilityRule"):
        rule = Rule(
            about=frozenset(targets(graph, node, "aboutFeature") + targets(graph, node, "aboutState")),
            modalities=frozenset(targets(graph, node, "modality")),
            agents=frozenset(targets(graph, node, "agent")),
            invalid_phases=frozenset(targets(graph, node, "invalidPhase")),
            advice=str(literal(graph, node, "advice", "")),
            binding=not literal(graph, node, "advisory", False),
        )
        if rule.invalid_phases:
            signs.append(rule)
        elif targets(graph, node, "aboutFeature"):
            features.append(rule)
    agents = nodes_of_kind(graph, "ContrastAgent")
    return Assessability(
        tuple(features), tuple(signs), {agent: frozenset(targets(graph, agent, "agentOf")) for agent in agents}
    )
