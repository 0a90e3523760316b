"""Why a finding fits: paths through the causal relations, and what looks alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hepagraph.kg.model import Statement
from hepagraph.ontology.errors import OntologyError, nearest

if TYPE_CHECKING:
    import networkx as nx

STANDS_FOR = "primary"  # from what is known of the patient to the cause that it names


@dataclass(frozen=True, slots=True)
class CausalRelation:
    """A relation from cause to effect, and who says so (short references; none where it is our own judgement)."""

    cause: str
    relation: str
    effect: str
    sources: tuple[str, ...] = ()


def causal_relations(graph: nx.MultiDiGraph[str]) -> tuple[CausalRelation, ...]:
    """Return every causal relation, and what states of the patient stand for, sorted."""
    short = {name: source.short() for name, source in graph.graph["sources"].items()}
    found = []
    for start, end, data in graph.edges(data=True):
        cause, effect = (end, start) if data["causal"] == "ObjectToSubject" else (start, end)
        if data["causal"] or data["kind"] == STANDS_FOR:
            who = tuple(short[name] for name in data["sources"] if name in short)
            found.append(CausalRelation(cause, data["kind"], effect, who))
    return tuple(sorted(found, key=lambda found: (found.cause, found.relation, found.effect)))


def causal_view(graph: nx.MultiDiGraph[str]) -> nx.DiGraph[str]:
    """Return the causal relations alone, every edge from cause to effect, labelled with its relation."""
    import networkx as nx

    view: nx.DiGraph[str] = nx.DiGraph()
    view.add_nodes_from(graph.nodes(data=True))
    for start, end, data in graph.edges(data=True):
        if data["causal"] == "SubjectToObject":
            view.add_edge(start, end, relation=data["kind"])
        elif data["causal"] == "ObjectToSubject":
            view.add_edge(end, start, relation=data["kind"])
    return view


def explanation_paths(graph: nx.MultiDiGraph[str], start: str, end: str, *, longest: int = 6) -> list[tuple[str, ...]]:
    """Return the simple causal paths from one node to another, shortest first.

    ``end`` may be a state or a whole feature (then the paths reach any of its states).

    Raises
    ------
    OntologyError
        One of the nodes is not in the graph; the message names the nearest.
    """
    import networkx as nx

    for name in (start, end):
        _known(graph, name)
    view = causal_view(graph)
    ends = [end, *(s for s, _, key in graph.in_edges(end, keys=True) if key == "stateOf")]
    found = [tuple(path) for goal in ends for path in nx.all_simple_paths(view, start, goal, cutoff=longest)]
    return sorted(found, key=lambda path: (len(path), path))


def evidence_between(graph: nx.MultiDiGraph[str], given: str, state: str) -> tuple[Statement, ...]:
    """Return the statements on the edge from an entity or subtype to a state or feature."""
    for name in (given, state):
        _known(graph, name)
    data = graph.get_edge_data(given, state) or {}
    return tuple(statement for edge in data.values() for statement in edge["evidence"])


def mimics(graph: nx.MultiDiGraph[str], entity: str) -> dict[str, tuple[str, ...]]:
    """Return what looks like an entity: declared mimics, with the states that evidence gives to both.

    A state counts as shared when some admissible statement calls it at least as likely as not for both.
    """
    _known(graph, entity)
    own = {entity, *(s for s, _, key in graph.in_edges(entity, keys=True) if key == "subtypeOf")}
    found: dict[str, tuple[str, ...]] = {}
    for start, end, key in graph.edges(keys=True):
        if key == "mimics" and (start in own or end in own):
            other = end if start in own else start
            mine = set().union(*(typical_states(graph, name) for name in own))
            found[other] = tuple(sorted(mine & typical_states(graph, other)))
    return dict(sorted(found.items()))


def typical_states(graph: nx.MultiDiGraph[str], given: str) -> set[str]:
    """Return the states that some statement gives the entity with probability of at least one half."""
    return {
        end
        for _, end, data in graph.out_edges(given, data=True)
        if data["kind"] == "shows" and any(_is_typical(statement) for statement in data["evidence"])
    }


def _is_typical(statement: Statement) -> bool:
    value = statement.value if statement.value is not None else statement.word_mean
    return statement.may_reach_cpt and len(statement.states) == 1 and value is not None and value >= 0.5


def _known(graph: nx.MultiDiGraph[str], name: str) -> None:
    if name not in graph:
        close = nearest(name, graph.nodes)
        raise OntologyError(f"{name}: not in the knowledge graph" + (f"; did you mean {close}?" if close else ""))
