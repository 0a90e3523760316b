"""The wrong answers that cost most, as the ontology defines them (``fl:CostlyError``): counted and listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hepagraph.inference.evaluation.metrics import Array, Index
from hepagraph.kg.vocabulary import literal, nodes_of_kind, number

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class CostlyError:
    """A kind of wrong answer; a condition that is None always holds.

    The true entity behaves as ``true_behaviour`` and has a probability under ``believed_below``; the leading entity,
    another one, behaves as ``called_behaviour`` and has at least ``called_from``.
    """

    id: str
    label: str
    true_behaviour: str | None = None
    believed_below: float | None = None
    called_behaviour: str | None = None
    called_from: float | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """One lesion, by its row: the true and the leading entity, with their probabilities and behaviours."""

    row: int
    true: str
    true_probability: float
    leading: str
    leading_probability: float
    true_behaviour: str
    called_behaviour: str


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """The lesions that make one kind of error, worst first.

    ``at_risk`` counts those that meet the conditions on behaviour and on the leading probability, right or wrong.
    """

    error: CostlyError
    at_risk: int
    flags: tuple[Flag, ...]


def read_costly_errors(graph: nx.MultiDiGraph[str]) -> tuple[CostlyError, ...]:
    """Return the kinds of error that an ontology wants counted, in its order."""
    return tuple(
        CostlyError(
            node,
            graph.nodes[node]["label"],
            literal(graph, node, "ofBehaviour"),
            number(graph, node, "believedBelow"),
            literal(graph, node, "calledBehaviour"),
            number(graph, node, "calledFrom"),
        )
        for node in nodes_of_kind(graph, "CostlyError")
    )


def count_errors(
    probabilities: Array,
    truth: Index,
    entities: Sequence[str],
    behaviours: Sequence[str],
    errors: Sequence[CostlyError],
) -> tuple[ErrorCount, ...]:
    """Return the lesions of each kind of error.

    ``behaviours`` holds each entity's behaviour as the ontology names it, "" where it says nothing.
    """
    leading = probabilities.argmax(axis=1)
    flags = [
        Flag(
            row,
            entities[true],
            float(probabilities[row, true]),
            entities[lead],
            float(probabilities[row, lead]),
            behaviours[true],
            behaviours[lead],
        )
        for row, (true, lead) in enumerate(zip(truth.tolist(), leading.tolist(), strict=True))
    ]
    return tuple(_count(error, flags) for error in errors)


def _count(error: CostlyError, flags: Sequence[Flag]) -> ErrorCount:
    at_risk = [flag for flag in flags if _at_risk(error, flag)]
    below = 1.1 if error.believed_below is None else error.believed_below
    wrong = [flag for flag in at_risk if flag.leading != flag.true and flag.true_probability < below]
    return ErrorCount(error, len(at_risk), tuple(sorted(wrong, key=lambda f: (f.true_probability, f.row))))


def _at_risk(error: CostlyError, flag: Flag) -> bool:
    return (
        error.true_behaviour in (None, flag.true_behaviour)
        and error.called_behaviour in (None, flag.called_behaviour)
        and flag.leading_probability >= (error.called_from or 0.0)
    )
