"""The knowledge graph: RDF read into networkx, with the evidence on its edges, and the questions one asks of it."""

from typing import TYPE_CHECKING

from hepagraph.ontology.lazy import lazy_names

if TYPE_CHECKING:
    from hepagraph.kg.build import build_graph
    from hepagraph.kg.model import Policy, Source, Statement
    from hepagraph.kg.paths import (
        CausalRelation,
        causal_relations,
        causal_view,
        evidence_between,
        explanation_paths,
        mimics,
        typical_states,
    )
    from hepagraph.kg.vocabulary import Measure, Variable, read_vocabulary
    from hepagraph.kg.writers import neighbourhood, to_dot, to_graphml, to_mermaid

__all__ = [
    "CausalRelation",
    "Measure",
    "Policy",
    "Source",
    "Statement",
    "Variable",
    "build_graph",
    "causal_relations",
    "causal_view",
    "evidence_between",
    "explanation_paths",
    "mimics",
    "neighbourhood",
    "read_vocabulary",
    "to_dot",
    "to_graphml",
    "to_mermaid",
    "typical_states",
]

__getattr__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(("Policy", "Source", "Statement"), "model"),
        **dict.fromkeys(("Measure", "Variable", "read_vocabulary"), "vocabulary"),
        **dict.fromkeys(("CausalRelation", "causal_relations", "causal_view"), "paths"),
        **dict.fromkeys(("evidence_between", "explanation_paths", "mimics", "typical_states"), "paths"),
        **dict.fromkeys(("neighbourhood", "to_dot", "to_graphml", "to_mermaid"), "writers"),
        "build_graph": "build",
    },
)
