"""Everything that the pages are written from, gathered once: graph, network, its answers and a few facts of the RDF."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rdflib import Graph, URIRef
from rdflib.namespace import RDFS

from hepagraph.inference import Network
from hepagraph.inference.network import ENTITY, SUBTYPE
from hepagraph.kg import Statement, Variable, read_vocabulary
from hepagraph.kg.vocabulary import targets
from hepagraph.ontology.namespaces import SCHEMA, local_name
from hepagraph.service.reference.markdown import anchor, link
from hepagraph.service.use_of_evidence import Uses, subject_of, uses_of_evidence

if TYPE_CHECKING:
    import networkx as nx

Array = NDArray[np.float64]
OBSERVED = ("feature", "mechanism", "context")


@dataclass(frozen=True, slots=True)
class Material:
    """What the pages are written from.

    ``given`` maps entities, subtypes and other things to the statements about them, ``means`` maps (variable, entity
    or subtype) to the network's distribution over the variable's states, ``elicited`` the ids of statements in
    words to the range meant, and ``labels`` the local names of the schema's terms to their labels. ``uses`` says what
    becomes of each statement.
    """

    rdf: Graph
    graph: nx.MultiDiGraph[str]
    network: Network
    vocabulary: Mapping[str, Variable]
    entities: tuple[str, ...]
    subtypes: Mapping[str, tuple[str, ...]]
    statements: Mapping[str, Statement]
    given: Mapping[str, tuple[Statement, ...]]
    means: Mapping[tuple[str, str], Array]
    elicited: Mapping[str, tuple[float, float]]
    uses: Uses
    labels: Mapping[str, str]

    def label(self, name: str) -> str:
        """Return the label of a thing, or its name."""
        return str(self.graph.nodes[name]["label"]) if name in self.graph else name

    def subject(self, statement: Statement) -> str:
        """Return the variable that a statement speaks of; nothing when it speaks of none."""
        return subject_of(self.graph, statement)

    def state_label(self, node: str) -> str:
        """Return the label of a state without that of its variable, which the page names already."""
        owner = next(iter(targets(self.graph, node, "stateOf")), "")
        return self.label(node).removeprefix(f"{self.label(owner)}: ") if owner else self.label(node)

    def home(self, name: str) -> str:
        """Return the anchor under which the pages speak of a thing."""
        kind = self.graph.nodes[name]["kind"]
        relation = {"Figure": "figureOf", "FeatureState": "stateOf", "StateGroup": "stateOf", "ContextState": "stateOf"}
        owner = next(iter(targets(self.graph, name, relation[kind])), "") if kind in relation else ""
        return self.home(owner) if owner else anchor("thing", name)

    def link(self, name: str) -> str:
        """Return a link to where the pages speak of a thing."""
        return link(self.label(name), self.home(name))

    def term(self, name: str) -> str:
        """Return the label of a term of the schema, or its name in words."""
        return self.labels.get(name) or self.in_words(name)

    @staticmethod
    def in_words(name: str) -> str:
        """Return the name of a term of the schema in words.

        >>> Material.in_words("mayReachCpt")
        'may reach cpt'
        """
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def gather(rdf: Graph, graph: nx.MultiDiGraph[str], network: Network) -> Material:
    """Return what the pages are written from."""
    vocabulary = read_vocabulary(graph)
    repeats = {local_name(a): local_name(b) for a, b in rdf.subject_objects(SCHEMA.duplicateOf)}
    uses = uses_of_evidence(graph, network, vocabulary, repeats)
    entities = max(network.differentials.values(), key=len)
    subtypes = {e: tuple(s for s, owner in network.parent_of.items() if owner == e != s) for e in entities}
    return Material(
        rdf=rdf,
        graph=graph,
        network=network,
        vocabulary=vocabulary,
        entities=entities,
        subtypes=subtypes,
        statements=uses.statements,
        given=_by_given(uses.statements),
        means=_means(network, entities, [s for found in subtypes.values() for s in found]),
        elicited=_elicited(rdf),
        uses=uses,
        labels=_labels(rdf),
    )


def _by_given(statements: Mapping[str, Statement]) -> dict[str, tuple[Statement, ...]]:
    found: dict[str, list[Statement]] = defaultdict(list)
    for name in sorted(statements):
        found[statements[name].given].append(statements[name])
    return {given: tuple(rows) for given, rows in found.items()}


def _means(network: Network, entities: tuple[str, ...], subtypes: list[str]) -> dict[tuple[str, str], Array]:
    """Return P(variable | entity) and P(variable | subtype), whatever the context; also P(subtype | entity)."""
    wanted = [name for layer in OBSERVED for name in network.variables(layer)]
    found: dict[tuple[str, str], Array] = {}
    for node, names in ((ENTITY, entities), (SUBTYPE, subtypes)):
        for name in names:
            seen = np.array([float(state == name) for state in network.states[node]])
            answer = network.engine.marginals({node: seen}, [*wanted, SUBTYPE])
            found |= {(variable, name): values for variable, values in answer.posterior.items()}
    return found


def _elicited(rdf: Graph) -> dict[str, tuple[float, float]]:
    found = {}
    for statement, term in rdf.subject_objects(SCHEMA.quantifierTerm):
        low, high = rdf.value(term, SCHEMA.elicitedLow), rdf.value(term, SCHEMA.elicitedHigh)
        if low is not None and high is not None:
            found[local_name(statement)] = (float(str(low)), float(str(high)))
    return found


def _labels(rdf: Graph) -> dict[str, str]:
    labelled = ((s, label) for s, label in rdf.subject_objects(RDFS.label) if isinstance(s, URIRef))
    return {local_name(s): str(label) for s, label in labelled if str(s).startswith(str(SCHEMA))}
