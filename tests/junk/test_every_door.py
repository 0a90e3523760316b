"""The table of doors is whole: whatever takes something of the outside stands in it, so that a new one is noticed."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from junk.commands import input_name, subcommands, text_inputs
from junk.servers import _server
from junk.table import DATA, ROOT, World
from junk.test_junk import DOORS

COVERED = {name for door in DOORS for name in door.covers}
SOURCES = [
    path for folder in ("ontology", "kg", "inference", "service") for path in sorted((ROOT / folder).rglob("*.py"))
]
# Variables of the environment that hold nothing to be parsed: of other programs, or on and off.
PLAIN_VARIABLES = {"OPENBLAS_NUM_THREADS", "PROMETHEUS_MULTIPROC_DIR", "HEPAGRAPH_NATIVE", "HEPAGRAPH_SERVE_SETTINGS"}
# What reads a file or a stream, by the words with which it does, and the modules in which that is a door of the table.
READING = re.compile(
    r"\.read_text\(|\.read_bytes\(|(?<!def )\bopen\(|json\.loads?\(|np\.load\(|dcmread\(|ParquetFile\(|open_stream\(|open_file\("
    r"|csv\.reader\(|\.parse\(|bulk_load\(|read_schema\(|mmap\.mmap\(|stdin\b|fromstring\(|pickle\.loads?\(|yaml\."
)
READERS = {
    "inference/artifact.py": "fitted parameters",
    "inference/model_cache.py": "cache",
    "inference/stored.py": "stored model",
    "ontology/files.py": "facts of an ontology",
    "ontology/exports.py": "facts of an ontology",
    "ontology/importing.py": "evidence sheet",
    "ontology/named_queries.py": "queries that an ontology brings",
    "ontology/sheet.py": "evidence sheet",
    "ontology/sssom.py": "matches to other vocabularies",
    "ontology/store.py": "facts of an ontology",
    "ontology/stores.py": "facts of an ontology",
    "ontology/validation.py": "places of an ontology",
    "service/assignments.py": "command what-if --set",
    "service/batch_job.py": "Parquet rows",
    "service/batch_running.py": "parts of a batch",
    "service/batch_parts.py": "parts of a batch",
    "service/batch_sources.py": "Parquet rows",
    "service/evaluate_command.py": "table of diagnoses",
    "service/healthcare/dicom_files.py": "DICOM file",
    "service/http/batch_arrow.py": "POST /v1/batch application/vnd.apache.arrow.stream",
    "service/ontology_commands.py": "facts of an ontology",
    "service/reading.py": "case file",
    "service/sparql_command.py": "query file",
    "service/statistics.py": "facts of an ontology",
}
# Modules that read only what the package itself brings, wrote a moment before, or sends to itself.
OWN = {
    "ontology/whole_files.py",
    "service/healthcare/cds.py",
    "service/healthcare/codes.py",
    "service/healthcare/dicom.py",
    "service/healthcare/fhir.py",
    "service/healthcare/fhir_definitions.py",
    "service/html_basics.py",
    "service/http/openapi.py",
    "service/http/page_routes.py",
    "service/http/serving.py",
    "service/http/sparql_routes.py",
    "service/mcp_server.py",
    "service/posterior_command.py",
    "service/reference/writing.py",
    "service/sparql_worker.py",
    "service/sparql_workers.py",
    "inference/pgmpy_model.py",
    "ontology/answers.py",
    "ontology/version.py",
}


def test_every_text_that_a_command_takes_has_a_door() -> None:
    wanted = {input_name(words, parameter) for words, parameter in text_inputs()}
    assert len(wanted) > 80
    assert wanted == {name for name in COVERED if name.startswith("command ")}
    assert {words for words, _ in subcommands()} >= {words for words, _ in text_inputs()}


def test_every_route_has_a_door(world: World) -> None:
    routers = [getattr(one, "original_router", None) for one in _server(world).app.routes]
    assert None not in routers
    found = [route for router in routers for route in router.routes]
    routes = {f"route {method} {route.path}" for route in found for method in route.methods if method != "HEAD"}
    assert len(routes) > 25
    assert routes - COVERED == set()


def test_every_argument_of_a_tool_has_a_door(world: World) -> None:
    from mcp.client import Client

    from hepagraph.service.mcp_server import mcp_server
    from hepagraph.service.sparql_workers import SparqlWorkers

    async def listed() -> Any:
        async with Client(mcp_server(world.doors, SparqlWorkers(str(DATA / "coin")))) as client:
            return (await client.list_tools()).tools

    tools = anyio.run(listed)
    assert {f"tool {tool.name}" for tool in tools} == {door.name for door in DOORS if door.name.startswith("tool ")}
    wanted = {f"tool {tool.name} {name}" for tool in tools for name in tool.input_schema["properties"]}
    assert wanted <= COVERED


def test_every_variable_of_the_environment_has_a_door() -> None:
    named = set()
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if "environ" in text or "envvar" in text:
            named |= set(re.findall(r'"((?:HEPAGRAPH|XDG|OPENBLAS|PROMETHEUS)_[A-Z_]+)"', text))
    covered = {name.removeprefix("environment ") for name in COVERED if name.startswith("environment ")}
    assert covered == named - PLAIN_VARIABLES


def test_every_module_that_reads_a_file_has_a_door() -> None:
    names = {door.name for door in DOORS}
    assert set(READERS.values()) <= names
    reading = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if READING.search("\n".join(line.partition("#")[0] for line in _code(path)))
    }
    assert reading == set(READERS) | OWN, "say which door reads what these modules read"


def _code(path: Path) -> list[str]:
    """Return the lines of a module without its documentation."""
    return re.sub(r'(?s)r?""".*?"""', "", path.read_text(encoding="utf-8")).splitlines()


def test_what_reads_for_programs_has_a_door() -> None:
    """Each name that the table has for Python is there, and takes what comes from outside."""
    from hepagraph.service import plots
    from hepagraph.service.explorer.remote import RemoteForm
    from hepagraph.service.explorer.state import ExplorerState
    from hepagraph.service.healthcare import cds, from_dicom_sr, from_fhir
    from hepagraph.service.healthcare.cds_feedback import feedback
    from hepagraph.service.learn import EntityClassifier

    known = {
        "from_fhir": from_fhir,
        "from_dicom_sr": from_dicom_sr,
        "cds.respond": cds.respond,
        "cds.feedback": feedback,
        "EntityClassifier": EntityClassifier,
        "ExplorerState.load": ExplorerState.load,
        "RemoteForm.read": RemoteForm.read,
        "RemoteForm.check": RemoteForm.check,
        "plots.save": plots.save,
    }
    assert {name.removeprefix("python ") for name in COVERED if name.startswith("python ")} == set(known)
    assert all(inspect.signature(one).parameters for one in known.values())


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (["posterior", "-"], b"\xff\xfe{", "standard input: byte 0 is not UTF-8 text"),
        (["posterior", "-"], b"[" * 100_000, "nested too deeply"),
        (["posterior", "\udcff.json"], b"", "cannot be read"),
        (["sparql", "-", "--ontology", str(DATA / "coin")], b"SELECT * { ?s ?p", "cannot be parsed"),
        (["what-if", "-", "--set", "a=" + "[" * 50_000], b"{}", "--set a: "),
        (["serve", "--token-file", "/dev/null"], b"", "the token must be at least 16"),
    ],
    ids=["not UTF-8", "deep", "name", "query", "value", "token"],
)
def test_the_command_itself_shows_no_traceback(arguments: list[str], stdin: bytes, says: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hepagraph.service.cli", *arguments],
        input=stdin,
        capture_output=True,
        cwd=tmp_path,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"Traceback" not in done.stderr
    assert says in done.stderr.decode("utf-8", "backslashreplace")
    assert list(tmp_path.iterdir()) == []
