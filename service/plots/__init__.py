"""Pictures of answers for notebooks and print; Matplotlib is imported when the first one is drawn.

Every function takes a result and the network's labels and returns a ``Picture``: a Matplotlib figure of its own, apart
from pyplot and its state, that shows itself in Jupyter and carries a text alternative.

>>> from hepagraph.inference.result import LesionResult
>>> lesion = LesionResult("L1", {"heads": 0.75, "tails": 0.25}, {}, {}, 0.0)
>>> alt_text(posterior_bars(lesion, {"heads": "head up"}))                                  # doctest: +SKIP
'Bars of the posterior probability of lesion L1, largest first: head up 75.0 %; tails 25.0 %. For research ...'
"""

from typing import TYPE_CHECKING

from hepagraph.ontology.lazy import lazy_names

if TYPE_CHECKING:
    from hepagraph.service.plots.explanation import explanation_path
    from hepagraph.service.plots.output import alt_text, save
    from hepagraph.service.plots.picture import Picture
    from hepagraph.service.plots.posterior import posterior_bars
    from hepagraph.service.plots.ranges import tornado
    from hepagraph.service.plots.ranking import next_best_ranking
    from hepagraph.service.plots.reliability import reliability_diagram
    from hepagraph.service.plots.scenarios import what_if_grid, what_if_panels
    from hepagraph.service.plots.structure import network_structure
    from hepagraph.service.plots.touched import Shading, shading
    from hepagraph.service.plots.waterfall import ledger_waterfall

__all__ = [
    "Picture",
    "Shading",
    "alt_text",
    "explanation_path",
    "ledger_waterfall",
    "network_structure",
    "next_best_ranking",
    "posterior_bars",
    "reliability_diagram",
    "save",
    "shading",
    "tornado",
    "what_if_grid",
    "what_if_panels",
]

__getattr__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(("Shading", "shading"), "touched"),
        **dict.fromkeys(("alt_text", "save"), "output"),
        **dict.fromkeys(("what_if_grid", "what_if_panels"), "scenarios"),
        "Picture": "picture",
        "explanation_path": "explanation",
        "ledger_waterfall": "waterfall",
        "network_structure": "structure",
        "next_best_ranking": "ranking",
        "posterior_bars": "posterior",
        "reliability_diagram": "reliability",
        "tornado": "ranges",
    },
)
