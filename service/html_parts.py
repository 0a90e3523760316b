"""Pure functions from a result to a fragment of HTML, for pages and notebooks.

>>> from hepagraph.service.html_parts import posterior_html, style
>>> page = f"<style>{style('parts')}</style>" + posterior_html(result.lesions[0], labels)      # doctest: +SKIP
"""

from hepagraph.service.html_answer import explanations_html, interval_parts_html, posterior_html, what_if_html
from hepagraph.service.html_basics import cited, source_html, spoken, style
from hepagraph.service.html_ledger import ledger_html
from hepagraph.service.html_outlook import next_best_html, sensitivity_html, withdrawals_html

__all__ = [
    "cited",
    "explanations_html",
    "interval_parts_html",
    "ledger_html",
    "next_best_html",
    "posterior_html",
    "sensitivity_html",
    "source_html",
    "spoken",
    "style",
    "what_if_html",
    "withdrawals_html",
]
