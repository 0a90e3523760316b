"""Expected cost of the management that one would choose, and what a report is expected to save of it.

The management of least expected loss is chosen once the report is known; what a report saves is the expected loss now
less the expected loss then (expected value of sample information; Raiffa and Schlaifer 1961).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.kg.costs import Costs
from hepagraph.ontology.errors import CaseError, Problem, UnknownKeyError, nearest

if TYPE_CHECKING:
    from hepagraph.inference.reasoner import Reasoner

Array = NDArray[np.float64]
_PARTS = ("losses", "burdens")


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses as a table of shape (managements, entities), the managements by name."""

    managements: tuple[str, ...]
    table: Array

    def best(self, probabilities: Array) -> tuple[str, float]:
        """Return the management of least expected loss under P(entity), shape (entities,), and that loss."""
        expected = self.table @ probabilities
        row = int(expected.argmin())
        return self.managements[row], float(expected[row])

    def saving(self, joint: Array) -> float:
        """Return what a report is expected to save; ``joint`` is P(report, entity), shape (reports, entities).

        >>> two = Losses(("act", "wait"), np.array([[0.0, 10.0], [50.0, 0.0]]))
        >>> two.saving(np.array([[0.5, 0.0], [0.0, 0.5]]))  # now 5 either way, nothing once it is known
        5.0
        """
        _, now = self.best(joint.sum(axis=0))
        return max(0.0, now - float((self.table @ joint.T).min(axis=0).sum()))


def losses_of(costs: Costs, entities: Sequence[str]) -> Losses:
    """Return the losses with the entities in a network's order."""
    rows = [[found[entity] for entity in entities] for found in costs.losses.values()]
    return Losses(tuple(costs.losses), np.array(rows))


def costs_json(costs: Costs) -> dict[str, Any]:
    """Return costs as the JSON object that ``changed_costs`` reads."""
    return {"losses": {name: dict(found) for name, found in costs.losses.items()}, "burdens": dict(costs.burdens)}


def burden_names(reasoner: Reasoner) -> tuple[str, ...]:
    """Return what may have a burden: modalities and agents as a case names them, modalities that none lists, tests."""
    exams = (v for v in reasoner.reader.variables.values() if v.section == "exam")
    tests = () if reasoner.costs is None else reasoner.costs.tests
    listed = (state for variable in exams for state in variable.states)
    return (*listed, *reasoner.reader.assessability.advised_modalities, *tests)


def changed_costs(costs: Costs | None, data: Any, entities: Sequence[str], burdens: Sequence[str]) -> Costs:
    """Return costs with the user's own numbers in place of the ontology's.

    Parameters
    ----------
    costs
        Those of the ontology; None where it has none.
    data
        An object with ``losses`` (management -> entity -> points; null leaves a management out) and ``burdens``
        (modality, agent or perfect test -> points). What it does not name stays as it is. A management that the
        ontology does not know needs a loss for every entity.
    entities
        All entities that need a loss.
    burdens
        What may have a burden.

    Raises
    ------
    CaseError
        Something in it is not known, missing, or no number of points.
    """
    losses = {} if costs is None else {name: dict(found) for name, found in costs.losses.items()}
    own = {} if costs is None else dict(costs.burdens)
    if not isinstance(data, Mapping):
        raise CaseError([Problem("type", "costs", "is not a JSON object", _PARTS)])
    problems = [
        Problem("unknown_key", f"costs / {part}", "is not known", _PARTS, nearest(str(part), _PARTS))
        for part in data
        if part not in _PARTS
    ]
    for management, found in _object(data, "losses", problems).items():
        if found is None:
            losses.pop(management, None)
            continue
        where = f"costs / losses / {management}"
        known = losses.setdefault(management, {})
        known.update(_points(found, where, entities, problems))
        missing = [entity for entity in entities if entity not in known]
        if missing and isinstance(found, Mapping):
            close = nearest(management, () if costs is None else costs.losses)
            problems.append(Problem("missing", where, f"has no loss for {', '.join(missing)}", (), close))
    own.update(_points(_object(data, "burdens", problems), "costs / burdens", burdens, problems))
    if not losses:
        problems.append(Problem("missing", "costs / losses", "no management is left"))
    if problems:
        spelling = all(problem.kind == "unknown_key" for problem in problems)
        raise (UnknownKeyError if spelling else CaseError)(problems)
    return Costs(losses, own, () if costs is None else costs.tests)


def _object(data: Mapping[str, Any], part: str, problems: list[Problem]) -> Mapping[str, Any]:
    found = data.get(part, {})
    if isinstance(found, Mapping):
        return found
    problems.append(Problem("type", f"costs / {part}", "is not a JSON object"))
    return {}


def _points(data: Any, where: str, allowed: Sequence[str], problems: list[Problem]) -> dict[str, float]:
    if not isinstance(data, Mapping):
        problems.append(Problem("type", where, "is not a JSON object of points by name", tuple(allowed)))
        return {}
    found = {}
    for name, value in data.items():
        place = f"{where} / {name}"
        if name not in allowed:
            problems.append(Problem("unknown_key", place, "is not known", tuple(allowed), nearest(str(name), allowed)))
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            problems.append(Problem("unit", place, f"{value!r} is no number of points from 0 up"))
        else:
            found[name] = float(value)
    return found
