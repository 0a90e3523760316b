"""The HTTP server (extra ``serve``): the questions of ``doors`` as routes, behind one gate.

>>> from hepagraph.service.http import Settings, create_app
>>> from hepagraph.service.doors import Doors
>>> app = create_app(Doors.load(), Settings())                                                  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from hepagraph.ontology.lazy import lazy_names

if TYPE_CHECKING:
    from hepagraph.service.http.app import create_app
    from hepagraph.service.http.settings import Settings

__all__ = ["Settings", "create_app"]

__getattr__ = lazy_names(__name__, {"Settings": "settings", "create_app": "app"})
