"""The OpenAPI description of the whole server, with examples; nothing medical stands in it but what is read in."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepagraph.service.http.problems import MEDIA_TYPE
from hepagraph.service.http.questions import Question
from hepagraph.service.http.schemas import answer_schema, components, reference, title

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hepagraph.service.doors import Doors

Json = dict[str, Any]
DATA = Path(__file__).resolve().parents[1] / "data"
_MEANINGS = {
    400: "What was sent cannot be read.",
    401: "A bearer token is needed.",
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
    406: "The answer does not come in what the request accepts.",
    408: "The body did not come in time.",
    413: "More was sent than is answered at once.",
    415: "The body is of a kind that is not read.",
    422: "The case or an option is wrong; every problem is listed.",
    429: "This address has too many requests open; Retry-After says when to come again.",
    503: "The server is busy; Retry-After says when to come again.",
}


def described(app: FastAPI, doors: Doors) -> Callable[[], Json]:
    """Return what makes the description, once, when it is first asked for."""

    @cache
    def describe() -> Json:
        from fastapi.openapi.utils import get_openapi

        found: Json = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        parts = found.setdefault("components", {})
        parts["schemas"] = {**parts.get("schemas", {}), **components(doors)}
        parts["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"bearer": []}] if app.state.settings.token else []
        if app.state.settings.per_client:
            for operation in (one for path in found["paths"].values() for one in path.values()):
                if operation.get("security") != []:
                    operation["responses"]["429"] = problems(429)[429]
        return found

    return describe


def problems(*statuses: int) -> dict[int | str, Json]:
    """Return the descriptions of the answers to requests that cannot be answered, by status."""
    content = {MEDIA_TYPE: {"schema": reference("Problem")}}
    return {status: {"description": _MEANINGS[status], "content": content} for status in (401, *statuses)}


def answers(schema: Json, *statuses: int, description: str = "The answer.") -> dict[int | str, Json]:
    """Return the descriptions of an answer as JSON, and of the problems with the given statuses."""
    good: Json = {"description": description, "content": {"application/json": {"schema": schema}}}
    return {200: good, **problems(*statuses)}


def question_answers(question: Question) -> dict[int | str, Json]:
    """Return the descriptions of the answers to a question."""
    return answers(answer_schema(question), 400, 408, 413, 415, 422, 503)


def question_body(question: Question) -> Json:
    """Return the description of a question's body, with an example."""
    content = {"schema": reference(f"{title(question)}Question"), "example": example_of(question)}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def example_of(question: Question) -> Json:
    """Return the body of a question that the packaged ontology answers."""
    found: Json = json.loads((DATA / "questions.json").read_text(encoding="utf-8")).get(question.name, {})
    if "case" not in found:
        found = {"case": demo_case(), **found}
    return found


def demo_case() -> Json:
    """Return the built-in case."""
    found: Json = json.loads((DATA / "demo.json").read_text(encoding="utf-8"))
    return found
