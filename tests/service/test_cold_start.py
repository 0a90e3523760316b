"""The second answer starts from the stored model and imports nothing that only compiling needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from hepagraph.inference import Reasoner
from hepagraph.service.cli import COMMANDS, main

FORBIDDEN = ("pgmpy", "rdflib", "pandas", "networkx", "scipy", "matplotlib", "pyoxigraph", "pyshacl", "numba")
# As the entry point does, and then say what was loaded.
RUN = """
import sys
from hepagraph.service.cli import main
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def stored(reasoner: Reasoner, root: Path) -> Reasoner:
    """The packaged ontology, whose compiled model is stored: by this process, unless the sources are very young."""
    loaded("posterior", str(next((root / "examples").glob("*.json"))))
    return reasoner


def loaded(*arguments: str) -> tuple[str, set[str]]:
    """Return what the command printed and the modules that it loaded."""
    done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=True)
    return done.stdout, set(done.stderr.split())


@pytest.mark.parametrize("form", [("--json",), ()])
def test_an_answer_loads_nothing_that_only_compiling_needs(stored: Reasoner, root: Path, form: tuple[str, ...]) -> None:
    paths = sorted(map(str, (root / "examples").glob("*.json")))
    printed, modules = loaded("posterior", *paths, *form)
    assert len(printed.splitlines()) >= len(paths)
    assert {name.split(".")[0] for name in modules} & set(FORBIDDEN) == set()
    light = {"hepagraph.inference.stored", "hepagraph.inference.model_cache"}
    heavy = {
        f"hepagraph.{name}" for name in ("inference.compiling", "inference.reconciling", "kg.build", "ontology.store")
    }
    assert light <= modules
    assert heavy & modules == set()
    other = {f"hepagraph.service.{module}" for module, _ in COMMANDS.values()} - {"hepagraph.service.posterior_command"}
    assert other & modules == set()
    assert "importlib.metadata" not in modules


@pytest.mark.parametrize(
    "command", [("posterior", "--interval", "--json"), ("sensitivity", "--papers", "1"), ("report",), ("recommend",)]
)
def test_intervals_papers_and_rules_need_no_turtle_either(
    stored: Reasoner, root: Path, command: tuple[str, ...]
) -> None:
    printed, modules = loaded(*command, str(sorted((root / "examples").glob("*.json"))[0]))
    assert printed
    assert "networkx" in modules
    assert {name.split(".")[0] for name in modules} & (set(FORBIDDEN) - {"networkx", "scipy"}) == set()
    assert {"hepagraph.kg.build", "hepagraph.ontology.store"} & modules == set()


def test_the_command_prints_what_a_fresh_model_answers(stored: Reasoner, root: Path) -> None:
    paths = sorted((root / "examples").glob("*.json"))
    printed, _ = loaded("posterior", *map(str, paths), "--json")
    fresh = Reasoner.compile()
    cases = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    answers = [fresh.posterior(case).to_dict() for case in cases]
    assert printed.splitlines() == [json.dumps(answer, ensure_ascii=False) for answer in answers]
    printed, _ = loaded("posterior", str(paths[0]), "--json", "--interval")
    assert printed == json.dumps(fresh.posterior(cases[0], interval=True).to_dict(), ensure_ascii=False) + "\n"


def test_help_lists_every_command_with_its_line() -> None:
    shown = CliRunner().invoke(main, ["--help"]).stdout
    lines = [line.split(maxsplit=1) for line in shown.partition("Commands:\n")[2].splitlines()]
    assert [line[0] for line in lines] == list(COMMANDS)
    assert all(len(line) == 2 for line in lines)
    assert CliRunner().invoke(main, ["--version"]).stdout.startswith("hepagraph, version ")
    assert CliRunner().invoke(main, ["posteriors"]).exit_code == 2


def test_commands_complete() -> None:
    completion = ShellComplete(main, {}, "hepagraph", "_HEPAGRAPH_COMPLETE")
    found = [item.value for item in completion.get_completions([], "e")]
    assert found == ["evaluate", "evidence", "explain", "export"]
    assert "--interval" in [item.value for item in completion.get_completions(["posterior"], "--")]


def test_a_cache_that_cannot_be_written_changes_no_answer(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    case = tmp_path / "case.json"
    case.write_text('{"lesions": [{"findings": {"toss": "heads"}}]}')
    command = [sys.executable, "-m", "hepagraph.service.cli", "posterior", str(case), "--json", "--ontology"]
    printed = [
        subprocess.run([*command, str(data / "coin")], env=environment, capture_output=True, check=True).stdout
        for environment in (dict(os.environ), {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "file")})
    ]
    assert printed[0] == printed[1]
    assert printed[0].startswith(b"{")
