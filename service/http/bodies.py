"""Read a request's body strictly, and answer it in a thread. Every router of the server may use this."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.service.http.problems import RequestError, to_bytes
from hepagraph.service.reading import levels, parse_json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from hepagraph.service.http.settings import Settings
    from hepagraph.service.http.work import Workbench

JSON = "application/json"


def settings_of(request: Request) -> Settings:
    """Return the settings of the server that got a request."""
    found: Settings = request.app.state.settings
    return found


def workbench_of(request: Request) -> Workbench:
    """Return where the server that got a request works."""
    found: Workbench = request.app.state.workbench
    return found


async def answer(request: Request, act: Callable[[Any], Any], *, media_type: str = JSON) -> Response:
    """Return as JSON what ``act`` makes of the JSON value in the body; it is read and worked on in a thread.

    ``act`` raises ``CaseError`` for what is wrong with the value (422), or ``RequestError`` with another status.

    Raises
    ------
    RequestError
        The body is not JSON (400, 415), too large or too deep (413), or the server is busy (503).
    """
    from starlette.responses import Response

    settings = settings_of(request)
    raw = await json_body(request)
    content = await workbench_of(request).run(lambda: to_bytes(act(read_value(raw, settings))), gone=gone(request))
    return Response(content, media_type=media_type)


async def worked(request: Request, act: Callable[[], Any], *, media_type: str = JSON) -> Response:
    """Return as JSON what ``act`` returns, made in a thread: for requests without a body; see ``answer``."""
    from starlette.responses import Response

    content = await workbench_of(request).run(lambda: to_bytes(act()), gone=gone(request))
    return Response(content, media_type=media_type)


async def json_body(request: Request) -> bytes:
    """Return the body of a request that says that it is JSON.

    Raises
    ------
    RequestError
        It says that it is something else (415), is too large (413), or does not come in time (408).
    """
    stated = media_type(request)
    if stated != JSON and not (stated.startswith("application/") and stated.endswith("+json")):
        problem = Problem("media_type", "Content-Type", "is not JSON", (JSON,), advice=f"send Content-Type: {JSON}")
        raise RequestError(415, "The body must be JSON.", [problem])
    return await raw_body(request)


async def raw_body(request: Request) -> bytes:
    """Return the body of a request; see ``json_body`` for errors."""
    try:
        async with asyncio.timeout(settings_of(request).seconds):
            return await request.body()
    except TimeoutError:
        raise RequestError(408, "The body did not come in time.") from None


async def gone(request: Request) -> None:
    """Wait until the client hangs up; call it when the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def media_type(request: Request) -> str:
    """Return the media type that a request states for its body, without its parameters, in small letters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def read_value(raw: bytes, settings: Settings, where: str = "body") -> Any:
    """Return the JSON value of a body, read as strictly as files are.

    Raises
    ------
    RequestError
        It is not UTF-8 or not JSON, or a key stands twice in an object (400); it is too deep or has too many parts
        (413).
    """
    try:
        value = parse_json(raw.decode("utf-8-sig"), where)
    except UnicodeDecodeError as error:
        problem = Problem("file", where, f"byte {error.start} is not UTF-8 text")
        raise RequestError(400, "The body is not JSON.", [problem]) from None
    except CaseError as error:
        raise RequestError(400, "The body is not JSON that can be worked with.", error.problems) from None
    _measure(value, settings, where)
    return value


def _measure(value: Any, settings: Settings, where: str) -> None:
    count = 0
    for depth, level in enumerate(levels(value), start=1):
        count += len(level)
        if depth > settings.depth:
            what = f"is nested more than {settings.depth} levels deep"
            raise RequestError(413, "The body is too deep.", [Problem("size", where, what)])
        if count > settings.values:
            what = f"has more than {settings.values} parts"
            raise RequestError(413, "The body has too many parts.", [Problem("size", where, what)])
