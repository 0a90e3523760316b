"""The command's doors: every text argument and option of every subcommand, and the files that they name."""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
from junk.corpus import WORDS, bytes_of, json_of, mixed, words_of, written
from junk.table import DATA, Door, World, command, leaves_nothing, skin_folder

from hepagraph.service.cli import main

COIN = str(DATA / "coin")
SKIN = ("--ontology", skin_folder())
# Types of options that take none but what click itself checks.
CHECKED = (click.types.BoolParamType, click.Choice, click.IntRange, click.FloatRange, click.DateTime)


def subcommands(
    group: click.Group = main, before: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every subcommand that does something, with its words."""
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from subcommands(found, (*before, name))
        else:
            yield (*before, name), found


def text_inputs() -> Iterator[tuple[tuple[str, ...], click.Parameter]]:
    """Yield every argument and option that takes a text of any kind, with its subcommand."""
    for words, found in subcommands():
        for parameter in found.params:
            if not isinstance(parameter.type, CHECKED):
                yield words, parameter


def input_name(words: Sequence[str], parameter: click.Parameter) -> str:
    """Return how the table names an input of a subcommand."""
    return f"command {' '.join(words)} {parameter.opts[-1]}"


# What makes each subcommand do its work; the word under test is put after it, or in place of the word in braces.
def _usual(world: World) -> dict[str, list[str]]:
    case = str(world.file("good.json", written(world.case)))
    example = str(world.file("example.json", written(world.example)))
    proven = str(DATA / "evaluation" / "proven.jsonl")
    dice, garden = str(DATA / "evaluation" / "dice"), str(DATA / "response" / "garden")
    return {
        "archetype": [*SKIN],
        "batch": [str(world.file("rows.jsonl", b'{"colours": "one"}\n')), "{target}", *SKIN],
        "compile": ["--ontology", COIN],
        "dicom export": [case, "--image", str(world.file("picture.dcm", b"")), "-o", "out.dcm", *SKIN],
        "dicom import": [str(world.file("report.dcm", b"")), *SKIN],
        "evaluate": [proven, "--ontology", dice, "--bootstrap", "0"],
        "evidence import": [str(DATA / "evidence_sample.csv"), "--dry-run", "--ontology", COIN],
        "evidence export": ["--ontology", COIN],
        "evidence report": ["--ontology", COIN],
        "evidence coverage": ["--ontology", COIN],
        "explain": [case, *SKIN],
        "export": ["--format", "dot", "--ontology", COIN],
        "fhir definitions": [*SKIN],
        "fhir export": [case, *SKIN],
        "fhir import": [str(world.file("bundle.json", b"{}")), *SKIN],
        "mcp": ["--ontology", COIN],
        "next-best": [case, *SKIN],
        "ontology validate": ["--ontology", COIN],
        "ontology stats": ["--ontology", COIN],
        "ontology export": ["--ontology", COIN],
        "posterior": [case, *SKIN],
        "recommend": [example],
        "report": [example, "--no-interval"],
        "response": [str(world.file("garden.json", b"{}")), "--ontology", garden],
        "sensitivity": [case, "--papers", "0", *SKIN],
        "serve": [*SKIN],
        "sparql": ["terms", "--ontology", COIN],
        "what-if": [case, *SKIN],
    }


def _word(words: Sequence[str], parameter: click.Parameter, world: World, word: str) -> bool:
    """Give a subcommand a word; it may make a file of that name in a folder of its own."""
    name = " ".join(words)
    usual = [part.replace("{target}", "out.parquet") for part in world.once("usual", lambda: _usual(world))[name]]
    if isinstance(parameter, click.Argument):
        at = {"batch target": 1}.get(f"{name} {parameter.name}", 0)
        given = [*usual[:at], "--", word] if at or usual[:1] == ["--ontology"] else ["--", word]
        given = [*(part for part in usual[2:] if part != "--dry-run"), *given] if name == "batch" else given
        if name != "batch":
            given = [*usual[usual.index("--ontology") :], *given] if "--ontology" in usual else given
    else:
        given = [
            *usual,
            f"{parameter.opts[-1]}={word}" if parameter.opts[-1].startswith("--") else parameter.opts[-1],
            word,
        ]
        given = given[:-1] if parameter.opts[-1].startswith("--") else given
    folder = world.place("here/and/now")
    loaded = _loaded(world) if words[0] in ("recommend", "report") else contextlib.nullcontext()
    with contextlib.chdir(folder), _never_serving(), loaded:
        return command(*words, *given)


@contextlib.contextmanager
def _never_serving() -> Iterator[None]:
    """Stop before a server would listen, and before one looks for a scheduler elsewhere."""

    def client(address: str) -> None:
        raise OSError("nobody is asked here")

    with (
        patch("hepagraph.service.http.serving.run", lambda *given: None),
        patch("distributed.Client", client),
        patch("mcp.server.mcpserver.MCPServer.run", lambda *given, **named: None),
    ):
        yield


def word_doors() -> Iterator[Door]:
    """Yield a door for every text argument and option."""
    slow = (
        "evidence",
        "ontology",
        "compile",
        "export",
        "evaluate",
        "report",
        "recommend",
        "fhir",
        "sensitivity",
        "mcp",
    )
    for words, parameter in text_inputs():
        name = input_name(words, parameter)
        samples = {"--set": "sun_exposure=low", "--store": "rdflib", "--host": "localhost"}.get(parameter.opts[-1], "x")
        ask: Callable[[World, str], bool] = partial(_word, words, parameter)
        share = 4 if words[0] in slow else 20
        folder = parameter.name in ("ontology", "folder")
        yield Door(name, (name,), partial(_words, [samples], zlib.crc32(name.encode()), folder), ask, share)


def _words(samples: Sequence[str], start: int, folder: bool, world: World) -> Iterator[str]:
    return _folders(samples, start) if folder else words_of(samples, start)


def _folders(samples: Sequence[str], start: int = 0) -> Iterator[str]:
    """Yield words but those that name a whole disk, or the packaged ontology."""
    return (word for word in words_of(samples, start) if word not in ("", "/", "../..", "\ud800"))


# -- files ------------------------------------------------------------------------------------------------------


def _cases(*words: str, says: str = "in.json", more: Sequence[str] = SKIN) -> Callable[[World, bytes], bool]:
    def ask(world: World, junk: bytes) -> bool:
        return command(*words, world.file("in.json", junk), *more, says=says)

    return ask


def _case_junk(world: World) -> Iterator[bytes]:
    return json_of([world.case])


def _example_junk(world: World) -> Iterator[bytes]:
    return json_of([world.example])


def _stdin(world: World, junk: bytes) -> bool:
    return command("posterior", "-", "--json", *SKIN, stdin=junk, says="standard input")


def _recommend(world: World, junk: bytes) -> bool:
    with _loaded(world):
        return command("recommend", world.file("in.json", junk))


def _report(world: World, junk: bytes) -> bool:
    folder = world.place("report")
    path = world.file("in.json", junk)
    with _loaded(world):
        return leaves_nothing(folder, lambda: command("report", path, "--no-interval", "-o", folder / "page.html"))


def _loaded(world: World) -> contextlib.AbstractContextManager[Any]:
    """Let commands of the packaged ontology have the reasoner that is loaded, with its graph."""
    return patch("hepagraph.inference.reasoner.Reasoner.load", lambda *given, **named: world.packaged)


def _exported(world: World, junk: bytes) -> bool:
    folder = world.place("exported")
    path = world.file("in.json", junk)
    return leaves_nothing(
        folder, lambda: command("fhir", "export", path, "--case-only", "-o", folder / "b.json", *SKIN)
    )


def _costs(world: World, junk: bytes) -> bool:
    case = world.file("good.json", written(world.case))
    given = ("--costs", world.file("costs.json", junk), "--by", "cost")
    return command("next-best", case, *given, *SKIN, says="costs")


def _costs_junk(world: World) -> Iterator[bytes]:
    entities = world.skin.network.states["entity"]
    losses = {"wait": dict.fromkeys(entities, 1), "act": dict.fromkeys(entities, 2.5)}
    burdens = {state: 1 for v in world.skin.reader.variables.values() if v.section == "exam" for state in v.states}
    return json_of([{"losses": losses, "burdens": burdens}])


DICE = ("--bootstrap", "0", "--ontology", str(DATA / "evaluation" / "dice"))


def _proven(world: World, junk: bytes) -> bool:
    return command("evaluate", world.file("in.jsonl", junk), "--json", "-", *DICE)


def _truth(world: World, junk: bytes) -> bool:
    bare = DATA / "evaluation" / "bare.jsonl"
    return command("evaluate", bare, "--truth", world.file("truth.tsv", junk), "--json", "-", *DICE)


def _proven_junk(world: World) -> Iterator[bytes]:
    lines = (DATA / "evaluation" / "proven.jsonl").read_bytes()
    return mixed(bytes_of([lines]), json_of([_json(line) for line in lines.splitlines()[4:6]]))


def _json(line: bytes) -> Any:
    import json

    return json.loads(line)


def _truth_junk(world: World) -> Iterator[bytes]:
    good = (DATA / "evaluation" / "truth.tsv").read_bytes()
    wide = b"case_id\tentity\tcase_id\n" + b"x" * 200_000 + b"\ta\tb\n"
    return mixed(
        bytes_of([good]), [wide, b'case_id\tentity\n"d1\tx\n', b"case_id\tentity\rd1\tloaded\r", good + b"\t\n"]
    )


def _sheet(world: World, junk: bytes) -> bool:
    folder = world.place("coin")
    (folder / "coin.ttl").write_bytes((DATA / "coin" / "coin.ttl").read_bytes())
    path = world.file("in.csv", junk)
    return leaves_nothing(folder, lambda: command("evidence", "import", path, "--ontology", folder, says="in.csv"))


def _sheet_junk(world: World) -> Iterator[bytes]:
    head = "id,given,feature,state,k,n,percent,unit,grade,title,first_author,year,note"
    rows = ['NEW-1,fair,toss,heads,6,8,75,study,A,A toss of eight coins,Doe J,2020,"a ""note"", or two"']
    rows += ["NEW-2,biased,toss,heads|tails,8,8,,study,B,Another toss,Roe J,2021,"]
    samples = ["\n".join([head, *rows]) + "\n", "\r\n".join([head.replace(",", ";"), rows[0].replace(",", ";")])]
    return mixed(bytes_of([sample.encode() for sample in samples]), _cells(samples[0]))


def _cells(sheet: str) -> Iterator[bytes]:
    """Yield the sheet with each junk in each of its cells."""
    head, row, *_ = sheet.split("\n")
    cells = row.split(",")[:12]
    for turn, word in enumerate(
        [*WORDS, "x" * 200_000, "A" * 250, "../x", "1.000", "1e5", "٣", "0x10", "NEW-1", "CON"]
    ):
        for number in range(len(cells)):
            if (turn + number) % 4 == 0:
                changed = [*cells[:number], '"' + word.replace('"', '""') + '"', *cells[number + 1 :]]
                yield "\n".join((head, ",".join([*changed, ""]))).encode(
                    "utf-8", "surrogateescape" if "\udcff" in word else "replace"
                )


def _query(world: World, junk: bytes) -> bool:
    if len(junk) % 2:
        return command("sparql", "-", "--ontology", COIN, stdin=junk)
    return command("sparql", world.file("in.rq", junk), "--ontology", COIN, "--json")


QUERIES = (
    "# Which?\n# param side: id:toss_{} fl:FeatureState | a side\nSELECT ?s WHERE { ?s fl:stateOf ?side }",
    "PREFIX ex: <https://example.org/coin/>\nSELECT ?s (COUNT(*) AS ?n) WHERE { ?s ?p ?o . FILTER(?o > 1e0) } GROUP BY ?s",
    "ASK { VALUES ?x { 1 'a'@en <a:b> } ?s fl:k ?x OPTIONAL { ?s fl:n/fl:k* ?y } MINUS { ?s a fl:Source } }",
    "SELECT (REGEX('a', '(a+)+$') AS ?r) (1/0 AS ?d) (xsd:integer('x') AS ?i) (STRDT('z', xsd:integer) AS ?z) {}",
    "SELECT ?row WHERE { ?row fl:compiledFrom ?s }",
)


def _query_junk(world: World) -> Iterator[bytes]:
    return bytes_of([query.encode() for query in QUERIES])


def _token(world: World, junk: bytes) -> bool:
    with _never_serving():
        return command("serve", "--token-file", world.file("token", junk), *SKIN)


def _environment(world: World, word: str) -> bool:
    with _never_serving(), patch.dict(os.environ, {"HEPAGRAPH_TOKEN": word, "HEPAGRAPH_ONTOLOGY": COIN}):
        tokened = command("serve", "--host", "192.0.2.1")
    case = world.file("good.json", b'{"lesions": [{"findings": {"toss": "heads"}}]}')
    with patch.dict(os.environ, {"HEPAGRAPH_ONTOLOGY": word}), contextlib.chdir(world.place("here/and/now")):
        command("posterior", case) if word else None
    with patch.dict(os.environ, {"XDG_CACHE_HOME": str(world.place("cache")) + "/" + word}):
        command("posterior", case, "--ontology", COIN)
    return tokened


def file_doors() -> Iterator[Door]:
    """Yield the doors of what files of the command hold."""
    garden = ("--ontology", str(DATA / "response" / "garden"))
    yield Door("case file", (), _case_junk, _cases("posterior", "--json"), 300)
    yield Door("case file, packaged", (), _example_junk, _cases("posterior", more=()), 80)
    yield Door("standard input", (), _case_junk, _stdin, 120)
    for words, share in (
        (("explain",), 40),
        (("next-best",), 40),
        (("what-if",), 40),
        (("sensitivity", "--papers", "0"), 25),
    ):
        more = ("--sweep", "border") if words == ("what-if",) else ()
        yield Door(f"case file of {words[0]}", (), _case_junk, _cases(*words, *more, says=""), share)
    yield Door("case file of recommend", (), _example_junk, _recommend, 25)
    yield Door("case file of response", (), _garden_junk, _cases("response", more=garden), 40)
    yield Door("case file of report", (), _example_junk, _report, 5)
    yield Door("case file of fhir export", (), _case_junk, _exported, 40)
    yield Door("costs file", (), _costs_junk, _costs, 120)
    yield Door("proven cases", (), _proven_junk, _proven, 40)
    yield Door("table of diagnoses", (), _truth_junk, _truth, 60)
    yield Door("evidence sheet", (), _sheet_junk, _sheet, 70)
    yield Door("query file", (), _query_junk, _query, 80)
    yield Door("token file", ("environment HEPAGRAPH_TOKEN",), lambda world: bytes_of([b"s" * 40 + b"\n"]), _token, 60)
    covers = ("environment HEPAGRAPH_ONTOLOGY", "environment XDG_CACHE_HOME")
    words = [Path(COIN).as_posix(), "t" * 20]
    yield Door("environment", covers, lambda world: _folders(words), _environment, 16)


def _garden_junk(world: World) -> Iterator[bytes]:
    from hepagraph.inference.response import ResponseReasoner

    def make() -> Any:
        found = ResponseReasoner.load(str(DATA / "response" / "garden")).reader
        case: dict[str, Any] = {"id": "good", "patient": {}, "lesions": [{"id": "L1", "findings": {}, "response": {}}]}
        for reader, sections in ((found.own, {"findings": "response"}), (found.ordinary, {"findings": "findings"})):
            for variable in (v for v in reader.variables.values() if v.section):
                place = case["lesions"][0][sections["findings"]]
                place = case["patient"] if variable.section == "patient" else place
                value = variable.states[0]
                place[variable.name] = value
                try:
                    found.read(case)
                except ValueError:
                    del place[variable.name]
        return case

    return json_of([world.once("garden case", make)])
