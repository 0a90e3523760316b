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
        The folder does not exist or holds no Turtle file.
    """
    root = ontology_folder(directory)
    shapes = sorted((root / "shapes").rglob("*.ttl")) or sorted((PACKAGED / "shapes").rglob("*.ttl"))
    schema = sorted((root / "schema").rglob("*.ttl")) or sorted((PACKAGED / "schema").rglob("*.ttl"))
    facts = [p for p in sorted(root.rglob("*.ttl")) if p.relative_to(root).parts[0] not in ("schema", "shapes")]
    if not facts:
        raise OntologyError(f"{directory or root}: holds no Turtle file (*.ttl) with facts")
    queries = sorted((root / "queries").rglob("*.rq"))
    mappings = sorted((root / "mappings").rglob("*.sssom.tsv"))
    return OntologyFiles(root, (*schema, *facts), tuple(shapes), tuple(queries), tuple(mappings))


def ontology_folder(directory: str | Path | None = None) -> Path:
    """Return the folder that is meant: ``directory``, or ``HEPAGRAPH_ONTOLOGY``, or the packaged one.

    Raises
    ------
    OntologyError
        It does not exist.
    """
    chosen = directory or os.environ.get(ENVIRONMENT_VARIABLE) or PACKAGED
    root = Path(chosen).resolve()
    if not root.is_dir():
        raise OntologyError(f"{chosen}: no such folder; give the folder that holds the ontology's Turtle files")
    return root


def content_hash(files: OntologyFiles) -> str:
    """Return the SHA-256 over the names and bytes of the ontology's data files (64 hex digits)."""
    import hashlib

    digest = hashlib.sha256()
    for path in files.data:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
