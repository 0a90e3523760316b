"""Turn the ontology's RDF into a typed ``networkx.MultiDiGraph`` with the evidence on its edges."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeAlias

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF, RDFS, SKOS

from hepagraph.kg.model import Policy, Source, Statement
from hepagraph.kg.numbers import checked_number
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.namespaces import DCTERMS, PROV, SCHEMA, local_name

if TYPE_CHECKING:
    import networkx as nx

Facts: TypeAlias = dict[URIRef, list[Any]]
_NOT_NODES = {
    "EvidenceStatement",
    "ElicitedStatement",
    "Source",
    "QuantifierTerm",
    "QuantifierScheme",
    "WeightingPolicy",
}


def build_graph(rdf: Graph) -> nx.MultiDiGraph[str]:
    """Return the knowledge graph of an ontology.

    Nodes are keyed by local name and carry ``iri``, ``kind`` (the T-Box class), ``label``, ``definition`` and
    ``literals`` (local property name -> tuple of values). Edges are keyed by relation and carry ``iri``, ``kind``,
    ``causal`` (None, ``SubjectToObject`` or ``ObjectToSubject``), ``strength`` and ``evidence`` (a tuple of
    ``Statement``). Statements hang on the edge from what they are given to what they speak of, with relation
    ``shows`` (a state), ``measures`` (a feature) or ``share`` (a setting or parent).
    The graph itself carries ``policy``, ``policy_iri`` and ``sources``.

    Raises
    ------
    OntologyError
        Two things share a local name, a reference dangles, or a statement lacks what it must have.
    """
    import networkx as nx

    subjects = _facts(rdf)
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    superclasses = {s: set(rdf.transitive_objects(s, RDFS.subClassOf)) - {s} for s in set(rdf.objects(None, RDF.type))}
    for subject, facts in subjects.items():
        _add_node(graph, subject, facts, superclasses)
    _add_edges(graph, subjects, rdf)
    sources = {s: _source(s, f) for s, f in subjects.items() if SCHEMA.Source in f[RDF.type]}
    graph.graph["sources"] = {source.id: source for source in sources.values()}
    graph.graph["policy"] = _policy(subjects)
    graph.graph["policy_iri"] = next(str(s) for s, f in subjects.items() if SCHEMA.WeightingPolicy in f[RDF.type])
    for subject, facts in subjects.items():
        if SCHEMA.EvidenceStatement in facts[RDF.type] or SCHEMA.ElicitedStatement in facts[RDF.type]:
            _add_statement(graph, _statement(subject, facts, subjects, sources))
    return graph


def _facts(rdf: Graph) -> dict[URIRef, Facts]:
    subjects: dict[URIRef, Facts] = defaultdict(lambda: defaultdict(list))
    for subject, predicate, value in rdf:
        if isinstance(subject, URIRef) and isinstance(predicate, URIRef):
            subjects[subject][predicate].append(value)
    return {s: subjects[s] for s in sorted(subjects)}


def _add_node(graph: nx.MultiDiGraph[str], subject: URIRef, facts: Facts, superclasses: dict[Any, set[Any]]) -> None:
    kinds = [t for t in facts.get(RDF.type, ()) if str(t).startswith(str(SCHEMA))]
    specific = sorted(local_name(t) for t in kinds if not any(t in superclasses.get(o, ()) for o in kinds))
    if not specific or specific[0] in _NOT_NODES or str(subject).startswith(str(SCHEMA)):
        return
    name = local_name(subject)
    if name in graph:
        raise OntologyError(
            f"{name}: two things share this local name ({graph.nodes[name]['iri']} and {subject}); rename one"
        )
    literals = {local_name(p): tuple(v.toPython() for v in vs if isinstance(v, Literal)) for p, vs in facts.items()}
    graph.add_node(
        name,
        iri=str(subject),
        kind=specific[0],
        label=str(next(iter(facts.get(SKOS.prefLabel, ())), name)),
        definition=str(next(iter(facts.get(SKOS.definition, ())), "")),
        literals={key: values for key, values in literals.items() if values},
        sourced={local_name(p): tuple(map(local_name, vs)) for p, vs in facts.items() if str(p).startswith(str(PROV))},
    )


def _add_edges(graph: nx.MultiDiGraph[str], subjects: dict[URIRef, Facts], rdf: Graph) -> None:
    causal = {p: local_name(d) for p, d in rdf.subject_objects(SCHEMA.causalDirection)}
    strengths: dict[tuple[str, str, str], tuple[str, tuple[str, ...]]] = {}
    for facts in subjects.values():
        if SCHEMA.CausalRelation in facts.get(RDF.type, ()):
            key = tuple(local_name(facts[p][0]) for p in (SCHEMA.cause, SCHEMA.effect, SCHEMA.relation))
            sources = tuple(sorted(local_name(s) for s in facts.get(PROV.wasQuotedFrom, ())))
            strengths[key[0], key[1], key[2]] = (local_name(facts[SCHEMA.strength][0]), sources)
    for subject, facts in subjects.items():
        start = local_name(subject)
        if start not in graph or graph.nodes[start]["iri"] != str(subject):
            continue
        for predicate, values in facts.items():
            for value in values:
                if not isinstance(value, URIRef) or predicate == RDF.type:
                    continue
                end, relation = local_name(value), local_name(predicate)
                if str(value).startswith(str(SCHEMA)) or _is_statement(subjects.get(value, {})):
                    graph.nodes[start]["literals"].setdefault(relation, ())
                    graph.nodes[start]["literals"][relation] += (end,)
                elif end in graph:
                    strength, sources = strengths.get((start, end, relation), ("", ()))
                    graph.add_edge(
                        start,
                        end,
                        key=relation,
                        iri=str(predicate),
                        kind=relation,
                        causal=causal.get(predicate),
                        strength=strength,
                        sources=sources,
                        evidence=(),
                    )
                elif str(predicate).startswith(str(SCHEMA)):
                    raise OntologyError(
                        f"{start}: {relation} points to {end}, which nothing declares; declare it or mend the name"
                    )


def _is_statement(facts: Facts) -> bool:
    return SCHEMA.EvidenceStatement in facts.get(RDF.type, ())


def _source(subject: URIRef, facts: Facts) -> Source:
    def text(predicate: URIRef) -> str:
        return str(next(iter(facts.get(predicate, ())), ""))

    year = text(SCHEMA.year)
    return Source(
        local_name(subject),
        text(DCTERMS.title),
        text(SCHEMA.firstAuthor),
        text(SCHEMA.journal),
        int(checked_number(year, local_name(subject), "year")) if year else None,
        text(SCHEMA.doi),
        text(SCHEMA.pmid),
    )


def _statement(
    subject: URIRef, facts: Facts, subjects: dict[URIRef, Facts], sources: dict[URIRef, Source]
) -> Statement:
    name = local_name(subject)

    def one(predicate: URIRef, required: bool = False) -> Any:
        values = facts.get(predicate, ())
        if required and not values:
            raise OntologyError(f"{name}: has no {local_name(predicate)}; every evidence statement needs one")
        return values[0] if values else None

    def number(predicate: URIRef) -> float | None:
        value = one(predicate)
        return None if value is None else checked_number(value.toPython(), name, local_name(predicate))

    def pair(low: URIRef, high: URIRef) -> tuple[float, float] | None:
        a, b = number(low), number(high)
        return None if a is None or b is None else (a, b)

    def names(predicate: URIRef) -> tuple[str, ...]:
        return tuple(sorted(local_name(v) for v in facts.get(predicate, ())))

    k, n, value = number(SCHEMA.k), number(SCHEMA.n), number(SCHEMA.value)
    if k is not None and n is not None and not 0 <= k <= n:
        raise OntologyError(f"{name}: k = {k:g} is not between 0 and n = {n:g}; correct the counts")
    if value is not None and not 0 <= value <= 1:
        raise OntologyError(
            f"{name}: value = {value:g} is not a proportion in [0, 1]; percentages are written as fractions"
        )
    quantity = one(SCHEMA.quantity, required=True)
    quoted = one(PROV.wasQuotedFrom, required=True)
    if quoted not in sources:
        raise OntologyError(
            f"{name}: its source {local_name(quoted)} is not declared; add it as an fl:Source with title and year"
        )
    term = subjects.get(one(SCHEMA.quantifierTerm) or URIRef(""), {})
    reach = subjects.get(quantity, {}).get(SCHEMA.mayReachCpt, [Literal(False)])
    return Statement(
        id=name,
        iri=str(subject),
        quantity=local_name(quantity),
        may_reach_cpt=bool(reach[0].toPython()),
        given=local_name(one(SCHEMA.given, required=True)),
        source=sources[quoted],
        grade=local_name(one(SCHEMA.grade, required=True)).removeprefix("Grade"),
        bound=local_name(one(SCHEMA.bound) or SCHEMA.Exact),
        feature=local_name(one(SCHEMA.feature)) if SCHEMA.feature in facts else "",
        states=names(SCHEMA.state),
        context=names(SCHEMA.context),
        modalities=names(SCHEMA.modality),
        agents=names(SCHEMA.agent),
        k=None if k is None else int(k),
        n=None if n is None else int(n),
        value=value,
        ci=pair(SCHEMA.ciLow, SCHEMA.ciHigh),
        range=pair(SCHEMA.rangeLow, SCHEMA.rangeHigh),
        mean=number(SCHEMA.mean),
        sd=number(SCHEMA.sd),
        words=str(one(SCHEMA.verbalQuantifier) or ""),
        word_mean=_of(name, term, SCHEMA.elicitedMean),
        word_size=_of(name, term, SCHEMA.effectiveSampleSize),
        state_text=str(one(SCHEMA.stateText) or ""),
        selected=bool(facts.get(SCHEMA.selectedSubset)),
        duplicate=bool(facts.get(SCHEMA.duplicateOf)),
        kept_apart=str(one(SCHEMA.keptApart) or ""),
        row_id=str(one(SCHEMA.rowId) or ""),
        note=str(one(SCHEMA.note) or ""),
    )


def _of(name: str, facts: Facts, predicate: URIRef) -> float | None:
    values = facts.get(predicate, ())
    return checked_number(values[0].toPython(), name, local_name(predicate)) if values else None


def _add_statement(graph: nx.MultiDiGraph[str], statement: Statement) -> None:
    for name in (statement.given, statement.feature, *statement.states, *statement.context):
        if name and name not in graph:
            raise OntologyError(
                f"{statement.id}: speaks of {name}, which nothing declares; declare it or mend the name"
            )
    if statement.states:
        ends, relation = statement.states, "shows"
    elif statement.feature:
        ends, relation = (statement.feature,), "measures"
    else:
        parents = tuple(end for _, end, key in graph.out_edges(statement.given, keys=True) if key == "subtypeOf")
        ends, relation = statement.context or parents, "share"
    for end in ends:
        if not graph.has_edge(statement.given, end, key=relation):
            graph.add_edge(
                statement.given,
                end,
                key=relation,
                iri=str(SCHEMA[relation]),
                kind=relation,
                causal=None,
                strength="",
                sources=(),
                evidence=(),
            )
        edge = graph.edges[statement.given, end, relation]
        edge["evidence"] = (*edge["evidence"], statement)


def _policy(subjects: dict[URIRef, Facts]) -> Policy:
    found = [f for f in subjects.values() if SCHEMA.WeightingPolicy in f.get(RDF.type, ())]
    if len(found) != 1:
        raise OntologyError(
            f"the ontology has {len(found)} weighting policies (fl:WeightingPolicy) and needs exactly one"
        )
    numbers: dict[str, Any] = {}
    for item in fields(Policy):
        if item.name in ("grade_caps", "odds_multipliers"):
            continue
        head, *tail = item.name.split("_")
        value = _of("the weighting policy", found[0], SCHEMA[head + "".join(word.title() for word in tail)])
        if value is None:
            raise OntologyError(f"the weighting policy lacks {head + ''.join(word.title() for word in tail)}")
        numbers[item.name] = value
    caps = {
        local_name(s).removeprefix("Grade"): _of(local_name(s), f, SCHEMA.maximumSampleSize)
        for s, f in subjects.items()
    }
    odds = {local_name(s): _of(local_name(s), f, SCHEMA.oddsMultiplier) for s, f in subjects.items()}
    return Policy(
        **numbers,
        grade_caps={name: value for name, value in caps.items() if value is not None},
        odds_multipliers={name: value for name, value in odds.items() if value is not None},
    )
