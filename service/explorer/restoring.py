"""Choices that were made elsewhere, perhaps in another ontology: what this one knows of them, and what it does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hepagraph.inference.case import CaseReader
from hepagraph.ontology.errors import CaseError, printable
from hepagraph.service.explorer.fields import Field, Form
from hepagraph.service.explorer.selections import LesionChoices, Selections, write_case

Json = dict[str, Any]
MOST = 12  # of what is left out is named
_LONGEST = 60  # characters of a name that is not known


@dataclass(slots=True)
class Restoring:
    """Takes from choices what a form and the reader of its cases know, and collects what is left out as text.

    What is not of the form that choices have stays as it is, for those who read them strictly.
    """

    form: Form
    reader: CaseReader
    _left_out: list[str] = field(default_factory=list)

    def choices(self, data: Any) -> Any:
        """Return the choices without what is not known."""
        if not isinstance(data, Mapping):
            return data
        own = [one for one in self.form.patient if not one.shared]
        of_lesion = [one for one in self.form.fields() if one not in own]
        found = dict(data)
        if "patient" in found:
            found["patient"] = self._known(found["patient"], own, "patient")
        if isinstance(found.get("exams"), list):
            kept = [self._known(e, self.form.exam, f"examination {n}") for n, e in enumerate(found["exams"], 1)]
            found["exams"] = [exam for exam, was in zip(kept, found["exams"], strict=True) if exam or not was]
        if isinstance(found.get("lesions"), list):
            found["lesions"] = [self._lesion(lesion, of_lesion) for lesion in found["lesions"]]
        return found

    def differential(self, name: str | None, known: Iterable[str], default: str) -> str:
        """Return the differential of a name, or the default one where there is no such name."""
        if name is None or name in known:
            return name or default
        self._left_out.append(f"the differential {_short(name)} is not known here, so the default one is asked about")
        return default

    def left_out(self) -> list[str]:
        """Return what was left out, in words, the first of it one by one."""
        more = len(self._left_out) - MOST
        return [*self._left_out[:MOST], *([f"and {more} more"] if more > 0 else [])]

    def _lesion(self, lesion: Any, fields: list[Field]) -> Any:
        if not isinstance(lesion, Mapping) or "values" not in lesion:
            return lesion
        where = f"lesion {_short(lesion.get('id'))}"
        return {**lesion, "values": self._known(lesion["values"], fields, where)}

    def _known(self, values: Any, fields: Iterable[Field], where: str) -> Any:
        if not isinstance(values, Mapping):
            return values
        known, found = {one.name: one for one in fields}, {}
        for name, value in values.items():
            trouble = self._trouble(name, value, known)
            if trouble is None:
                found[name] = value
            else:
                self._left_out.append(f"{where}: {trouble}")
        return found

    def _trouble(self, name: str, value: Any, known: Mapping[str, Field]) -> str | None:
        if name not in known:
            return f"{_short(name)} is not known here"
        if value is None:
            return None
        if known[name] in self.form.exam:
            variable = self.reader.variables[name]
            good = isinstance(value, str) and value in variable.nodes
            return None if good else f"{variable.label}: {_short(value)} is not known here"
        own = {name: value}
        patient = {} if self.reader.variables[name].section != "patient" else own
        lesion = LesionChoices("L1", {} if patient else own)
        try:
            self.reader.read(write_case(Selections("case", patient, (), (lesion,)), self.reader.variables))
        except CaseError as error:
            return printable(f"{known[name].label}: {error.problems[0].what}")
        return None


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return repr(text[:_LONGEST])
