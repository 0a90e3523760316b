"""What the items of measurement groups say. What says nothing of any variable is noted, and problems gather."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import Problem
from hepagraph.service.healthcare.codes import forms
from hepagraph.service.healthcare.dicom import layout
from hepagraph.service.healthcare.statements import HIDDEN, LIKELIHOODS, NUMBER, ONE_OF, STATE, Said
from hepagraph.service.healthcare.units import converted, known_units

if TYPE_CHECKING:
    from hepagraph.kg import Variable
    from hepagraph.service.healthcare.codes import CodeBook

Pairs = list[tuple[str, str]]


class Items:
    """The items of one report on their way into statements."""

    def __init__(self, codes: CodeBook) -> None:
        self.codes = codes
        self.problems: list[Problem] = []
        self.ignored: list[str] = []
        known = forms()
        self.systems = {form["dicom"]: form["fhir"] for form in known["vocabularies"].values() if "dicom" in form}
        self.systems[known["own"]["dicom"]] = codes.system
        differentials = codes.reasoner.network.differentials
        self.answers = {*differentials, *(entity for members in differentials.values() for entity in members)}

    def said(self, group: Any) -> list[Said]:
        """Return what a group says."""
        found: list[Said] = []
        where = f"group {name_of(group)[:64]}"
        for evaluation in group.get_qualitative_evaluations():
            found += self._evaluation(evaluation, where)
        weights: dict[str, dict[str, float]] = {}
        weighed: set[str] = set()
        for measurement in group.get_measurements():
            pairs = self._pairs(measurement.name)
            variable = self.codes.variable(pairs) or self._measured(measurement.name)
            value = float(measurement.value)
            name, state = self._of_state(pairs)
            if variable is not None:
                found += self._number(variable, value, measurement.unit, where)
            elif state:
                weights.setdefault(name, {}).setdefault(state, value)
                weighed |= {name} if self._is_likelihood(measurement) else set()
            elif not self._answers(pairs):
                self._aside(measurement.name, where, "is no variable")
        for name, likelihoods in weights.items():
            same = name not in weighed and set(likelihoods.values()) == {1.0}
            values = () if same else tuple(likelihoods.values())
            found.append(Said(name, ONE_OF if same else LIKELIHOODS, states=tuple(likelihoods), likelihoods=values))
        return found

    def with_values(self, document: Any) -> Any:
        """Return a report without the measurements that hold a reason in the place of a number, and note them.

        DICOM allows them; highdicom cannot read them.
        """
        if not any(_is_empty(item) for holder in _tree(document) for item in holder.get("ContentSequence") or ()):
            return document
        found = copy.deepcopy(document)
        for holder in _tree(found):
            for item in [one for one in holder.get("ContentSequence") or () if _is_empty(one)]:
                holder.ContentSequence.remove(item)
                self.ignored.append(f"{_name(item)} has no value")
        return found

    def is_lesion(self, group: Any) -> bool:
        """Return whether a group says that it is of a lesion as the ontology has it."""
        kind = group.finding_type
        return kind is not None and any(
            layout()["finding"] in self.codes.nodes(*pair) for pair in self._pairs(kind) if pair[0]
        )

    def others(self, content: Any) -> None:
        """Note the containers of a report that nothing is read from."""
        for item in content[0].get("ContentSequence") or ():
            names = item.get("ConceptNameCodeSequence") or ()
            known = any((one.get("CodeValue") or "") in layout()["read"] for one in names)
            if item.get("RelationshipType") == "CONTAINS" and not known:
                self.ignored.append(f"{_name(item)}: not read, only measurement groups are")

    def problem(self, kind: str, where: str, what: str, *allowed: str, advice: str = "") -> None:
        """Note a problem."""
        self.problems.append(Problem(kind, where, what, allowed, advice=advice))

    def _evaluation(self, evaluation: Any, where: str) -> Iterable[Said]:
        pairs = self._pairs(evaluation.name)
        variable = self.codes.variable(pairs)
        if variable is None:
            if not self._answers(pairs):
                self._aside(evaluation.name, where, "is no variable")
            return ()
        hidden = layout()["not_assessable"]
        if (evaluation.value.scheme_designator, evaluation.value.value) == (hidden["scheme"], hidden["code"]):
            return (Said(variable.name, HIDDEN),)
        states = self.codes.notations(variable, self._pairs(evaluation.value))
        if not states:
            what = f"{evaluation.value.meaning} is not a state of {variable.name}"
            self.problem("unknown_state", where, what, *variable.states)
            return ()
        return (Said(variable.name, STATE if len(states) == 1 else ONE_OF, states=states),)

    def _number(self, variable: Variable, value: float, unit: Any, where: str) -> Iterable[Said]:
        number = converted(variable, int(value) if value.is_integer() else value, str(unit.value))
        if number is None:
            what = f"{variable.name} is given in {unit.value}, which is not its unit"
            self.problem("unit", where, what, *known_units(variable))
            return ()
        return (Said(variable.name, NUMBER, number=number),)

    def _measured(self, concept: Any) -> Variable | None:
        """Return the variable that other makers call so, with codes of DICOM's own templates."""
        from pydicom.sr.codedict import codes as dictionary

        for name, keywords in layout()["measures"].items():
            if name in self.codes.variables and any(getattr(dictionary.SCT, word) == concept for word in keywords):
                return self.codes.variables[name]
        return None

    def _of_state(self, pairs: Pairs) -> tuple[str, str]:
        """Return the variable and the state that codes stand for; nothing of both where they stand for none."""
        for variable in self.codes.variables.values():
            states = self.codes.notations(variable, pairs) if variable.section else ()
            if states:
                return variable.name, states[0]
        return "", ""

    def _is_likelihood(self, measurement: Any) -> bool:
        derivation = measurement.derivation
        own = (forms()["own"]["dicom"], "likelihood")
        return derivation is not None and (derivation.scheme_designator, derivation.value) == own

    def _answers(self, pairs: Pairs) -> bool:
        """Return whether codes stand for what an answer chooses between: an answer is none of a case."""
        return any(node in self.answers for pair in pairs if pair[0] for node in self.codes.nodes(*pair))

    def _aside(self, concept: Any, where: str, why: str) -> None:
        self.ignored.append(f"{where}: {str(concept.meaning)[:64]} {why}")

    def _pairs(self, concept: Any) -> Pairs:
        """Return system and code of a coded concept, and of its equivalents."""
        concepts = [concept, *(concept.get("EquivalentCodeSequence") or ())]
        found = []
        for one in concepts:
            code = one.get("CodeValue") or one.get("LongCodeValue") or one.get("URNCodeValue")
            found.append((self.systems.get(str(one.get("CodingSchemeDesignator")), ""), str(code)))
        return found


def name_of(group: Any) -> str:
    """Return what a group is called."""
    return str(group.tracking_identifier or group.tracking_uid or "L1")


def _tree(item: Any) -> Iterator[Any]:
    """Yield an item and all that it holds."""
    yield item
    for part in list(item.get("ContentSequence") or ()):
        yield from _tree(part)


def _is_empty(item: Any) -> bool:
    return item.get("ValueType") == "NUM" and not item.get("MeasuredValueSequence")


def _name(item: Any) -> str:
    names = item.get("ConceptNameCodeSequence") or ()
    return "".join(str(one.get("CodeMeaning") or "") for one in names)[:64] or "an item without a name"
