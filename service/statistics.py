"""Count what an ontology holds, and what of its evidence the network uses."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rdflib import Graph

from hepagraph.inference.network import Network
from hepagraph.kg import Statement
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.files import OntologyFiles
from hepagraph.ontology.namespaces import DCTERMS, SCHEMA
from hepagraph.ontology.sssom import read_set
from hepagraph.service.use_of_evidence import NEVER, Uses, uses_of_evidence

if TYPE_CHECKING:
    import networkx as nx

IN_USE = "in the network"
_GRADES = ("A", "B", "C", "D")


def ontology_statistics(
    files: OntologyFiles, rdf: Graph, graph: nx.MultiDiGraph[str], network: Network
) -> dict[str, Any]:
    """Return counts of things, statements, sources, matches and coverage.

    ``concepts_by_class`` counts individuals by their class of the T-Box; ``review_concepts`` those that carry a
    review's own term. ``coverage`` maps entity to feature to the best grade (A, B, C, D or none) and the number of
    statements pooled there; ``cells_by_best_evidence`` sums it up: counted (A, B), words (C), judgement (D), none.
    """
    uses = uses_of_evidence(graph, network)
    statements = uses.statements
    coverage = coverage_of(network)
    best = [cell["best"] for features in coverage.values() for cell in features.values()]
    words = {"A": "counted", "B": "counted", "C": "words", "D": "judgement"}
    kinds = Counter(kind for _, kind in graph.nodes(data="kind"))
    return {
        "triples": len(rdf),
        "concepts": graph.number_of_nodes(),
        "review_concepts": len(set(rdf.objects(None, DCTERMS.identifier))),
        "edges": graph.number_of_edges(),
        "figures": kinds["Figure"],
        "statements": len(statements),
        "rows_imported": len({s.row_id for s in statements.values() if s.row_id and s.grade != "D"}),
        "statements_in_network": len(uses.inside),
        "rows_left_out": len(left_out_rows(files)),
        "disagreements": len(list(rdf.subject_objects(SCHEMA.disagreesWith))) // 2,
        "sources": len({s.source.id for s in statements.values()}),
        "sources_with_doi_or_pmid": len({s.source.id for s in statements.values() if s.source.doi or s.source.pmid}),
        "cells": len(best),
        "network_variables": len(network.states),
        "network_parameters": sum(t.values.size for t in network.tables.values()),
        "concepts_by_class": dict(sorted(kinds.items())),
        "statements_by_grade": dict(sorted(Counter(s.grade for s in statements.values()).items())),
        "statements_by_quantity": dict(sorted(Counter(s.quantity for s in statements.values()).items())),
        "matches_by_vocabulary": dict(sorted(_matches(files).items())),
        "cells_by_best_evidence": dict(sorted(Counter(words.get(grade, "none") for grade in best).items())),
        "coverage": coverage,
    }


def _matches(files: OntologyFiles) -> dict[str, int]:
    return {found.vocabulary: len(found.matches) for found in map(read_set, files.mappings)}


def coverage_of(network: Network) -> dict[str, dict[str, dict[str, Any]]]:
    """Return by entity of the widest differential, then by feature, the best grade and the number of statements."""
    entities = max(network.differentials.values(), key=len)
    return {
        entity: {name: _cell(network.evidence.get((name, entity), ())) for name in network.variables("feature")}
        for entity in entities
    }


def _cell(statements: tuple[Statement, ...]) -> dict[str, Any]:
    grades = Counter(statement.grade for statement in statements)
    best = next((grade for grade in _GRADES if grades[grade]), "none")
    return {"best": best, "statements": len(statements), "by_grade": dict(sorted(grades.items()))}


def left_out_rows(files: OntologyFiles) -> list[tuple[str, str]]:
    """Return the rows of the tables that were not imported, with the reason, from ``evidence/left_out.tsv``."""
    path = files.evidence / "left_out.tsv"
    if not path.exists():
        return []
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise OntologyError(f"{path}: byte {error.start} is not UTF-8 text; save the file as UTF-8") from None
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        if len(cells) != 2 or not all(cells):
            raise OntologyError(f"{path}: line {number}: needs a row id, a tab and a reason")
        rows.append((cells[0], cells[1]))
    return rows


def use_of_evidence(graph: nx.MultiDiGraph[str], network: Network) -> list[tuple[str, str]]:
    """Return each statement, by id, and how it is used: in the network, or why not."""
    uses = uses_of_evidence(graph, network)
    return [(name, uses.why_not(statement) or IN_USE) for name, statement in uses.statements.items()]


def counted_uses(graph: nx.MultiDiGraph[str], network: Network) -> list[tuple[str, int]]:
    """Return how many statements are used, and how many are not for the same first reason, most first."""
    uses = uses_of_evidence(graph, network)
    counts = Counter(_first_reason(uses, statement) for statement in uses.statements.values())
    shared = {use: number for use, number in counts.items() if number > 1 or use == IN_USE}
    alone = counts.total() - sum(shared.values())
    if alone:
        shared["a reason of its own, which --json tells"] = alone
    return sorted(shared.items(), key=lambda row: (-row[1], row[0]))


def _first_reason(uses: Uses, statement: Statement) -> str:
    reason = next(iter(uses.reasons(statement)), IN_USE)
    return f"{reason}: {statement.quantity}" if reason == NEVER else reason
