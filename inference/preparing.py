"""From a case to likelihood vectors: reporting error, the user's own prior, and what the other lesions say."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.case import Case, Finding
from hepagraph.inference.network import ENTITY, SUBTYPE, Network
from hepagraph.inference.patient import combined, lesion_likelihood_log, split_patient_level
from hepagraph.inference.reporting import reported
from hepagraph.inference.sharing import shared_posterior, sharing_kernel, subtype_evidence
from hepagraph.kg.surprise import SharingPolicy
from hepagraph.ontology.errors import CaseError, Problem, UnknownKeyError, nearest

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prepared:
    """One lesion's evidence as likelihood vectors, shape (states,) each.

    ``alone`` is what the lesion itself and the patient say; ``likelihood`` adds what the other lesions say. ``given``
    is the part that is not a finding of the lesion: patient, examination, differential and other lesions.
    """

    likelihood: Mapping[str, Array]
    alone: Mapping[str, Array]
    given: Mapping[str, Array]


def prepare(
    network: Network,
    case: Case,
    entities: Sequence[str],
    *,
    prior: Mapping[str, float] | None = None,
    sharing: SharingPolicy | None = None,
    patient_level: Sequence[str] = (),
) -> list[Prepared]:
    """Return the evidence of every lesion of a case.

    Raises
    ------
    CaseError
        The prior is bad, the findings have probability zero, or lesions contradict each other about the patient.
    """
    member = np.array([float(entity in entities) for entity in network.states[ENTITY]])
    context = {ENTITY: member, **raw_vectors(case.context)}
    if prior is not None:
        context[ENTITY] = _own_prior(network, context, entities, prior)
    lesions = [reported(network, raw_vectors(lesion.findings)) for lesion in case.lesions]
    if sharing is None or len(lesions) == 1:
        found = [combined(context, lesion) for lesion in lesions]
        return [Prepared(evidence, evidence, context) for evidence in found]
    patient, own = split_patient_level(lesions, patient_level)
    given = combined(context, patient)
    alone = [combined(given, lesion) for lesion in own]
    messages = _messages(network, given, own, alone, sharing)
    return [
        Prepared(combined(evidence, message), evidence, combined(given, message))
        for evidence, message in zip(alone, messages, strict=True)
    ]


def raw_vectors(findings: Mapping[str, Finding]) -> dict[str, Array]:
    """Return the likelihood vectors of findings as the case gives them, before reporting error."""
    return {name: np.asarray(finding.likelihood, dtype=np.float64) for name, finding in findings.items()}


def _messages(
    network: Network,
    given: Mapping[str, Array],
    own: Sequence[Mapping[str, Array]],
    alone: Sequence[Mapping[str, Array]],
    sharing: SharingPolicy,
) -> list[dict[str, Array]]:
    """Return for each lesion what the others say of its subtype, as a likelihood vector."""
    prior, likelihood_log = lesion_likelihood_log(network, given, own)
    groups = [network.parent_of[subtype] for subtype in network.states[SUBTYPE]]
    shared = shared_posterior(prior, likelihood_log, sharing_kernel(prior, groups, sharing))
    ordinary = [network.engine.marginals(evidence, [SUBTYPE]).posterior[SUBTYPE] for evidence in alone]
    return [{SUBTYPE: subtype_evidence(new, old)} for new, old in zip(shared.lesions, ordinary, strict=True)]


def _own_prior(
    network: Network, context: Mapping[str, Array], entities: Sequence[str], prior: Mapping[str, float]
) -> Array:
    """Return the vector on the entity that turns the model's P(entity | context) into the user's prior."""
    problems: list[Problem] = []
    for name, weight in prior.items():
        if name not in entities:
            problems.append(
                _problem(
                    "unknown_key", f"{name!r} is not in the differential", tuple(entities), nearest(name, entities)
                )
            )
        elif not _is_weight(weight):
            problems.append(_problem("unit", f"{name}: {str(weight)[:40]} is no positive number"))
    missing = [entity for entity in entities if entity not in prior]
    if missing:
        problems.append(
            _problem(
                "missing", f"no weight for {', '.join(missing)}", advice="give every entity one; they need not sum to 1"
            )
        )
    if problems:
        known = all(problem.kind == "unknown_key" for problem in problems)
        raise (UnknownKeyError if known else CaseError)(problems)
    before = network.engine.marginals(context, [ENTITY]).posterior[ENTITY]
    top = max(prior.values())
    ratio = [prior[e] / top / p if e in prior else 0.0 for e, p in zip(network.states[ENTITY], before, strict=True)]
    return np.array(ratio) / max(ratio)


def _is_weight(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= sys.float_info.max


def _problem(
    kind: str, what: str, allowed: tuple[str, ...] = (), close: str | None = None, advice: str = ""
) -> Problem:
    return Problem(kind, "prior", what, allowed, close, advice)
