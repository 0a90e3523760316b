"""The explorer as a widget: controls on the left, the answer on the right, and nothing of its own to decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hepagraph.inference.result import NOTICE
from hepagraph.ontology.errors import CaseError
from hepagraph.service.explorer.controls import ExamRows, FieldControl, LesionBar, library, mark
from hepagraph.service.explorer.html import (
    bars_html,
    case_html,
    group_note,
    scenarios_html,
    snapshot_html,
    troubles_html,
)
from hepagraph.service.explorer.outlook import Job, Question, Worker, run_now
from hepagraph.service.explorer.state import ExplorerState
from hepagraph.service.explorer.troubles import Trouble
from hepagraph.service.html_basics import fragment, style, text

if TYPE_CHECKING:
    from hepagraph.inference.reasoner import Reasoner

# Sections of one field, or of two, stand side by side.
_NARROW = ("", "hepagraph-one", "hepagraph-two")


class Explorer:
    """A case to play with: every click is answered at once, and nothing that was chosen is lost.

    Put it last in a cell. Where no kernel runs, the notebook shows its picture that stands still. It takes what
    ``ExplorerState`` takes, and raises what that raises.

    Raises
    ------
    MissingExtraError
        ipywidgets is not installed.

    Examples
    --------
    >>> explorer = Explorer(Reasoner.load(), case)                         # doctest: +SKIP
    >>> explorer                                                           # doctest: +SKIP
    """

    def __init__(
        self, reasoner: Reasoner, case: Mapping[str, Any] | None = None, *, differential: str | None = None
    ) -> None:
        widgets = library()
        self.state = ExplorerState(reasoner, case, differential=differential)
        self._worker = Worker()
        self._controls: dict[str, FieldControl] = {}
        self._notes: list[Any] = []
        self._exams = ExamRows(self.state, self._do)
        self._lesions = LesionBar(self.state, self._do)
        self._trouble, self._bars, self._warnings = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._ledger, self._next, self._kept, self._json = (widgets.HTML() for _ in range(4))
        self._loading_trouble = widgets.HTML()
        self._bars.add_class("hepagraph-bars")
        self._folds = {
            "Speaks for and against": self._fold("Speaks for and against", [self._ledger], opened=True),
            "What to look at next": self._fold("What to look at next", [self._next], opened=True),
            "Scenarios": self._fold("Scenarios", self._scenario_parts(), opened=True),
            "The case as JSON": self._fold("The case as JSON", self._json_parts(), opened=False),
        }
        self.widget = self._laid_out()
        self._refresh(later=False)

    # -- for other cells --------------------------------------------------------------------------------------------

    def choose(self, name: str, value: Any) -> None:
        """Choose a value of a variable by name, as a click does; None: not stated.

        Raises
        ------
        KeyError
            The ontology has no such variable.
        """
        self._do(lambda: self.state.choose(name, value))

    def keep(self, name: str = "") -> None:
        """Keep the scenario that is chosen."""
        self._do(lambda: self.state.keep(name))

    def case(self) -> dict[str, Any]:
        """Return the JSON value of the case that is answered."""
        return self.state.counted()

    def snapshot(self) -> Snapshot:
        """Return a picture of the choices and the answer that stands still, for where no kernel runs."""
        return Snapshot(snapshot_html(self.state))

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        shown: dict[str, Any] = self.widget._repr_mimebundle_(**options)
        return {**shown, "text/html": snapshot_html(self.state), "text/plain": "Explorer"}

    # -- what a change brings ---------------------------------------------------------------------------------------

    def _do(self, change: Callable[[], None]) -> None:
        change()
        self._refresh()

    def _refresh(self, *, later: bool = True) -> None:
        """Show the state: the answer at once, what takes longer after it, and nothing that is folded away."""
        state, answer = self.state, self.state.answer()
        self._bars.value = bars_html(state)
        self._trouble.value = troubles_html(answer.troubles)
        wrong = {name for trouble in answer.troubles for name in trouble.variables}
        closed, waiting = state.closed(), state.waiting()
        self._exams.show()
        self._lesions.show()
        for name, control in self._controls.items():
            control.show(state.value(name), closed=closed.get(name), waiting=name in waiting, wrong=name in wrong)
        for group, note in zip(state.form.groups, self._notes, strict=True):
            note.value = group_note(group, state, closed, waiting)
        for part in (self._ledger, self._next, self._warnings):
            mark(part, "hepagraph-stale", on=answer.case is None)
        self._show_scenarios()
        if self._is_open("The case as JSON"):
            self._json.value = case_html(state)
        jobs = self._jobs()
        if later:
            self._worker.run(jobs)
        else:
            run_now(jobs)

    def _jobs(self) -> list[Job]:
        case, state = self.state.answer().case, self.state
        if case is None:
            return []
        question = Question(state.reasoner, case, state.lesion.id, state.differential)
        jobs = [Job(question.warnings_part, _into(self._warnings))]
        if self._is_open("Speaks for and against"):
            jobs.insert(0, Job(question.ledger_part, _into(self._ledger)))
        if self._is_open("What to look at next"):
            jobs.append(Job(question.next_part, _into(self._next)))
        return jobs

    # -- parts ------------------------------------------------------------------------------------------------------

    def _laid_out(self) -> Any:
        widgets, state = library(), self.state
        sheet = widgets.HTML(f"<style>{style('parts', 'explorer')}</style>")
        sheet.add_class("hepagraph-sheet")
        reset = widgets.Button(description="reset", icon="undo", tooltip="back to the case it started with")
        reset.on_click(lambda _: self._do(state.reset))
        left = [
            self._section("Patient", [self._fields(state.form.patient)]),
            self._section("Examinations", [self._exams.box]),
            self._section("Lesions", [self._lesions.box, self._fields(state.form.lesion)]),
        ]
        self._lesions.box.children = (*self._lesions.box.children, reset)
        for group in state.form.groups:
            note = widgets.HTML()
            self._notes.append(note)
            section = self._section(group.title, [self._fields(group.fields), note])
            if len(group.fields) < len(_NARROW):
                section.add_class(_NARROW[len(group.fields)])
            left.append(section)
        answer = [self._trouble, self._bars, self._warnings]
        more = list(self._folds.values())
        panes = [(left, "hepagraph-choices"), (answer, "hepagraph-answer"), (more, "hepagraph-more")]
        whole = widgets.HBox([_column(parts, name) for parts, name in panes])
        whole.add_class("hepagraph-panes")
        root = widgets.VBox([sheet, whole, widgets.HTML(fragment("notice", f"<p>{NOTICE}</p>"))])
        root.add_class("hepagraph-explorer")
        return root

    def _section(self, title: str, parts: list[Any]) -> Any:
        widgets = library()
        section = widgets.VBox([widgets.HTML(fragment("head", f"<h3>{text(title)}</h3>")), *parts])
        section.add_class("hepagraph-section")
        return section

    def _fields(self, fields: tuple[Any, ...]) -> Any:
        found = [FieldControl(field, lambda name, value: self.choose(name, value)) for field in fields]
        self._controls |= {control.field.name: control for control in found}
        box = library().HBox([control.box for control in found])
        box.add_class("hepagraph-fields")
        return box

    def _fold(self, title: str, parts: list[Any], *, opened: bool) -> Any:
        widgets = library()
        fold = widgets.Accordion([widgets.VBox(parts)], titles=(title,), selected_index=0 if opened else None)
        fold.observe(lambda change: self._refresh() if change["new"] == 0 else None, "selected_index")
        return fold

    def _is_open(self, title: str) -> bool:
        return bool(self._folds[title].selected_index == 0)

    def _scenario_parts(self) -> list[Any]:
        widgets = library()
        name = widgets.Text(placeholder="name of the scenario", tooltip="name of the scenario")
        keep = widgets.Button(description="keep", icon="bookmark", tooltip="keep what is chosen now as a column")

        def kept(_: Any) -> None:
            self.keep(name.value)
            name.value = ""

        keep.on_click(kept)
        self._back = widgets.Dropdown(options=[("go back to ...", "")], tooltip="choose again what a scenario chose")
        self._back.observe(self._bring_back, "value")
        clear = widgets.Button(description="clear", icon="trash", tooltip="forget all scenarios")
        clear.on_click(lambda _: self._do(self.state.clear_scenarios))
        row = widgets.HBox([name, keep, self._back, clear])
        row.add_class("hepagraph-row")
        return [row, self._kept]

    def _show_scenarios(self) -> None:
        options = [("go back to ...", ""), *((kept.name, kept.name) for kept in self.state.scenarios)]
        if list(self._back.options) != options:
            self._back.options = options
        self._back.disabled = len(options) == 1
        self._kept.value = scenarios_html(self.state)

    def _bring_back(self, change: Any) -> None:
        if change["new"]:
            self._do(lambda: self.state.bring_back(change["new"]))
            self._back.value = ""

    def _json_parts(self) -> list[Any]:
        widgets = library()
        written = widgets.Textarea(placeholder="paste a case as JSON here", tooltip="a case as JSON")
        load = widgets.Button(description="load", icon="upload", tooltip="take this case")

        def loaded(_: Any) -> None:
            try:
                self._do(lambda: self.state.load(written.value))
            except CaseError as error:
                found = [Trouble(str(problem)) for problem in error.problems]
                self._loading_trouble.value = troubles_html(found, "This is no case that can be read.")
            else:
                self._loading_trouble.value, written.value = "", ""

        load.on_click(loaded)
        hint = widgets.HTML(
            fragment("hint", '<p class="soft">What is counted, to copy; a click selects all of it.</p>')
        )
        return [hint, self._json, written, load, self._loading_trouble]


class Snapshot:
    """HTML that a notebook shows as it is."""

    def __init__(self, html: str) -> None:
        self.html = html

    def __repr__(self) -> str:
        return "Snapshot"

    def _repr_html_(self) -> str:
        return self.html


def _column(parts: list[Any], name: str) -> Any:
    column = library().VBox(parts)
    column.add_class(name)
    return column


def _into(widget: Any) -> Callable[[str], None]:
    def show(html: str) -> None:
        widget.value = html

    return show
