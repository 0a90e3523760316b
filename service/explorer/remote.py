"""The explorer for a page elsewhere: form, choices and what follows from them as JSON. Keeps nothing between calls.

What is chosen has the form ``{"id": TEXT, "patient": VALUES, "exams": [VALUES], "lesions": [{"id": TEXT, "values":
VALUES}]}``, in which VALUES has a value for each variable that is stated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hepagraph.inference.case import NOT_ASSESSABLE
from hepagraph.ontology.errors import CaseError, Problem, nearest
from hepagraph.service.explorer.fields import Field, Form, read_form
from hepagraph.service.explorer.restoring import Restoring
from hepagraph.service.explorer.saying import stated
from hepagraph.service.explorer.selections import LesionChoices, Selections, Values, chosen_in, write_case
from hepagraph.service.explorer.troubles import Trouble, read_troubles
from hepagraph.service.explorer.visibility import Visibility

if TYPE_CHECKING:
    from hepagraph.inference.reasoner import Reasoner

Json = dict[str, Any]
_PARTS = ("id", "patient", "exams", "lesions")


@dataclass(frozen=True, slots=True)
class RemoteForm:
    """A form, and what answers questions about choices in it."""

    reasoner: Reasoner
    form: Form

    @classmethod
    def of(cls, reasoner: Reasoner) -> RemoteForm:
        """Return the form of a reasoner's vocabulary."""
        return cls(reasoner, read_form(reasoner))

    def to_dict(self) -> Json:
        """Return the model, everything that can be chosen, and the entities of every differential, all with labels."""
        network, form = self.reasoner.network, self.form
        names = dict.fromkeys(name for members in network.differentials.values() for name in members)
        return {
            "model": dict(self.reasoner.model),
            "not_assessable": NOT_ASSESSABLE,
            "patient": [_field(field) for field in form.patient],
            "exam": [_field(field) for field in form.exam],
            "lesion": [_field(field) for field in form.lesion],
            "groups": [{"title": g.title, "fields": [_field(field) for field in g.fields]} for g in form.groups],
            "labels": {
                name: network.labels.get(name, name)
                for name in [*names, *network.states["subtype"], *network.differentials]
            },
            "differentials": {name: list(members) for name, members in network.differentials.items()},
            "default_differential": network.default_differential,
        }

    def read(self, case: Any) -> Json:
        """Return what a case chooses.

        Raises
        ------
        CaseError
            The case is bad.
        """
        return choices_json(chosen_in(case, self.reasoner))

    def check(self, chosen: Any) -> Json:
        """Return what follows from choices before anything is computed.

        ``case`` is the case that counts, without what has to wait until an examination shows it; ``troubles`` is what
        is wrong with it. ``closed`` and ``waiting`` (for each lesion) give the reason by variable, ``options`` for
        each examination the states that go with the rest of it, ``exams`` the examinations as they count.

        Raises
        ------
        CaseError
            The choices are not of the form that the module's head gives.
        """
        selections = self._selections(chosen)
        reader = self.reasoner.reader
        visibility = Visibility(reader)
        counted = visibility.counted(selections)
        case = write_case(counted, reader.variables)
        fields = {field.name: field for field in self.form.fields()}
        troubles: tuple[Trouble, ...] = ()
        try:
            self.reasoner.read(case)
        except CaseError as error:
            troubles = read_troubles(error.problems, reader, fields)
        return {
            "case": case,
            "troubles": [{"text": one.text, "variables": list(one.variables)} for one in troubles],
            "stated": [] if troubles else [asdict(part) for part in stated(counted, self.form)],
            "closed": visibility.closed(selections),
            "waiting": [visibility.waiting(selections, lesion) for lesion in selections.lesions],
            "exams": [dict(exam) for exam in counted.exams],
            "options": [
                {f.name: list(visibility.states_beside(reader.variables[f.name], exam)) for f in self.form.exam}
                for exam in selections.exams
            ],
            "bands": {
                "patient": self._bands(selections.patient),
                "lesions": [self._bands(lesion.values) for lesion in selections.lesions],
            },
        }

    def restore(self, chosen: Any, differential: str | None = None) -> Json:
        """Return what of choices that were made elsewhere is known here, and in words what is not.

        Raises
        ------
        CaseError
            They are not of the form that the module's head gives.
        """
        restoring = Restoring(self.form, self.reasoner.reader)
        found = self._selections(restoring.choices(chosen))
        network = self.reasoner.network
        return {
            "chosen": choices_json(found),
            "differential": restoring.differential(differential, network.differentials, network.default_differential),
            "left_out": restoring.left_out(),
        }

    def _bands(self, values: Values) -> dict[str, str]:
        """Return the states that numbers stand for."""
        found = {}
        for name, value in values.items():
            measure = self.reasoner.reader.variables[name].measure
            if measure is not None and isinstance(value, int | float) and not isinstance(value, bool):
                found[name] = measure.state_of(float(value))
        return {name: state for name, state in found.items() if state is not None}

    def _selections(self, data: Any) -> Selections:
        """Return choices that a client sent; what their values say is for the reader of cases to judge."""
        problems: list[Problem] = []
        if not isinstance(data, Mapping) or not set(data) <= set(_PARTS):
            raise CaseError([Problem("type", "chosen", "must be an object with these keys", _PARTS)])
        exams, lesions = data.get("exams", []), data.get("lesions", [])
        if not isinstance(exams, list) or not isinstance(lesions, list) or not lesions:
            raise CaseError([Problem("type", "chosen", "exams and lesions must be lists, and there must be a lesion")])
        form, variables = self.form, self.reasoner.reader.variables
        shared = [field for field in form.patient if field.shared]
        own = [field for field in form.patient if not field.shared]
        of_lesion = [*shared, *form.lesion, *(field for group in form.groups for field in group.fields)]
        patient = _values(data.get("patient", {}), own, "patient", problems)
        listed = [_values(exam, form.exam, f"exam {n}", problems) for n, exam in enumerate(exams, 1)]
        for number, exam in enumerate(listed, 1):
            problems += [
                Problem("unknown_state", f"exam {number} / {name}", "is not known", variables[name].states)
                for name, state in exam.items()
                if not isinstance(state, str) or state not in variables[name].nodes
            ]
        read = [_lesion(lesion, n, of_lesion, problems) for n, lesion in enumerate(lesions, 1)]
        name = data.get("id", "case")
        if not isinstance(name, str):
            problems.append(Problem("type", "chosen / id", "must be text"))
        if problems:
            raise CaseError(problems)
        return Selections(name, patient, tuple(listed), tuple(read))


def choices_json(selections: Selections) -> Json:
    """Return choices in the form that the module's head gives."""
    return {
        "id": selections.id,
        "patient": dict(selections.patient),
        "exams": [dict(exam) for exam in selections.exams],
        "lesions": [{"id": lesion.id, "values": dict(lesion.values)} for lesion in selections.lesions],
    }


def _field(field: Field) -> Json:
    measure = field.measure
    return {
        "name": field.name,
        "label": field.label,
        "options": [{"value": o.notation, "label": o.label, "depth": o.depth} for o in field.options],
        "hideable": field.hideable,
        "shared": field.shared,
        "measure": None
        if measure is None
        else {"unit": measure.unit, "minimum": measure.minimum, "maximum": measure.maximum},
    }


def _values(data: Any, fields: Iterable[Field], where: str, problems: list[Problem]) -> dict[str, Any]:
    """Return values of these fields, and add to the problems what else there is."""
    if not isinstance(data, Mapping):
        problems.append(Problem("type", where, "must be a JSON object"))
        return {}
    known = tuple(field.name for field in fields)
    problems += [
        Problem("unknown_key", where, f"unknown key {name[:60]!r}", (), nearest(name[:60], known))
        for name in data
        if name not in known
    ]
    return {name: value for name, value in data.items() if name in known and value is not None}


def _lesion(data: Any, number: int, fields: Iterable[Field], problems: list[Problem]) -> LesionChoices:
    where = f"lesion {number}"
    if not isinstance(data, Mapping) or not set(data) <= {"id", "values"} or not isinstance(data.get("id"), str):
        problems.append(Problem("type", where, "must be an object with an id, which is text, and values"))
        return LesionChoices(where, {})
    return LesionChoices(data["id"], _values(data.get("values", {}), fields, where, problems))


def moved_styles(html: str) -> str:
    """Return a fragment whose style attributes are ``data-style``, for pages whose policy allows no inline style.

    Text is not touched, since a quotation mark in it is escaped.

    >>> moved_styles('<i style="width:5%">style=&quot;</i>')
    '<i data-style="width:5%">style=&quot;</i>'
    """
    return html.replace(' style="', ' data-style="')
