"""The what-if explorer for notebooks: what was seen as drop-downs, the answer beside it, at once."""

from typing import TYPE_CHECKING

from hepagraph.ontology.lazy import lazy_names

if TYPE_CHECKING:
    from hepagraph.service.explorer.state import ExplorerState
    from hepagraph.service.explorer.widgets import Explorer

__all__ = ["Explorer", "ExplorerState"]

__getattr__ = lazy_names(__name__, {"Explorer": "widgets", "ExplorerState": "state"})
