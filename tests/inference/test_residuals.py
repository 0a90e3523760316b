"""Statements against the network."""

from __future__ import annotations

import pytest

from hepagraph.inference import Reasoner
from hepagraph.inference.residuals import Residual, residuals, wilson, within


@pytest.fixture(scope="module")
def found(reasoner: Reasoner) -> list[Residual]:
    return residuals(reasoner.skeleton.reconciliation)


def test_wilson_interval_of_none_of_ten() -> None:
    """0 of 10: the upper end is z^2 / (n + z^2)."""
    assert wilson(0.0, 10) == pytest.approx((0.0, 3.8415 / 13.8415), abs=1e-4)


def test_nine_of_ten_counted_statements_lie_within_their_interval(found: list[Residual]) -> None:
    for grade in ("A", "B"):
        own = [r for r in found if r.statement.grade == grade]
        assert len(own) > 40
        assert within(own) >= 0.9


def test_worst_come_first_and_signs_agree(found: list[Residual]) -> None:
    assert [abs(r.z) for r in found] == sorted((abs(r.z) for r in found), reverse=True)
    for r in found:
        assert (r.residual_log > 0) == (r.z > 0) or r.z == 0
        assert r.sampling[0] <= r.sampling[1]
        assert 0 < r.network < 1


def test_every_statement_of_a_table_has_a_residual(reasoner: Reasoner, found: list[Residual]) -> None:
    """Means with SD stand for many bands, and statements of a prior for ratios; all other shares are compared."""
    compared = {r.statement.id for r in found}
    observations = [o for e in reasoner.skeleton.reconciliation.estimates.values() for o in e.observations]
    shares = {s.id for o in observations for s in o.statements if s.mean is None or len(o.statements) > 1}
    assert shares == compared


def test_a_single_count_is_reproduced(coin: Reasoner) -> None:
    for residual in residuals(coin.skeleton.reconciliation):
        assert residual.inside_sampling
        assert residual.stated == pytest.approx(residual.network, abs=0.05)
