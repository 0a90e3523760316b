"""What the explorer knows: selections, the answer to them, the answer before, and the scenarios kept. No widgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import CaseError
from hepagraph.service.explorer.fields import PATIENT, read_form
from hepagraph.service.explorer.selections import LesionChoices, Selections, chosen_in, write_case
from hepagraph.service.explorer.troubles import Trouble, read_troubles
from hepagraph.service.explorer.visibility import Visibility
from hepagraph.service.reading import parse_json

if TYPE_CHECKING:
    from hepagraph.inference.case import Case
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.inference.result import CaseResult, LesionResult

_NOTHING: Mapping[str, Any] = {"lesions": [{"findings": {}}]}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to what is counted: a result and the case that was read, or what is wrong."""

    result: CaseResult | None
    case: Case | None
    troubles: tuple[Trouble, ...] = ()

    def lesion(self, name: str) -> LesionResult | None:
        """Return the answer for a lesion, or None where there is none."""
        return None if self.result is None else next((one for one in self.result.lesions if one.id == name), None)


@dataclass(frozen=True, slots=True)
class Kept:
    """A scenario that was kept: its name, what was chosen, and the answer."""

    name: str
    selections: Selections
    answer: Answer


class ExplorerState:
    """Selections that clicks change, and what follows from them.

    Every change is answered when it is asked for, once. What the examinations cannot show stays chosen without being
    counted; a combination that cannot be has troubles instead of a result, and the last result stays ``before``.

    Parameters
    ----------
    case
        The JSON value of the case to start with; None: nothing is stated.
    differential
        The name of a differential of the ontology; None: the default.

    Raises
    ------
    CaseError
        The case is bad, or the differential is not known.
    """

    def __init__(
        self, reasoner: Reasoner, case: Mapping[str, Any] | None = None, *, differential: str | None = None
    ) -> None:
        self.reasoner = reasoner
        self.differential = differential
        self.entities = reasoner.entities(differential)
        self.form = read_form(reasoner)
        self.fields = {field.name: field for field in self.form.fields()}
        self.visibility = Visibility(reasoner.reader)
        self.selections = self._start = chosen_in(_NOTHING if case is None else case, reasoner)
        self.position = 0
        self.before: Answer | None = None
        self.scenarios: tuple[Kept, ...] = ()
        self._answer: Answer | None = None

    # -- what is chosen ---------------------------------------------------------------------------------------------

    @property
    def lesion(self) -> LesionChoices:
        """The lesion that is shown."""
        return self.selections.lesions[self.position]

    def value(self, name: str) -> Any:
        """Return what is chosen of a variable, of the patient or of the lesion that is shown; None: not stated."""
        holder = self.selections.patient if self._section(name) == PATIENT else self.lesion.values
        return holder.get(name)

    def closed(self) -> dict[str, str]:
        """Return the features that the examinations cannot show, with the reason."""
        return self.visibility.closed(self.selections)

    def waiting(self) -> dict[str, str]:
        """Return the features of the shown lesion whose value is not counted, with the reason."""
        return self.visibility.waiting(self.selections, self.lesion)

    def counted(self) -> dict[str, Any]:
        """Return the JSON value of the case that is answered: everything chosen that can have been seen."""
        return write_case(self.visibility.counted(self.selections), self.reasoner.reader.variables)

    # -- changes ----------------------------------------------------------------------------------------------------

    def choose(self, name: str, value: Any) -> None:
        """Choose a value of a variable, of the patient or of the lesion that is shown; None: not stated."""
        changed = self.selections
        if self._section(name) == PATIENT:
            changed = changed.with_patient(name, value)
        else:
            everywhere = range(len(changed.lesions)) if self.fields[name].shared else (self.position,)
            for position in everywhere:
                changed = changed.with_lesion(position, name, value)
        self._change(changed)

    def choose_exam(self, position: int, name: str, value: str | None) -> None:
        """Choose modality, agent or the like of an examination; None: not stated."""
        self._change(self.selections.with_exam(position, name, value))

    def add_exam(self) -> None:
        """Add an examination of the first kind that is not listed yet."""
        field = self.form.exam[0]
        listed = {exam.get(field.name) for exam in self.selections.exams}
        options = [option.notation for option in field.options]
        kind = next((notation for notation in options if notation not in listed), options[0])
        self._change(replace(self.selections, exams=(*self.selections.exams, {field.name: kind})))

    def remove_exam(self, position: int) -> None:
        """Remove an examination; without any, everything can be seen."""
        exams = self.selections.exams
        self._change(replace(self.selections, exams=exams[:position] + exams[position + 1 :]))

    def add_lesion(self) -> None:
        """Add a lesion of which nothing is stated but what holds for the patient, and show it."""
        values = {n: v for n, v in self.lesion.values.items() if self.fields[n].shared}
        lesions = (*self.selections.lesions, LesionChoices(self.selections.new_id(), values))
        self._change(replace(self.selections, lesions=lesions))
        self.position = len(lesions) - 1

    def remove_lesion(self) -> None:
        """Remove the lesion that is shown, unless it is the only one."""
        lesions = self.selections.lesions
        if len(lesions) > 1:
            self._change(replace(self.selections, lesions=lesions[: self.position] + lesions[self.position + 1 :]))

    def show_lesion(self, position: int) -> None:
        """Show another lesion; nothing that is chosen changes."""
        self.position = min(max(position, 0), len(self.selections.lesions) - 1)

    def load(self, text: str) -> None:
        """Take the case of a JSON text, which then is what ``reset`` goes back to.

        Raises
        ------
        CaseError
            The text is no JSON that can be worked with, or no case; then nothing has changed.
        """
        self._start = chosen_in(parse_json(text, "the case"), self.reasoner)
        self.reset()

    def reset(self) -> None:
        """Go back to the case that the explorer was given or that was loaded last; scenarios stay."""
        self._change(self._start)
        self.position = 0

    # -- answers ----------------------------------------------------------------------------------------------------

    def answer(self) -> Answer:
        """Return the answer to what is counted: posteriors alone, which is what a click waits for."""
        if self._answer is None:
            self._answer = self._answered()
        return self._answer

    def previous(self) -> LesionResult | None:
        """Return the answer for the shown lesion before the last change, or None where there was none."""
        return None if self.before is None else self.before.lesion(self.lesion.id)

    # -- scenarios --------------------------------------------------------------------------------------------------

    def keep(self, name: str = "") -> None:
        """Keep what is chosen and its answer under a name; nothing is kept of a combination that cannot be."""
        if self.answer().result is None:
            return
        taken = {kept.name for kept in self.scenarios}
        wanted = name.strip() or f"scenario {len(taken) + 1}"
        free = (wanted if n == 1 else f"{wanted} ({n})" for n in range(1, len(taken) + 2))
        title = next(candidate for candidate in free if candidate not in taken)
        self.scenarios = (*self.scenarios, Kept(title, self.selections, self.answer()))

    def bring_back(self, name: str) -> None:
        """Choose again what a kept scenario had chosen."""
        kept = next((kept for kept in self.scenarios if kept.name == name), None)
        if kept is not None:
            self._change(kept.selections)

    def clear_scenarios(self) -> None:
        """Forget all scenarios."""
        self.scenarios = ()

    # -- helpers ----------------------------------------------------------------------------------------------------

    def _change(self, selections: Selections) -> None:
        if selections == self.selections:
            return
        if self.answer().result is not None:
            self.before = self.answer()
        self.selections = selections
        self._answer = None
        self.show_lesion(self.position)

    def _answered(self) -> Answer:
        try:
            case = self.reasoner.read(self.counted())
            result = self.reasoner.posterior(case, differential=self.differential, surprise=False, reasons=False)
        except CaseError as error:
            return Answer(None, None, read_troubles(error.problems, self.reasoner.reader, self.fields))
        return Answer(result, case)

    def _section(self, name: str) -> str:
        return self.reasoner.reader.variables[name].section
