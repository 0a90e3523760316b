"""One file for one compiled model: arrays that are used where they lie, and statements read when they are cited.

The file is a preamble (``PREAMBLE`` bytes: magic, CRC-32 of the header, length of the header, length of the file), a
header in JSON, and blocks at multiples of 64 bytes: arrays (little-endian), and statements, sources and labels as
lines of JSON. The header says for each block where it lies, how long it is, and its CRC-32, which is looked at when
the block is first used. It holds data alone: reading it runs no code that it brings.
The knowledge graph lies there too and is read apart, since only intervals, rules and the like need it.
"""

from __future__ import annotations

import json
import mmap
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.assessability import Assessability, Rule
from hepagraph.inference.case import CaseReader
from hepagraph.inference.model import Artifact, CompiledModel
from hepagraph.inference.network import Network, Table
from hepagraph.inference.stored_graph import graph_of
from hepagraph.kg.costs import Costs
from hepagraph.kg.model import Source, Statement
from hepagraph.kg.paths import CausalRelation
from hepagraph.kg.surprise import SharingPolicy, SurprisePolicy
from hepagraph.kg.vocabulary import Band, Measure, Variable

if TYPE_CHECKING:
    import networkx as nx

    from hepagraph.inference.engine.program import Program

FORMAT = 5
MAGIC = b"HGMODEL\n"
PREAMBLE = 24
ALIGNED = 64
_SOURCE = "source"


class StoredEvidence(Mapping[tuple[str, str], tuple[Statement, ...]]):
    """(variable, entity or subtype) -> the statements pooled there, each decoded when it is first asked for.

    ``index`` holds for each of the variables the numbers of its statements by entity or subtype.
    """

    def __init__(self, variables: Sequence[str], index: Lines, statements: Lines, sources: Lines) -> None:
        self._positions = {name: position for position, name in enumerate(variables)}
        self._index = index
        self._lines = {Statement: statements, Source: sources}
        self._numbers: dict[str, dict[str, list[int]]] = {}
        self._statements: dict[int, Statement] = {}
        self._sources: dict[int, Source] = {}

    def __getitem__(self, key: tuple[str, str]) -> tuple[Statement, ...]:
        variable, given = key
        return tuple(self.statement(number) for number in self._of(variable)[given])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((variable, given) for variable in self._positions for given in self._of(variable))

    def __len__(self) -> int:
        return sum(len(self._of(variable)) for variable in self._positions)

    def __reduce__(self) -> tuple[type[dict[Any, Any]], tuple[dict[Any, Any]]]:
        return dict, (dict(self.items()),)

    def _of(self, variable: str) -> dict[str, list[int]]:
        if variable not in self._numbers:
            self._numbers[variable] = dict(self._index[self._positions[variable]])
        return self._numbers[variable]

    def statement(self, number: int) -> Statement:
        """Return the statement in a line."""
        found = self._statements.get(number)
        if found is None:
            values: list[Any] = [tuple(v) if isinstance(v, list) else v for v in self._lines[Statement][number]]
            values[SOURCE_POSITION] = self.source(values[SOURCE_POSITION])
            found = Statement(*values)
            found = self._statements.setdefault(number, found)
        return found

    def source(self, number: int) -> Source:
        """Return the source in a line."""
        found = self._sources.get(number)
        return self._sources.setdefault(number, Source(*self._lines[Source][number])) if found is None else found


class StoredLabels(Mapping[str, str]):
    """Node of the graph -> its label; the network's own nodes are at hand, all others are decoded together."""

    def __init__(self, near: Mapping[str, str], far: Lines) -> None:
        self._near = near
        self._far = far
        self._all: dict[str, str] = {}

    def __getitem__(self, node: str) -> str:
        return self._near[node] if node in self._near else self._whole()[node]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(self._whole())

    def __reduce__(self) -> tuple[type[dict[Any, Any]], tuple[dict[Any, Any]]]:
        return dict, (dict(self),)

    def _whole(self) -> dict[str, str]:
        self._all = self._all or dict(self._far[0])
        return self._all


SOURCE_POSITION = Statement.__match_args__.index(_SOURCE)


class StoredPrograms(Mapping[str, "Program"]):
    """The engine's programs by name, each decoded when it is first asked for; a damaged one is as good as missing."""

    def __init__(self, plain: Mapping[str, Mapping[str, Any]], blocks: Blocks) -> None:
        self._plain = plain
        self._blocks = blocks
        self._programs: dict[str, Program] = {}

    def __getitem__(self, name: str) -> Program:
        if name not in self._programs:
            try:
                found = _program_in(name, self._plain[name], self._blocks)
            except DamagedError:
                raise KeyError(name) from None
            self._programs.setdefault(name, found)
        return self._programs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._plain)

    def __len__(self) -> int:
        return len(self._plain)

    def __reduce__(self) -> tuple[type[dict[Any, Any]], tuple[dict[Any, Any]]]:
        return dict, (dict(self),)


class Lines:
    """JSON values one after the other in a buffer; value i lies from ``ends[i]`` to ``ends[i + 1]``."""

    def __init__(self, buffer: memoryview, ends: NDArray[np.int64]) -> None:
        self._buffer = buffer
        self._ends = ends

    def __getitem__(self, number: int) -> Any:
        return json.loads(bytes(self._buffer[self._ends[number] : self._ends[number + 1]]))


class DamagedError(ValueError):
    """A block is not what was written."""


class Blocks:
    """The arrays and lines of a file, found by name and checked when asked for."""

    def __init__(
        self, places: Mapping[str, tuple[int, int, int]], shapes: Mapping[str, list[int]], data: memoryview
    ) -> None:
        self._places = places
        self._shapes = shapes
        self._data = data
        self._whole: set[tuple[int, int]] = set()

    def array(self, name: str) -> NDArray[np.float64]:
        """Return an array as a view of the file."""
        return np.frombuffer(self._checked(name), "<f8").reshape(self._shapes[name])

    def lines(self, name: str) -> Lines:
        """Return the lines of a kind."""
        return Lines(self._checked(f"lines/{name}"), np.frombuffer(self._checked(f"ends/{name}"), "<i8"))

    def _checked(self, name: str) -> memoryview:
        start, length, checked = self._places[name]
        found = self._data[start : start + length]
        if (start, length) not in self._whole and zlib.crc32(found) != checked:
            raise DamagedError(name)
        self._whole.add((start, length))
        return found


def read_model(path: Path, key: str) -> CompiledModel | None:
    """Return the model in a file, or None where there is none of this key that is whole and of this format.

    The arrays are views of the file, which stays mapped while they are used.
    """
    opened = _opened(path, key)
    try:
        return None if opened is None else _model(*opened)
    except DamagedError:
        return None


def read_graph(path: Path, key: str, sha256: str) -> nx.MultiDiGraph[str] | None:
    """Return the graph that the model in a file was compiled from.

    None where ``read_model`` would return None, the ontology had another hash, or the graph could not be stored.
    """
    opened = _opened(path, key)
    if opened is None:
        return None
    header, data = opened
    if header["model"]["ontology_sha256"] != sha256 or "lines/graph" not in header["places"]:
        return None
    try:
        blocks = Blocks(header["places"], header["shapes"], data)
        found = StoredEvidence(header["evidence"], *map(blocks.lines, ("evidence", "statements", "sources")))
        return graph_of(blocks.lines("graph")[0], found.statement, found.source)
    except DamagedError:
        return None


def _opened(path: Path, key: str) -> tuple[dict[str, Any], memoryview] | None:
    """Return the header of a file and what follows it, if the file is whole, of this format and of the key."""
    try:
        with path.open("rb") as stream:
            buffer = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):  # an empty file cannot be mapped
        return None
    length = int.from_bytes(buffer[12:16], "little")
    whole = bytes(buffer[:8]) == MAGIC and int.from_bytes(buffer[16:24], "little") == len(buffer)
    text = bytes(buffer[PREAMBLE : PREAMBLE + length])
    if not whole or zlib.crc32(text) != int.from_bytes(buffer[8:12], "little"):
        return None
    header: dict[str, Any] = json.loads(text)
    if (header["format"], header["key"]) != (FORMAT, key):
        return None
    return header, buffer[PREAMBLE + length :]


def _model(header: Mapping[str, Any], data: memoryview) -> CompiledModel:
    plain, blocks = header["model"], Blocks(header["places"], header["shapes"], data)
    network = Network(
        states=_tuples(plain["states"]),
        layers=plain["layers"],
        tables={n: Table(n, tuple(above), blocks.array(f"table/{n}")) for n, above in plain["parents"].items()},
        parent_of=plain["parent_of"],
        labels=StoredLabels(plain["labels"], blocks.lines("labels")),
        evidence=StoredEvidence(header["evidence"], *map(blocks.lines, ("evidence", "statements", "sources"))),
        differentials=_tuples(plain["differentials"]),
        default_differential=plain["default_differential"],
        ontology_sha256=plain["ontology_sha256"],
        base_rates={name: blocks.array(f"rate/{name}") for name in plain["rates"]},
        reporting_error=plain["reporting_error"],
    )
    programs = StoredPrograms(plain["programs"], blocks)
    network.bring(programs)
    return CompiledModel(
        network=network,
        reader=_reader(plain),
        surprise=SurprisePolicy(*plain["surprise"]),
        sharing=SharingPolicy(*plain["sharing"]),
        patient_level=tuple(plain["patient_level"]),
        implied=_tuples(plain["implied"]),
        fit=Artifact(
            {name: blocks.array(f"fit/{name}") for name in plain["fitted"]}, plain["tau"], plain["evidence_key"]
        ),
        programs=programs,
        causal=tuple(CausalRelation(a, b, c, tuple(d)) for a, b, c, d in plain["causal"]),
        costs=None if plain["costs"] is None else _costs_in(*plain["costs"]),
    )


def _costs_in(losses: Mapping[str, Mapping[str, float]], burdens: Mapping[str, float], tests: Iterable[str]) -> Costs:
    return Costs(losses, burdens, tuple(tests))


def _program_in(name: str, plain: Mapping[str, Any], blocks: Blocks) -> Program:
    from hepagraph.inference.engine.program import Column, Inner, Program

    inner = []
    for i, (title, states, shift, bits, scope, filled) in enumerate(plain["inner"]):
        table = blocks.array(f"{name}/inner/{i}") if filled else None
        inner.append(Inner(title, states, shift, bits, scope, table))
    columns = []
    for i, (title, states, mask, position) in enumerate(plain["columns"]):
        columns.append(Column(title, states, mask, position, blocks.array(f"{name}/column/{i}")))
    return Program(
        pairs=np.array(plain["pairs"], dtype=np.int64),
        width=plain["width"],
        entities=plain["entities"],
        subtypes=plain["subtypes"],
        inner=tuple(inner),
        topological=tuple(plain["topological"]),
        columns=tuple(columns),
        above=tuple(plain["above"]),
        weights=blocks.array(f"{name}/weights"),
        weights_mask=plain["weights_mask"],
    )


def _reader(plain: Mapping[str, Any]) -> CaseReader:
    variables = [_variable_in(found) for found in plain["variables"]]
    return CaseReader(
        {variable.name: variable for variable in variables},
        Assessability(
            tuple(_rule_in(found) for found in plain["feature_rules"]),
            tuple(_rule_in(found) for found in plain["sign_rules"]),
            {agent: frozenset(found) for agent, found in plain["agents"].items()},
        ),
        tuple((a, b, c, d) for a, b, c, d in plain["exclusions"]),
    )


def _variable_in(found: Mapping[str, Any]) -> Variable:
    measure = found["measure"]
    if measure is not None:
        key, unit, low, high, bands = measure
        measure = Measure(key, unit, low, high, tuple(Band(*band) for band in bands))
    changed = {
        "states": tuple(found["states"]),
        "leaves": _tuples(found["leaves"]),
        "booleans": {flag: state for flag, state in found["booleans"]},
        "measure": measure,
        "covers": {state: frozenset(nodes) for state, nodes in found["covers"].items()},
        "seen_on": tuple(found["seen_on"]),
    }
    return Variable(**{**found, **changed})


def _rule_in(found: Mapping[str, Any]) -> Rule:
    values: dict[str, Any] = {n: frozenset(v) if isinstance(v, list) else v for n, v in found.items()}
    return Rule(**values)


def _tuples(found: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(values) for name, values in found.items()}
