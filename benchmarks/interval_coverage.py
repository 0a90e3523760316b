"""Do 95 % intervals hold the true posterior? A simulation: python benchmarks/interval_coverage.py [truths] [lesions]

Prints the share of simulated lesions whose interval holds the true posterior, for the entity on top and for all
entities, by number of reported findings. See ``hepagraph.inference.evaluation.coverage`` for what is simulated.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from hepagraph.inference import Reasoner
from hepagraph.inference.evaluation.coverage import check_coverage


def main(truths: int, lesions: int) -> None:
    """Print the coverage."""
    reasoner = Reasoner.load()
    entities = reasoner.entities()
    print(f"{truths} truths, {lesions} lesions each; nominal 95 %")
    for findings in (3, 6, 10):
        started = time.perf_counter()
        checks = check_coverage(
            reasoner.skeleton, reasoner.network, entities, truths=truths, lesions=lesions, findings=findings, draws=200
        )
        leading = [bool(check.covered()[check.leading]) for check in checks]
        every = np.concatenate([check.covered() for check in checks])
        plausible = np.concatenate([check.truth >= 0.01 for check in checks])
        width = np.mean([check.high[check.leading] - check.low[check.leading] for check in checks])
        error = float(np.sqrt(np.mean(leading) * (1 - np.mean(leading)) / len(leading)))
        print(
            f"{findings:>2} findings: leading entity {100 * np.mean(leading):.1f} % (s.e. {100 * error:.1f}), "
            f"all entities {100 * every.mean():.1f} %, those with at least 1 % {100 * every[plausible].mean():.1f} %, "
            f"mean width {width:.2f}; {time.perf_counter() - started:.0f} s"
        )


if __name__ == "__main__":
    main(*(int(argument) for argument in (sys.argv[1:] + ["8", "40"][len(sys.argv) - 1 :])))
