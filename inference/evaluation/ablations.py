"""The same network with a piece taken out, to measure what the piece buys. Margins given what stays are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.network import ENTITY, Network, Table

Array = NDArray[np.float64]


def without_mechanisms(network: Network) -> Network:
    """Return the network with each mechanism summed out of each feature: P(feature | subtype, context) alone.

    Features are then independent given the subtype and the context.
    """
    hidden = set(network.variables("mechanism"))
    kept = {name: table for name, table in network.tables.items() if name not in hidden}
    tables = {name: _summed_out(table, network, hidden) for name, table in kept.items()}
    return _reduced(network, tables)


def flat(network: Network) -> Network:
    """Return the network as context, entity and features that depend on the entity alone.

    P(feature | entity) is the network's own, with subtype, mechanisms and context summed out.
    """
    states = network.states[ENTITY]
    features = network.variables("feature")
    rows: dict[str, list[Array]] = {name: [] for name in features}
    for position in range(len(states)):
        one = np.zeros(len(states))
        one[position] = 1.0
        for name in features:
            rows[name].append(network.engine.marginals({ENTITY: one}, [name]).posterior[name])
    keep = {*network.variables("context"), ENTITY}
    tables = {name: table for name, table in network.tables.items() if name in keep}
    tables |= {name: Table(name, (ENTITY,), np.stack(rows[name])) for name in features}
    return _reduced(network, tables)


def _reduced(network: Network, tables: Mapping[str, Table]) -> Network:
    return replace(
        network,
        states={name: network.states[name] for name in tables},
        layers={name: network.layers[name] for name in tables},
        tables=tables,
    )


def _summed_out(table: Table, network: Network, hidden: set[str]) -> Table:
    inside = [parent for parent in table.parents if parent in hidden]
    if not inside:
        return table
    factors = [network.tables[name] for name in inside]
    kept = [p for p in table.parents if p not in hidden]
    kept += [p for factor in factors for p in factor.parents if p not in hidden]
    parents = tuple(dict.fromkeys(kept))
    index = {name: position for position, name in enumerate(dict.fromkeys((*table.scope, *parents, *inside)))}
    operands: list[Any] = []
    for factor in (table, *factors):
        operands += [factor.values, [index[name] for name in factor.scope]]
    values = np.einsum(*operands, [index[name] for name in (*parents, table.child)])
    return Table(table.child, parents, np.asarray(values, dtype=np.float64))
