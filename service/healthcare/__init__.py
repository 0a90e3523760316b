"""Healthcare's own formats: FHIR, CDS Hooks, DICOM structured reports, and finding definitions.

>>> from hepagraph.inference import Reasoner
>>> from hepagraph.service.healthcare import CodeBook, from_fhir, to_fhir
>>> codes = CodeBook.load(Reasoner.load())                                                      # doctest: +SKIP
>>> from_fhir(codes, to_fhir(codes, case, codes.reasoner.posterior(case).to_dict()))            # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from hepagraph.ontology.lazy import lazy_names

if TYPE_CHECKING:
    from hepagraph.service.healthcare.codes import Code, CodeBook
    from hepagraph.service.healthcare.dicom import from_dicom_sr, read_dicom_sr, source_image, to_dicom_sr
    from hepagraph.service.healthcare.fhir import from_fhir, read_fhir, to_fhir
    from hepagraph.service.healthcare.fhir_definitions import fhir_definitions
    from hepagraph.service.healthcare.findings import finding_definitions
    from hepagraph.service.healthcare.statements import Imported

__all__ = [
    "Code",
    "CodeBook",
    "Imported",
    "fhir_definitions",
    "finding_definitions",
    "from_dicom_sr",
    "from_fhir",
    "read_dicom_sr",
    "read_fhir",
    "source_image",
    "to_dicom_sr",
    "to_fhir",
]

__getattr__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(("Code", "CodeBook"), "codes"),
        **dict.fromkeys(("from_dicom_sr", "read_dicom_sr", "source_image", "to_dicom_sr"), "dicom"),
        **dict.fromkeys(("from_fhir", "read_fhir", "to_fhir"), "fhir"),
        "fhir_definitions": "fhir_definitions",
        "finding_definitions": "findings",
        "Imported": "statements",
    },
)
