"""Cut an Arrow stream into its messages, and look at each before Arrow does.

Arrow allocates what a message claims to need. So a message is limited in size here, and what would make more memory of
few bytes (compressed buffers, dictionaries that grow) is refused. The layout is that of Message.fbs and Schema.fbs of
the Arrow format: https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass

from hepagraph.service.http.problems import RequestError

SCHEMA, DICTIONARY, BATCH = 1, 2, 3  # the kinds of message
MARK = b"\xff\xff\xff\xff"
END = MARK + b"\x00\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message: its kind, and its bytes as they came."""

    kind: int
    raw: bytes


class Pieces:
    """The pieces of a body, to be taken in the sizes that the format needs."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._held = bytearray()

    async def take(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer where the body ends."""
        while len(self._held) < size:
            piece = await anext(self._pieces, None)
            if piece is None:
                break
            self._held += piece
        found = bytes(self._held[:size])
        del self._held[:size]
        return found


async def messages(pieces: AsyncIterator[bytes], limit: int) -> AsyncIterator[Message]:
    """Yield the messages of an Arrow stream, each of at most ``limit`` bytes.

    So are all dictionaries that hold at a time together, and those that come before the next rows.

    Raises
    ------
    RequestError
        It is no Arrow stream (400), a message is too large (413), or of a kind that is not taken (422).
    """
    source = Pieces(pieces)
    held: dict[int, int] = {}  # the size of each dictionary
    waiting = 0  # bytes of dictionaries since the last rows
    while True:
        prefix = await source.take(8)
        if prefix in (b"", END):
            return
        if len(prefix) < 8 or prefix[:4] != MARK:
            raise _broken("a message does not begin as messages do")
        size = int.from_bytes(prefix[4:], "little", signed=True)
        if not 0 < size <= limit:
            raise _too_large(limit) if size > limit else _broken("a message has a negative size")
        metadata = await source.take(size)
        try:
            kind, length, dictionary = _look(metadata)
        except struct.error:
            raise _broken("a message cannot be read") from None
        if not 0 <= length <= limit - size:
            raise _too_large(limit) if length > 0 else _broken("a message has a negative size")
        body = await source.take(length)
        if len(metadata) + len(body) < size + length:
            raise _broken("it ends within a message")
        if kind == DICTIONARY:
            held[dictionary] = size + length
            waiting += size + length
            if max(waiting, sum(held.values())) > limit:
                raise _too_large(limit, "The dictionaries of the Arrow stream are together")
        elif kind == BATCH:
            waiting = 0
        yield Message(kind, prefix + metadata + body)


def _look(metadata: bytes) -> tuple[int, int, int]:
    """Return a message's kind, the length of its body, and its dictionary's number, 0 if it has none.

    What is not taken is refused.
    """
    table = _number(metadata, "<I", 0)
    kind = _field(metadata, table, 1, "<B", 0)
    length = _field(metadata, table, 3, "<q", 0)
    header = _table(metadata, table, 2)
    if kind not in (SCHEMA, DICTIONARY, BATCH) or header is None:
        raise RequestError(422, "The Arrow stream holds a message that is neither schema nor rows.")
    number = 0
    if kind == DICTIONARY:
        number = _field(metadata, header, 0, "<q", 0)
        if _field(metadata, header, 2, "<B", 0):
            raise RequestError(422, "Dictionaries that grow (deltas) are not taken; send each of them whole.")
        header = _table(metadata, header, 1)
    if kind != SCHEMA and header is not None and _table(metadata, header, 3) is not None:
        raise RequestError(422, "Compressed buffers are not taken; write the Arrow stream without compression.")
    return kind, length, number


def _number(data: bytes, layout: str, place: int) -> int:
    if place < 0:
        raise struct.error
    found: int = struct.unpack_from(layout, data, place)[0]
    return found


def _place(data: bytes, table: int, field: int) -> int | None:
    """Return where a field of a flatbuffer's table stands, None where it is left out."""
    index = table - _number(data, "<i", table)
    size = _number(data, "<H", index)
    if 4 + 2 * field >= size:
        return None
    offset = _number(data, "<H", index + 4 + 2 * field)
    return table + offset if offset else None


def _field(data: bytes, table: int, field: int, layout: str, default: int) -> int:
    place = _place(data, table, field)
    return default if place is None else _number(data, layout, place)


def _table(data: bytes, table: int, field: int) -> int | None:
    place = _place(data, table, field)
    return None if place is None else place + _number(data, "<I", place)


def _broken(what: str) -> RequestError:
    return RequestError(400, f"The body is not an Arrow stream: {what}.")


def _too_large(limit: int, what: str = "A message of the Arrow stream is") -> RequestError:
    return RequestError(413, f"{what} larger than {limit} bytes. Send fewer rows in each.")
