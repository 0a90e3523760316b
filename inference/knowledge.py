"""An ontology's graph and skeleton, read when they are first asked for: as stored with its model, or else in full."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepagraph.inference.model import Artifact
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.files import content_hash, find_ontology
from hepagraph.ontology.locks import ForkSafeLock

if TYPE_CHECKING:
    import networkx as nx

    from hepagraph.inference.compiling import Skeleton
    from hepagraph.inference.reconciling import Progress

_READING = ForkSafeLock()


class Knowledge:
    """The graph of the ontology in a folder and the skeleton of its network.

    ``sha256`` is the hash of the content that was compiled, ``fit`` what was found then, if it was; the skeleton is
    made from it, and what is stored of the ontology is used. Either part may be given. Share it between threads.
    """

    def __init__(
        self,
        folder: Path | None,
        sha256: str,
        *,
        fit: Artifact | None = None,
        graph: nx.MultiDiGraph[str] | None = None,
        skeleton: Skeleton | None = None,
    ) -> None:
        self._folder = folder
        self._sha256 = sha256
        self._fit = fit
        self._graph = graph
        self._skeleton = skeleton

    def __getstate__(self) -> dict[str, Any]:
        # What can be read again from the folder does not travel.
        kept = {**vars(self)}
        return kept if self._folder is None else {**kept, "_graph": None, "_skeleton": None}

    def fitted(self, fit: Artifact) -> Knowledge:
        """Return the same with what was found when it was compiled, so that no copy needs to fit again."""
        return Knowledge(self._folder, self._sha256, fit=fit, graph=self._graph, skeleton=self._skeleton)

    @property
    def graph(self) -> nx.MultiDiGraph[str]:
        """The knowledge graph.

        Raises
        ------
        OntologyError
            The ontology is no longer what was compiled.
        """
        with _READING:
            if self._graph is None:
                self._graph = self._read()
            return self._graph

    @property
    def skeleton(self) -> Skeleton:
        """The network's structure, with the estimates that its tables were made from; raises as ``graph`` does."""
        return self.compiled()

    def compiled(self, progress: Progress | None = None) -> Skeleton:
        """Return the skeleton; ``progress`` is told of the fitting, where no fit is known."""
        from hepagraph.inference.compiling import read_skeleton

        with _READING:
            if self._skeleton is None:
                same = self._fit is not None  # made from the graph of this very hash
                self._skeleton = read_skeleton(self.graph, artifact=self._fit, same=same, progress=progress)
            return self._skeleton

    def _read(self) -> nx.MultiDiGraph[str]:
        stored = None if self._fit is None or self._folder is None else self._stored(self._folder)
        return self._built() if stored is None else stored

    def _stored(self, folder: Path) -> nx.MultiDiGraph[str] | None:
        from hepagraph.inference.model_cache import find_graph

        return find_graph(folder, self._sha256)

    def _built(self) -> nx.MultiDiGraph[str]:
        from hepagraph.kg.build import build_graph
        from hepagraph.ontology.store import load_ontology

        files = find_ontology(self._folder)
        graph = build_graph(load_ontology(files))
        if content_hash(files) != self._sha256:
            raise OntologyError(f"{files.directory}: the ontology has changed since it was loaded; load it again")
        return graph
