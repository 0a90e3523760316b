"""The numbered references of a report: every source that it cites, once, in the order of citing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hepagraph.kg.model import Source, Statement
from hepagraph.kg.rules import RuleSource
from hepagraph.service.html_basics import figure, source_links, text

if TYPE_CHECKING:
    import networkx as nx


@dataclass(slots=True)
class Reference:
    """A cited source, with the grades of the statements cited from it; ``source`` is None for what has only a name."""

    number: int
    name: str
    source: Source | None
    grades: set[str] = field(default_factory=set)


class References:
    """Gives each cited source its number, and writes the list; ``graph`` is the knowledge graph that holds them."""

    def __init__(self, graph: nx.MultiDiGraph[str]) -> None:
        self._graph = graph
        self._sources: dict[str, Source] = graph.graph["sources"]
        self._statements: dict[str, Statement] = {
            s.id: s for _, _, found in graph.edges(data="evidence") for s in found or ()
        }
        self._by_short = {source.short(): source for source in self._sources.values()}
        self.cited: dict[str, Reference] = {}

    def statement(self, statement: Statement) -> str:
        """Return a statement's figure, grade and row with the number of its source, as HTML."""
        row = f" {text(statement.row_id)}" if statement.row_id else ""
        return f"{figure(statement)}{row} {self._mark(self._of(statement.source, statement.grade))}"

    def source(self, source: Source) -> str:
        """Return who wrote a source, or its title, with its number, as HTML."""
        who = f"{source.first_author} {source.year or ''}".strip() if source.first_author else source.title
        return f"{text(who)} {self._mark(self._of(source))}"

    def step(self, short: str) -> str:
        """Return the number of the source that a step of a causal path gives in short, as HTML."""
        source = self._by_short.get(short)
        return self._mark(self._named(short) if source is None else self._of(source))

    def rule_source(self, source: RuleSource) -> str:
        """Return where an advice comes from: its figure or place, and the numbers of the publications, as HTML."""
        marks = " ".join(self._mark(reference) for reference in self._behind(source))
        said = "; ".join(part for part in (source.figure, source.locator) if part)
        return f"{text(said)} {marks}".strip()

    def html(self) -> str:
        """Return the list of what was cited so far."""
        return f'<ol class="references">{"".join(map(_item, self.cited.values()))}</ol>'

    def _behind(self, source: RuleSource) -> list[Reference]:
        if source.id in self._statements:
            statement = self._statements[source.id]
            return [self._of(statement.source, statement.grade)]
        if source.id in self._sources:
            return [self._of(self._sources[source.id])]
        quoted = self._graph.nodes[source.id]["sourced"].get("wasQuotedFrom", ()) if source.id in self._graph else ()
        found = [self._of(self._sources[name]) for name in sorted(quoted) if name in self._sources]
        return found or [self._named(source.title)]

    def _of(self, source: Source, grade: str = "") -> Reference:
        reference = self.cited.setdefault(source.id, Reference(len(self.cited) + 1, source.title, source))
        reference.grades |= {grade} - {""}
        return reference

    def _named(self, name: str) -> Reference:
        return self.cited.setdefault(name, Reference(len(self.cited) + 1, name, None))

    def _mark(self, reference: Reference) -> str:
        return f'<a class="ref" href="#ref-{reference.number}">[{reference.number}]</a>'


def _item(reference: Reference) -> str:
    source, parts = reference.source, [text(reference.name)]
    links: list[str] = []
    if source is not None:
        who = f"{text(source.first_author)}. " if source.first_author else ""
        where = " ".join(text(part) for part in (source.journal, source.year) if part)
        parts = [f"{who}{text(source.title)}", *([where] if where else [])]
        links = source_links(source)
    grades = f"Cited here with grade {', '.join(map(text, sorted(reference.grades)))}" if reference.grades else ""
    found = [*parts, *([", ".join(links)] if links else []), *([grades] if grades else [])]
    whole = " ".join(part if part.endswith(("?", "!", ".")) else f"{part}." for part in found)
    return f'<li id="ref-{reference.number}">{whole}</li>'
