"""Where an ontology's files are, and the hash that names its content."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hepagraph.ontology.errors import OntologyError

PACKAGED = Path(__file__).resolve().parent
ENVIRONMENT_VARIABLE = "HEPAGRAPH_ONTOLOGY"


@dataclass(frozen=True, slots=True)
class OntologyFiles:
    """The files of one ontology: facts to load, shapes to check them with, named queries, matches to others."""

    directory: Path
    data: tuple[Path, ...]
    shapes: tuple[Path, ...]
    queries: tuple[Path, ...]
    mappings: tuple[Path, ...] = ()

    @property
    def evidence(self) -> Path:
        """The folder in which evidence stands, one file a source."""
        return self.directory / "evidence"


def find_ontology(directory: str | Path | None = None) -> OntologyFiles:
    """Return the files of the ontology in ``directory``, or of the packaged one.

    A folder without its own ``schema/`` or ``shapes/`` borrows the packaged ones, so a new domain
    consists of its facts alone. The environment variable ``HEPAGRAPH_ONTOLOGY`` names a default folder.

    Raises
    ------
    OntologyError
        The folder does not exist, cannot be searched, or holds no Turtle file.
    """
    root = ontology_folder(directory)
    try:
        shapes = _found(root / "shapes", "*.ttl") or _found(PACKAGED / "shapes", "*.ttl")
        schema = _found(root / "schema", "*.ttl") or _found(PACKAGED / "schema", "*.ttl")
        facts = [p for p in _found(root, "*.ttl") if p.relative_to(root).parts[0] not in ("schema", "shapes")]
        queries = _found(root / "queries", "*.rq")
        mappings = _found(root / "mappings", "*.sssom.tsv")
    except OSError as error:
        place = error.filename or root
        raise OntologyError(f"{place}: cannot be searched: {error.strerror or error}") from None
    if not facts:
        raise OntologyError(f"{directory or root}: holds no Turtle file (*.ttl) with facts")
    return OntologyFiles(root, (*schema, *facts), tuple(shapes), tuple(queries), tuple(mappings))


def _found(folder: Path, pattern: str) -> list[Path]:
    """Return what is called so below a folder, sorted, but folders; a link that leads nowhere is told of when read."""
    return sorted(path for path in folder.rglob(pattern) if not path.is_dir())


def ontology_folder(directory: str | Path | None = None) -> Path:
    """Return the folder that is meant: ``directory``, or ``HEPAGRAPH_ONTOLOGY``, or the packaged one.

    Raises
    ------
    OntologyError
        It does not exist.
    """
    chosen = directory or os.environ.get(ENVIRONMENT_VARIABLE) or PACKAGED
    advice = "give the folder that holds the ontology's Turtle files"
    try:
        root = Path(chosen).resolve()
        found = root.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # too long a name, a link to itself, a NUL
        raise OntologyError(f"{chosen}: {getattr(error, 'strerror', None) or error}; {advice}") from None
    if not found:
        raise OntologyError(f"{chosen}: no such folder; {advice}")
    return root


def content_hash(files: OntologyFiles) -> str:
    """Return the SHA-256 over the names and bytes of the ontology's data files (64 hex digits).

    Raises
    ------
    OntologyError
        A file cannot be read.
    """
    import hashlib

    digest = hashlib.sha256()
    for path in files.data:
        try:
            digest.update(os.fsencode(path.name) + b"\0" + path.read_bytes() + b"\0")
        except OSError as error:
            raise OntologyError(f"{path}: cannot be read: {error.strerror or error}") from None
    return digest.hexdigest()
