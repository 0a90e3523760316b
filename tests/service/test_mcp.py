"""The MCP server as an assistant sees it: the SDK's own client, over the streams of a real process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TextIO, TypeVar

import pytest

from hepagraph.inference.result import NOTICE
from hepagraph.service.doors import Doors
from hepagraph.service.http.openapi import example_of
from hepagraph.service.http.questions import QUESTIONS

pytest.importorskip("mcp")
import anyio
import httpx
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

T = TypeVar("T")
TOOLS = {
    "score",
    "explain",
    "what_if",
    "next_best",
    "sensitivity",
    "recommend",
    "response",
    "archetype",
    "vocabulary",
    "named_queries",
    "sparql",
}


def with_server(script: Callable[[Client], Awaitable[T]], *arguments: str) -> T:
    """Run a script against ``hepagraph mcp`` in a process of its own."""
    return with_process(script, ["-m", "hepagraph.service.cli", "mcp", *arguments])


def with_process(script: Callable[[Client], Awaitable[T]], arguments: list[str], log: TextIO = sys.stderr) -> T:
    """Run a script against an interpreter with such arguments; what it writes on standard error goes to a file."""
    parameters = StdioServerParameters(
        command=sys.executable, args=arguments, env={name: os.environ[name] for name in ("XDG_CACHE_HOME",)}
    )

    async def main() -> T:
        with anyio.fail_after(240):
            async with Client(stdio_client(parameters, errlog=log)) as client:
                return await script(client)

    return anyio.run(main)


@pytest.fixture
def case(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "examples" / "maino2023_fig7.json").read_text(encoding="utf-8"))
    return found


def test_tools_are_described_with_typed_inputs(doors: Doors) -> None:
    async def script(client: Client) -> tuple[Any, ...]:
        return (await client.list_tools()).tools, client.instructions, (await client.list_resources()).resources

    tools, instructions, resources = with_server(script)
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert tool.title
        assert len(tool.description) > 40
        assert tool.annotations.read_only_hint is True
        assert tool.output_schema["type"] == "object"
        for name, schema in tool.input_schema["properties"].items():
            assert "description" in schema or "$ref" in schema, (tool.name, name)
    score = next(tool for tool in tools if tool.name == "score").input_schema
    assert score["required"] == ["case"]
    assert score["$defs"]["Case"]["required"] == ["lesions"]
    for entity in doors.vocabulary()["entities"]:
        assert entity["label"] in instructions
    assert NOTICE in instructions
    assert {str(resource.uri) for resource in resources} == {"hepagraph://vocabulary", "hepagraph://model"}


def test_answers_are_those_of_the_doors_with_the_notice_once(doors: Doors, case: dict[str, Any]) -> None:
    name = next(iter(case["lesions"][0]["findings"]))
    entity = doors.reasoner.entities()[0]
    lesion = case["lesions"][0]["id"]
    scenario = {"name": "without", "values": {name: None}}
    prior = dict.fromkeys(doors.reasoner.entities(), 1.0)
    assert doors.reasoner.costs is not None
    costs = {"losses": {name: dict.fromkeys(row, 3) for name, row in doors.reasoner.costs.losses.items()}}
    treated = example_of(next(question for question in QUESTIONS if question.name == "response"))["case"]
    wanted = {
        "score": ({"case": case}, doors.posterior(case)),
        "explain": ({"case": case, "entity": entity}, doors.explain(case, entity=entity)),
        "what_if": (
            {"case": case, "scenarios": [scenario], "lesion": lesion},
            doors.what_if(case, [scenario], lesion=lesion),
        ),
        "next_best": ({"case": case, "costs": costs}, doors.next_best(case, costs=costs)),
        "sensitivity": ({"case": case, "prior": prior}, doors.sensitivity(case, prior=prior)),
        "recommend": ({"case": case, "prior": prior}, doors.recommend(case, prior=prior)),
        "response": ({"case": treated}, doors.response(treated)),
        "archetype": (
            {"entity": entity, "exam": case["exam"]},
            doors.archetype(entity, exam=case["exam"]),
        ),
        "vocabulary": ({}, {**doors.vocabulary(), "model": dict(doors.reasoner.model)}),
    }

    async def script(client: Client) -> dict[str, Any]:
        return {tool: await client.call_tool(tool, arguments) for tool, (arguments, _) in wanted.items()}

    for tool, result in with_server(script).items():
        assert result.is_error is False, (tool, result.content)
        answer = result.structured_content
        assert answer == json.loads(json.dumps(wanted[tool][1])), tool
        assert json.dumps(answer).count(NOTICE) == 1, tool
        assert json.loads(result.content[0].text) == answer


def test_mistakes_come_back_as_they_are_explained(case: dict[str, Any]) -> None:
    finding = next(iter(case["lesions"][0]["findings"]))
    misspelt = {"lesions": [{"findings": {finding + "x": "no such state"}}]}
    calls: list[tuple[str, dict[str, Any], str]] = [
        ("score", {"case": misspelt}, f"did you mean {finding}?"),
        ("score", {"case": {"lesions": [], "id": "x"}}, "lesions"),
        ("score", {}, "case"),
        ("explain", {"case": case, "entity": "nothing"}, "nothing"),
        ("vocabulary", {"variables": ["nothing"]}, "no variable is called nothing; allowed: "),
        ("sparql", {}, "give either query or name"),
        ("sparql", {"name": "judgement"}, "did you mean judgements?"),
        ("sparql", {"query": "DELETE WHERE { ?s ?p ?o }"}, "cannot be parsed"),
        ("sparql", {"query": "CONSTRUCT WHERE { ?s ?p ?o } LIMIT 1"}, "only SELECT and ASK"),
    ]

    async def script(client: Client) -> list[Any]:
        return [await client.call_tool(tool, arguments) for tool, arguments, _ in calls]

    for result, (tool, _, says) in zip(with_server(script), calls, strict=True):
        assert result.is_error is True, tool
        assert says in result.content[0].text
        assert "Traceback" not in result.content[0].text


FAILING = """
import sys
from hepagraph.service.doors import Doors
from hepagraph.service.mcp_server import mcp_server
from hepagraph.service.sparql_workers import SparqlWorkers

class Failing(Doors):
    def posterior(self, case, **options):
        raise ZeroDivisionError(f"quoting {case}")

    def model(self):
        if "started" in vars(sys):
            raise KeyError("a secret of the model")
        return super().model()

server = mcp_server(Failing.load(sys.argv[1]), SparqlWorkers(sys.argv[1]))
sys.started = True
server.run("stdio")
"""
MARK = "q7mark3r"


def test_a_mistake_of_ours_tells_nothing_and_logs_where_it_is(data: Path, tmp_path: Path) -> None:
    async def script(client: Client) -> tuple[Any, str]:
        found = await client.call_tool("score", {"case": {"id": MARK, "lesions": [{"findings": {"toss": "heads"}}]}})
        with pytest.raises(Exception) as caught:
            await client.read_resource("hepagraph://model")
        assert (await client.call_tool("vocabulary", {})).is_error is False
        return found, str(caught.value)

    (tmp_path / "failing.py").write_text(FAILING, encoding="utf-8")
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        found, other = with_process(script, [str(tmp_path / "failing.py"), str(data / "coin")], log)
    assert found.is_error is True
    (text,) = (part.text for part in found.content)
    assert "The server failed" in text
    for told in (text, other):
        assert not any(word in told for word in (MARK, "ZeroDivision", "quoting", "secret", "Traceback"))
    written = (tmp_path / "log").read_text(encoding="utf-8")
    assert not any(word in written for word in (MARK, "quoting", "secret", "Traceback"))
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line["event"] for line in lines] == ["exception", "exception"]
    assert lines[0]["exception"]["type"] == "ZeroDivisionError"
    assert any("failing.py" in place for place in lines[0]["exception"]["at"])


def test_the_ontology_is_asked_by_name_and_in_sparql_within_limits() -> None:
    async def script(client: Client) -> list[Any]:
        listed = await client.call_tool("named_queries", {})
        name = next(q["name"] for q in listed.structured_content["queries"] if q["name"].startswith("cq02"))
        return [
            listed,
            await client.call_tool("sparql", {"name": name}),
            await client.call_tool("sparql", {"query": "SELECT ?s WHERE { ?s a fl:Source } ORDER BY ?s"}),
            await client.read_resource("hepagraph://model"),
        ]

    listed, named, asked, model = with_server(script, "--rows", "7")
    assert sum(query["name"].startswith("cq") for query in listed.structured_content["queries"]) == 20
    assert named.structured_content["rows"]
    assert len(asked.structured_content["rows"]) == 7
    assert "only the first 7 rows" in asked.structured_content["note"]
    for answer in (listed, named, asked):
        assert json.dumps(answer.structured_content).count(NOTICE) == 1
    assert json.loads(model.contents[0].text)["notice"] == NOTICE


def test_another_domain_is_served(data: Path) -> None:
    async def script(client: Client) -> Any:
        return await client.call_tool("score", {"case": {"lesions": [{"findings": {"toss": "heads"}}]}})

    result = with_server(script, "--ontology", str(data / "coin"))
    assert result.is_error is False
    assert sum(result.structured_content["lesions"][0]["posterior"].values()) == pytest.approx(1)


def test_over_http_it_answers_this_machine_only(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "hepagraph.service.cli", "mcp", "--http", str(port)]
    address = f"http://127.0.0.1:{port}/mcp"
    with subprocess.Popen([*command, "--ontology", str(data / "coin")], stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)

            async def main() -> Any:
                async with Client(address) as client:
                    return await client.call_tool("score", {"case": {"lesions": [{"findings": {"toss": "heads"}}]}})

            assert anyio.run(main).is_error is False
            rebound = httpx.post(address, json={}, headers={"Host": "example.org"})
            assert rebound.status_code in (403, 421)
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")
