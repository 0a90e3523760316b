"""Evaluate the conditions of rules in three values: true, false, and None for not known (Kleene's strong logic)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from hepagraph.inference.rules_facts import Facts, Seen
from hepagraph.inference.rules_words import percent, posterior_words, range_words, stated_words
from hepagraph.kg import Measure
from hepagraph.kg.rules import Condition, RuleBook


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition holds (None: not known), why in words, and which variables would settle it."""

    holds: bool | None
    why: str = ""
    missing: tuple[str, ...] = ()


def evaluate(condition: Condition, facts: Facts, book: RuleBook) -> Verdict:
    """Return the verdict of one condition."""
    return _KINDS[condition.kind](condition, facts, book)


def conjunction(values: Iterable[bool | None]) -> bool | None:
    """Return false if any is false, else unknown if any is unknown, else true.

    >>> conjunction([True, None]), conjunction([None, False]), conjunction([])
    (None, False, True)
    """
    found = list(values)
    return False if False in found else None if None in found else True


def disjunction(values: Iterable[bool | None]) -> bool | None:
    """Return true if any is true, else unknown if any is unknown, else false.

    >>> disjunction([False, None]), disjunction([None, True]), disjunction([])
    (None, True, False)
    """
    found = list(values)
    return True if True in found else None if None in found else False


def _inside(seen: tuple[Seen, ...], nodes: frozenset[str]) -> bool | None:
    """Return whether something stated lies wholly among the nodes; false only when nothing stated may."""
    return disjunction([True if s.nodes <= nodes else None if s.nodes & nodes else False for s in seen] or [None])


def _state(condition: Condition, facts: Facts, book: RuleBook) -> Verdict:
    inside, outside = condition.inside or {}, condition.outside or {}
    values = {name: _inside(facts.seen.get(name, ()), nodes) for name, nodes in inside.items()}
    refused = {name: _inside(facts.seen.get(name, ()), nodes) for name, nodes in outside.items()}
    within = disjunction(values.values()) if inside else True
    beyond = conjunction(None if value is None else not value for value in refused.values())
    holds = conjunction([within, beyond])
    missing = tuple(name for name, value in {**values, **refused}.items() if value is None)
    if holds is not True:
        return Verdict(holds, condition.label, missing if holds is None else ())
    words = [
        stated_words(book, name, item)
        for name, nodes in inside.items()
        for item in facts.seen.get(name, ())
        if item.nodes <= nodes
    ]
    words += [stated_words(book, name, item) for name in outside for item in facts.seen[name]]
    return Verdict(True, ", ".join(dict.fromkeys(words)))


def _measure(condition: Condition, facts: Facts, book: RuleBook) -> Verdict:
    verdicts = [_measured(condition, facts, book, name) for name in condition.variables]
    holds = conjunction(v.holds for v in verdicts)
    missing = tuple(name for v in verdicts for name in v.missing)
    return Verdict(holds, "; ".join(v.why for v in verdicts if v.why), missing if holds is None else ())


def _measured(condition: Condition, facts: Facts, book: RuleBook, name: str) -> Verdict:
    measure, seen = book.variables[name].measure, facts.seen.get(name, ())
    if measure is None or not seen:
        return Verdict(None, condition.label, (name,))
    low = float("-inf") if condition.low is None else condition.low
    high = float("inf") if condition.high is None else condition.high
    number = seen[0].number
    if number is not None:
        holds: bool | None = low < number <= high
    else:
        holds = _bands_inside(book, name, measure, seen[0], low, high)
    span = range_words(condition.low, condition.high, measure.unit)
    words = f"{stated_words(book, name, seen[0])} ({span})"
    return Verdict(holds, words, (name,) if holds is None else ())


def _bands_inside(book: RuleBook, name: str, measure: Measure, seen: Seen, low: float, high: float) -> bool | None:
    """Return whether every band still possible lies in the range; false when none overlaps it."""
    nodes = book.variables[name].nodes
    bands = [band for band in measure.bands if nodes[band.state] in seen.nodes]
    overlaps = [max(low, band.low) < min(high, band.high) for band in bands]
    within = [low <= band.low and band.high <= high for band in bands]
    known = len(bands) == len(seen.nodes)  # a state without a band may be any number
    if known and not any(overlaps):
        return False
    return True if known and all(within) else None


def _unstated(condition: Condition, facts: Facts, book: RuleBook) -> Verdict:
    """Return true where nothing is stated of the variables, and nothing stated amounts to one of the states."""
    silent = not any(name in facts.seen for name in condition.variables)
    states = (condition.inside or {}).items()
    silent = silent and not any(_inside(facts.seen.get(name, ()), nodes) for name, nodes in states)
    if len(condition.variables) != 1:
        return Verdict(silent, condition.label)
    name = condition.variables[0]
    how = "assessable" if name in facts.hidden else "stated"
    return Verdict(silent, f"{book.variables[name].label}: not {how}")


def _hidden(condition: Condition, facts: Facts, book: RuleBook) -> Verdict:
    found = [name for name in condition.variables if name in facts.hidden]
    return Verdict(bool(found), ", ".join(f"{book.variables[name].label}: not assessable" for name in found))


def _posterior(condition: Condition, facts: Facts, book: RuleBook) -> Verdict:
    known = [name for name in condition.subjects if name in facts.posterior]
    value = sum(facts.posterior[name] for name in known)
    subject = known[0] if len(condition.subjects) == len(known) == 1 else condition.id
    words = posterior_words(book, condition, facts, subject, value)
    return Verdict(bool(known) and _between(condition, value), words)


def _leading(condition: Condition, facts: Facts, book: RuleBook) -> Verdict:
    leader = max(facts.entities, key=lambda entity: facts.posterior[entity])
    value = facts.posterior[leader]
    holds = (not condition.subjects or leader in condition.subjects) and _between(condition, value)
    return Verdict(holds, "likeliest: " + posterior_words(book, condition, facts, leader, value))


def _rivals(condition: Condition, facts: Facts, book: RuleBook) -> Verdict:
    values = {name: facts.posterior.get(name, 0.0) for name in condition.subjects}
    holds = len(values) > 1 and max(values.values()) <= condition.factor * min(values.values())
    listed = " against ".join(f"{book.labels.get(name, name)} {percent(value)}" for name, value in values.items())
    return Verdict(holds, f"{listed} (within a factor of {condition.factor:g})")


def _any(condition: Condition, facts: Facts, book: RuleBook) -> Verdict:
    verdicts = [evaluate(alternative, facts, book) for alternative in condition.alternatives]
    holds = disjunction(v.holds for v in verdicts)
    if holds:
        return Verdict(True, ", ".join(dict.fromkeys(v.why for v in verdicts if v.holds)))
    missing = tuple(dict.fromkeys(name for v in verdicts for name in v.missing))
    return Verdict(holds, condition.label, missing if holds is None else ())


def _between(condition: Condition, value: float) -> bool:
    return (condition.low is None or value > condition.low) and (condition.high is None or value <= condition.high)


_KINDS: Mapping[str, Callable[[Condition, Facts, RuleBook], Verdict]] = {
    "StateCondition": _state,
    "MembershipCondition": _state,
    "MeasureCondition": _measure,
    "UnstatedCondition": _unstated,
    "HiddenCondition": _hidden,
    "PosteriorCondition": _posterior,
    "LeadingCondition": _leading,
    "RivalCondition": _rivals,
    "AnyCondition": _any,
}
