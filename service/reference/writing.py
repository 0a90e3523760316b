"""Write the pages: all of them are made first, then only those that changed are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rdflib import Graph

from hepagraph.inference import Network
from hepagraph.service.reference.classes import classes_page
from hepagraph.service.reference.concepts import concept_pages
from hepagraph.service.reference.coverage import coverage_page
from hepagraph.service.reference.entities import entity_pages
from hepagraph.service.reference.features import feature_pages
from hepagraph.service.reference.markdown import bullets, escape, heading, joined, link, table, toctree, wide
from hepagraph.service.reference.material import Material, gather
from hepagraph.service.reference.sources import sources_page

if TYPE_CHECKING:
    import networkx as nx

_LIST = ".written"
_PARTS = ("entities/index", "features/index", "coverage", "concepts/index", "classes", "sources")
_HOW_TO_READ = (
    "A **statement** is one figure from one source: so many of so many, a proportion, a range, a mean, or words.",
    "Its **grade**: A a primary study's count, B a secondary source, C words, D our own judgement, queued for review.",
    "A **cell** is one feature in one entity. The network's probabilities are pooled from the statements that enter"
    " it; the others are shown with the reason why they are kept out, and faint in the pictures.",
    "In the **pictures** a square is a counted proportion, the larger the more were examined, with its 95 % Wilson"
    " interval; a bare line is a printed range, a hatched box the range that a word stands for; the blue diamond and"
    " line are the network's own value.",
)


def write_reference(folder: Path, rdf: Graph, graph: nx.MultiDiGraph[str], network: Network) -> list[Path]:
    """Write the reference as MyST Markdown and SVG into a folder and return the files.

    Files that are the same already are left alone, and those of an earlier call that are no longer part of the
    reference are removed. The same ontology gives the same bytes.
    """
    files = reference_files(rdf, graph, network)
    for name in _written_before(folder) - set(files):
        (folder / name).unlink(missing_ok=True)
    for name, text in {**files, _LIST: "".join(f"{name}\n" for name in files)}.items():
        _write_if_changed(folder / name, text)
    return [folder / name for name in files]


def reference_files(rdf: Graph, graph: nx.MultiDiGraph[str], network: Network) -> dict[str, str]:
    """Return the reference as texts by path, in the order of the paths."""
    material = gather(rdf, graph, network)
    files = {
        "index.md": _index(material),
        "classes.md": wide(classes_page(material)),
        "coverage.md": wide(coverage_page(material)),
        "sources.md": wide(sources_page(material)),
        **entity_pages(material),
        **feature_pages(material),
        **concept_pages(material),
    }
    return dict(sorted(files.items()))


def _written_before(folder: Path) -> set[str]:
    found = folder / _LIST
    return set(found.read_text(encoding="utf-8").splitlines()) if found.exists() else set()


def _write_if_changed(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8", newline="\n")


def _index(material: Material) -> str:
    found = material.statements.values()
    inside = sum(map(material.uses.enters, found))
    counts = (
        f"{len(material.entities)} {link('entities', 'reference-entities')}, "
        f"{len(material.network.variables('feature'))} {link('features', 'reference-features')}, "
        f"{material.graph.number_of_nodes()} things in all",
        f"{len(found)} statements from {len({s.source.id for s in found})} {link('sources', 'reference-sources')};"
        f" {inside} of them enter the network",
    )
    kinds = Counter(material.in_words(s.quantity) for s in found)
    return joined(
        heading(1, "Reference", "reference"),
        "What the ontology holds and what the network makes of it, generated from both."
        " For research and teaching; not a medical device.",
        bullets(counts),
        toctree(_PARTS),
        heading(2, "How to read it"),
        bullets(_HOW_TO_READ),
        heading(2, "Statements"),
        _counted("grade", Counter(s.grade for s in found)),
        _counted("kind of figure", kinds),
    )


def _counted(title: str, counts: Mapping[str, int]) -> str:
    rows = [[escape(name), str(number)] for name, number in sorted(counts.items(), key=lambda c: (-c[1], c[0]))]
    return table([title, "statements"], rows)
