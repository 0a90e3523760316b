"""``POST /v1/batch``: many cases in one request, read and answered bit by bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from hepagraph.ontology.errors import Problem
from hepagraph.service.http import batch_arrow, batch_lines
from hepagraph.service.http.app import STREAMED
from hepagraph.service.http.bodies import media_type
from hepagraph.service.http.openapi import demo_case, problems
from hepagraph.service.http.problems import RequestError
from hepagraph.service.http.streams import Streamed, received

if TYPE_CHECKING:
    from fastapi import APIRouter

    from hepagraph.service.doors import Doors
    from hepagraph.service.http.settings import Settings

NDJSON = batch_lines.MEDIA_TYPES[0]


def batch_router(doors: Doors, settings: Settings) -> APIRouter:
    """Return the route of batches."""
    from fastapi import APIRouter

    router = APIRouter(prefix="/v1", tags=["questions"])

    @router.post(
        "/batch",
        operation_id="batch",
        summary="The posteriors of many cases: JSON Lines, or an Arrow stream of single lesions",
        response_class=Response,
        responses=_answers(),
        openapi_extra={STREAMED: True, "requestBody": _body(), "parameters": _parameters(doors)},
    )
    async def batch(request: Request) -> Response:
        stated = media_type(request)
        if stated not in (*batch_lines.MEDIA_TYPES, batch_arrow.MEDIA_TYPE):
            allowed = (*batch_lines.MEDIA_TYPES, batch_arrow.MEDIA_TYPE)
            problem = Problem("media_type", "Content-Type", "is not a kind of batch", allowed)
            raise RequestError(415, "A batch is JSON Lines or an Arrow stream.", [problem])
        rows = request.app.state.metrics.rows

        def count(outcome: str, number: int) -> None:
            rows.labels(outcome).inc(number)

        streams = request.app.state.streams
        pieces = received(request, settings.seconds)
        is_arrow = stated == batch_arrow.MEDIA_TYPE
        options = batch_lines.read_flags(request.query_params, ("differential",) if is_arrow else batch_lines.OPTIONS)
        differential = options.get("differential")
        doors.reasoner.entities(differential)
        if is_arrow:
            answers = batch_arrow.answer_arrow(pieces, doors, settings, streams, differential, count)
            return Streamed(answers, batch_arrow.MEDIA_TYPE, streams)
        answers = batch_lines.answer_lines(pieces, doors, settings, streams, options, count)
        return Streamed(answers, NDJSON, streams)

    return router


def _body() -> dict[str, Any]:
    line = to_line(demo_case())
    text = {"schema": {"type": "string"}, "example": line + line}
    arrow = {"schema": {"type": "string", "contentMediaType": batch_arrow.MEDIA_TYPE}}
    return {"required": True, "content": {NDJSON: text, batch_arrow.MEDIA_TYPE: arrow}}


def to_line(case: dict[str, Any]) -> str:
    """Return a case as one line of JSON."""
    import json

    return json.dumps(case, ensure_ascii=False) + "\n"


def _answers() -> dict[int | str, dict[str, Any]]:
    description = (
        "A line for every line that is not blank: an answer as from /v1/posterior, or an error; of Arrow, a row a row."
    )
    kinds = {kind: {"schema": {"type": "string"}} for kind in (NDJSON, batch_arrow.MEDIA_TYPE)}
    good = {"description": description, "content": kinds}
    return {200: good, **problems(400, 408, 413, 415, 422, 503)}


def _parameters(doors: Doors) -> list[dict[str, Any]]:
    kinds: dict[str, dict[str, Any]] = {name: {"type": "boolean"} for name in batch_lines.OPTIONS}
    kinds["differential"] = {"type": "string", "enum": list(doors.reasoner.network.differentials)}
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in kinds.items()]
