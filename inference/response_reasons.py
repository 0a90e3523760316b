"""Why a response network answers as it does: reasons by withdrawal, the numbers behind them, the pitfalls that fire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.case import Finding
from hepagraph.inference.elimination import marginals
from hepagraph.inference.network import Table
from hepagraph.inference.response_result import ResponseReason, Support
from hepagraph.kg.response import ANSWER, CONTEXT, Effect, Given, Grounds, Number, Pitfall, ResponseModel

Array = NDArray[np.float64]


def reasons(
    model: ResponseModel, tables: Mapping[str, Table], seen: Mapping[str, Finding], leading: tuple[str, str]
) -> tuple[ResponseReason, ...]:
    """Weigh each observation by withdrawing it: the change of the leading state's log-odds, largest first."""
    name, state = leading
    row = model.variables[name].states.index(state)
    likelihood = {n: np.array(finding.likelihood) for n, finding in seen.items()}
    full = _log_odds(marginals(tables, likelihood, [name]).posterior[name], row)
    found = []
    for variable, finding in seen.items():
        rest = {n: vector for n, vector in likelihood.items() if n != variable}
        change = full - _log_odds(marginals(tables, rest, [name]).posterior[name], row)
        label = model.variables[variable].label
        found.append(ResponseReason(variable, label, finding.given, change, support(model, finding, seen)))
    return tuple(sorted(found, key=lambda reason: -abs(reason.likelihood_ratio_log)))


def support(model: ResponseModel, finding: Finding, seen: Mapping[str, Finding]) -> tuple[Support, ...]:
    """Return the numbers and effects that speak of what was seen, those about an answer first, then by grade.

    These are the rows and effects of the seen states (where none names them, those of the variable's other states) and
    what holds under the seen states where the variable is a condition or a cause itself. Numbers of rows that
    the other observations rule out are left away.
    """
    name, states = finding.variable, _states(model, finding)
    numbers = [n for n in model.numbers if n.variable == name]
    effects = [e for e in model.effects if e.variable == name]
    spoken = [n for n in numbers if states & set(n.states)] or numbers
    spoken = [] if model.roles[name] == CONTEXT else spoken  # how common it is says nothing once it is known
    under = [n for n in model.numbers if any(condition == name for condition, _ in n.given)]
    acting = [e for e in effects if states & set(e.effects)] or effects
    from_it = [e for e in model.effects if e.cause == name and states & set(e.causes)]
    possible = {other: _states(model, found) for other, found in seen.items()}
    rows = [n for n in (*spoken, *under) if _compatible(n.given, possible)]
    used: list[Number | Effect] = [*rows, *acting, *from_it]
    about = {item.grounds.id for item in used if model.roles[item.variable] == ANSWER}
    found = {item.id: item for item in (*map(_effect, (*acting, *from_it)), *map(_number, rows))}
    return tuple(sorted(found.values(), key=lambda item: (item.id not in about, item.grade)))


def firing(
    pitfalls: tuple[Pitfall, ...], model: ResponseModel, seen: Mapping[str, Finding], posterior: Mapping[str, Array]
) -> tuple[Pitfall, ...]:
    """Return the pitfalls whose conditions hold, each once, with everything cited for it."""
    found: dict[str, Pitfall] = {}
    for pitfall in pitfalls:
        if _holds(pitfall, model, seen, posterior):
            earlier = found.get(pitfall.id, pitfall)
            basis = tuple({item.id: item for item in (*earlier.basis, *pitfall.basis)}.values())
            found[pitfall.id] = replace(earlier, basis=basis)
    return tuple(found.values())


def _holds(pitfall: Pitfall, model: ResponseModel, seen: Mapping[str, Finding], posterior: Mapping[str, Array]) -> bool:
    for name, states in pitfall.seen:
        finding = seen.get(name)
        given = _states(model, finding) if finding else set()
        if not given or not given <= set(states):
            return False
    places = [(name, model.variables[name].states.index(state)) for name, state in pitfall.possible]
    return all(posterior[name][place] >= pitfall.least for name, place in places)


def _states(model: ResponseModel, finding: Finding) -> set[str]:
    return {model.variables[finding.variable].states[position] for position in finding.states}


def _compatible(given: Given, possible: Mapping[str, set[str]]) -> bool:
    return all(name not in possible or possible[name] & set(states) for name, states in given)


def _number(number: Number) -> Support:
    if number.statement is not None:
        figure = number.statement.figure()
    else:
        figure = f'"{number.words}"' if number.words else f"{100 * (number.share or 0.0):.3g} %"
    return _support(number.grounds, figure)


def _effect(effect: Effect) -> Support:
    return _support(effect.grounds, f"odds x {effect.multiplier:g}")


def _support(grounds: Grounds, figure: str) -> Support:
    source = grounds.source.short()
    return Support(grounds.id, grounds.label, figure, grounds.grade, source, grounds.basis, grounds.note)


def _log_odds(values: Array, row: int) -> float:
    rest = float(np.delete(values, row).sum())
    return float(np.log(max(float(values[row]), 1e-300)) - np.log(max(rest, 1e-300)))
