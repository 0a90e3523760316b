"""The two namespaces of the project, and the local names taken from an IRI."""

from __future__ import annotations

from rdflib import Namespace
from rdflib.term import Node

SCHEMA_IRI = "https://w3id.org/hepagraph/schema#"
ID_IRI = "https://w3id.org/hepagraph/id/"
SCHEMA = Namespace(SCHEMA_IRI)
ID = Namespace(ID_IRI)
DCTERMS = Namespace("http://purl.org/dc/terms/")
PROV = Namespace("http://www.w3.org/ns/prov#")


def local_name(node: Node) -> str:
    """Return what follows the last ``#`` or ``/`` of an IRI.

    >>> from rdflib import URIRef
    >>> local_name(URIRef("https://w3id.org/hepagraph/id/some_thing"))
    'some_thing'
    """
    text = str(node)
    return text[max(text.rfind("#"), text.rfind("/")) + 1 :]
