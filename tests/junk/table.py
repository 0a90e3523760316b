"""What a door is, how one is knocked at, and what good there is to make junk of.

A door is a place where something of the outside is read. It must answer, or refuse with an error of the project that
says what is wrong; any other exception, a traceback, and anything left behind by what was refused is a mistake.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from hepagraph.inference import Reasoner
from hepagraph.ontology.errors import HepagraphError
from hepagraph.service.cli import main
from hepagraph.service.doors import Doors

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
Json = dict[str, Any]


class World:
    """The good things of which junk is made, each made when it is first needed, and a folder to work in."""

    def __init__(self, folder: Path, reasoner: Reasoner, skin: Reasoner, coin: Reasoner) -> None:
        self.folder, self.packaged, self.skin, self.coin = folder, reasoner, skin, coin
        self.held: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what ``make`` returned when it was first called under this name."""
        if name not in self.held:
            self.held[name] = make()
        return self.held[name]

    def place(self, name: str) -> Path:
        """Return an empty folder of this name."""
        found = self.folder / name
        shutil.rmtree(found, ignore_errors=True)
        found.mkdir(parents=True)
        return found

    def file(self, name: str, content: bytes) -> Path:
        """Write a file and return its path."""
        found = self.folder / name
        found.parent.mkdir(parents=True, exist_ok=True)
        found.write_bytes(content)
        return found

    @cached_property
    def case(self) -> Json:
        """A case of the skin toy that says something of everything, in every manner."""
        return good_case(self.skin)

    @cached_property
    def example(self) -> Json:
        """A published case of the packaged ontology."""
        found: Json = json.loads((ROOT / "examples" / "maino2023_fig7.json").read_text(encoding="utf-8"))
        return found

    @cached_property
    def doors(self) -> Doors:
        """The doors of the skin toy."""
        return Doors(self.skin, str(DATA / "skin"))


@dataclass(frozen=True, slots=True)
class Door:
    """One place where something is read.

    ``covers`` names what it stands for (see ``test_every_door``), ``junk`` yields what it is given, the good first,
    ``ask`` gives it and returns whether it was answered, and ``share`` is how many are given in an ordinary run.
    """

    name: str
    covers: tuple[str, ...]
    junk: Callable[[World], Iterator[Any]]
    ask: Callable[[World, Any], bool]
    share: int = 100


def good_case(reasoner: Reasoner) -> Json:
    """Return a case that states every variable that it can, in turn as a state, a list, likelihoods and a number."""
    case: Json = {"id": "good", "patient": {}, "exam": [{}], "lesions": [{"id": "L1", "findings": {}}]}
    case["lesions"].append({"id": "L2", "findings": {}})
    reader = reasoner.reader
    for number, variable in enumerate(v for v in reader.variables.values() if v.section):
        first, *others = variable.states
        manners = [first, [first, others[0]], {first: 0.75, others[0]: 0.25}, first]
        keyed = {variable.name: manners[number % 4]}
        if variable.measure is not None:
            keyed = {variable.measure.key: max(variable.measure.minimum, variable.measure.bands[0].low) + 1}
        place = {"patient": case["patient"], "exam": case["exam"][0]}.get(variable.section)
        _add(reader, case, case["lesions"][0]["findings"] if place is None else place, keyed)
        if place is None:
            _add(reader, case, case["lesions"][1]["findings"], {variable.name: "not_assessable"})
    return case


def _add(reader: Any, case: Json, place: Json, values: Mapping[str, Any]) -> None:
    place.update(values)
    try:
        reader.read(case)
    except HepagraphError:
        for key in values:
            del place[key]


# -- asking -----------------------------------------------------------------------------------------------------


def told(error: HepagraphError) -> bool:
    """Return False; an error that says nothing, or sends control characters on, is a mistake."""
    check_words(str(error))
    return False


def check_words(text: str) -> None:
    """Check what is told of a mistake."""
    assert len(text.strip()) > 10, repr(text)
    assert "Traceback" not in text, text
    hidden = {c for c in text if not c.isprintable() and c != "\n"}
    assert not hidden, (hidden, text[:2000])


def refusable(act: Callable[[], Any]) -> bool:
    """Return whether something was done, and not refused."""
    try:
        act()
    except HepagraphError as error:
        return told(error)
    return True


def command(*arguments: str | Path, stdin: bytes = b"", says: str = "") -> bool:
    """Return whether a command was done; one that is refused writes messages with ``says`` in them, and nothing else."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    if result.exit_code == 0:
        return True
    assert result.exit_code == 2, result.output
    assert result.stdout == "", result.stdout[:2000]
    check_words(result.stderr)
    assert ("Error: " if "Usage:" in result.stderr else "hepagraph: ") in result.stderr
    assert says in result.stderr or "half a character" in result.stderr, result.stderr
    return False


def left(folder: Path) -> dict[str, bytes | None]:
    """Return what stands in a folder and below: the content of every file by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def leaves_nothing(folder: Path, act: Callable[[], bool]) -> bool:
    """Return what ``act`` returns; where it refuses, the folder must be as it was."""
    before = left(folder)
    done = act()
    assert done or left(folder) == before, sorted(set(left(folder)) ^ set(before))
    return done


def skin_folder() -> str:
    """Return the folder of the skin toy."""
    return str(DATA / "skin")


def options(covers: str, *names: str) -> tuple[str, ...]:
    """Return the names of a command's inputs, as ``test_every_door`` lists them."""
    return tuple(f"{covers} {name}" for name in names)


def texts(samples: Sequence[str]) -> list[bytes]:
    """Return texts in UTF-8."""
    return [sample.encode() for sample in samples]
