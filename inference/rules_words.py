"""Say in words, built from the ontology's labels, what a condition found."""

from __future__ import annotations

from collections.abc import Iterable

from hepagraph.inference.rules_facts import Facts, Seen
from hepagraph.kg.rules import Condition, RuleBook

_FEW = 3


def stated_words(book: RuleBook, name: str, seen: Seen) -> str:
    """Return what was stated of a variable, e.g. ``colour: red or blue``; a measurement with its unit."""
    variable = book.variables[name]
    if seen.number is not None and variable.measure is not None:
        return f"{variable.label} {seen.number:g} {variable.measure.unit}"
    whole = [node for node, leaves in book.leaves[name].items() if leaves == seen.nodes]
    nodes = whole[:1] or [variable.nodes[s] for s in variable.states if variable.nodes[s] in seen.nodes]
    return f"{variable.label}: {_listed(state_label(book, name, node) for node in nodes)}"


def state_label(book: RuleBook, name: str, node: str) -> str:
    """Return a state's label without the label of its variable in front."""
    return book.labels.get(node, node).removeprefix(f"{book.variables[name].label}: ")


def range_words(low: float | None, high: float | None, unit: str = "") -> str:
    """Return a range that excludes its lower end.

    >>> range_words(10, 15, "mm"), range_words(None, 10, "mm"), range_words(10, None, "mm")
    ('over 10 to 15 mm', 'up to 10 mm', 'over 10 mm')
    """
    end = f" {unit}" if unit else ""
    if low is None or high is None:
        return f"up to {high:g}{end}" if low is None else f"over {low:g}{end}"
    return f"over {low:g} to {high:g}{end}"


def percent(probability: float) -> str:
    """Return a probability in per cent, never as 0 or 100.

    >>> percent(0.9996), percent(0.123), percent(0.0001)
    ('> 99.9 %', '12.3 %', '< 0.1 %')
    """
    if probability > 0.999:
        return "> 99.9 %"
    return "< 0.1 %" if probability < 0.001 else f"{100 * probability:.1f} %"


def posterior_words(book: RuleBook, condition: Condition, facts: Facts, subject: str, value: float) -> str:
    """Return a probability with the range that it was held against and, if known, its interval."""
    text = f"{book.labels.get(subject, subject)} {percent(value)}"
    low, high = (None if end is None else 100 * end for end in (condition.low, condition.high))
    if low is not None or high is not None:
        text += f" ({range_words(low, high, '%')})"
    if subject in facts.interval:
        ends = facts.interval[subject]
        text += f", 95 % interval {percent(ends[0])} to {percent(ends[1])}"
    return text


def _listed(items: Iterable[str]) -> str:
    words = list(items)
    if len(words) > _FEW:
        words = [*words[: _FEW - 1], f"{len(words) - _FEW + 1} more"]
    return " or ".join(words)
