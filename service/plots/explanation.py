"""Paths through the knowledge graph: what leads to what, over which relation, says who."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hepagraph.inference.causes import Link
from hepagraph.kg.paths import causal_relations
from hepagraph.ontology.errors import OntologyError
from hepagraph.service.plots import canvas
from hepagraph.service.plots.boxes import Box, draw_arrow, draw_box, texts
from hepagraph.service.plots.canvas import MUTED, SMALL, line_height, text_width, words, wrap

if TYPE_CHECKING:
    import networkx as nx

    from hepagraph.service.plots.picture import Picture

WIDTHS = {1: 4.4, 2: 3.2, 3: 2.13}  # inches of a box, by how many paths there are
BETWEEN = 0.25  # inches between two paths
ARROW = 0.34  # inches, at least
ASIDE = 0.3  # of a box's width: where the arrow is
TINTS = ("#e8e8e8", "#fbe6b8", "#cfe6f5", "#c9ead9", "#f4dbe9")  # light, so that the text is read on all of them


def explanation_path(
    graph: nx.MultiDiGraph[str], *paths: Sequence[str] | Sequence[Link], title: str | None = None
) -> Picture:
    """Draw causal paths side by side: a box for every node under its kind, the relation and its source on every arrow.

    Parameters
    ----------
    graph
        The knowledge graph.
    paths
        One to three: the nodes of each in order, as ``kg.explanation_paths`` returns them, or the path of a ledger's
        entry.

    Raises
    ------
    OntologyError
        There is no path or there are too many, or two nodes in a row have no causal relation.
    MissingExtraError
        Matplotlib is not installed.
    """
    if len(paths) not in WIDTHS or not all(paths):
        raise OntologyError(f"a picture holds 1 to {max(WIDTHS)} paths of one node or more, not {len(paths)}")
    whole = [_links(graph, path) for path in paths]
    links = [_chain(path) for path in whole]
    nodes = [_nodes(path) for path in links]
    label = {node: str(graph.nodes[node]["label"]) for path in whole for node in _nodes(path)}
    kind = {node: str(graph.nodes[node]["kind"]) for node in label}
    tints = {k: TINTS[number % len(TINTS)] for number, k in enumerate(dict.fromkeys(kind.values()))}
    aside = [
        {link.cause: f"{words(link.relation)}: {label[link.effect]}" for link in path if link not in chain}
        for path, chain in zip(whole, links, strict=True)
    ]
    boxes = [
        [_box(label[node], kind[node], also.get(node, ""), tints[kind[node]]) for node in column]
        for column, also in zip(nodes, aside, strict=True)
    ]
    width = WIDTHS[len(paths)]
    room = width * len(paths) + BETWEEN * (len(paths) - 1)
    heights = [max(c[row].height(width) for c in boxes if row < len(c)) for row in range(max(map(len, nodes)))]
    said = [[_said(link, width) for link in path if link.effect] for path in links]
    arrows = [
        max(ARROW, *(len(c[row]) * line_height(SMALL) + 0.12 for c in said if row < len(c)))
        for row in range(max(map(len, said)))
    ]
    depth = sum(heights) + sum(arrows) + 0.05
    told = " Another: ".join(_told(column, path, label) for column, path in zip(nodes, links, strict=True))
    sheet = canvas.sheet(
        title or _title([(label[column[0]], label[column[-1]]) for column in nodes]),
        "From cause to effect. Under a relation stands who says so; where nobody does, it is our own judgement.",
        depth,
        width=room + 2 * canvas.MARGIN,
        alt=f"Causal path: {told}",
    )
    axes = sheet.axes(0, 0, room, depth)
    axes.set_xlim(0, room)
    axes.set_ylim(depth, 0)
    for number, column in enumerate(boxes):
        left, top = number * (width + BETWEEN), 0.0
        for place, box in enumerate(column):
            draw_box(axes, box, left, top, width, heights[place])
            top += heights[place]
            if place < len(column) - 1:
                middle, relation = left + width * ASIDE, "\n".join(said[number][place])
                draw_arrow(axes, (middle, top), (middle, top + arrows[place]))
                canvas.write(axes, middle + 0.1, top + arrows[place] / 2, relation, size=SMALL, color=MUTED)
                top += arrows[place]
    return sheet.picture


def _links(graph: nx.MultiDiGraph[str], path: Sequence[str] | Sequence[Link]) -> list[Link]:
    """Return a path as links; a single node is a link to nothing."""
    nodes = [step for step in path if isinstance(step, str)]
    if not nodes:
        return [step for step in path if isinstance(step, Link)]
    known = {(found.cause, found.effect): found for found in causal_relations(graph)}
    links = []
    for start, end in itertools.pairwise(nodes):
        if (start, end) not in known:
            raise OntologyError(f"no causal relation leads from {start!r} to {end!r}")
        found = known[start, end]
        links.append(Link(found.cause, found.relation, found.effect, found.sources))
    return links or [Link(nodes[0], "", "")]


def _box(label: str, kind: str, also: str, tint: str) -> Box:
    return Box(texts((words(kind), "normal"), (label, "bold"), (also, "normal")), tint)


def _nodes(links: Sequence[Link]) -> list[str]:
    found = [links[0].cause, *(link.effect for link in links if link.effect)]
    return list(dict.fromkeys(found))


def _chain(links: Sequence[Link]) -> list[Link]:
    """Return the links that lead on; where the next does not start from its effect, its cause's box says it."""
    following = [*(link.cause for link in links[1:]), links[-1].effect]
    return [link for link, start in zip(links, following, strict=True) if start == link.effect]


def _said(link: Link, width: float) -> list[str]:
    room = width * (1 - ASIDE) - 0.15
    found = wrap(words(link.relation), room, SMALL)
    for source in link.sources[:1]:
        who, _, where = source.rpartition(", ")
        whole = text_width(source, SMALL) <= room or not where.startswith(("doi:", "PMID"))  # neither is ever cut
        found += wrap(source if whole else who, room, SMALL)
    return found


def _title(ends: Sequence[tuple[str, str]]) -> str:
    by_start: dict[str, list[str]] = {}
    for start, end in dict.fromkeys(ends):
        by_start.setdefault(start, []).append(end)
    return ". ".join(f"From {start} to {', and to '.join(found)}" for start, found in by_start.items())


def _told(nodes: Sequence[str], links: Sequence[Link], label: Mapping[str, str]) -> str:
    steps = zip(links, nodes[1:], strict=False)
    return " ".join([label[nodes[0]], *(f"-- {words(link.relation)} -> {label[node]}" for link, node in steps)]) + "."
