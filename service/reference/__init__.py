"""The reference: what the ontology holds and the network makes of it, as pages that Sphinx builds."""

from hepagraph.service.reference.proportions import wilson
from hepagraph.service.reference.writing import reference_files, write_reference

__all__ = ["reference_files", "wilson", "write_reference"]
