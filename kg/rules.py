"""Recommendation rules as data: conditions, advice, and the sources behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from hepagraph.kg.vocabulary import Variable

CONDITION_KINDS = frozenset(
    """
    StateCondition MembershipCondition MeasureCondition UnstatedCondition HiddenCondition
    PosteriorCondition LeadingCondition RivalCondition AnyCondition
    """.split()
)


@dataclass(frozen=True, slots=True)
class RuleSource:
    """Where an advice comes from: the cited thing, its publication, the place in it, and its figure if it has one."""

    id: str
    title: str
    locator: str = ""
    figure: str = ""

    def short(self) -> str:
        """Return publication, place and figure in one line.

        >>> RuleSource("x", "Doe 2020", "Table 2", "3/4 (75 %)").short()
        'Doe 2020, Table 2: 3/4 (75 %)'
        """
        where = f"{self.title}, {self.locator}" if self.locator else self.title
        return f"{where}: {self.figure}" if self.figure else where


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a rule; ``kind`` is its class in the T-Box, which says what the fields mean.

    ``inside`` and ``outside`` map a variable to leaf-state nodes; ``variables`` are those that a measure,
    unstated or hidden condition reads; ``subjects`` are entities or subtypes; ``low`` (exclusive) and ``high``
    (inclusive) bound a measurement in its unit, or a probability in [0, 1].
    """

    id: str
    label: str
    kind: str
    grade: str = ""
    inside: Mapping[str, frozenset[str]] | None = None
    outside: Mapping[str, frozenset[str]] | None = None
    variables: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    factor: float = 1.0
    alternatives: tuple[Condition, ...] = ()

    def reads(self) -> Iterator[str]:
        """Yield the variables that the condition and its alternatives read."""
        for found in (self.inside or {}, self.outside or {}, self.variables):
            yield from found
        for alternative in self.alternatives:
            yield from alternative.reads()

    @property
    def asks_posterior(self) -> bool:
        """Whether the condition or an alternative of it reads the posterior."""
        own = self.kind in ("PosteriorCondition", "LeadingCondition", "RivalCondition")
        return own or any(alternative.asks_posterior for alternative in self.alternatives)


@dataclass(frozen=True, slots=True)
class Rule:
    """An advice, the conditions that must all hold, and its sources.

    Where it fires, the rules it ``overrides`` are not listed; one that ``prompts`` is named where one unstated item
    alone keeps it from firing.
    """

    id: str
    label: str
    advice: str
    rationale: str
    kind: str
    priority: int
    grade: str
    conditions: tuple[Condition, ...]
    sources: tuple[RuleSource, ...]
    overrides: frozenset[str] = frozenset()
    prompts: bool = False


@dataclass(frozen=True)
class RuleBook:
    """All rules of an ontology in their order, with the variables that they may read.

    ``variables`` holds those of the network, of the examination, and the circumstances that rules alone read;
    ``entails`` maps a state to the (circumstance, state) that it brings with it where the case does not state them.
    """

    rules: tuple[Rule, ...]
    variables: Mapping[str, Variable]
    circumstances: tuple[str, ...]
    labels: Mapping[str, str]
    entails: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    @cached_property
    def leaves(self) -> Mapping[str, Mapping[str, frozenset[str]]]:
        """The leaf-state nodes that each state or group node stands for, by variable."""
        return {name: leaf_nodes(variable) for name, variable in self.variables.items()}


def leaf_nodes(variable: Variable) -> dict[str, frozenset[str]]:
    """Return for each state or group node of a variable the leaf-state nodes that it stands for."""
    return {
        node: frozenset(variable.nodes[leaf] for leaf in variable.leaves[notation])
        for notation, node in variable.nodes.items()
    }
