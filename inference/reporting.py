"""What a report says is not what is there: readers err, and words are loose.

A report names the true state with probability 1 - error and else any state, as often as reports name it over
all entities. Two readers who err so agree beyond chance by kappa = (1 - error)^2. The likelihood of a reported
finding is therefore a mixture, and no single finding can move the odds without bound.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.network import Network

Array = NDArray[np.float64]


def reported(network: Network, likelihood: Mapping[str, Array]) -> dict[str, Array]:
    """Return P(report | true state) for each finding, shape (states,); what is not a reported feature stays as it is.

    For a report of the states in R it is (1 - error) [state in R] + error * P(a report that errs names R); a
    soft finding is the same mixture of its own likelihoods.
    """
    return {
        name: with_error(vector, network.base_rates[name], network.reporting_error)
        if name in network.base_rates
        else np.asarray(vector, dtype=np.float64)
        for name, vector in likelihood.items()
    }


def with_error(vector: Array, base_rate: Array, error: float) -> Array:
    """Return a finding's likelihood with reporting error, shape (states,).

    >>> with_error(np.array([1.0, 0.0]), np.array([0.2, 0.8]), 0.1).round(3).tolist()
    [0.92, 0.02]
    """
    return np.asarray((1 - error) * vector + error * float(base_rate @ vector), dtype=np.float64)
