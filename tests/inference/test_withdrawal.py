"""Withdrawing a paper equals an ontology that never held it, and the first step finds the papers that matter."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdflib import Graph, URIRef

from hepagraph.inference import Reasoner
from hepagraph.inference.compiling import compile_skeleton, read_skeleton
from hepagraph.inference.estimating import Removal, fit
from hepagraph.inference.knowledge import Knowledge
from hepagraph.inference.model import compile_model
from hepagraph.inference.reconciling import evidence_key, reconcile
from hepagraph.inference.withdrawal import Desk, fitted_without, withdrawals
from hepagraph.kg import build_graph
from hepagraph.ontology.namespaces import DCTERMS, PROV, SCHEMA
from hepagraph.ontology.store import load_ontology

SECOND = URIRef("https://example.org/skin/second_paper")


@pytest.fixture(scope="module")
def rdf(data: Path) -> Graph:
    """The skin toy with every third statement that is no prior weight moved to a second paper."""
    found = load_ontology(data / "skin")
    prior = set(found.subjects(SCHEMA.quantity, SCHEMA.PriorWeight))
    statements = sorted(s for s in found.subjects(SCHEMA.quantity, None) if (s, SCHEMA.given, None) in found)
    for statement in [s for s in statements if s not in prior][::3]:
        found.set((statement, PROV.wasQuotedFrom, SECOND))
    title = next(found.triples((None, DCTERMS.title, None)))
    for predicate, value in list(found.predicate_objects(title[0])):
        found.add((SECOND, predicate, value))
    return found


def reasoner_of(rdf: Graph) -> Reasoner:
    skeleton = read_skeleton(build_graph(rdf), fresh=True)
    return Reasoner(compile_model(skeleton), Knowledge(None, "", graph=skeleton.graph, skeleton=skeleton))


@pytest.fixture(scope="module")
def second(rdf: Graph) -> Reasoner:
    return reasoner_of(rdf)


def never_held(rdf: Graph, tau: float) -> Any:
    """The network of the toy without the second paper's statements, everything fitted from nothing at one spread."""
    without = Graph() + rdf
    for statement in list(without.subjects(PROV.wasQuotedFrom, SECOND)):
        without.remove((statement, None, None))
        without.remove((None, None, statement))
    skeleton = read_skeleton(build_graph(without), fresh=True)
    names = (*skeleton.contexts, *skeleton.mechanisms, *skeleton.features)
    plain = frozenset((*skeleton.contexts, *skeleton.mechanisms))
    frame = skeleton.reconciliation.frame
    return replace(skeleton, reconciliation=reconcile(frame, names, plain=plain, stored={}, tau=tau))


def test_a_withdrawn_paper_was_never_there(rdf: Graph, second: Reasoner) -> None:
    skeleton = second.skeleton
    touched = tuple(skeleton.reconciliation.estimates)
    with Desk(skeleton).withdrawn("second_paper") as reduced:
        found = compile_skeleton(fitted_without(skeleton, reduced, "second_paper", touched))
    wanted = compile_skeleton(never_held(rdf, skeleton.reconciliation.tau))
    moved = 0.0
    for name, table in wanted.tables.items():
        np.testing.assert_allclose(found.tables[name].values, table.values, rtol=1e-3, atol=1e-6)
        moved = max(moved, float(np.abs(table.values - second.network.tables[name].values).max()))
    assert moved > 0.01


def test_it_comes_back(second: Reasoner) -> None:
    skeleton = second.skeleton
    names = (*skeleton.contexts, *skeleton.mechanisms, *skeleton.features)
    desk, before = Desk(skeleton), evidence_key(skeleton.reconciliation.frame, names)
    with desk.withdrawn("second_paper") as reduced:
        inside = evidence_key(reduced.reconciliation.frame, names)
    with desk.withdrawn("nothing_of_that_name") as reduced:
        after = evidence_key(reduced.reconciliation.frame, names)
    assert inside != before == after == evidence_key(skeleton.reconciliation.frame, names)


def test_the_answer_is_that_of_the_network_without_it(rdf: Graph, second: Reasoner) -> None:
    variable = next(v for v in second.reader.variables.values() if v.section == "findings")
    case = second.read({"lesions": [{"findings": {variable.name: variable.states[0]}}]})
    (found,) = withdrawals(second, case, top=5)
    (paper,) = found.papers
    assert paper.source.id == "second_paper" and [s.id for s in found.indispensable] == ["made_up"]
    assert found.tried == 2 and paper.statements > 0
    other = never_held(rdf, second.skeleton.reconciliation.tau)
    model = compile_model(other)
    again = Reasoner(model, Knowledge(None, "", graph=other.graph, skeleton=other)).posterior(case, surprise=False)
    for entity, p in again.lesions[0].posterior.items():
        assert paper.posterior[entity] == pytest.approx(p, abs=1e-4)
    now = second.posterior(case, surprise=False).lesions[0].posterior[found.leading]
    assert found.posterior == pytest.approx(now, abs=1e-9)
    assert paper.change == pytest.approx(paper.posterior[found.leading] - now, abs=1e-9)
    assert json.dumps(found.to_dict())


def test_one_step_is_near_the_fit(reasoner: Reasoner) -> None:
    """For each source of two variables with many: within a third of the whole move, or both are small."""
    checked = 0
    estimates = sorted(reasoner.skeleton.reconciliation.estimates.values(), key=lambda e: -len(e.observations))
    for estimate in estimates[1:3]:
        removal = Removal(estimate.design, estimate.precision, estimate.parameters, estimate.judgement_scale)
        for source in sorted(
            {o.statements[0].source.id for o in estimate.observations if o.statements[0].grade != "D"}
        )[:6]:
            removed = [o for o in estimate.observations if o.statements[0].source.id == source]
            left = [o for o in estimate.observations if o.statements[0].source.id != source]
            rough = removal.without(removed) - estimate.parameters
            whole = fit(estimate.design, left, estimate.judgement_scale, estimate.parameters).parameters
            effects = estimate.design.effects
            centred = [
                x - x.mean(axis=1, keepdims=True) for x in (effects @ rough, effects @ (whole - estimate.parameters))
            ]
            size = float(np.abs(centred[1]).max())
            assert float(np.abs(centred[0] - centred[1]).max()) <= max(0.4 * size, 0.02)
            checked += 1
    assert checked >= 6


def test_the_heaviest_papers_are_found(reasoner: Reasoner, root: Path) -> None:
    data = json.loads((root / "examples" / "paulatto2020_fig13.json").read_text(encoding="utf-8"))
    data["lesions"] = data["lesions"][:1]
    case = reasoner.read(data)
    (few,) = withdrawals(reasoner, case, top=2)
    (many,) = withdrawals(reasoner, case, top=8)
    assert [p.source.id for p in few.papers] == [p.source.id for p in many.papers[:2]]
    assert many.tried > 50 and len(many.papers) == 8
    sizes = [abs(np.log(p.posterior[many.leading] / (1 - p.posterior[many.leading]))) for p in many.papers]
    assert all(np.isfinite(sizes))
    assert all(p.statements >= 1 and sum(p.posterior.values()) == pytest.approx(1) for p in many.papers)
