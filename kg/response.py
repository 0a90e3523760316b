"""What a response network is made of: variables, rows of numbers, effects, and the pitfalls to print.

A response network is a second network of an ontology: from treatment and seen changes to a grade of response. See
``response_reading.read_response`` for how it is read and ``schema/response.ttl`` for the terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hepagraph.kg.model import Source, Statement
from hepagraph.kg.vocabulary import Variable

CONTEXT, ANSWER, CAUSE, SIGN = "ResponseContext", "ResponseAnswer", "ResponseCause", "ResponseSign"
Given = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Basis:
    """One thing that a number of the network rests on: a statement, a printed figure, or a concept of a review."""

    id: str
    text: str
    grade: str
    source: str


@dataclass(frozen=True, slots=True)
class Grounds:
    """Who says it: the individual's id and label, its grade and source, what it was derived from, and a note."""

    id: str
    label: str
    grade: str
    source: Source
    basis: tuple[Basis, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    """The share of ``states`` of a variable under ``given``, with the sample size that it claims.

    ``given`` pairs other variables with the states that satisfy the condition; variables not named may have any.
    ``statement`` is set, and ``share`` and ``size`` are None, where the share is what that statement counted.
    """

    grounds: Grounds
    variable: str
    states: tuple[str, ...]
    given: Given
    share: float | None = None
    size: float | None = None
    words: str = ""
    statement: Statement | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """Under ``given`` only ``states`` are possible."""

    grounds: Grounds
    variable: str
    states: tuple[str, ...]
    given: Given


@dataclass(frozen=True, slots=True)
class Effect:
    """The states ``causes`` of one variable multiply the odds of the states ``effects`` of another."""

    grounds: Grounds
    cause: str
    causes: tuple[str, ...]
    variable: str
    effects: tuple[str, ...]
    multiplier: float
    size: float


@dataclass(frozen=True, slots=True)
class Pitfall:
    """A warning, when it fires, and what is cited for it.

    It fires when every variable of ``seen`` was seen in one of the states named, and every hidden (variable, state) of
    ``possible`` keeps a posterior of at least ``least``.
    """

    id: str
    label: str
    text: str
    sources: tuple[str, ...]
    seen: Given
    possible: tuple[tuple[str, str], ...]
    least: float
    basis: tuple[Basis, ...]


@dataclass(frozen=True, slots=True)
class ResponseModel:
    """A response network as the ontology states it, before any table is made.

    ``roles`` names each variable's kind and ``labels`` how to print its states. ``reads`` maps a variable to the
    findings (graph nodes of feature states) that show its states. ``rules_out`` lists (variable, state, variable that
    then cannot be judged). ``valid_for`` are the graph nodes of context states that it presupposes.
    """

    id: str
    label: str
    variables: Mapping[str, Variable]
    roles: Mapping[str, str]
    labels: Mapping[str, Mapping[str, str]]
    numbers: tuple[Number, ...]
    definitions: tuple[Definition, ...]
    effects: tuple[Effect, ...]
    pitfalls: tuple[Pitfall, ...]
    reads: Mapping[str, Mapping[str, tuple[str, ...]]]
    rules_out: tuple[tuple[str, str, str], ...]
    valid_for: tuple[str, ...]
    prior_size: float

    def of_role(self, role: str) -> tuple[str, ...]:
        """Return the variables of one kind, in the ontology's order."""
        return tuple(name for name, found in self.roles.items() if found == role)
