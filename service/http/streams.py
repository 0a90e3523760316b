"""Requests and answers that are longer than memory: read and written bit by bit, a few at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from starlette.responses import Response

from hepagraph.service.http.problems import RETRY, RequestError
from hepagraph.service.http.work import Workbench

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

R = TypeVar("R")
GRACE_SECONDS = 5.0


class Streams:
    """The places for streams: each has a thread of its own while it lasts, and there are few; ``free`` counts them."""

    def __init__(self, places: int, seconds: float) -> None:
        self.seconds = seconds
        self.free = places
        # A line or a part ends itself when its time is up; one that does not soon ends its batch.
        self._bench = Workbench(places, places, seconds + GRACE_SECONDS, "batch")

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place.

        Raises
        ------
        RequestError
            None is free (503, with Retry-After).
        """
        if not self.free:
            raise RequestError(503, "The server is busy with other batches. Ask again in a moment.", headers=RETRY)
        self.free -= 1
        try:
            yield
        finally:
            self.free += 1

    async def run(self, function: Callable[[], R]) -> R:
        """Return what a function returns that is called in a thread; see ``Workbench.run``."""
        return await self._bench.run(function)

    def close(self) -> None:
        """Let go of the threads."""
        self._bench.close()


async def received(request: Request, seconds: float) -> AsyncIterator[bytes]:
    """Yield the pieces of a body as they come.

    Raises
    ------
    RequestError
        Nothing comes for ``seconds`` (408), or more comes than is taken (413).
    """
    pieces = request.stream()
    while True:
        try:
            async with asyncio.timeout(seconds):
                piece = await anext(pieces, None)
        except TimeoutError:
            raise RequestError(408, f"Nothing came for {seconds:g} seconds.") from None
        if piece is None:
            return
        yield piece


class Streamed(Response):
    """An answer whose pieces are made while the body is still read.

    An error before the first piece is an ordinary error; after it, the answer breaks off, which clients notice since
    its end is missing. A client that does not read for ``seconds`` is left.
    """

    def __init__(self, pieces: AsyncIterator[bytes], media_type: str, streams: Streams) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self.pieces, self.streams = pieces, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        with self.streams.place():
            async with contextlib.aclosing(self.pieces):  # type: ignore[type-var]
                piece = await anext(self.pieces, b"")
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                while piece:
                    await self._send(send, piece, more=True)
                    piece = await anext(self.pieces, b"")
                await self._send(send, b"", more=False)

    async def _send(self, send: Send, piece: bytes, *, more: bool) -> None:
        async with asyncio.timeout(self.streams.seconds):
            await send({"type": "http.response.body", "body": piece, "more_body": more})
