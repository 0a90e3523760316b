"""Keep what the reconciliation found, so that an answer needs no fitting.

An artifact holds every variable's parameters, the between-study spread and the key of the evidence that they were
fitted to (``evidence_key``), in NumPy's own container, without pickled objects. The packaged one belongs to the
packaged ontology; others lie in the user's cache folder, named by key.
"""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hepagraph.inference.model import Artifact
from hepagraph.inference.model_cache import cache_folder
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.whole_files import whole_file

if TYPE_CHECKING:
    from hepagraph.inference.reconciling import Reconciliation

VERSION = 1
PACKAGED = Path(__file__).resolve().parent / "data" / "reconciled.npz"


def artifact_of(reconciliation: Reconciliation, key: str) -> Artifact:
    """Return what is worth keeping of a reconciliation."""
    parameters = {name: estimate.parameters for name, estimate in reconciliation.estimates.items()}
    return Artifact(parameters, reconciliation.tau, key)


def write_artifact(artifact: Artifact, path: Path) -> None:
    """Write an artifact; the file appears whole or not at all.

    Raises
    ------
    OntologyError
        The file cannot be written.
    """
    arrays = {f"variable/{name}": value.astype(np.float64) for name, value in artifact.parameters.items()}
    head = {"version": np.array(VERSION), "tau": np.array(artifact.tau), "key": np.array(artifact.key)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as stream:
            np.savez_compressed(stream, **head, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise OntologyError(f"{path}: cannot be written: {error.strerror or error}") from None


def read_artifact(path: Path) -> Artifact | None:
    """Return the artifact in a file, or None where there is none that this version can read."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            if int(stored["version"]) != VERSION:
                return None
            parameters = {
                name.removeprefix("variable/"): stored[name] for name in stored.files if name.startswith("variable/")
            }
            return Artifact(parameters, float(stored["tau"]), str(stored["key"]))
    except (OSError, EOFError, KeyError, TypeError, ValueError, NotImplementedError, RuntimeError, MemoryError):
        return None  # what NumPy and zipfile raise of a file that is damaged, or says that it holds more than can be
    except (zipfile.BadZipFile, zlib.error):
        return None


def cached_path(key: str) -> Path:
    """Return where the artifact of an evidence key lies in the user's cache folder; raises as ``cache_folder`` does."""
    return cache_folder() / f"reconciled-{key[:16]}.npz"


def find_artifact(key: str) -> Artifact | None:
    """Return the packaged or cached artifact of an evidence key, or None."""
    places = [PACKAGED]
    with contextlib.suppress(OntologyError):  # without a home folder there is no cache
        places.append(cached_path(key))
    found = (read_artifact(path) for path in places)
    return next((artifact for artifact in found if artifact is not None and artifact.key == key), None)
