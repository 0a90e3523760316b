"""From the knowledge graph to the answer: compile the network, read a case, give its posterior and reasons."""

from typing import TYPE_CHECKING

from hepagraph.ontology.lazy import lazy_names

if TYPE_CHECKING:
    from hepagraph.inference.case import Case, CaseReader, Finding, Lesion
    from hepagraph.inference.compiling import compile_network
    from hepagraph.inference.elimination import Marginals, marginals
    from hepagraph.inference.network import Network, Table
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.inference.result import CaseResult, LesionResult, Reason

__all__ = [
    "Case",
    "CaseReader",
    "CaseResult",
    "Finding",
    "Lesion",
    "LesionResult",
    "Marginals",
    "Network",
    "Reason",
    "Reasoner",
    "Table",
    "compile_network",
    "marginals",
]

__getattr__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(("Case", "CaseReader", "Finding", "Lesion"), "case"),
        **dict.fromkeys(("Marginals", "marginals"), "elimination"),
        **dict.fromkeys(("Network", "Table"), "network"),
        **dict.fromkeys(("CaseResult", "LesionResult", "Reason"), "result"),
        "Reasoner": "reasoner",
        "compile_network": "compiling",
    },
)
