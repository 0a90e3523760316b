"""Several lesions of one patient: they share the context and a hidden dominant kind of lesion.

A patient has a dominant subtype c, drawn from the prior pi over subtypes given the context. Each lesion by itself is
of subtype c with probability a, of c's entity with a freshly drawn subtype with probability b, and else drawn from
pi. So every lesion alone still follows pi and a single lesion's answer does not change, while

    P(all findings) = sum_c pi(c) prod_i [a L_i(c) + b L_i(entity of c) + (1 - a - b) L_i]

with L_i(.) = P(findings of lesion i | ., context). Everything is kept as logarithms; the cost is linear in the
lesions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hepagraph.inference.layers import Array
from hepagraph.kg.surprise import SharingPolicy
from hepagraph.ontology.errors import ImpossibleEvidenceError, Problem


@dataclass(frozen=True, slots=True)
class SharedPosterior:
    """Posteriors of the lesions' subtypes, shape (lesions, subtypes), and of the dominant one, shape (subtypes,).

    ``evidence_log`` is log P(all lesions' findings | context).
    """

    lesions: Array
    dominant: Array
    evidence_log: float


def sharing_kernel(prior: Array, groups: Sequence[str], sharing: SharingPolicy) -> Array:
    """Return P(a lesion's subtype | dominant subtype), shape (subtypes, subtypes); it leaves the prior as it is.

    Parameters
    ----------
    prior
        P(subtype | context), shape (subtypes,).
    groups
        The entity of each subtype.
    """
    a, b = sharing.same_subtype_share, sharing.same_entity_share
    same = np.array([[first == second for second in groups] for first in groups])
    within = same * prior
    total = within.sum(axis=1, keepdims=True)
    within = np.divide(within, total, out=np.eye(len(prior)), where=total > 0)
    return np.asarray(a * np.eye(len(prior)) + b * within + (1 - a - b) * prior, dtype=np.float64)


def shared_posterior(prior: Array, likelihood_log: Array, kernel: Array) -> SharedPosterior:
    """Return the exact posteriors of all lesions together.

    Parameters
    ----------
    prior
        P(dominant subtype), shape (subtypes,), summing to one.
    likelihood_log
        log P(findings of the lesion | subtype), shape (lesions, subtypes); -inf where impossible.
    kernel
        P(subtype | dominant subtype), shape (subtypes, subtypes), rows summing to one.

    Raises
    ------
    ImpossibleEvidenceError
        All lesions together have probability zero.
    """
    with np.errstate(divide="ignore"):
        prior_log, kernel_log = np.log(prior), np.log(kernel)
    messages = np.logaddexp.reduce(kernel_log + likelihood_log[:, None, :], axis=2)
    before = np.vstack([prior_log, prior_log + np.cumsum(messages, axis=0)])
    after = np.vstack([np.cumsum(messages[::-1], axis=0)[::-1], np.zeros_like(prior_log)])
    evidence_log = float(np.logaddexp.reduce(before[-1]))
    if np.isneginf(evidence_log):
        raise ImpossibleEvidenceError([impossible("all lesions together")])
    others = before[:-1] + after[1:]  # P(dominant, findings of the other lesions)
    joint = likelihood_log + np.logaddexp.reduce(others[:, :, None] + kernel_log, axis=1)
    return SharedPosterior(np.exp(joint - evidence_log), np.exp(before[-1] - evidence_log), evidence_log)


def subtype_evidence(after: Array, before: Array) -> Array:
    """Return the likelihood vector on the subtype that turns the posterior ``before`` into ``after``, maximum one.

    Given its subtype a lesion depends on the others in nothing else, so adding this vector to the lesion's own
    findings gives the exact marginals of all its variables. Both arrays have shape (subtypes,).
    """
    ratio = np.divide(after, before, out=np.zeros_like(after), where=before > 0)
    return np.asarray(ratio / ratio.max(), dtype=np.float64)


def impossible(where: str) -> Problem:
    """Return what to say of findings of probability zero."""
    return Problem(
        "impossible",
        where,
        "the findings have probability zero under the model",
        advice="withdraw or soften one of them: no state is left that all of them allow",
    )
