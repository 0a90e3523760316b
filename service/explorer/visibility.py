"""What the chosen examinations can show: which fields are closed and why, and which values have to wait.

A value that cannot have been seen stays chosen and is not counted; it counts again with the examinations that show it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from hepagraph.inference.assessability import Exam
from hepagraph.inference.case import NOT_ASSESSABLE, CaseReader
from hepagraph.kg import Variable
from hepagraph.ontology.errors import CaseError
from hepagraph.service.explorer.selections import LesionChoices, Selections, Values


@dataclass(frozen=True, slots=True)
class Visibility:
    """Asks the reader's rules; remembers which states a value stands for."""

    reader: CaseReader
    _known: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def closed(self, selections: Selections) -> dict[str, str]:
        """Return the features that no examination shows in any state, with what to do about it."""
        exams = self.exams(selections)
        features = [v for v in self.reader.variables.values() if v.kind == "ImagingFeature"]
        found = {v.name: self.reader.assessability.reason_against(v, v.states, exams) for v in features}
        return {name: reason for name, reason in found.items() if reason is not None}

    def waiting(self, selections: Selections, lesion: LesionChoices) -> dict[str, str]:
        """Return the features whose chosen value no examination shows, with what to do about it."""
        exams = self.exams(selections)
        found = {name: self._against(name, value, exams) for name, value in lesion.values.items()}
        return {name: reason for name, reason in found.items() if reason is not None}

    def counted(self, selections: Selections) -> Selections:
        """Return the selections without what has to wait."""
        lesions = []
        for lesion in selections.lesions:
            waiting = self.waiting(selections, lesion)
            lesions.append(replace(lesion, values={n: v for n, v in lesion.values.items() if n not in waiting}))
        return replace(selections, exams=self.counted_exams(selections), lesions=tuple(lesions))

    def counted_exams(self, selections: Selections) -> tuple[Values, ...]:
        """Return the examinations without the agents that are not given with their modality."""
        return tuple(self._possible(exam) for exam in selections.exams)

    def states_beside(self, variable: Variable, exam: Values) -> tuple[str, ...]:
        """Return the states of an examination's variable that go with what else is chosen of that examination."""
        return tuple(s for s in variable.states if variable.name in self._possible({**exam, variable.name: s}))

    def exams(self, selections: Selections) -> tuple[Exam, ...]:
        """Return the counted examinations as the rules know them."""
        listed = [dict(exam) for exam in self.counted_exams(selections)]
        return self.reader.read({"exam": listed, "lesions": [{"findings": {}}]}).exams

    def _possible(self, exam: Values) -> dict[str, Any]:
        agents = self.reader.assessability.modalities_of_agent
        nodes = {name: self.reader.variables[name].nodes[state] for name, state in exam.items()}
        modalities = {node for node in nodes.values() if node not in agents}
        return {
            name: state
            for name, state in exam.items()
            if not modalities or not agents.get(nodes[name]) or modalities & agents[nodes[name]]
        }

    def _against(self, name: str, value: Any, exams: tuple[Exam, ...]) -> str | None:
        if value == NOT_ASSESSABLE:
            return None
        variable = self.reader.variables[name]
        return self.reader.assessability.reason_against(variable, self._states(variable, value), exams)

    def _states(self, variable: Variable, value: Any) -> tuple[str, ...]:
        """Return the states that a value leaves possible; all of them where the reader refuses it, and says why."""
        key = json.dumps([variable.name, value])
        if key not in self._known:
            number = isinstance(value, int | float) and variable.measure is not None
            spelt = variable.measure.key if number and variable.measure is not None else variable.name
            try:
                case = self.reader.read({"lesions": [{"findings": {spelt: value}}]})
            except CaseError:
                self._known[key] = variable.states
            else:
                finding = case.lesions[0].findings[variable.name]
                self._known[key] = tuple(variable.states[position] for position in finding.states)
        return self._known[key]
