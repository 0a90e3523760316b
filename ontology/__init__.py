"""Facts and numbers with their sources: the files, how they are read, queried and checked."""

from typing import TYPE_CHECKING

from hepagraph.ontology.lazy import lazy_names

if TYPE_CHECKING:
    from hepagraph.ontology.errors import (
        CaseError,
        ContradictionError,
        ExtremeEvidenceError,
        HepagraphError,
        ImpossibleEvidenceError,
        MissingExtraError,
        NotAssessableError,
        OntologyError,
        Problem,
        QueryError,
        StoppedError,
        UnitError,
        UnknownKeyError,
        UnknownStateError,
    )
    from hepagraph.ontology.files import OntologyFiles, content_hash, find_ontology

__all__ = [
    "CaseError",
    "ContradictionError",
    "ExtremeEvidenceError",
    "HepagraphError",
    "ImpossibleEvidenceError",
    "MissingExtraError",
    "NotAssessableError",
    "OntologyError",
    "OntologyFiles",
    "Problem",
    "QueryError",
    "StoppedError",
    "UnitError",
    "UnknownKeyError",
    "UnknownStateError",
    "content_hash",
    "find_ontology",
]

_FILES = ("OntologyFiles", "content_hash", "find_ontology")
__getattr__ = lazy_names(__name__, {name: "files" if name in _FILES else "errors" for name in __all__})
