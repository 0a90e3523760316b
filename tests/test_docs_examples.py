"""Every example in the documents does what the document shows. ``python tests/test_docs_examples.py`` writes what they
print anew; read the difference before committing it.

The blocks of a document are run in order, in one empty folder:

- a block with a caption is a file of that name, also one that is included;
- ``console`` holds commands after ``$`` and what each writes, ``...`` in place of any lines; ``$ echo $?`` is the exit
  status of the command before, which is zero unless it is asked for;
- ``python`` is run, each block with the names of those before it; a ``text`` block that follows holds what it prints.

Blocks in other languages, ``sh`` among them, are not run.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from click.testing import CliRunner

from hepagraph.inference import Reasoner
from hepagraph.service.cli import main

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^(?P<fence>`{3,})(?P<language>[^\s`]*)[ ]*(?P<argument>.*)$")
OPTION = re.compile(r"^:(?P<name>[a-z-]+):\s*(?P<value>.*)$")
ANY = "..."
ONTOLOGY = re.compile(r"\bontology [0-9a-f]{12}\b")  # its hash, which changes with every edit
WRITTEN = ("docs/*.md", "docs/how_to/*.md", "docs/api/*.md", "README.md")
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in WRITTEN
    for path in ROOT.glob(pattern)
    if path.name != "command_line.md" and re.search(r"^```(console|python)", path.read_text("utf-8"), re.MULTILINE)
)


@dataclass
class Block:
    """A fenced block: ``first`` is the number of its first line of content, ``last`` of the fence that closes it."""

    language: str
    argument: str
    options: dict[str, str]
    lines: list[str]
    first: int
    last: int


@dataclass
class Shown:
    """What a document shows that something prints, in lines ``first`` to ``last``, and what it prints."""

    first: int
    last: int
    expected: list[str]
    found: list[str]

    @property
    def holds(self) -> bool:
        return _matches(self.expected, self.found)


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a Markdown document; a directive's options are not part of its content."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        opening = FENCE.match(lines[number])
        number += 1
        if opening is None:
            continue
        language, argument = opening["language"], opening["argument"].strip()
        first = number
        while lines[number].rstrip() != opening["fence"]:
            number += 1
        options = {}
        if language.startswith("{"):
            while first < number and (option := OPTION.match(lines[first])):
                options[option["name"]] = option["value"]
                first += 1
        yield Block(language, argument, options, lines[first:number], first, number)
        number += 1


def _comparable(line: str) -> str:
    return ONTOLOGY.sub("ontology", line.rstrip())


def _matches(expected: list[str], found: list[str]) -> bool:
    if not expected:
        return not found
    if expected[0].strip() == ANY:
        return any(_matches(expected[1:], found[skipped:]) for skipped in range(len(found) + 1))
    return bool(found) and _comparable(expected[0]) == _comparable(found[0]) and _matches(expected[1:], found[1:])


def _without_blank_ends(text: str) -> list[str]:
    return text.strip("\n").split("\n") if text.strip("\n") else []


@dataclass
class Run:
    """One document's examples, run in a folder."""

    page: Path
    folder: Path
    names: dict[str, Any] = field(default_factory=dict)
    status: int = 0

    def run(self, text: str) -> Iterator[Shown]:
        """Yield whatever is shown beside what is printed."""
        found = list(blocks(text))
        for block, following in itertools.zip_longest(found, found[1:]):
            if "caption" in block.options:
                self._file(block)
            elif block.language == "console":
                yield from self._console(block)
            elif block.language == "python":
                printed = self._python(block)
                if following is not None and following.language == "text" and self._adjoin(text, block, following):
                    yield Shown(following.first, following.last, following.lines, _without_blank_ends(printed))

    @staticmethod
    def _adjoin(text: str, block: Block, following: Block) -> bool:
        between = text.split("\n")[block.last + 1 : following.first - 1]
        return not any(line.strip() for line in between)

    def _file(self, block: Block) -> None:
        path = self.folder / block.options["caption"].strip("`")
        path.parent.mkdir(parents=True, exist_ok=True)
        if block.language == "{literalinclude}":
            path.write_text((self.page.parent / block.argument).read_text("utf-8"), "utf-8")
        else:
            path.write_text("\n".join(block.lines).strip("\n") + "\n", "utf-8")

    def _python(self, block: Block) -> str:
        printed = io.StringIO()
        code = compile("\n".join(block.lines), f"{self.page}:{block.first + 1}", "exec")
        with contextlib.redirect_stdout(printed), contextlib.chdir(self.folder):
            exec(code, self.names)  # noqa: S102 - our own documents
        return printed.getvalue()

    def _console(self, block: Block) -> Iterator[Shown]:
        commands = [n for n, line in enumerate(block.lines) if line.startswith("$ ")]
        assert commands and commands[0] == 0, f"{self.page}:{block.first + 1}: a console block starts with a command"
        for start, end in zip(commands, [*commands[1:], len(block.lines)], strict=True):
            command = block.lines[start][2:].split("  #")[0].strip()
            asked = end < len(block.lines) and block.lines[end].startswith("$ echo $?")
            printed = self._command(command, f"{self.page}:{block.first + start + 1}", asked)
            yield Shown(block.first + start + 1, block.first + end, block.lines[start + 1 : end], printed)

    def _command(self, command: str, place: str, asked: bool) -> list[str]:
        if command == "echo $?":
            return [str(self.status)]
        words = shlex.split(command)
        if words[0] == "hepagraph" and not set(words) & {"|", ">", "<", ";", "&&"}:
            with contextlib.chdir(self.folder):
                result = CliRunner().invoke(main, words[1:], prog_name="hepagraph")
            self.status, printed = result.exit_code, result.output
            assert result.exception is None or isinstance(result.exception, SystemExit), f"{place}: {result.exception}"
        else:
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                env={**os.environ, "PATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self.status, printed = done.returncode, done.stdout
        assert self.status == 0 or asked, f"{place}: {command}: exit status {self.status}\n{printed}"
        return _without_blank_ends(printed)


@contextlib.contextmanager
def loaded_once(reasoner: Any) -> Iterator[None]:
    """Let every example that loads the packaged ontology have the same reasoner."""
    kind = type(reasoner)
    load = kind.load

    def loaded(directory: str | Path | None = None, **options: Any) -> Any:
        return reasoner if directory is None else load(directory, **options)

    with mock.patch.object(kind, "load", loaded):
        yield


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_examples_do_what_they_show(
    page: Path, reasoner: Reasoner, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    text = (ROOT / page).read_text("utf-8")
    with contextlib.ExitStack() as loaded:
        loaded.enter_context(loaded_once(reasoner))
        if "ResponseReasoner" in text:
            loaded.enter_context(loaded_once(request.getfixturevalue("response_reasoner")))
        for shown in Run(ROOT / page, tmp_path).run(text):
            what = "\n".join(shown.found)
            assert shown.holds, f"{page}:{shown.first + 1} shows something else than what is printed:\n{what}"


def test_pages_have_examples() -> None:
    assert len(PAGES) >= 10


def test_a_wrong_example_is_noticed(tmp_path: Path) -> None:
    text = "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n\n```console\n$ echo a; echo b; echo c\na\n...\n```\n"
    first, second = Run(tmp_path / "page.md", tmp_path).run(text)
    assert not first.holds and first.found == ["2"]
    assert second.holds and second.found == ["a", "b", "c"]


def renewed(one: Shown) -> list[str] | None:
    """Return what the document should show; None where a part between two gaps is not known to have moved whither."""
    gaps = [number for number, line in enumerate(one.expected) if line.strip() == ANY]
    if not gaps:
        return one.found
    start, end = gaps[0], len(one.expected) - gaps[-1] - 1
    if len(gaps) > 1 or start + end > len(one.found):
        return None
    return [*one.found[:start], one.expected[start], *one.found[len(one.found) - end :]]


def update(page: Path) -> None:
    """Write what a page's examples print in place of what it shows; outputs with several gaps are only checked."""
    text = page.read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        shown = list(Run(page, Path(folder)).run(text))
    lines = text.split("\n")
    for one in reversed([one for one in shown if not one.holds or ANY not in one.expected]):
        new = renewed(one)
        if new is None:
            print(f"{page}:{one.first + 1}: mend by hand:", *one.found, sep="\n")  # noqa: T201
        else:
            lines[one.first : one.last] = new
    page.write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    with loaded_once(Reasoner.load()):
        for name in sys.argv[1:] or PAGES:
            update(ROOT / name)
