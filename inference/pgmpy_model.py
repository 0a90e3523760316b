"""The network as a pgmpy object, and its file formats. The only module that imports pgmpy, and only when called."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.network import Network

if TYPE_CHECKING:
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

FORMATS = ("xdsl", "bif", "xmlbif", "net", "uai")


def to_pgmpy(network: Network) -> DiscreteBayesianNetwork:
    """Return the network as a checked ``pgmpy.models.DiscreteBayesianNetwork`` with named states."""
    with _quiet():
        from pgmpy.factors.discrete import TabularCPD
        from pgmpy.models import DiscreteBayesianNetwork

        model = DiscreteBayesianNetwork()
        model.add_nodes_from(network.layers)
        model.add_edges_from((parent, name) for name, table in network.tables.items() for parent in table.parents)
        for name, table in network.tables.items():
            size = len(network.states[name])
            model.add_cpds(
                TabularCPD(
                    name,
                    size,
                    table.values.reshape(-1, size).T,
                    evidence=list(table.parents) or None,
                    evidence_card=[len(network.states[parent]) for parent in table.parents] or None,
                    state_names={variable: list(network.states[variable]) for variable in table.scope},
                )
            )
        model.check_model()
    return model


def pgmpy_posterior(
    model: DiscreteBayesianNetwork, network: Network, likelihood: Mapping[str, NDArray[np.float64]], target: str
) -> NDArray[np.float64]:
    """Return one posterior, shape (states,), by pgmpy's variable elimination: the referee of our own engine."""
    with _quiet():
        from pgmpy.inference import VariableElimination

        virtual = [_virtual(name, vector, network) for name, vector in likelihood.items()]
        factor: Any = VariableElimination(model).query([target], virtual_evidence=virtual, show_progress=False)
    order = [factor.get_state_no(target, state) for state in network.states[target]]
    return np.asarray(factor.values, dtype=np.float64)[order]


def _virtual(name: str, vector: NDArray[np.float64], network: Network) -> TabularCPD:
    from pgmpy.factors.discrete import TabularCPD

    states = list(network.states[name])
    scaled = np.asarray(vector, dtype=np.float64) / np.max(vector)  # pgmpy takes likelihoods of at most 1
    return TabularCPD(name, len(states), scaled.reshape(-1, 1), state_names={name: states})


def network_text(network: Network, file_format: str) -> str:
    """Return the network in one of ``FORMATS``, written by pgmpy, except UAI, whose tables pgmpy puts out of order.

    BIF, XMLBIF, NET and UAI hold every number to the last bit, XDSL to 16 decimals. UAI keeps no names: its variables
    are numbered as ``network.states`` lists them (see ``network_names``).
    """
    if file_format == "uai":
        return uai_text(network)
    model = to_pgmpy(network)
    with _quiet(), np.printoptions(precision=17, floatmode="unique", threshold=sys.maxsize):
        from pgmpy import readwrite

        writers: dict[str, Callable[[Any], Any]] = {
            "xdsl": readwrite.XDSLWriter,
            "bif": readwrite.BIFWriter,
            "xmlbif": readwrite.XMLBIFWriter,
            "net": readwrite.NETWriter,
        }
        writer = writers[file_format](model)
        if file_format == "xdsl":
            _lay_out(writer.root, network)
        if file_format == "net":
            writer.net_cpd = partial(_net_numbers, writer)
        return _written(writer)


def uai_text(network: Network) -> str:
    """Return the network in UAI: the function of variable i is the i-th, its child last and changing fastest.

    See https://toulbar2.github.io/toulbar2/formats/uailgformat.html for the format.
    """
    number = {name: position for position, name in enumerate(network.states)}
    tables = [network.tables[name] for name in network.states]
    scopes = [" ".join(str(number[v]) for v in table.scope) for table in tables]
    lines = ["BAYES", str(len(tables)), " ".join(str(len(states)) for states in network.states.values())]
    lines += [str(len(tables)), *(f"{len(t.scope)} {scope}" for t, scope in zip(tables, scopes, strict=True))]
    for table in tables:
        rows = table.values.reshape(-1, table.values.shape[-1]).tolist()
        lines += ["", str(table.values.size), *(" ".join(map(repr, row)) for row in rows)]
    return "\n".join(lines) + "\n"


def network_names(network: Network) -> dict[str, Any]:
    """Return the names that UAI loses: variables in its order, each with its label and its states."""
    variables = [
        {"name": name, "label": network.labels.get(name, name), "states": list(states)}
        for name, states in network.states.items()
    ]
    return {"ontology_sha256": network.ontology_sha256, "variables": variables}


def _lay_out(root: Any, network: Network) -> None:
    """Give the nodes of XDSL places by layer; pgmpy places them at random, each time anew."""
    genie = root.find("extensions/genie")
    root.set("id", "hepagraph")
    genie.set("app", "hepagraph")
    genie.set("name", "hepagraph")
    layers = list(dict.fromkeys(network.layers.values()))
    taken = dict.fromkeys(layers, 0)
    for node in genie.findall("node"):
        layer = network.layers[node.get("id")]
        row, column = divmod(taken[layer], 12)
        x, y = 110 * column, 300 * layers.index(layer) + 70 * row
        taken[layer] += 1
        node.find("position").text = f"{x} {y} {x + 90} {y + 50}"


def _net_numbers(writer: Any, name: str) -> str:
    """Return a table as NET writes it, to the last bit; pgmpy rounds it to eight decimals."""
    values = np.moveaxis(np.asarray(writer.tables[name], dtype=np.float64), 0, -1)
    return _nested(values.tolist())


def _nested(values: Any) -> str:
    return f"({' '.join(map(_nested, values))})" if isinstance(values, list) else repr(values)


def _written(writer: Any) -> str:
    """Let a pgmpy writer write to a temporary file, since only some of them give a string."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network"
        for method in ("write", "write_bif", "write_xmlbif", "write_net", "write_uai", "write_xdsl"):
            if hasattr(writer, method):
                getattr(writer, method)(filename=str(path))
                return path.read_text(encoding="utf-8")
    raise TypeError(f"{type(writer).__name__} has no known writing method")


def _quiet() -> warnings.catch_warnings[None]:
    """Silence the deprecation warnings that importing and using pgmpy prints."""
    return warnings.catch_warnings(action="ignore")
