"""Has the engine become slower? ``make bench-guard``: exit status 1 where it has.

The ratio of its batch rate to pyAgrum's and to pgmpy's, measured now, must be at least half of the committed one; a
ratio, so that a slower machine does not matter.
"""

from __future__ import annotations

import json
import sys

from benchmarks.engine import batch
from benchmarks.engine.__main__ import RESULTS
from benchmarks.engine.networks import real
from benchmarks.engine.timing import best, number, ratio
from hepagraph.inference import Reasoner

LEAST = 0.5


def main() -> int:
    """Print both ratios and return the exit status."""
    measures = json.loads(RESULTS.read_text(encoding="utf-8"))["measures"]
    kept = {measure["key"]: measure["median"] for measure in measures}
    network = Reasoner.load().network
    rates = batch.guard_rates(network, real(network))
    status = 0
    for key, prefix in (("batch_agrum", "pyAgrum"), ("batch_pgmpy", "pgmpy")):
        now = ratio(rates, batch.OURS, best(rates, prefix))
        slow = now.median < LEAST * kept[key]
        print(f"{prefix}: {now} x now, {number(kept[key])} x committed: {'TOO SLOW' if slow else 'fine'}")
        status |= slow
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
