"""How much a SPARQL query may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SparqlLimits:
    """How much a query may take: seconds, rows or triples, memory, size of query and answer; and how many run at once.

    ``mebibytes`` is the memory of a process, with the ontology in it; ``answer_bytes`` that of an answer as written.
    """

    seconds: float = 10.0
    rows: int = 10_000
    mebibytes: int = 4096
    characters: int = 100_000
    processes: int = 2
    answer_bytes: int = 2**25
