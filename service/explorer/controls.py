"""The explorer's controls: a menu for each field, rows of examinations, and the choice of a lesion."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hepagraph.inference.case import NOT_ASSESSABLE
from hepagraph.ontology.errors import MissingExtraError
from hepagraph.service.explorer.fields import Field
from hepagraph.service.explorer.state import ExplorerState
from hepagraph.service.html_basics import text

NOT_STATED = ""
_INDENT = "\u2003"  # a plain space would be lost in a menu
_WRONG, _WAITING = "hepagraph-wrong", "hepagraph-waiting"


def library() -> Any:
    """Return ipywidgets.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    try:
        import ipywidgets  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtraError("the explorer", "notebook") from None
    return ipywidgets


class FieldControl:
    """A menu of all levels of a variable, and a box for a number where it has a unit."""

    def __init__(self, field: Field, choose: Callable[[str, Any], None]) -> None:
        widgets = library()
        self.field = field
        self._choose = choose
        self._quiet = False
        self._listed = {NOT_STATED, NOT_ASSESSABLE, *(option.notation for option in field.options)}
        self._other: Any = None  # a value that no menu lists, such as likelihoods, as the case gave it
        self.menu = widgets.Dropdown(options=self._options(), description=field.label)
        self.menu.observe(self._picked, "value")
        self.number = None
        self.why: Any = None
        parts = [self.menu]
        if field.measure is not None:
            unit = field.measure.unit
            self.number = widgets.Text(placeholder=unit, continuous_update=False, tooltip=f"{field.label} in {unit}")
            self.number.observe(self._typed, "value")
            parts.append(self.number)
        self.box = widgets.HBox(parts)
        self.box.add_class("hepagraph-field")

    def show(self, value: Any, *, closed: str | None = None, waiting: bool = False, wrong: bool = False) -> None:
        """Show a value; ``closed`` is why it cannot be chosen."""
        self._quiet = True
        try:
            key = self._key(value)
            self.menu.value = key
            if self.number is not None:
                self.number.value = self._written(value)
        finally:
            self._quiet = False
        for control in (self.menu, self.number):
            if control is not None:
                control.disabled = closed is not None
        self._explain(closed)
        mark(self.box, _WAITING, on=waiting)
        mark(self.box, _WRONG, on=wrong)

    def _explain(self, closed: str | None) -> None:
        """Lay why the field is closed over it as a tooltip: a menu that has a label takes none of its own."""
        if closed is not None and self.why is None:
            self.why = library().HTML()
            self.why.add_class("hepagraph-why")
            self.box.children = (*self.box.children, self.why)
        if self.why is not None:
            self.why.value = f'<span title="{text(closed)}"></span>' if closed is not None else ""
            self.why.layout.display = None if closed is not None else "none"

    def _written(self, value: Any) -> str:
        """Return what the box for a number holds: a number, or what was written there and is none."""
        if _is_number(value):
            return f"{value:g}"
        return value if isinstance(value, str) and value not in self._listed else ""

    def _options(self) -> list[tuple[str, str]]:
        options = [("not stated", NOT_STATED)]
        options += [(_INDENT * option.depth + option.label, option.notation) for option in self.field.options]
        if self.field.hideable:
            options.append(("not assessable", NOT_ASSESSABLE))
        if self._other is not None:
            options.append((self.field.said(self._other), json.dumps(self._other)))
        return options

    def _key(self, value: Any) -> str:
        """Return the menu's entry for a value; one that it does not list yet is added."""
        if value is None:
            return NOT_STATED
        if isinstance(value, str) and value in self._listed:
            return value
        state = self.field.measure.state_of(float(value)) if self.field.measure and _is_number(value) else None
        if state is not None:
            return state
        if value != self._other:
            self._other = value
            self.menu.options = self._options()
        return json.dumps(value)

    def _picked(self, change: Any) -> None:
        if self._quiet:
            return
        key = change["new"]
        listed = self._other is None or key != json.dumps(self._other)
        self._choose(self.field.name, (key or None) if listed else self._other)

    def _typed(self, change: Any) -> None:
        if self._quiet:
            return
        written = str(change["new"]).strip().replace(",", ".")
        try:
            self._choose(self.field.name, float(written) if written else None)
        except ValueError:
            self._choose(self.field.name, written)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def mark(widget: Any, name: str, *, on: bool) -> None:
    """Give a widget a class, or take it away."""
    if on:
        widget.add_class(name)
    else:
        widget.remove_class(name)


class ExamRows:
    """A row of menus for each examination; each menu lists what goes with the rest of the row."""

    def __init__(self, state: ExplorerState, changed: Callable[[Callable[[], None]], None]) -> None:
        widgets = library()
        self._state = state
        self._changed = changed
        self._quiet = False
        self._shown: list[tuple[tuple[str, ...], ...]] = []
        self.menus: list[dict[str, Any]] = []
        self._rows = widgets.VBox()
        add = widgets.Button(description="add an examination", icon="plus")
        add.on_click(lambda _: changed(state.add_exam))
        self.add = add
        self.box = widgets.VBox([self._rows, add])
        self.box.add_class("hepagraph-exams")

    def show(self) -> None:
        """Show the examinations that are chosen."""
        chosen, variables = self._state.selections.exams, self._state.reasoner.reader.variables
        possible = [
            tuple(self._state.visibility.states_beside(variables[f.name], exam) for f in self._state.form.exam)
            for exam in chosen
        ]
        counted = self._state.visibility.counted_exams(self._state.selections)
        self._quiet = True
        try:
            if possible != self._shown:
                self._shown = possible
                self._build(possible)
            for menus, exam in zip(self.menus, counted, strict=True):
                for name, menu in menus.items():
                    menu.value = exam.get(name, NOT_STATED)
        finally:
            self._quiet = False

    def _build(self, possible: Sequence[Sequence[Sequence[str]]]) -> None:
        widgets = library()
        self.menus, rows = [], []
        for position, by_field in enumerate(possible):
            menus = {
                field.name: widgets.Dropdown(
                    options=[("not stated", NOT_STATED), *_labelled(field, states)], description=field.label
                )
                for field, states in zip(self._state.form.exam, by_field, strict=True)
            }
            for name, menu in menus.items():
                menu.observe(self._picker(position, name), "value")
            remove = widgets.Button(icon="trash", tooltip="remove this examination", description="")
            remove.on_click(lambda _, at=position: self._changed(lambda: self._state.remove_exam(at)))
            row = widgets.HBox([*menus.values(), remove])
            row.add_class("hepagraph-exam")
            self.menus.append(menus)
            rows.append(row)
        self._rows.children = rows

    def _picker(self, position: int, name: str) -> Callable[[Any], None]:
        def picked(change: Any) -> None:
            if not self._quiet:
                self._changed(lambda: self._state.choose_exam(position, name, change["new"] or None))

        return picked


def _labelled(field: Field, states: Iterable[str]) -> list[tuple[str, str]]:
    return [(field.said(state), state) for state in states]


class LesionBar:
    """A button for each lesion, and buttons that add and remove one."""

    def __init__(self, state: ExplorerState, changed: Callable[[Callable[[], None]], None]) -> None:
        widgets = library()
        self._state = state
        self._quiet = False
        self._changed = changed
        self.choice = widgets.ToggleButtons(options=self._options())
        self.choice.observe(self._picked, "value")
        self.add = widgets.Button(description="add a lesion", icon="plus")
        self.add.on_click(lambda _: changed(state.add_lesion))
        self.remove = widgets.Button(description="remove it", icon="trash")
        self.remove.on_click(lambda _: changed(state.remove_lesion))
        self.box = widgets.HBox([self.choice, self.add, self.remove])
        self.box.add_class("hepagraph-lesions")

    def show(self) -> None:
        """Show the lesions and which of them is shown."""
        self._quiet = True
        try:
            if list(self.choice.options) != self._options():
                self.choice.options = self._options()
            self.choice.value = self._state.position
        finally:
            self._quiet = False
        self.remove.disabled = len(self._state.selections.lesions) == 1

    def _options(self) -> list[tuple[str, int]]:
        return [(lesion.id, position) for position, lesion in enumerate(self._state.selections.lesions)]

    def _picked(self, change: Any) -> None:
        if not self._quiet and change["new"] is not None:
            self._changed(lambda: self._state.show_lesion(change["new"]))
