"""What the server is and how it is: model, vocabulary, life, readiness, counts, and its own description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from hepagraph.service.http.app import PUBLIC
from hepagraph.service.http.batch_lines import read_flags
from hepagraph.service.http.bodies import worked
from hepagraph.service.http.openapi import answers, problems
from hepagraph.service.http.problems import RETRY, RequestError, to_bytes
from hepagraph.service.http.schemas import reference

if TYPE_CHECKING:
    from fastapi import APIRouter

    from hepagraph.service.doors import Doors
    from hepagraph.service.http.settings import Settings

_DEFINITIONS: dict[str, Any] = {
    "name": "definitions",
    "in": "query",
    "required": False,
    "description": "Add the ontology's definitions.",
    "schema": {"type": "boolean", "default": False},
}
STATUS: dict[str, Any] = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
PLAIN = "text/plain; version=0.0.4; charset=utf-8"


def status_router(doors: Doors, settings: Settings) -> APIRouter:
    """Return the routes about the server itself."""
    from fastapi import APIRouter

    router = APIRouter(default_response_class=Response)

    @router.get(
        "/v1/model",
        tags=["about"],
        operation_id="model",
        summary="What answers",
        responses=answers(reference("About"), 503),
    )
    async def model(request: Request) -> Response:
        return await worked(request, doors.model)

    @router.get(
        "/v1/vocabulary",
        tags=["about"],
        operation_id="vocabulary",
        summary="Every variable that a case may state, with its states, and the entities",
        responses=answers(reference("Vocabulary"), 422, 503),
        openapi_extra={"parameters": [_DEFINITIONS]},
    )
    async def vocabulary(request: Request) -> Response:
        flags = read_flags(request.query_params, ("definitions",))
        return await worked(request, lambda: doors.vocabulary(**flags))

    @router.get(
        "/health",
        tags=["operation"],
        operation_id="health",
        summary="Whether the server lives",
        openapi_extra=PUBLIC,
        responses={200: answers(STATUS)[200]},
    )
    async def health(request: Request) -> Response:
        return Response(to_bytes({"status": "ok"}), media_type="application/json")

    @router.get(
        "/ready",
        tags=["operation"],
        operation_id="ready",
        summary="Whether the server has loaded all that it answers from",
        openapi_extra=PUBLIC,
        responses={200: answers(STATUS)[200], 503: problems(503)[503]},
    )
    async def ready(request: Request) -> Response:
        if not request.app.state.ready:
            failed = "The server could not load all that it answers from; the log says where it failed."
            raise RequestError(
                503, failed if request.app.state.failed else "The server is still loading.", headers=RETRY
            )
        return Response(to_bytes({"status": "ready"}), media_type="application/json")

    @router.get(
        "/metrics",
        tags=["operation"],
        operation_id="metrics",
        summary="Counts and times for Prometheus",
        responses={200: {"description": "Text.", "content": {"text/plain": {}}}, **problems()},
    )
    async def metrics(request: Request) -> Response:
        return Response(request.app.state.metrics.text(), media_type=PLAIN)

    @router.get("/openapi.json", include_in_schema=False)
    async def description(request: Request) -> Response:
        return await worked(request, request.app.openapi)

    return router
