"""What every request passes: who asks, how much is sent, what is written down of it, and how the answer is marked."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from hepagraph.service.http.logs import LOG, event
from hepagraph.service.http.metrics import Metrics, method_label
from hepagraph.service.http.problems import RequestError, from_exception, problem_response
from hepagraph.service.http.settings import Settings, is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
UNMATCHED = "unmatched"
_DIGITS = 18  # no body is so long that its length needs more


class Watch:
    """The outermost layer: logs and counts every request, marks every answer, and lets no exception through.

    A header that an answer has of its own, such as the policy of a page, stays.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                have = {name.lower() for name, _ in message["headers"]}
                extra = [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in have]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        self.metrics.running.inc()
        try:
            await self.app(scope, receive, marked)
        except Exception as error:
            told = from_exception(error)
            if told.status >= 500 and not isinstance(error, RequestError):
                LOG.error("exception", exc_info=error, extra={"fields": {"route": route_of(scope)}})
            if status:  # an answer has begun and breaks off: the server closes the connection
                event("answer broken off", logging.WARNING, route=route_of(scope))
                raise BrokenAnswerError from None
            await problem_response(told)(scope, receive, marked)
        finally:
            self.metrics.running.dec()
            self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = method_label(scope["method"]), route_of(scope)
        self.metrics.requests.labels(method, route, str(status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        event("request", method=method, route=route, status=status, ms=round(1000 * seconds, 1))


class BrokenAnswerError(Exception):
    """An answer broke off after its first byte; there is no other way to tell the client than to hang up."""


def route_of(scope: Scope) -> str:
    """Return the template of the route that took a request; never its path, which is the client's own words."""
    found = getattr(scope.get("route"), "path", None)
    return found if isinstance(found, str) else UNMATCHED


class Gate:
    """Lets in who has the token and asks for this host, and counts what they send.

    Without a token the server listens to this machine alone; then only names of this machine are answered to, so that
    no web page can reach it by a name of its own that leads here (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, settings: Settings, public: Collection[str], streams: Collection[str]) -> None:
        self.app, self.settings = app, settings
        self.public, self.streams = frozenset(public), frozenset(streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        limit = self.settings.batch_bytes if scope["path"] in self.streams else self.settings.body_bytes
        try:
            self._check_host(headers.get(b"host", b""))
            if scope["path"] not in self.public:
                self._check_token(headers.get(b"authorization", b""))
            stated = headers.get(b"content-length", b"0")
            if not stated.isdigit() or len(stated) > _DIGITS or int(stated) > limit:
                raise too_large(limit)
        except RequestError as error:
            await problem_response(error)(scope, receive, send)
            return
        await self.app(scope, counted(receive, limit), send)

    def _check_host(self, host: bytes) -> None:
        if self.settings.token is None and not is_loopback(_name(host.decode("latin-1"))):
            raise RequestError(400, "Without a token the server answers only to a name of its own machine.")

    def _check_token(self, header: bytes) -> None:
        if self.settings.token is None:
            return
        kind, _, given = header.partition(b" ")
        wanted = self.settings.token.encode()
        if not hmac.compare_digest(given.strip(), wanted) or kind.lower() != b"bearer":
            raise RequestError(401, "A bearer token is needed.", headers={"WWW-Authenticate": "Bearer"})


def counted(receive: Receive, limit: int) -> Callable[[], Any]:
    """Return what receives as ``receive`` does, and refuses the byte after ``limit``, whatever was announced."""
    seen = 0

    async def counting() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise too_large(limit)
        return message

    return counting


def too_large(limit: int) -> RequestError:
    """Return the error for a body of more than ``limit`` bytes."""
    return RequestError(413, f"The body is larger than {limit} bytes.", headers={"Connection": "close"})


def _name(host: str) -> str:
    """Return the name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
