"""One file for one compiled model: arrays that are used where they lie, and statements read when they are cited.

The file is a preamble (``_PREAMBLE`` bytes: magic, CRC-32 of the header, length of the header, length of the file), a
header in JSON, and blocks at multiples of 64 bytes: arrays (little-endian), and statements, sources and labels as
lines of JSON. The header says for each block where it lies, how long it is, and its CRC-32, which is looked at when
the block is first used. It holds data alone: reading it runs no code that it brings.
The knowledge graph lies there too and is read apart, since only intervals, rules and the like need it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import mmap
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.assessability import Assessability, Rule
from hepagraph.inference.case import CaseReader
from hepagraph.inference.model import Artifact, CompiledModel
from hepagraph.inference.network import ENTITY, Network, Table
from hepagraph.inference.stored_graph import NotStorableError, graph_of, plain_graph, statements_in_graph
from hepagraph.kg.costs import Costs
from hepagraph.kg.model import Source, Statement
from hepagraph.kg.paths import CausalRelation
from hepagraph.kg.surprise import SharingPolicy, SurprisePolicy
from hepagraph.kg.vocabulary import Band, Measure, Variable
from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    import networkx as nx

    from hepagraph.inference.engine.program import Program

FORMAT = 5
_MAGIC = b"HGMODEL\n"
_PREAMBLE = 24
_ALIGNED = 64
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
            values[_SOURCE_POSITION] = self.source(values[_SOURCE_POSITION])
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


_SOURCE_POSITION = Statement.__match_args__.index(_SOURCE)


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


# -- writing ----------------------------------------------------------------------------------------------------


def write_model(model: CompiledModel, key: str, path: Path, graph: nx.MultiDiGraph[str] | None = None) -> None:
    """Write a model under a key, and the graph that it was compiled from; the file appears whole or not at all.

    Raises
    ------
    OntologyError
        The file cannot be written.
    """
    write_whole(path, _encoded(model, key, graph))


def write_whole(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file under a temporary name and rename it.

    Raises
    ------
    OntologyError
        The file cannot be written.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as stream:
            stream.writelines(parts)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        raise OntologyError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _encoded(model: CompiledModel, key: str, graph: nx.MultiDiGraph[str] | None) -> list[bytes]:
    evidence = model.network.evidence
    everywhere = [*itertools.chain(*evidence.values()), *(() if graph is None else statements_in_graph(graph))]
    statements = {statement: number for number, statement in enumerate(dict.fromkeys(everywhere))}
    cited = [statement.source for statement in statements]
    listed = () if graph is None else graph.graph["sources"].values()
    sources = {source: number for number, source in enumerate(dict.fromkeys([*cited, *listed]))}
    index = _index(evidence, statements)
    arrays = {
        **{f"table/{name}": table.values for name, table in model.network.tables.items()},
        **{f"rate/{name}": values for name, values in model.network.base_rates.items()},
        **{f"fit/{name}": values for name, values in model.fit.parameters.items()},
        **{
            key: values for name, program in model.programs.items() for key, values in _arrays_of(name, program).items()
        },
    }
    blocks = {name: np.ascontiguousarray(values, dtype="<f8").tobytes() for name, values in arrays.items()}
    shapes = {name: list(values.shape) for name, values in arrays.items()}
    named = {
        "evidence": list(index.values()),
        "statements": [_statement_out(statement, sources) for statement in statements],
        "sources": [_json(astuple(source)) for source in sources],
        "labels": [_json(list(model.network.labels.items()))],
    }
    if graph is not None:
        with contextlib.suppress(NotStorableError):  # such a graph is read from the ontology
            named["graph"] = [_json(plain_graph(graph, statements, sources))]
    for name, lines in named.items():
        blocks[f"ends/{name}"] = np.cumsum([0, *map(len, lines)], dtype="<i8").tobytes()
        blocks[f"lines/{name}"] = b"".join(lines)
    places, data = _laid_out(blocks)
    header = _json(
        {"format": FORMAT, "key": key, "model": _plain(model), "evidence": list(index)}
        | {"places": places, "shapes": shapes}
    )
    header += b" " * (-(_PREAMBLE + len(header)) % _ALIGNED)
    total = _PREAMBLE + len(header) + sum(map(len, data))
    numbers = ((zlib.crc32(header), 4), (len(header), 4), (total, 8))
    return [_MAGIC, *(number.to_bytes(size, "little") for number, size in numbers), header, *data]


def _laid_out(blocks: Mapping[str, bytes]) -> tuple[dict[str, tuple[int, int, int]], list[bytes]]:
    """Return for each block its start after the header, its length and its CRC-32, and all the bytes.

    Equal blocks lie in the file once.
    """
    places: dict[str, tuple[int, int, int]] = {}
    known: dict[bytes, tuple[int, int, int]] = {}
    data: list[bytes] = []
    start = 0
    for name, block in blocks.items():
        if block not in known:
            known[block] = (start, len(block), zlib.crc32(block))
            padding = -len(block) % _ALIGNED
            data += [block, bytes(padding)]
            start += len(block) + padding
        places[name] = known[block]
    return places, data


def _arrays_of(name: str, program: Program) -> dict[str, NDArray[np.float64]]:
    """Return the arrays of a program by the names of their blocks."""
    return {
        f"{name}/weights": program.weights,
        **{f"{name}/column/{i}": column.table for i, column in enumerate(program.columns)},
        **{f"{name}/inner/{i}": v.table for i, v in enumerate(program.inner) if v.table is not None},
    }


def _program_out(program: Program) -> dict[str, Any]:
    """Return all of a program that is no large array as values of JSON."""
    inner = [[v.name, v.states, v.shift, v.bits, v.scope, v.table is not None] for v in program.inner]
    return {
        "pairs": program.pairs.tolist(),
        "inner": inner,
        "columns": [[column.name, column.states, column.mask, column.inner] for column in program.columns],
        **{
            name: getattr(program, name)
            for name in ("width", "entities", "subtypes", "topological", "above", "weights_mask")
        },
    }


def _index(
    evidence: Mapping[tuple[str, str], tuple[Statement, ...]], statements: Mapping[Statement, int]
) -> dict[str, bytes]:
    """Return by variable the line of [given, numbers of statements]."""
    index: dict[str, list[Any]] = {}
    for (variable, given), found in evidence.items():
        index.setdefault(variable, []).append([given, [statements[statement] for statement in found]])
    return {variable: _json(row) for variable, row in index.items()}


def _statement_out(statement: Statement, sources: Mapping[Source, int]) -> bytes:
    values = [getattr(statement, item.name) for item in fields(Statement)]
    values[_SOURCE_POSITION] = sources[statement.source]
    return _json(values)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(model: CompiledModel) -> dict[str, Any]:
    """Return all of a model that is neither array nor evidence as values of JSON."""
    network, reader = model.network, model.reader
    return {
        "states": dict(network.states),
        "layers": dict(network.layers),
        "parents": {name: table.parents for name, table in network.tables.items()},
        "parent_of": dict(network.parent_of),
        "labels": {name: network.labels[name] for name in _own_names(network) if name in network.labels},
        "differentials": dict(network.differentials),
        "default_differential": network.default_differential,
        "ontology_sha256": network.ontology_sha256,
        "reporting_error": network.reporting_error,
        "rates": list(network.base_rates),
        "variables": [_variable_out(variable) for variable in reader.variables.values()],
        "feature_rules": [_rule_out(rule) for rule in reader.assessability.feature_rules],
        "sign_rules": [_rule_out(rule) for rule in reader.assessability.sign_rules],
        "agents": {agent: sorted(found) for agent, found in reader.assessability.modalities_of_agent.items()},
        "exclusions": reader.exclusions,
        "surprise": astuple(model.surprise),
        "sharing": astuple(model.sharing),
        "patient_level": model.patient_level,
        "implied": dict(model.implied),
        "fitted": list(model.fit.parameters),
        "tau": model.fit.tau,
        "evidence_key": model.fit.key,
        "programs": {name: _program_out(program) for name, program in model.programs.items()},
        "causal": [astuple(relation) for relation in model.causal],
        "costs": None if model.costs is None else astuple(model.costs),
    }


def _own_names(network: Network) -> tuple[str, ...]:
    """Return the nodes that answers name: variables, entities, subtypes and differentials."""
    return (*network.states, *network.states[ENTITY], *network.parent_of, *network.differentials)


def _variable_out(variable: Variable) -> dict[str, Any]:
    found = {item.name: getattr(variable, item.name) for item in fields(Variable)}
    found["booleans"] = list(variable.booleans.items())
    found["measure"] = None if variable.measure is None else astuple(variable.measure)
    found["covers"] = {state: sorted(nodes) for state, nodes in variable.covers.items()}
    return found


def _rule_out(rule: Rule) -> dict[str, Any]:
    found = {item.name: getattr(rule, item.name) for item in fields(Rule)}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in found.items()}


# -- reading ----------------------------------------------------------------------------------------------------


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
    whole = bytes(buffer[:8]) == _MAGIC and int.from_bytes(buffer[16:24], "little") == len(buffer)
    text = bytes(buffer[_PREAMBLE : _PREAMBLE + length])
    if not whole or zlib.crc32(text) != int.from_bytes(buffer[8:12], "little"):
        return None
    header: dict[str, Any] = json.loads(text)
    if (header["format"], header["key"]) != (FORMAT, key):
        return None
    return header, buffer[_PREAMBLE + length :]


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
