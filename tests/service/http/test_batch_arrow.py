"""Batches as Arrow streams: the answers of single questions, a row each, and nothing that makes Arrow overreach."""

from __future__ import annotations

import asyncio
import io
import random
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pyarrow as pa
import pytest

from hepagraph.ontology import CaseError
from hepagraph.service.doors import Doors
from hepagraph.service.http import Settings
from hepagraph.service.http.arrow_messages import BATCH, DICTIONARY, SCHEMA, messages
from hepagraph.service.http.batch_arrow import MEDIA_TYPE, ROWS, answer_arrow
from hepagraph.service.http.problems import RequestError
from hepagraph.service.http.streams import Streams

ARROW = {"Content-Type": MEDIA_TYPE}


def stream(table: Any, rows: int | None = None, **options: Any) -> bytes:
    """Return a table as an Arrow stream, in batches of so many rows."""
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=rows)
    return out.getvalue()


def read(found: httpx.Response) -> Any:
    assert found.status_code == 200, found.text
    assert found.headers["content-type"] == MEDIA_TYPE
    return pa.ipc.open_stream(found.content).read_all()


@pytest.fixture(scope="module")
def findings(doors: Doors) -> tuple[str, str]:
    """Two findings that any examination may show."""
    names = [v.name for v in doors.reasoner.reader.variables.values() if v.section == "findings" and len(v.states) > 2]
    return names[0], names[1]


@pytest.fixture(scope="module")
def table(doors: Doors, findings: tuple[str, str]) -> Any:
    rng = random.Random(1)  # noqa: S311
    columns = {
        name: [rng.choice([*doors.reasoner.reader.variables[name].states, None]) for _ in range(60)]
        for name in findings
    }
    return pa.table({"id": [f"row {i}" for i in range(60)], **columns})


@pytest.mark.parametrize("rows", [None, 1, 7])
@pytest.mark.parametrize("coded", [False, True])
def test_answers_are_those_of_single_questions(
    client: httpx.Client, doors: Doors, findings: tuple[str, str], table: Any, rows: int | None, coded: bool
) -> None:
    sent = table
    for name in findings if coded else ():
        sent = sent.set_column(sent.schema.get_field_index(name), name, sent[name].dictionary_encode())
    found = read(client.post("/v1/batch", content=stream(sent, rows), headers=ARROW))
    assert found["id"].to_pylist() == table["id"].to_pylist()
    assert found["problem"].null_count == len(table)
    for row, answer in zip(table.to_pylist(), found.to_pylist(), strict=True):
        case = {"lesions": [{"findings": {name: row[name] for name in findings}}]}
        (lesion,) = doors.posterior(case, reasons=False, surprise=False)["lesions"]
        got = {name.removeprefix("p_"): value for name, value in answer.items() if name.startswith("p_")}
        assert got == pytest.approx(lesion["posterior"], abs=1e-6)


def test_a_bad_row_has_nulls_and_its_problem(client: httpx.Client, table: Any, findings: tuple[str, str]) -> None:
    first, _ = findings
    values = table[first].to_pylist()
    values[3] = "no such state"
    sent = table.set_column(table.schema.get_field_index(first), first, pa.array(values))
    found = read(client.post("/v1/batch", content=stream(sent, 10), headers=ARROW)).to_pylist()
    bad = [number for number, row in enumerate(found) if row["problem"] is not None]
    assert bad == [3]
    assert first in found[3]["problem"]
    assert all(value is None for name, value in found[3].items() if name.startswith("p_"))


def test_another_differential(client: httpx.Client, doors: Doors, table: Any) -> None:
    name = next(n for n in doors.reasoner.network.differentials if n != doors.reasoner.network.default_differential)
    found = read(client.post(f"/v1/batch?differential={name}", content=stream(table), headers=ARROW))
    made = [column.removeprefix("p_") for column in found.column_names if column.startswith("p_")]
    assert made == list(doors.reasoner.entities(name))
    assert client.post("/v1/batch?interval=true", content=stream(table), headers=ARROW).status_code == 422
    assert client.post("/v1/batch?differential=x", content=stream(table), headers=ARROW).status_code == 422


def test_schema_alone_and_many_rows(client: httpx.Client, table: Any, findings: tuple[str, str]) -> None:
    assert len(read(client.post("/v1/batch", content=stream(table[:0]), headers=ARROW))) == 0
    many = pa.table({findings[0]: table[findings[0]].to_pylist() * 400})
    assert len(many) > ROWS
    found = read(client.post("/v1/batch", content=stream(many), headers=ARROW))
    assert len(found) == len(many)
    assert found["log_evidence"][:60].equals(found["log_evidence"][60:120])


@pytest.mark.parametrize(
    "column",
    [
        pa.array([["a"]]),
        pa.array([{"a": 1.0}]),
        pa.array([b"a"]),
        pa.array([None], type=pa.null()),
        pa.array([1], type=pa.timestamp("s")),
        pa.array([b"a"]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_other_kinds_of_column_are_refused(client: httpx.Client, findings: tuple[str, str], column: Any) -> None:
    found = client.post("/v1/batch", content=stream(pa.table({findings[0]: column})), headers=ARROW)
    assert found.status_code == 422 and findings[0] in found.json()["problems"][0]["where"]


def test_unknown_columns_are_refused(client: httpx.Client, findings: tuple[str, str]) -> None:
    found = client.post("/v1/batch", content=stream(pa.table({f"{findings[0]}x": ["a"]})), headers=ARROW)
    assert found.status_code == 422 and findings[0] in found.json()["problems"][0]["nearest"]
    assert client.post("/v1/batch", content=stream(pa.table({"id": ["a"]})), headers=ARROW).status_code == 422
    twice = pa.table([pa.array(["a"]), pa.array(["a"])], names=[findings[0], findings[0]])
    assert client.post("/v1/batch", content=stream(twice), headers=ARROW).status_code == 422


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_what_few_bytes_could_blow_up_is_refused(client: httpx.Client, table: Any, codec: str) -> None:
    found = client.post("/v1/batch", content=stream(table, compression=codec), headers=ARROW)
    assert found.status_code == 422 and "ompress" in found.json()["detail"]


def test_dictionaries_that_grow_are_refused(client: httpx.Client, findings: tuple[str, str]) -> None:
    kind = pa.dictionary(pa.int8(), pa.string())
    schema, out = pa.schema([(findings[0], kind)]), io.BytesIO()
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
    with pa.ipc.new_stream(out, schema, options=options) as writer:
        for words in (["a"], ["a", "b"]):
            array = pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), pa.array(words))
            writer.write_batch(pa.record_batch([array], schema=schema))
    with pytest.raises(RequestError, match="grow"):
        asyncio.run(_kinds(out.getvalue()))


async def _kinds(data: bytes, limit: int = 2**20, size: int = 64) -> list[int]:
    return [message.kind async for message in messages(_pieces(data, size), limit)]


async def _pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_messages_are_cut_the_same_however_they_come(table: Any, findings: tuple[str, str], size: int) -> None:
    coded = pa.table({findings[0]: table[findings[0]].dictionary_encode()})
    kinds = asyncio.run(_kinds(stream(coded, 30), size=size))
    assert kinds == [SCHEMA, DICTIONARY, BATCH, BATCH]


def test_large_messages_are_refused_before_they_come(table: Any) -> None:
    with pytest.raises(RequestError) as caught:
        asyncio.run(_kinds(stream(table), limit=500))
    assert caught.value.status == 413
    claimed = b"\xff\xff\xff\xff" + (2**31 - 1).to_bytes(4, "little")
    with pytest.raises(RequestError) as caught:
        asyncio.run(_kinds(claimed))
    assert caught.value.status == 413


def test_dictionaries_together_are_no_larger_than_a_message(findings: tuple[str, str]) -> None:
    """Arrow would keep them all until the next rows come, and those of every column after that."""
    words = [f"{'x' * 100}{i}" for i in range(1000)]
    both = pa.table({name: pa.array(words).dictionary_encode() for name in findings})
    whole = stream(both)
    one = len(stream(both.select([findings[0]])))
    assert asyncio.run(_kinds(whole, limit=2 * one)) == [SCHEMA, DICTIONARY, DICTIONARY, BATCH]
    with pytest.raises(RequestError, match="dictionaries") as caught:
        asyncio.run(_kinds(whole, limit=int(1.5 * one)))
    assert caught.value.status == 413
    start, end = whole.index(b"\xff\xff\xff\xff", 8), whole.rindex(b"xxx")
    schema = whole[:start]
    dictionary = whole[start : whole.index(b"\xff\xff\xff\xff", start + 8)]
    assert end > start
    with pytest.raises(RequestError, match="dictionaries"):  # the same one, over and over, and never any rows
        asyncio.run(_kinds(schema + dictionary * 4, limit=3 * len(dictionary)))


def test_more_columns_than_there_are_are_refused_at_once(client: httpx.Client) -> None:
    many = pa.table({f"c{i}": pa.array([], pa.int8()) for i in range(20_000)})
    started = time.monotonic()
    found = client.post("/v1/batch", content=stream(many), headers=ARROW)
    assert found.status_code == 422 and "20000" in found.json()["problems"][0]["what"]
    assert time.monotonic() - started < 20


def test_a_batch_has_at_most_so_many_rows(doors: Doors, table: Any) -> None:
    async def ask(most: int) -> int:
        streams = Streams(1, 60)
        answers = answer_arrow(_pieces(stream(table, 10), 4096), doors, Settings(lines=most), streams, None, _ignore)
        try:
            return len(pa.ipc.open_stream(b"".join([part async for part in answers])).read_all())
        finally:
            streams.close()

    assert asyncio.run(ask(60)) == 60
    with pytest.raises(RequestError, match="at most 59 rows"):
        asyncio.run(ask(59))


def _ignore(outcome: str, number: int) -> None: ...


@pytest.mark.parametrize("body", [b"", b"junk", b"junk" * 100, b"PAR1", b"ARROW1\x00\x00" + b"\x00" * 50])
def test_what_is_no_arrow_stream_is_refused(client: httpx.Client, body: bytes) -> None:
    assert client.post("/v1/batch", content=body, headers=ARROW).status_code == 400


def test_a_stream_that_ends_early_is_no_answer(client: httpx.Client, table: Any) -> None:
    whole = stream(table, 10)
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/v1/batch", content=whole[: len(whole) * 2 // 3], headers=ARROW)
    assert client.get("/health").status_code == 200


def test_broken_bytes_are_errors_of_the_request(doors: Doors, table: Any, findings: tuple[str, str]) -> None:
    """Bytes of a good stream are changed at random: an answer or a request's error, and never anything else."""
    coded = table.set_column(1, findings[0], table[findings[0]].dictionary_encode())
    good, rng, streams = stream(coded, 25), random.Random(3), Streams(1, 60)  # noqa: S311
    counts = {"answer": 0, "refused": 0}

    async def ask(data: bytes) -> None:
        answers = answer_arrow(_pieces(data, 4096), doors, Settings(), streams, None, lambda *_: None)
        try:
            async for _ in answers:
                pass
            counts["answer"] += 1
        except (RequestError, CaseError):
            counts["refused"] += 1

    async def run() -> None:
        for data in _broken(good, rng, 1500):
            await ask(data)

    asyncio.run(run())
    streams.close()
    assert counts["answer"] > 50 and counts["refused"] > 500


def _broken(good: bytes, rng: random.Random, count: int) -> Iterator[bytes]:
    for _ in range(count):
        data = bytearray(good)
        for _ in range(rng.choice([1, 1, 2, 8])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        yield bytes(data)
