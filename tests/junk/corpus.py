"""Junk made from what is good: bytes, JSON values and texts, each stream endless, in a fixed order, its worst first."""

from __future__ import annotations

import copy
import io
import itertools
import json
import random
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

SEED = 20
LONG, DEEP = 100_000, 100_000
BOM = b"\xef\xbb\xbf"


def nested(depth: int, inner: Any = 0) -> Any:
    """Return a list in a list in a list."""
    for _ in range(depth):
        inner = [inner]
    return inner


# What stands where something else is expected.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2, 0.5, -0.0, 1e308, -1e308, 5e-324, 10**299, -(10**299), 2**63, float("nan")),
    *(float("inf"), "", " ", "0", "1e999", "NaN", "\x00", "\ud800", "\U0010ffff", "\u202e", "a" * LONG, "\r\n"),
    *("\x1b[31m", "../../etc/passwd", "%s%n{0}", "<script>", "9999-12-31", "0000-00-00", "not_assessable"),
    *([], {}, [[]], [{}], {"": None}, [None], [0, "", None, {}], {"\x00": 0}, {"k" * LONG: 1}, ["x"] * 500),
    *({"a": {"b": {"c": {}}}}, nested(40), nested(400), {"x": nested(90)}, [1e400], ["present", "absent"]),
)

# Texts that are no JSON, or JSON of a kind that is rarely met.
TEXTS: tuple[bytes, ...] = (
    *(b"", b" \r\n\t", b"\x00", BOM, b"\xff\xfe", b"null", b"true", b"0", b'""', b"[]", b"{}", b"[[]]", b"[null]"),
    *(b"NaN", b"-Infinity", b"1e999", b"[1e999]", b"-", b"01", b"1." + b"9" * 5000, b"9" * 5000, b'{"a":NaN}'),
    *(b"{", b"[", b'"', b'{"a"', b'{"a":', b'{"a":1,}', b"[1,]", b"{'a':1}", b"//", b"{}{}", b"{}\n[", b"{}\n{}\nx"),
    *(b'{"a":1,"a":2}', b'{"lesions":[],"lesions":[]}', b'"\\ud800"', b'{"\\ud800":"\\udfff"}', b'"\\u00"', b'"\\x"'),
    *(b"[" * DEEP, b'{"a":' * DEEP, b"[" * 500 + b"]" * 500, b'{"a":' * 400 + b"1" + b"}" * 400),
    *(b'{"' + b"k" * LONG + b'":1}', b'["' + b"v" * LONG + b'"]', b"[" + b"0," * LONG + b"0]", b'"\x1f"', b'"\xc3"'),
    *(b"PK\x03\x04", b"\x1f\x8b\x08", b"PAR1", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"<?xml version='1.0'?>"),
    *(
        b"\x93NUMPY\x01\x00",
        b"HGMODEL\n",
        b"ARROW1\x00\x00",
        b"\x00" * 128 + b"DICM",
        b"\xff" * 64,
        b"\xff\xff\xff\xff",
    ),
)

# Words on a command line, in an address or a header.
WORDS: tuple[str, ...] = (
    *(
        "",
        " ",
        "=",
        "==",
        ",",
        "|",
        "/",
        "a=",
        "=b",
        "a=b=c",
        "a/b/c",
        "a|b",
        "-",
        "--",
        "-x",
        "nan",
        "inf",
        "-1",
        "1e999",
    ),
    *(
        "é",
        "\udcff",
        "\ud800",
        "\u202e",
        "\x1b[2J",
        "\x7f",
        "\n",
        "\t",
        "a" * 3000,
        "../..",
        "/",
        "%00",
        "{}",
        "{0}",
        "%s",
    ),
    *(
        "9" * 400,
        "9" * 5000,
        "null",
        "[",
        "[" * 5000,
        "{" * 5000,
        '{"a":',
        '{"a":1,"a":2}',
        "NaN",
        "true",
        '"',
        "'",
        "*",
        "?",
    ),
)


# -- bytes ------------------------------------------------------------------------------------------------------


def damaged(sample: bytes, rng: random.Random) -> bytes:
    """Return the sample with one thing, or a few, done to it."""
    data = bytearray(sample or b"\x00")
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at, to = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
        act = rng.randrange(9)
        if act == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif act == 1 and data:
            data[at % len(data)] = rng.choice((0, 0x7F, 0x80, 0xFF, 0x22, 0x0A, 0x2C, 0x5C))
        elif act == 2:
            del data[at : min(to, at + 64)]
        elif act == 3:
            data[at:at] = data[at : min(to, at + 64)]
        elif act == 4:
            data[at:at] = rng.choice(TEXTS)[:200]
        elif act == 5:
            data[at : at + 8] = rng.choice(
                (b"\xff" * 8, b"\x00" * 8, b"\x7f" + b"\xff" * 7, (2**40).to_bytes(8, "little"))
            )
        elif act == 6:
            data[at : at + 4] = rng.choice((b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\x01\x00\x00\x00"))
        elif act == 7:
            data[at:] = b""
        else:
            data[at:to] = bytes(rng.randrange(256) for _ in range(min(to - at, 32)))
        data = data or bytearray(b"\x00")
    return bytes(data)


def disguised(sample: bytes) -> Iterator[bytes]:
    """Yield the sample in other encodings, twice, with other line ends, and before or after something else."""
    yield BOM + sample
    yield BOM + BOM + sample
    yield sample + sample
    yield sample + b"\n" + sample
    yield sample.replace(b"\n", b"\r\n")
    yield sample.replace(b"\n", b"\r")
    yield sample + b"\x00"
    yield b"\x00" + sample
    text = sample.decode("utf-8", "replace")
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-7", "latin-1"):
        yield text.encode(encoding, "replace")
    yield sample.swapcase()
    yield sample[::-1]
    yield packed(sample)


def packed(sample: bytes) -> bytes:
    """Return a zip archive that holds the sample."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sample", sample)
    return made.getvalue()


def archives() -> Iterator[bytes]:
    """Yield archives of arrays that are bombs: what they hold, or say that they hold, is larger than any memory."""
    for shape in ((2**50,), (2**62,), (-1,), (2**31, 2**31), (0, 2**62)):
        head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
        head += b" " * (117 - len(head)) + b"\n"
        array = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ("version", "tau", "key", "variable/x"):
                archive.writestr(f"{name}.npy", array + bytes(64))
        yield made.getvalue()
    made = io.BytesIO()
    np.savez(made, version=np.array([object()]), key=np.array("k"))
    yield made.getvalue()


def cuts(sample: bytes, count: int = 24) -> Iterator[bytes]:
    """Yield the beginnings of the sample."""
    for part in range(count):
        yield sample[: len(sample) * part // count]
    yield sample[:-1]


def bytes_of(samples: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the samples, then junk made from them, without end."""
    yield from samples
    streams: list[Iterable[bytes]] = [TEXTS]
    for sample in samples:
        streams += [cuts(sample), disguised(sample)]
    yield from mixed(*streams)
    rng = random.Random(SEED)  # noqa: S311
    while True:
        yield damaged(samples[rng.randrange(len(samples))], rng)


# -- JSON -------------------------------------------------------------------------------------------------------


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to every part of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return the value with another part at a path."""
    if not path:
        return new
    whole = copy.deepcopy(value)
    holder = whole
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = new
    return whole


def swapped(value: Any) -> Iterator[Any]:
    """Yield the value with each junk at each place, in an order that meets all places and all junk soon."""
    every = places(value)
    rng = random.Random(SEED)  # noqa: S311
    rng.shuffle(every)
    for turn in range(len(VALUES)):
        for number, path in enumerate(every):
            yield replaced(value, path, VALUES[(turn + number) % len(VALUES)])


def disordered(value: Any, rng: random.Random) -> Any:
    """Return the value with a part taken out, doubled, renamed, wrapped, or put where another is."""
    whole = copy.deepcopy(value)
    paths = places(whole)
    path = rng.choice(paths)
    holder = whole
    for step in path[:-1]:
        holder = holder[step]
    part = copy.deepcopy(holder[path[-1]]) if path else whole
    act = rng.randrange(6)
    if not path or act == 0:
        other = rng.choice(paths)
        for step in other:
            value = value[step]
        return replaced(whole, path, copy.deepcopy(value))
    if act == 1:
        del holder[path[-1]]
    elif act == 2 and isinstance(holder, list):
        holder += [copy.deepcopy(part) for _ in range(rng.choice((1, 30)))]
    elif act == 3 and isinstance(holder, dict):
        holder[rng.choice(("", "x", str(path[-1]).upper(), str(path[-1]) + "x", "k" * 500, "\x00"))] = part
        if rng.random() < 0.5:
            del holder[path[-1]]
    else:
        holder[path[-1]] = rng.choice(([part], {"x": part}, [part, part], str(part), {str(part)[:60]: 1}))
    return whole


def values_of(samples: Sequence[Any]) -> Iterator[Any]:
    """Yield JSON values: the samples, then junk made from them, without end."""
    yield from samples
    yield from mixed(*map(swapped, samples), _disordered(samples, 400))
    yield from _disordered(samples, None)


def _disordered(samples: Sequence[Any], count: int | None) -> Iterator[Any]:
    rng = random.Random(SEED if count else SEED + 1)  # noqa: S311
    for _ in range(count) if count else itertools.count():
        value = samples[rng.randrange(len(samples))]
        for _ in range(rng.choice((1, 1, 2, 4))):
            value = disordered(value, rng)
        yield value


def written(value: Any) -> bytes:
    """Return the JSON text of a value, even where it holds what JSON has not."""
    return json.dumps(value).encode()


def json_of(samples: Sequence[Any]) -> Iterator[bytes]:
    """Yield JSON texts: of the samples, then of junk, and texts that are no JSON."""
    texts = [written(sample) for sample in samples]
    yield from texts
    yield from mixed(TEXTS, map(written, values_of(samples)), bytes_of(texts))


def words_of(samples: Sequence[str], start: int = 0) -> Iterator[str]:
    """Yield texts without NUL, which no argument of a command can hold; the listed ones from the one at ``start``."""
    yield from samples
    yield from (WORDS[(start + number) % len(WORDS)] for number in range(len(WORDS)))
    for raw in bytes_of([sample.encode("utf-8", "surrogateescape") for sample in samples]):
        yield raw.replace(b"\x00", b"").decode("utf-8", "surrogateescape")


# -- streams ----------------------------------------------------------------------------------------------------


def mixed(*streams: Iterable[Any]) -> Iterator[Any]:
    """Yield one of each stream in turn until all are at their end."""
    turns: list[Callable[[], Any]] = [iter(stream).__next__ for stream in streams]
    while turns:
        for turn in list(turns):
            try:
                yield turn()
            except StopIteration:
                turns.remove(turn)
