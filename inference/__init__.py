"""From the knowledge graph to the answer: compile the network, read a case, give its posterior and reasons.

What ``__all__`` names is the public interface: it changes only on purpose, with a line in the change log. Its errors
are in ``hepagraph.ontology``. Everything else can be imported from its module and may change at any time.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.lazy import lazy_names

if TYPE_CHECKING:
    from hepagraph.inference.archetype import Archetype, Trait, archetype
    from hepagraph.inference.case import Case, Finding, Lesion
    from hepagraph.inference.case import CaseReader as CaseReader
    from hepagraph.inference.compiling import compile_network as compile_network
    from hepagraph.inference.elimination import Marginals as Marginals
    from hepagraph.inference.elimination import marginals as marginals
    from hepagraph.inference.ledger import Entry, Flip, Ledger, explain
    from hepagraph.inference.looks import Look, NextBest, PerfectTest, Protocol
    from hepagraph.inference.most_probable import Explanation, most_probable
    from hepagraph.inference.network import Network as Network
    from hepagraph.inference.network import Table as Table
    from hepagraph.inference.next_best import next_best
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.inference.result import CaseResult, LesionResult, Reason, ResultWarning
    from hepagraph.inference.sensitivity import Range, Sensitivity, Turn, sensitivity
    from hepagraph.inference.stopping import time_limit
    from hepagraph.inference.surprise import Conflict, SurpriseReport
    from hepagraph.inference.what_if import Outcome, Scenario, WhatIf, sweep, what_if

__all__ = [
    "Archetype",
    "Case",
    "CaseResult",
    "Conflict",
    "Entry",
    "Explanation",
    "Finding",
    "Flip",
    "Ledger",
    "Lesion",
    "LesionResult",
    "Look",
    "NextBest",
    "Outcome",
    "PerfectTest",
    "Protocol",
    "Range",
    "Reason",
    "Reasoner",
    "ResultWarning",
    "Scenario",
    "Sensitivity",
    "SurpriseReport",
    "Trait",
    "Turn",
    "WhatIf",
    "archetype",
    "explain",
    "most_probable",
    "next_best",
    "sensitivity",
    "sweep",
    "time_limit",
    "what_if",
]

_OWN_MODULES = ("archetype", "most_probable", "next_best", "sensitivity", "what_if")


class _Package(ModuleType):
    """The package. Importing a submodule binds it here by name; a function of the same name stays in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        own = name in _OWN_MODULES and isinstance(value, ModuleType)
        super().__setattr__(name, getattr(value, name) if own else value)


__getattr__ = lazy_names(
    __name__,
    {
        **{name: name for name in _OWN_MODULES},
        **dict.fromkeys(("Archetype", "Trait"), "archetype"),
        **dict.fromkeys(("Case", "CaseReader", "Finding", "Lesion"), "case"),
        **dict.fromkeys(("CaseResult", "LesionResult", "Reason", "ResultWarning"), "result"),
        **dict.fromkeys(("Conflict", "SurpriseReport"), "surprise"),
        **dict.fromkeys(("Entry", "Flip", "Ledger", "explain"), "ledger"),
        **dict.fromkeys(("Look", "NextBest", "PerfectTest", "Protocol"), "looks"),
        **dict.fromkeys(("Marginals", "marginals"), "elimination"),
        **dict.fromkeys(("Network", "Table"), "network"),
        **dict.fromkeys(("Outcome", "Scenario", "WhatIf", "sweep"), "what_if"),
        **dict.fromkeys(("Range", "Sensitivity", "Turn"), "sensitivity"),
        "Explanation": "most_probable",
        "Reasoner": "reasoner",
        "compile_network": "compiling",
        "time_limit": "stopping",
    },
)
sys.modules[__name__].__class__ = _Package
