"""JSON Schemas of cases, questions and answers, made from the vocabulary of an ontology.

They describe more than JSON Schema can say no to: a case may also contradict itself, or state what its examinations
cannot show, which is answered with 422.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hepagraph.inference.case import NOT_ASSESSABLE
from hepagraph.inference.costs import burden_names
from hepagraph.inference.network import ENTITY
from hepagraph.service.http.about_schemas import about_schemas
from hepagraph.service.http.questions import QUESTIONS, Question

if TYPE_CHECKING:
    from hepagraph.kg import Variable
    from hepagraph.service.doors import Doors

Json = dict[str, Any]
PROBABILITY: Json = {"type": "number", "minimum": 0, "maximum": 1}
TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
ANY: Json = {}
NULL: Json = {"type": "null"}


def reference(name: str) -> Json:
    """Return what stands for a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def components(doors: Doors) -> Json:
    """Return every schema by name."""
    found = {"Case": _case(doors), "Values": _values(doors), "ResponseCase": _response_case(doors), **_answers()}
    found |= about_schemas()
    for question in QUESTIONS:
        found[f"{title(question)}Question"] = _question(question, doors)
    return found


def title(question: Question) -> str:
    """Return the name of a question as a schema spells it.

    >>> title(Question("what-if", ""))
    'WhatIf'
    """
    return "".join(part.capitalize() for part in question.name.split("-"))


def _question(question: Question, doors: Doors) -> Json:
    case = "ResponseCase" if question.name == "response" else "Case"
    options = {name: _narrowed(name, dict(schema), doors) for name, schema in question.options.items()}
    return _object({"case": reference(case), **options}, required=["case"], closed=True)


def _narrowed(name: str, schema: Json, doors: Doors) -> Json:
    """Return an option's schema with the words of the ontology in it."""
    network = doors.reasoner.network
    if name == "differential":
        schema["enum"] = list(network.differentials)
    elif name in ("entity", "against"):
        schema["enum"] = list(network.differentials[network.default_differential])
    elif name == "sweep":
        from hepagraph.inference.what_if import key_sections

        keys = key_sections(doors.reasoner)
        schema["items"] = {"type": "string", "enum": [n for n in doors.reasoner.reader.variables if n in keys]}
    elif name == "prior":
        weight = {"type": "number", "exclusiveMinimum": 0}
        schema |= _object({e: weight for e in network.differentials[network.default_differential]}, closed=True)
        schema["required"] = list(schema["properties"])
    elif name == "scenarios":
        scenario = {"name": TEXT, "values": reference("Values"), "exam": {"type": "array", "items": _exam(doors)}}
        schema["items"] = _object(scenario, required=["name"], closed=True)
    elif name == "costs" and (costs := doors.reasoner.costs) is not None:
        points = {"type": "number", "minimum": 0}
        loss = {"anyOf": [NULL, _object(dict.fromkeys(network.states[ENTITY], points), closed=True)]}
        parts = {
            "losses": {"type": "object", "properties": dict.fromkeys(costs.losses, loss)},
            "burdens": _object(dict.fromkeys(burden_names(doors.reasoner), points), closed=True),
        }
        schema |= _object(parts, closed=True)
    return schema


# -- cases ------------------------------------------------------------------------------------------------------------


def _case(doors: Doors) -> Json:
    variables = doors.reasoner.reader.variables.values()
    findings = _object(_inputs(variables, "findings", "lesion", hidden=True), closed=True)
    measured = {
        k: s for k, s in _inputs(variables, "lesion", hidden=True).items() if k not in {v.name for v in variables}
    }
    lesion = _object({"id": ANY, "findings": findings, **measured}, required=["findings"], closed=True)
    return _of_parts(_object(_inputs(variables, "patient"), closed=True), lesion, _exam(doors))


def _values(doors: Doors) -> Json:
    variables = doors.reasoner.reader.variables.values()
    return _object(_inputs(variables, "patient", "findings", "lesion", hidden=True), closed=True)


def _response_case(doors: Doors) -> Json:
    if not doors.grades_response:
        return {"type": "object", "description": "Refused: this ontology has no response model."}
    reader = doors.response_reasoner.reader
    patient = {
        **_inputs(reader.ordinary.variables.values(), "patient"),
        **_inputs(reader.own.variables.values(), "patient"),
    }
    signs = _object(_inputs(reader.own.variables.values(), "findings", "lesion", hidden=True), closed=True)
    lesion = {"id": ANY, "findings": {"type": "object"}, "response": signs}
    return _of_parts(_object(patient, closed=True), _object(lesion, closed=True), _exam(doors))


def _of_parts(patient: Json, lesion: Json, exam: Json) -> Json:
    parts = {
        "id": {"description": "Comes back in the answer, as text; otherwise neither used nor logged."},
        "patient": patient,
        "exam": {"anyOf": [exam, {"type": "array", "items": exam}, {"type": "null"}]},
        "lesions": {"type": "array", "minItems": 1, "items": lesion},
    }
    return _object(parts, required=["lesions"], closed=True)


def _exam(doors: Doors) -> Json:
    variables = [v for v in doors.reasoner.reader.variables.values() if v.section == "exam"]
    said = {v.name: {"anyOf": [{"type": "string", "enum": [*v.states, *v.groups]}, NULL]} for v in variables}
    return _object(said, closed=True)


def _inputs(variables: Iterable[Variable], *sections: str, hidden: bool = False) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for variable in variables:
        if variable.section in sections or (variable.kind == "ImagingFeature" and "findings" in sections):
            found[variable.name] = _value(variable, hidden=hidden)
            if variable.measure is not None and variable.section in sections:
                found[variable.measure.key] = _value(variable, hidden=hidden, number=True)
    return found


def _value(variable: Variable, *, hidden: bool, number: bool = False) -> Json:
    """Return the schema of what a case may state of a variable: see the fixed case format."""
    words = [*variable.states, *variable.groups]
    flags: list[Json] = [{"type": "boolean", "enum": [*variable.booleans]}] if variable.booleans else []
    one: list[Json] = [{"type": "string", "enum": words}, *flags]  # one type each, as makers of clients need it
    ways: list[Json] = [
        {"type": "string", "enum": [*words, *([NOT_ASSESSABLE] if hidden else [])]},
        *flags,
        NULL,
        {"type": "array", "minItems": 1, "items": {"anyOf": one} if flags else one[0]},
        {
            "type": "object",
            "minProperties": 1,
            "properties": {word: {"type": "number", "minimum": 0} for word in words},
            "additionalProperties": False,
        },
    ]
    if number and variable.measure is not None:
        measure = variable.measure
        low_high = {"minimum": measure.minimum, "maximum": measure.maximum}
        ways.insert(0, {"type": "number", **low_high, "description": measure.unit})
    return {"anyOf": ways, "description": variable.label}


# -- answers ----------------------------------------------------------------------------------------------------------


def _answers() -> dict[str, Json]:
    model = _object({"version": TEXT, "ontology_sha256": TEXT, "notice": TEXT})
    model["required"] = list(model["properties"])
    by_name = {"type": "object", "additionalProperties": PROBABILITY}
    lesion = _object(
        {
            "id": TEXT,
            "posterior": by_name,
            "interval": {"type": "object"},
            "subtype": by_name,
            "mechanisms": by_name,
            "reasons": {"type": "array", "items": {"type": "object"}},
            "warnings": {"type": "array", "items": _object({"level": TEXT, "message": TEXT})},
        },
        required=["id", "posterior", "subtype", "mechanisms", "reasons", "warnings"],
    )
    row = _object(
        {
            "scenario": TEXT,
            "lesion": TEXT,
            "entity": TEXT,
            "posterior": PROBABILITY,
            "change": {"type": "number", "minimum": -1, "maximum": 1},
            "unseen": {"type": "array", "items": TEXT},
        }
    )
    row["required"] = list(row["properties"])
    problem = _object(
        {
            "kind": TEXT,
            "where": TEXT,
            "what": TEXT,
            "allowed": {"type": "array", "items": TEXT},
            "nearest": {"type": ["string", "null"]},
            "advice": TEXT,
        }
    )
    problem["required"] = list(problem["properties"])
    details = {
        "type": TEXT,
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "problems": {"type": "array", "items": problem},
        "more_problems": {"type": "integer"},
    }
    return {
        "Model": model,
        "Problem": _object(details, required=["type", "title", "status", "detail", "problems"]),
        "PosteriorAnswer": _lesions(lesion),
        "WhatIfAnswer": _object(
            {"rows": {"type": "array", "items": row}, "model": reference("Model")}, required=["rows", "model"]
        ),
        "Answer": _lesions(_object({"id": TEXT}, required=["id"])),
    }


def _lesions(lesion: Json) -> Json:
    parts = {"id": TEXT, "lesions": {"type": "array", "items": lesion}, "model": reference("Model")}
    return _object(parts, required=["id", "lesions", "model"])


def answer_schema(question: Question) -> Json:
    """Return the schema of the answer to a question."""
    return reference({"posterior": "PosteriorAnswer", "what-if": "WhatIfAnswer"}.get(question.name, "Answer"))


def _object(properties: Mapping[str, Json], *, required: Iterable[str] = (), closed: bool = False) -> Json:
    found: Json = {"type": "object", "properties": dict(properties)}
    if needed := list(required):
        found["required"] = needed
    if closed:
        found["additionalProperties"] = False
    return found
