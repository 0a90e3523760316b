"""What is wrong with a request, as RFC 9457 has it: application/problem+json with every problem and its place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import CaseError, HepagraphError, Problem, StoppedError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
MANY = 100
RETRY = {"Retry-After": "1"}


class RequestError(HepagraphError):
    """A request that cannot be answered, with its HTTP status."""

    def __init__(
        self, status: int, detail: str, problems: Iterable[Problem] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        self.status, self.detail = status, detail
        self.problems, self.headers = tuple(problems), dict(headers or {})
        super().__init__(detail)


class ClientGoneError(HepagraphError):
    """The client has hung up, so there is nobody to answer."""

    def __init__(self) -> None:
        super().__init__("the client has hung up")


def problem_details(status: int, detail: str, problems: Iterable[Problem] = ()) -> dict[str, Any]:
    """Return the JSON object of RFC 9457; at most a hundred problems are listed, and how many more there are."""
    every = tuple(problems)
    found: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "problems": [_as_json(problem) for problem in every[:MANY]],
    }
    if len(every) > MANY:
        found["more_problems"] = len(every) - MANY
    return found


def _as_json(problem: Problem) -> dict[str, Any]:
    return {
        "kind": problem.kind,
        "where": problem.where,
        "what": problem.what,
        "allowed": list(problem.allowed),
        "nearest": problem.nearest,
        "advice": problem.advice,
    }


def to_bytes(value: Any) -> bytes:
    """Return the JSON text of a value in UTF-8; half a surrogate pair, which UTF-8 lacks, stays an escape."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def problem_response(error: RequestError) -> Response:
    """Return the answer to a request that cannot be answered."""
    from starlette.responses import Response

    content = to_bytes(problem_details(error.status, error.detail, error.problems))
    return Response(content, error.status, error.headers, MEDIA_TYPE)


def from_exception(error: Exception) -> RequestError:
    """Return what to tell of an error; of one that nobody expected, nothing."""
    from starlette.exceptions import HTTPException

    if isinstance(error, RequestError):
        return error
    if isinstance(error, CaseError):
        count = len(error.problems)
        what = "is a problem" if count == 1 else f"are {count} problems"
        return RequestError(422, f"The request was understood, but there {what} with it.", error.problems)
    if isinstance(error, StoppedError):
        return RequestError(503, "The answer took too long. Ask for less at a time.", headers=RETRY)
    if isinstance(error, HTTPException):
        details = {404: "There is nothing at this address.", 405: "This address does not take this method."}
        detail = details.get(error.status_code, "The request cannot be answered.")
        return RequestError(error.status_code, detail, headers=error.headers)
    return RequestError(500, "The server failed. What was sent is not kept; the log says where it failed.")


def handle_errors(app: FastAPI) -> None:
    """Answer every expected error with its problems."""
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

    async def expected(request: Request, error: Exception) -> Response:
        told = from_exception(error)
        if told.status == 405:  # the framework names the methods of one route only
            known = request.app.state.methods.get(getattr(request.scope.get("route"), "path", None), ())
            told.headers["Allow"] = ", ".join(sorted({*known, *(("HEAD",) if "GET" in known else ())}))
        return problem_response(told)

    async def invalid(request: Request, error: Exception) -> Response:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        problems = [Problem("type", " / ".join(map(str, one.get("loc", ()))), str(one.get("msg", ""))) for one in found]
        return problem_response(RequestError(422, "The request was understood, but is not as described.", problems))

    for kind in (RequestError, CaseError, HTTPException):
        app.add_exception_handler(kind, expected)
    app.add_exception_handler(RequestValidationError, invalid)
