"""Answer several lesions of one patient together, so that what one shows informs the others.

How they inform each other is in ``sharing``. Features of the patient, such as how many lesions there are, belong to
the context and count once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from hepagraph.inference.elimination import Marginals
from hepagraph.inference.layers import Array
from hepagraph.inference.network import SUBTYPE, Network
from hepagraph.inference.sharing import SharedPosterior, impossible, shared_posterior, sharing_kernel, subtype_evidence
from hepagraph.kg.surprise import SharingPolicy
from hepagraph.ontology.errors import ContradictionError, ImpossibleEvidenceError, Problem


def _refuse_impossible(evidence_log: Array) -> None:
    problems = [impossible(f"lesion {position + 1}") for position in np.flatnonzero(np.isneginf(evidence_log))]
    if problems:
        raise ImpossibleEvidenceError(problems)


def combined(*evidence: Mapping[str, Array]) -> dict[str, Array]:
    """Return the evidence of all mappings; vectors of one variable are multiplied."""
    found: dict[str, Array] = {}
    for part in evidence:
        for name, vector in part.items():
            found[name] = found[name] * vector if name in found else np.asarray(vector, dtype=np.float64)
    return found


def lesion_likelihood_log(
    network: Network, context: Mapping[str, Array], lesions: Sequence[Mapping[str, Array]]
) -> tuple[Array, Array]:
    """Return P(subtype | context), shape (subtypes,), and log P(findings | subtype, context), (lesions, subtypes).

    By Bayes' theorem from the ordinary posteriors, so a finding may stand above the subtype as well as below it. A
    subtype that the context excludes has likelihood -inf.

    Raises
    ------
    ImpossibleEvidenceError
        A lesion's findings have probability zero; one problem for each such lesion, with its position.
    """
    prior = network.engine.marginals(context, [SUBTYPE])
    names = dict.fromkeys(name for lesion in lesions for name in lesion)
    evidence = {
        name: np.stack([lesion.get(name, np.ones(len(network.states[name]))) for lesion in lesions]) for name in names
    }
    found = network.engine.batch_marginals(combined(context, evidence), [SUBTYPE], allow_impossible=True)
    _refuse_impossible(found.evidence_log)
    before = prior.posterior[SUBTYPE]
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(before > 0, np.log(found.posterior[SUBTYPE]) - np.log(before), -np.inf)
    size = len(lesions)
    posterior_log = np.broadcast_to(gain, (size, len(before)))
    return before, posterior_log + np.broadcast_to(found.evidence_log - prior.evidence_log, (size,))[:, None]


def split_patient_level(
    lesions: Sequence[Mapping[str, Array]], patient_level: Iterable[str]
) -> tuple[dict[str, Array], tuple[dict[str, Array], ...]]:
    """Return the findings that describe the patient, each once, and what is left of every lesion.

    Repeating a finding changes nothing: of several vectors the smallest entry of each state counts, which for sets of
    states is what they have in common.

    Raises
    ------
    ContradictionError
        Lesions of the patient leave no state of such a feature; one problem for each.
    """
    shared: dict[str, Array] = {}
    for name in patient_level:
        vectors = [lesion[name] for lesion in lesions if name in lesion]
        if vectors:
            shared[name] = np.min(vectors, axis=0)
    problems = [_contradiction(name) for name, vector in shared.items() if not vector.any()]
    if problems:
        raise ContradictionError(problems)
    return shared, tuple({n: v for n, v in lesion.items() if n not in shared} for lesion in lesions)


def _contradiction(name: str) -> Problem:
    return Problem(
        "contradiction",
        f"lesions / finding {name}",
        "the lesions of one patient leave it no state in common",
        advice="it describes the patient: give it once, or alike for every lesion",
    )


def patient_marginals(
    network: Network,
    context: Mapping[str, Array],
    lesions: Sequence[Mapping[str, Array]],
    targets: Iterable[str],
    sharing: SharingPolicy,
    *,
    patient_level: Iterable[str] = (),
) -> tuple[tuple[Marginals, ...], SharedPosterior]:
    """Return the exact posterior of every target for every lesion, the lesions informing each other.

    Parameters
    ----------
    network
        The compiled network.
    context
        Likelihood vectors, shape (states,), of the patient, and of the differential on the entity.
    lesions
        For each lesion its findings as likelihood vectors, shape (states,).
    targets
        The variables whose posteriors are wanted.
    patient_level
        The features that describe the patient and count once.

    Returns
    -------
    tuple
        For each lesion its marginals, whose ``evidence_log`` is log P(its findings and the context) on its own, and
        the shared posterior.

    Raises
    ------
    ImpossibleEvidenceError
        The findings have probability zero.
    ContradictionError
        Lesions contradict each other about the patient.
    """
    wanted = tuple(targets)
    patient, own = split_patient_level(lesions, patient_level)
    given = combined(context, patient)
    prior, likelihood_log = lesion_likelihood_log(network, given, own)
    groups = [network.parent_of[subtype] for subtype in network.states[SUBTYPE]]
    shared = shared_posterior(prior, likelihood_log, sharing_kernel(prior, groups, sharing))
    answers = []
    for findings, posterior in zip(own, shared.lesions, strict=True):
        evidence = combined(given, findings)
        ordinary = network.engine.marginals(evidence, [SUBTYPE])
        moved = {SUBTYPE: subtype_evidence(posterior, ordinary.posterior[SUBTYPE])}
        answer = network.engine.marginals(combined(evidence, moved), wanted)
        answers.append(Marginals(answer.posterior, ordinary.evidence_log))
    return tuple(answers), shared
