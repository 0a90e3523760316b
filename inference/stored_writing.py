"""Write a compiled model, and the graph that it was compiled from, into one file as ``stored`` describes it."""

from __future__ import annotations

import contextlib
import itertools
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.assessability import Rule
from hepagraph.inference.network import ENTITY
from hepagraph.inference.stored import ALIGNED, FORMAT, MAGIC, PREAMBLE, SOURCE_POSITION
from hepagraph.inference.stored_graph import NotStorableError, plain_graph, statements_in_graph
from hepagraph.kg.model import Source, Statement
from hepagraph.kg.vocabulary import Variable
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.whole_files import whole_file

if TYPE_CHECKING:
    import networkx as nx

    from hepagraph.inference.engine.program import Program
    from hepagraph.inference.model import CompiledModel
    from hepagraph.inference.network import Network


def write_model(model: CompiledModel, key: str, path: Path, graph: nx.MultiDiGraph[str] | None = None) -> None:
    """Write a model under a key, and the graph that it was compiled from; the file appears whole or not at all.

    Raises
    ------
    OntologyError
        The file cannot be written.
    """
    write_whole(path, _encoded(model, key, graph))


def write_whole(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file of the cache, and its folder; it appears whole or not at all.

    Raises
    ------
    OntologyError
        The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as stream:
            stream.writelines(parts)
    except OSError as error:
        raise OntologyError(f"{path}: cannot be written: {error.strerror or error}") from None


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
    header += b" " * (-(PREAMBLE + len(header)) % ALIGNED)
    total = PREAMBLE + len(header) + sum(map(len, data))
    numbers = ((zlib.crc32(header), 4), (len(header), 4), (total, 8))
    return [MAGIC, *(number.to_bytes(size, "little") for number, size in numbers), header, *data]


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
            padding = -len(block) % ALIGNED
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
    values[SOURCE_POSITION] = sources[statement.source]
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
