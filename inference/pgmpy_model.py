"""The network as a pgmpy object, and its file formats. The only module that imports pgmpy, and only when called."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
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
    """Return the network in one of ``FORMATS``, written by pgmpy.

    NET is rounded to eight decimals. UAI keeps no names; its variables stand in alphabetical order.
    """
    model = to_pgmpy(network)
    with _quiet(), np.printoptions(precision=17, floatmode="unique", threshold=sys.maxsize):
        from pgmpy import readwrite

        writers: dict[str, Callable[[Any], Any]] = {
            "xdsl": readwrite.XDSLWriter,
            "bif": readwrite.BIFWriter,
            "xmlbif": readwrite.XMLBIFWriter,
            "net": readwrite.NETWriter,
            "uai": readwrite.UAIWriter,
        }
        writer = writers[file_format](model)
        return _written(writer)


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
