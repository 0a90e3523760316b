"""The questions as routes: ``POST /v1/<question>``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from hepagraph.service.http.bodies import answer
from hepagraph.service.http.openapi import question_answers, question_body
from hepagraph.service.http.questions import QUESTIONS, Question, asked

if TYPE_CHECKING:
    from fastapi import APIRouter

    from hepagraph.service.doors import Doors
    from hepagraph.service.http.settings import Settings


def question_router(doors: Doors, settings: Settings) -> APIRouter:
    """Return the routes of all questions."""
    from fastapi import APIRouter

    router = APIRouter(prefix="/v1", tags=["questions"])
    for question in QUESTIONS:
        router.add_api_route(
            f"/{question.name}",
            _endpoint(question, doors, settings),
            methods=["POST"],
            name=question.method,
            operation_id=question.method,
            summary=question.summary,
            response_class=Response,
            responses=question_answers(question),
            openapi_extra=question_body(question),
        )
    return router


def _endpoint(question: Question, doors: Doors, settings: Settings) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await answer(request, lambda body: asked(question, doors, settings, body))

    return endpoint
