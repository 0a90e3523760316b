"""What every request passes: who asks, how much is sent, what is written down of it, and how the answer is marked."""

from __future__ import annotations

import contextlib
import hmac
import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from hepagraph.ontology.errors import Problem
from hepagraph.service.http.callers import Peers, from_another_page, names_this_machine
from hepagraph.service.http.logs import LOG, event
from hepagraph.service.http.metrics import Metrics, method_label
from hepagraph.service.http.problems import ClientGoneError, RequestError, from_exception, problem_response
from hepagraph.service.http.settings import Settings
from hepagraph.service.logs import log_exception

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
DIGITS = 19  # of a length; more are no length that anything has
GONE = 499  # what is counted where nobody waited for the answer; nginx has made it usual


class Watch:
    """The outermost layer: logs and counts every request, marks every answer, and lets no exception through.

    A header that an answer has of its own, such as the policy of a page, stays. What is said to GET is said to HEAD,
    without its body.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, method = time.perf_counter(), 0, scope["method"]
        if method == "HEAD":
            scope = {**scope, "method": "GET"}

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.body" and method == "HEAD":
                message = {**message, "body": b""}
            if message["type"] == "http.response.start":
                status = message["status"]
                have = {name.lower() for name, _ in message["headers"]}
                extra = [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in have]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        self.metrics.running.inc()
        try:
            await self.app(scope, receive, marked)
        except (ClientGoneError, ClientDisconnect):
            status = GONE
        except Exception as error:
            told = from_exception(error)
            if told.status >= 500 and not isinstance(error, RequestError):
                log_exception(LOG, error, route=route_of(scope))
            if status:  # an answer has begun and breaks off: the server closes the connection
                event("answer broken off", logging.WARNING, route=route_of(scope))
                raise BrokenAnswerError from None
            await problem_response(told)(scope, receive, marked)
        finally:
            self.metrics.running.dec()
            self._note(method_label(method), route_of(scope), status, time.perf_counter() - started)

    def _note(self, method: str, route: str, status: int, seconds: float) -> None:
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
    no web page can reach it by a name of its own that leads here (DNS rebinding), and no page but its own may ask.
    """

    def __init__(self, app: ASGIApp, settings: Settings, public: Collection[str], streams: Collection[str]) -> None:
        self.app, self.settings = app, settings
        self.public, self.streams = frozenset(public), frozenset(streams)
        self.peers = Peers(settings.per_client)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        path = path_of(scope)
        limit = self.settings.batch_bytes if path in self.streams else self.settings.body_bytes
        with contextlib.ExitStack() as held:
            try:
                if self.settings.token is None:
                    self._check_machine(headers)
                elif path not in self.public:
                    self._check_token(headers.get(b"authorization", b""))
                check_framing(headers, limit)
                if path not in self.public:
                    held.enter_context(self.peers.place((scope.get("client") or ("",))[0]))
            except RequestError as error:
                await problem_response(error)(scope, receive, send)
                return
            await self.app(scope, counted(receive, limit), send)

    def _check_machine(self, headers: Mapping[bytes, bytes]) -> None:
        if not names_this_machine(headers.get(b"host", b"").decode("latin-1")):
            raise RequestError(400, "Without a token the server answers only to a name of its own machine.")
        if from_another_page(headers, self.settings.origins):
            raise RequestError(403, "Pages of other origins may ask only if they are listed (--origin).")

    def _check_token(self, header: bytes) -> None:
        kind, _, given = header.partition(b" ")
        wanted = (self.settings.token or "").encode()
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


def check_framing(headers: Mapping[bytes, bytes], limit: int) -> None:
    """Refuse a body whose length or coding is not one that is read.

    Raises
    ------
    RequestError
        It is announced as more than ``limit`` bytes (413), is coded, such as with gzip (415), or has its length told
        in two ways (400), which a proxy and we might read differently.
    """
    stated = headers.get(b"content-length")
    if stated is not None and b"transfer-encoding" in headers:
        detail = "Content-Length and Transfer-Encoding were both sent: send one of them."
        raise RequestError(400, detail, headers={"Connection": "close"})
    coding = headers.get(b"content-encoding", b"identity").strip().lower()
    if coding not in (b"", b"identity"):
        problem = Problem("media_type", "Content-Encoding", "is not taken", ("identity",), advice="send it as it is")
        raise RequestError(
            415, "The body must not be compressed.", [problem], {"Accept-Encoding": "identity", "Connection": "close"}
        )
    if stated is not None and (not stated.isdigit() or len(stated) > DIGITS or int(stated) > limit):
        raise too_large(limit)


def path_of(scope: Scope) -> str:
    """Return the path of a request within this application, which may be mounted in another."""
    path, root = str(scope["path"]), str(scope.get("root_path") or "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path
