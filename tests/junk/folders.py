"""The doors of folders: an ontology with its facts, matches and queries, what is kept of it, and batches."""

from __future__ import annotations

import json
import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from junk.corpus import TEXTS, archives, bytes_of, json_of, mixed
from junk.table import DATA, ROOT, Door, World, command, leaves_nothing, refusable, skin_folder

from hepagraph.inference import Reasoner
from hepagraph.inference.artifact import read_artifact, write_artifact
from hepagraph.inference.knowledge import Knowledge
from hepagraph.inference.model_cache import find_model, keep_model
from hepagraph.inference.stored import read_model
from hepagraph.inference.stored_writing import write_model
from hepagraph.ontology import find_ontology
from hepagraph.ontology.sssom import load_licences, read_set
from hepagraph.ontology.store import load_ontology
from hepagraph.service.healthcare import CodeBook

COIN = DATA / "coin"
CASE = {"lesions": [{"findings": {"toss": "heads"}}]}


# -- ontologies -------------------------------------------------------------------------------------------------


def _folder(world: World, files: dict[str, bytes]) -> Path:
    folder = world.place("ontology")
    shutil.copytree(COIN, folder, dirs_exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def _turtle(world: World, junk: bytes) -> bool:
    folder = _folder(world, {"coin.ttl": junk})
    if not refusable(lambda: load_ontology(folder)):
        return False
    done = refusable(lambda: Reasoner.compile(folder).posterior({"lesions": [{"findings": {}}]}))
    turns = ("ontology stats", "ontology export", "ontology export --format obograph", "evidence export")
    turns += ("ontology export --format nquads", "sparql --list", "export --format mermaid", "sparql terms")
    turns += ("evidence report", "evidence coverage", "evidence report --use", "next-best --show-costs")
    words = turns[zlib.crc32(junk) % len(turns)].split()
    command(*words, "--ontology", folder)
    return done


# What is put in place of the value of a property.
OBJECTS = (
    *('"x"', '"3"', "-1", "1e400", '"NaN"^^<http://www.w3.org/2001/XMLSchema#double>', "true", "id:nothing", "[]"),
    *('"x"^^<http://www.w3.org/2001/XMLSchema#integer>', "99999999999999999999", '""', '"\\u0000"', "<a b>", "()"),
    *("0.5, 0.25", "id:coin", "fl:Exact", "id:toss", "<http://example.org/>", '"a\\nb"@en', "0", "1e-400", "2.5"),
    *('"2020-13-99"^^<http://www.w3.org/2001/XMLSchema#date>', "<>", "id:made_up", '"' + "x" * 5000 + '"'),
    '"' + "9" * 5000 + '"^^<http://www.w3.org/2001/XMLSchema#integer>',
)
HOSTILE = (
    b"@prefix : <http://x/> .\n" + b":a :b [ :c " * 3000,
    b"@prefix : <http://x/> .\n:a :b " + b"( " * 3000,
    b"@base <file:///etc/passwd> . <> <> <> .",
    b"@prefix fl: <https://w3id.org/hepagraph/schema#> .\n" * 500 + b"fl:a a fl:Source .",
    b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>',
    b'{"@context": "http://example.org/", "@id": "http://example.org/x"}',
    b"<http://x/a> <http://x/b> <http://x/ c> .\n",
    b'<http://x/a> <http://x/b> "\xff" .\n',
    b"PREFIX fl: <https://w3id.org/hepagraph/schema#>\nfl:k fl:k fl:k, 1, 'x'@en, 1.0e0 .",
)


def _facts(name: str = "coin") -> str:
    return (DATA / name / f"{name}.ttl").read_text(encoding="utf-8")


def _statements(text: str) -> Iterator[bytes]:
    """Yield the facts with one value changed, one property or subject left out, or one doubled."""
    pairs = list(re.finditer(r"(?<=[;.] |;\n)\s*([\w]+:\w+) ((?:\"[^\"]*\"|[^\";.]|\.(?=\d))+?)(?= [;.])", text))
    assert len(pairs) > 40
    for turn in range(len(OBJECTS)):
        for number, found in enumerate(pairs):
            if (turn + number) % 3 == 0:
                junk = OBJECTS[(turn + number // 3) % len(OBJECTS)]
                yield (text[: found.start(2)] + junk + text[found.end(2) :]).encode("utf-8", "replace")
        for found in pairs[turn :: len(OBJECTS)]:
            yield (text[: found.start()].rstrip().rstrip(";") + text[found.end() :]).encode()
    subjects = [part for part in re.split(r"(?m)^(?=id:)", text) if part.startswith("id:")]
    for one in subjects:
        yield text.replace(one, "").encode()
        yield (text + one.replace("id:", "fl:", 1)).encode()
        yield text.replace(one, re.sub(r" a fl:\w+", " a fl:Source", one)).encode()


def _turtle_junk(world: World) -> Iterator[bytes]:
    text = _facts()
    broken = (text.encode() + junk for junk in (*HOSTILE, *TEXTS))
    return mixed([text.encode()], _statements(text), HOSTILE, broken, bytes_of([text.encode()]))


def _rich(world: World, junk: bytes) -> bool:
    """Give the facts of the skin toy with its rules and costs, of which there are more kinds of things."""
    folder = world.place("rich")
    (folder / "all.ttl").write_bytes(junk)
    asked = world.file("good.json", json.dumps(world.case).encode())
    if not command("posterior", asked, "--ontology", folder):
        return False
    words = (("recommend",), ("next-best", "--by", "cost"), ("explain",))[zlib.crc32(junk) % 3]
    return command(*words, asked, "--ontology", folder)


def _rich_junk(world: World) -> Iterator[bytes]:
    parts = (DATA / "rules" / "skin_rules.ttl", DATA / "costs" / "skin_costs.ttl")
    text = _facts("skin") + "".join(part.read_text(encoding="utf-8") for part in parts)
    every = list(_statements(text))
    return mixed([text.encode()], every[:: max(1, len(every) // 700)], every)


def _response_junk(world: World) -> Iterator[bytes]:
    text = (DATA / "response" / "garden" / "garden.ttl").read_text(encoding="utf-8")
    every = list(_statements(text))
    return mixed([text.encode()], every[:: max(1, len(every) // 700)], every)


def _response(world: World, junk: bytes) -> bool:
    folder = world.place("garden")
    (folder / "garden.ttl").write_bytes(junk)
    return command("response", world.file("case.json", b'{"lesions": [{"findings": {}}]}'), "--ontology", folder)


def _places(world: World, junk: str) -> bool:
    """Put something that is no file, or none that can be read, where files of an ontology are looked for."""
    folder = _folder(world, {})
    place = folder / junk.partition("|")[0]
    place.parent.mkdir(parents=True, exist_ok=True)
    if junk.endswith("|folder"):
        place.mkdir()
    elif junk.endswith("|link"):
        place.symlink_to(folder / "nowhere")
    elif junk.endswith("|loop"):
        place.symlink_to(place)
    else:
        place.write_bytes(b"")
    asked = world.file("case.json", json.dumps(CASE).encode())
    done = command("posterior", asked, "--ontology", folder)
    command("sparql", "ASK", "--ontology", folder)
    command("ontology", "validate", folder)
    return done


def _places_junk(world: World) -> Iterator[str]:
    for name in ("x.ttl", "schema/x.ttl", "shapes/x.ttl", "queries/x.rq", "mappings/open/x.sssom.tsv", "evidence"):
        for kind in ("file", "folder", "link", "loop"):
            yield f"{name}|{kind}"


def _matches(world: World, junk: tuple[str, bytes]) -> bool:
    name, content = junk
    folder = _folder(world, {name: content})
    done = refusable(lambda: [read_set(path) for path in find_ontology(folder).mappings])
    command("sparql", "ASK { ?s ?p ?o }", "--ontology", folder)
    query = world.file("ask.rq", b"ASK { ?s ?p ?o }")
    command("sparql", query, "--ontology", folder, "--store", "rdflib" if len(content) % 2 else "auto")
    refusable(lambda: CodeBook.load(world.coin, str(folder)))
    return done


def _matches_junk(world: World) -> Iterator[tuple[str, bytes]]:
    whole = (ROOT / "ontology" / "mappings" / "open" / "pato.sssom.tsv").read_bytes()
    lines = whole.splitlines(keepends=True)
    good = b"".join(lines[: next(n for n, line in enumerate(lines) if not line.startswith(b"#")) + 4])
    for name in ("mappings/x.sssom.tsv", "mappings/other/x.sssom.tsv", "mappings/id_only/x.sssom.tsv"):
        yield name, good
    head = good.decode()
    title, prefix = (
        re.compile(r"(?m)(?<=^#mapping_set_title: ).*$"),
        re.compile(r"(?m)(?<=^#  ORCID: )\S+$|(?<=^#  PATO: )\S+$"),
    )
    assert title.search(head) and prefix.search(head)
    odd = [title.sub(lambda _, value=value: value, head) for value in ('"a\tb"', '"\\"', "x")]
    odd += [prefix.sub(lambda _, value=value: value, head) for value in ("<a>", "a>b", "\\x", "é")]
    for junk in mixed(bytes_of([good]), map(str.encode, odd)):
        yield "mappings/open/pato.sssom.tsv", junk


def _licences(world: World, junk: bytes) -> bool:
    folder = world.place("licences")
    (folder / "licences.tsv").write_bytes(junk)
    return refusable(lambda: load_licences(folder))


def _licences_junk(world: World) -> Iterator[bytes]:
    whole = (ROOT / "ontology" / "mappings" / "licences.tsv").read_bytes().splitlines(keepends=True)
    return bytes_of([b"".join(whole[:4])])


def _brought(world: World, junk: bytes) -> bool:
    folder = _folder(world, {"queries/q.rq": junk})
    command("sparql", "--list", "--ontology", folder)
    return command("sparql", "q", "--param", "count=30", "--ontology", folder)


def _brought_junk(world: World) -> Iterator[bytes]:
    good = "# Which?\n# param count: number = 4 | a count\nSELECT ?s ?count WHERE { ?s fl:k ?count }"
    patterns = ("\\1{}", "id:\\g<x>{}", "x:{}", "id:", "number = x", "id:{} fl:Nothing|no:prefix", "id:toss_{} = none")
    odd = [good.replace("number = 4", pattern).encode() for pattern in patterns]
    return mixed(bytes_of([good.encode()]), odd)


# -- what is kept -----------------------------------------------------------------------------------------------


def _model(world: World, junk: bytes) -> bool:
    """Read a stored model; where it is taken it must answer, and where it is damaged it must be as good as none."""
    path = world.file("stored/model.bin", junk)
    found = read_model(path, "key")
    if found is None:
        return False
    reasoner = Reasoner(found, Knowledge(COIN, found.network.ontology_sha256))
    return refusable(lambda: reasoner.posterior(CASE))


def _model_junk(world: World) -> Iterator[bytes]:
    path = world.folder / "stored" / "good.bin"
    write_model(world.coin.compiled, "key", path)
    return bytes_of([path.read_bytes()])


def _cached(world: World, junk: bytes) -> bool:
    """Answer with junk in place of everything in the cache: the answer must be what it is without a cache."""
    import os
    from unittest.mock import patch

    cache = world.place("cache")
    folder = world.once("settled", lambda: shutil.copytree(COIN, world.folder / "settled"))
    for place in folder.rglob("*"):
        os.utime(place, (10**9, 10**9))
    with (
        patch.dict(os.environ, {"XDG_CACHE_HOME": str(cache)}),
        patch("hepagraph.ontology.signatures.SETTLED_NS", -(10**18)),
    ):
        keep_model(folder, world.coin.compiled)
        for path in sorted((cache / "hepagraph").iterdir()):
            path.write_bytes(junk)
        found = find_model(folder)
        again = Reasoner.load(folder).posterior(CASE).to_dict()
    assert again == world.coin.posterior(CASE).to_dict()
    return found is not None


def _cached_junk(world: World) -> Iterator[bytes]:
    return bytes_of([b"0" * 64 + b"\n4 0.1.0 x", b"\x00" * 64, b"../../../../x" * 5])


def _fitted(world: World, junk: bytes) -> bool:
    found = read_artifact(world.file("fitted.npz", junk))
    return found is not None


def _fitted_junk(world: World) -> Iterator[bytes]:
    path = world.folder / "fitted-good.npz"
    write_artifact(world.coin.compiled.fit, path)
    return mixed(bytes_of([path.read_bytes()]), archives())


# -- batches ----------------------------------------------------------------------------------------------------


def _rows(world: World) -> pa.Table:
    case = world.case["lesions"][0]["findings"]
    words = {name: [value, None, value] for name, value in case.items() if isinstance(value, str)}
    return pa.table({"name": ["a", "b", "c"], **words, "diameter_mm": [3.0, None, 8.5]})


def _parquet(table: pa.Table, **options: Any) -> bytes:
    made = pa.BufferOutputStream()
    pq.write_table(table, made, **options)
    return bytes(made.getvalue())


def _batch(world: World, junk: bytes, name: str = "in.parquet") -> bool:
    folder = world.place("batch")
    path = world.file(f"given/{name}", junk)
    given = ("--keep", "name", "--threads", "1", "--bad-rows", "null" if len(junk) % 3 == 0 else "error")
    return leaves_nothing(
        folder, lambda: command("batch", path, folder / "out.parquet", *given, "--ontology", skin_folder())
    )


def _odd_tables(world: World) -> Iterator[bytes]:
    good = _rows(world)
    columns: list[Any] = [
        *(pa.array([b"\xff\xfe", b"x", None]), pa.array([[1], [], None]), pa.array([{"a": 1}, None, {"a": 2}])),
        *(pa.array([2**62, -(2**62), None]), pa.array([1.5, float("nan"), float("inf")]), pa.nulls(3)),
        pa.array([1, 2**60, None], pa.timestamp("ns")),
        pa.array([1, 2, None], pa.duration("ns")),
        pa.array([1, 10**6, None], pa.time32("ms")),
        pa.array([-(2**31), 2**31 - 1, None], pa.date32()),
        pa.array(["x", None, "y"], pa.large_string()),
        pa.array(["x", None, "y"]).dictionary_encode(),
        pa.array([[("x", 1.0)], [], None], pa.map_(pa.string(), pa.float64())),
        pa.array([1, 2, None], pa.decimal128(38, 0)),
        pa.array([0, 1, None], pa.uint64()),
        pa.array([np.float16(1), None, np.float16("nan")], pa.float16()),
        pa.StringArray.from_buffers(
            3, pa.py_buffer(np.array([0, 1, 2, 3], "<i4").tobytes()), pa.py_buffer(b"\xff\xfe\x80")
        ),
        pa.array([True, False, None]),
        pa.array(["\x00", "x" * 100_000, ""]),
    ]
    for column in columns:
        yield _parquet(good.set_column(1, good.column_names[1], column))
        yield _parquet(good.append_column("name2", column))
        yield _parquet(good.set_column(0, "name", column))
    yield _parquet(good.append_column("name", good["name"]))
    yield _parquet(good.append_column(good.column_names[1], good["name"]))
    yield _parquet(good.slice(0, 0))
    yield _parquet(pa.table({}))
    yield _parquet(good.append_column("", good["name"]))
    yield _parquet(good.append_column("p_nevus", good["name"]))
    yield _parquet(good, row_group_size=1)
    yield _parquet(good.replace_schema_metadata({b"\xff": b"\x00", b"ARROW:schema": b"////"}))


def _parquet_junk(world: World) -> Iterator[bytes]:
    good = _parquet(_rows(world), compression="none")
    return mixed([good], _odd_tables(world), bytes_of([good]))


def _lines(world: World, junk: bytes) -> bool:
    return _batch(world, junk, "in.jsonl")


def _lines_junk(world: World) -> Iterator[bytes]:
    rows = [{"name": "a", "colours": "one"}, {"name": 1, "border": ["regular"], "diameter_mm": 3}]
    text = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    wide = b'{"name": "\\ud800", "colours": "one"}\n{"name": {"a": "\\udfff"}}\n'
    return mixed(bytes_of([text]), json_of(rows), [wide, b'{"\\ud800": 1}', b'{"name": null}\n' * 3])


def _resumed(world: World, junk: tuple[str, bytes]) -> bool:
    """Go on from parts of which one is junk: the result must be what it is without them."""
    import contextlib
    from unittest.mock import patch

    folder, (name, content) = world.place("resumed"), junk
    path = world.once("rows", lambda: world.file("rows.parquet", _parquet(_rows(world), row_group_size=1)))
    given = ("batch", path, folder / "out.parquet", "--keep", "name", "--rows", "1", "--threads", "1")
    given += ("--ontology", skin_folder())
    with patch("hepagraph.service.batch_parts.Parts.remove", lambda parts: None):
        assert command(*given)
    whole = pq.read_table(folder / "out.parquet")
    (folder / "out.parquet").unlink()
    target = folder / name
    if content == b"folder":
        with contextlib.suppress(FileNotFoundError):
            target.unlink()
        target.mkdir()
    else:
        target.write_bytes(content)
    done = command(*given)
    assert not done or pq.read_table(folder / "out.parquet").equals(whole)
    return done


def _resumed_junk(world: World) -> Iterator[tuple[str, bytes]]:
    made = pa.BufferOutputStream()
    with pa.ipc.new_file(made, pa.schema([("name", pa.string())])) as writer:
        writer.write_table(pa.table({"name": ["other"]}))
    other = bytes(made.getvalue())
    part = "out.parquet.parts/part-000001.arrow"
    for content in (b"", other, b"folder", other[:-20], b"ARROW1\x00\x00" + bytes(64) + b"ARROW1"):
        yield part, content
    for name in ("part-000009.arrow", "part-99999999999999999999.arrow", "part-000001.arrow.partial", "x"):
        yield f"out.parquet.parts/{name}", other
    manifest, result = json_of([{"key": "x"}, {"key": None}]), bytes_of([_parquet(pa.table({"a": [1]}))])
    parts = bytes_of([other])
    while True:
        yield "out.parquet.parts/manifest.json", next(manifest)
        yield "out.parquet", next(result)
        yield part, next(parts)


def folder_doors() -> Iterator[Door]:
    """Yield the doors of folders and of what is kept in them."""
    yield Door("facts of an ontology", (), _turtle_junk, _turtle, 24)
    yield Door("facts of a richer ontology", (), _rich_junk, _rich, 14)
    yield Door("facts of a response model", (), _response_junk, _response, 14)
    yield Door("places of an ontology", (), _places_junk, _places, 24)
    yield Door("matches to other vocabularies", (), _matches_junk, _matches, 40)
    yield Door("licences", (), _licences_junk, _licences, 150)
    yield Door("queries that an ontology brings", (), _brought_junk, _brought, 80)
    yield Door("stored model", (), _model_junk, _model, 300)
    yield Door("cache", (), _cached_junk, _cached, 12)
    yield Door("fitted parameters", (), _fitted_junk, _fitted, 150)
    yield Door("Parquet rows", (), _parquet_junk, _batch, 120)
    yield Door("JSON Lines rows", (), _lines_junk, _lines, 120)
    yield Door("parts of a batch", (), _resumed_junk, _resumed, 24)
