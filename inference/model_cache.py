"""Find the compiled model of an ontology in the user's cache folder, if it is current, and keep it there.

A model is named by a key: the hash of the file format, the package's version, the ontology's content and the sources
that compile. Beside it lies a note for each ontology folder: the signature of all those files (names, sizes, times)
and the key that they had. Where the signature still agrees the note's key holds; else the files are read and hashed.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import hepagraph.kg
from hepagraph.inference.model import CompiledModel
from hepagraph.inference.stored import FORMAT, read_graph, read_model
from hepagraph.inference.stored_writing import write_model, write_whole
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.files import PACKAGED, content_hash, find_ontology
from hepagraph.ontology.signatures import Signature, files_below, signature
from hepagraph.ontology.version import package_version

if TYPE_CHECKING:
    import networkx as nx

_KEY = re.compile(r"[0-9a-f]{64}")
_FACTS = (".ttl",)
_CODE = (".py", ".npz")
_SOURCES = tuple(str(path) for path in (PACKAGED, Path(hepagraph.kg.__file__).parent, Path(__file__).parent))
# Sources that change after this process has read them are not what it compiles with.
_STARTED_NS = time.time_ns()


def cache_folder() -> Path:
    """Return the package's folder in the user's cache folder (``XDG_CACHE_HOME``); it need not exist.

    Raises
    ------
    OntologyError
        The user has no home folder.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(base or Path.home() / ".cache") / "hepagraph"
    except RuntimeError:
        raise OntologyError("no home folder is known; set XDG_CACHE_HOME to a folder for compiled models") from None


def find_model(folder: Path) -> CompiledModel | None:
    """Return the compiled model of the ontology in a folder, or None where none is stored that is current.

    Raises
    ------
    OntologyError
        The folder holds no ontology.
    """
    try:
        place = _Place(folder)
    except OntologyError:
        return None
    key, kept = place.key()
    model = None if key is None else read_model(place.file(key), key)
    if model is not None and key is not None and not kept:
        with contextlib.suppress(OntologyError):
            place.keep(key)
    return model


def find_graph(folder: Path, sha256: str) -> nx.MultiDiGraph[str] | None:
    """Return the knowledge graph stored with the model of the ontology in a folder, if its hash is still this one."""
    try:
        place = _Place(folder)
    except OntologyError:
        return None
    key, _ = place.key()
    return None if key is None else read_graph(place.file(key), key, sha256)


def keep_model(folder: Path, model: CompiledModel, graph: nx.MultiDiGraph[str] | None = None) -> Path | None:
    """Store the compiled model of the ontology in a folder, with its graph, and return the file.

    What it replaces is removed.

    Nothing is stored, and None returned, where the ontology or the sources are no longer what was compiled.

    Raises
    ------
    OntologyError
        The file cannot be written.
    """
    place = _Place(folder)
    if place.sources_changed or place.content() != model.network.ontology_sha256:
        return None
    key = place.hashed()
    path = place.file(key)
    write_model(model, key, path, graph)
    place.keep(key)
    return path


class _Place:
    """What the file system says of one ontology and of the sources at one moment, and where its files lie."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache = cache_folder()
        self._looked_ns = time.time_ns()
        self._sources = signature((path, _CODE) for path in _SOURCES)
        self._facts = signature((path, _FACTS) for path in dict.fromkeys((str(folder), str(PACKAGED / "schema"))))
        name = zlib.crc32("\n".join((str(folder), *_SOURCES)).encode("utf-8", "surrogateescape"))
        self._note = self._cache / f"model-of-{name:08x}.txt"

    @property
    def sources_changed(self) -> bool:
        """Whether the sources may differ from those that this process runs."""
        return not self._sources.settled_by(_STARTED_NS)

    def file(self, key: str) -> Path:
        """Return where the model of a key lies."""
        return self._cache / f"model-{key[:16]}.bin"

    def key(self) -> tuple[str | None, bool]:
        """Return the key of the files as they are, None where it cannot be told, and whether the note states it."""
        if self.sources_changed:
            return None, False
        noted, seen = self._read()
        if seen == self._text():
            return noted, True
        return self.hashed(), False

    def content(self) -> str:
        """Return the hash of the ontology's content."""
        return content_hash(find_ontology(self._folder))

    def hashed(self) -> str:
        """Return the key, from the content of every file."""
        import hashlib

        digest = hashlib.sha256(f"{FORMAT} {package_version()} {self.content()}".encode())
        for folder in _SOURCES:
            for path in files_below(folder, _CODE):
                name = os.path.relpath(path, folder).encode("utf-8", "surrogateescape")
                digest.update(b"\0" + name + b"\0" + Path(path).read_bytes())
        return digest.hexdigest()

    def keep(self, key: str) -> None:
        """Note the key beside the signature, unless a file is too young for that, and remove what it replaces.

        Raises
        ------
        OntologyError
            The note cannot be written.
        """
        noted, _ = self._read()
        if noted != key and _KEY.fullmatch(noted):
            with contextlib.suppress(OSError):
                self.file(noted).unlink(missing_ok=True)
        if self._facts.settled_by(self._looked_ns):
            write_whole(self._note, [f"{key}\n{self._text()}".encode("utf-8", "surrogateescape")])

    def _text(self) -> str:
        parts: tuple[Signature, ...] = (self._facts, self._sources)
        return "\n".join((f"{FORMAT} {package_version()}", *(part.text for part in parts)))

    def _read(self) -> tuple[str, str]:
        """Return the key and the signature of the note, empty where there is none."""
        try:
            text = self._note.read_bytes().decode("utf-8", "surrogateescape")
        except OSError:
            return "", ""
        key, _, seen = text.partition("\n")
        return key, seen
