"""CDS Hooks as routes of the HTTP server: discovery, the service, and its feedback."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from hepagraph.service.http.app import PUBLIC
from hepagraph.service.http.bodies import answer, worked
from hepagraph.service.http.openapi import answers
from hepagraph.service.http.problems import MEDIA_TYPE, RequestError

if TYPE_CHECKING:
    from fastapi import APIRouter

    from hepagraph.service.doors import Doors
    from hepagraph.service.healthcare.codes import CodeBook
    from hepagraph.service.http.settings import Settings

Json = dict[str, Any]
OBJECT: Json = {"type": "object"}
_USUAL = (400, 404, 408, 413, 415, 422, 503)


def cds_router(doors: Doors, settings: Settings) -> APIRouter:
    """Return the routes of CDS Hooks. Discovery needs no token, since it says nothing of anybody."""
    from fastapi import APIRouter

    from hepagraph.service.healthcare import cds
    from hepagraph.service.healthcare.cds_feedback import feedback as feedback_of

    router = APIRouter(prefix="/cds-services", tags=["CDS Hooks"])

    @cache
    def codes() -> CodeBook:
        from hepagraph.service.healthcare.codes import CodeBook

        return CodeBook.load(doors.reasoner, doors.ontology)

    @router.get(
        "",
        operation_id="cds_services",
        summary="The CDS services, and what each wants prefetched",
        response_class=Response,
        openapi_extra=PUBLIC,
        responses={200: answers(_services_schema())[200], 503: answers(OBJECT, 503)[503]},
    )
    async def services(request: Request) -> Response:
        return await worked(request, cds.discovery)

    @router.post(
        "/{service}",
        operation_id="cds_service",
        summary="A card for each lesion of a patient, from prefetched FHIR resources",
        response_class=Response,
        responses={**answers(_cards_schema(), *_USUAL), 412: _precondition()},
        openapi_extra=_body(_request_schema(), _request_example()),
    )
    async def service(request: Request) -> Response:
        # A browser that follows a link sends no token.
        card = None if settings.token else f"{request.base_url}v1/model"
        name = str(request.path_params["service"])

        def act(body: Any) -> Json:
            return cds.respond(doors, codes(), name, body, model_card=card, today=_today())

        return await answer(request, _refusals(act))

    @router.post(
        "/{service}/feedback",
        operation_id="cds_feedback",
        summary="What became of cards; checked and forgotten",
        response_class=Response,
        responses=answers(OBJECT, *_USUAL),
        openapi_extra=_body(_feedback_schema(), _feedback_example()),
    )
    async def feedback(request: Request) -> Response:
        name = str(request.path_params["service"])
        return await answer(request, _refusals(lambda body: feedback_of(name, body)))

    return router


def _refusals(act: Callable[[Any], Json]) -> Callable[[Any], Json]:
    """Return the same function, with what it refuses as the errors of HTTP."""
    from hepagraph.service.healthcare.cds import PreconditionError, UnknownServiceError

    def refusing(body: Any) -> Json:
        try:
            return act(body)
        except PreconditionError as error:
            raise RequestError(412, str(error)) from None
        except UnknownServiceError as error:
            raise RequestError(404, str(error)) from None

    return refusing


def _today() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC).date()


# -- description ------------------------------------------------------------------------------------------------


def _precondition() -> Json:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": "What the service needs was not prefetched; it asks no FHIR server.", "content": content}


def _body(schema: Json, example: Json) -> Json:
    """Return what is described of a request: which service, and the body."""
    from hepagraph.service.healthcare.cds import about

    which = {"name": "service", "in": "path", "required": True, "schema": {"enum": [about()["id"]]}}
    content = {"schema": schema, "example": example}
    body = {"required": True, "content": {"application/json": content}}
    return {"parameters": [which], "requestBody": body}


def _text() -> Json:
    return {"type": "string", "minLength": 1}


def _services_schema() -> Json:
    one = {
        "type": "object",
        "required": ["hook", "description", "id"],
        "properties": {
            **{name: _text() for name in ("hook", "title", "description", "id", "usageRequirements", "version")},
            "prefetch": {"type": "object", "additionalProperties": _text()},
        },
    }
    return {"type": "object", "required": ["services"], "properties": {"services": {"type": "array", "items": one}}}


def _cards_schema() -> Json:
    source = {"type": "object", "required": ["label"], "properties": {"label": _text(), "url": _text()}}
    one = {
        "type": "object",
        "required": ["uuid", "summary", "indicator", "source"],
        "properties": {
            "uuid": {"type": "string", "format": "uuid"},
            "summary": {"type": "string", "minLength": 1, "maxLength": 139},
            "detail": _text(),
            "indicator": {"const": "info"},
            "source": source,
            "links": {"type": "array", "items": OBJECT},
        },
    }
    return {"type": "object", "required": ["cards"], "properties": {"cards": {"type": "array", "items": one}}}


def _request_schema() -> Json:
    from hepagraph.service.healthcare.cds import about

    return {
        "type": "object",
        "required": ["hook", "hookInstance", "context"],
        "properties": {
            "hook": {"enum": list(about()["hooks"])},
            "hookInstance": {"type": "string", "format": "uuid"},
            "fhirServer": _text(),
            "fhirAuthorization": OBJECT,
            "context": OBJECT,
            "prefetch": OBJECT,
        },
    }


def _request_example() -> Json:
    """Return a request to which the service has nothing to say: the client looked, and found nothing."""
    from hepagraph.service.healthcare.cds import about

    return {
        "hook": next(iter(about()["hooks"])),
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/example", "patientId": "1288992"},
        "prefetch": {key: {"resourceType": "Bundle", "type": "searchset", "total": 0} for key in about()["needed"]},
    }


def _feedback_schema() -> Json:
    one = {
        "type": "object",
        "required": ["card", "outcome", "outcomeTimestamp"],
        "properties": {
            "card": _text(),
            "outcome": {"enum": ["accepted", "overridden"]},
            "acceptedSuggestions": {"type": "array", "items": OBJECT},
            "overrideReason": OBJECT,
            "outcomeTimestamp": {"type": "string", "format": "date-time"},
        },
    }
    items = {"type": "array", "minItems": 1, "items": one}
    return {"type": "object", "required": ["feedback"], "properties": {"feedback": items}}


def _feedback_example() -> Json:
    one = {
        "card": "f6b95768-b1c8-40dc-8385-bf3504b82ffb",
        "outcome": "overridden",
        "outcomeTimestamp": "2020-12-11T00:00:00Z",
    }
    return {"feedback": [one]}
