"""Write the comparison of statements with the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hepagraph.inference.residuals import Residual, within
from hepagraph.service.tables import table

COLUMNS = ("row", "grade", "about", "states", "stated", "network", "z", "inside", "source")


def residual_rows(found: Sequence[Residual]) -> list[dict[str, Any]]:
    """Return the residuals as JSON objects, in order."""
    return [
        {
            "statement": r.statement.id,
            "row_id": r.statement.row_id,
            "grade": r.statement.grade,
            "variable": r.variable,
            "given": r.statement.given,
            "context": list(r.statement.context),
            "states": list(r.states),
            "stated": r.stated,
            "network": r.network,
            "residual_log_odds": r.residual_log,
            "z": r.z,
            "interval_sampling": list(r.sampling),
            "interval_study": list(r.study),
            "inside_sampling": r.inside_sampling,
            "inside_study": r.inside_study,
            "source": r.statement.source.short(),
        }
        for r in found
    ]


def residual_text(found: Sequence[Residual], tau: float, top: int) -> str:
    """Return a summary by grade and the worst residuals as a table."""
    lines = [f"between-study spread of the log-odds, estimated from the counts: SD {tau:.2f}", ""]
    grades = sorted({r.statement.grade for r in found})
    rows = []
    for grade in grades:
        own = [r for r in found if r.statement.grade == grade]
        inside = sum(r.inside_sampling for r in own) / len(own)
        rows.append((grade, len(own), f"{100 * inside:.1f} %", f"{100 * within(own):.1f} %"))
    head = ("grade", "statements", "within their own interval", "within the interval of another study")
    shown = found if top == 0 else found[:top]
    worst = table(COLUMNS, [_row(r) for r in shown])
    return "\n".join([*lines, table(head, rows), worst]) + (
        f"{len(found) - len(shown)} more\n" if len(shown) < len(found) else ""
    )


def _row(r: Residual) -> tuple[object, ...]:
    inside = "sampling" if r.inside_sampling else "study" if r.inside_study else "no"
    about = f"{r.statement.given} / {r.variable}"
    states = " or ".join(r.states)
    context = f" if {', '.join(r.statement.context)}" if r.statement.context else ""
    return (
        r.statement.row_id or r.statement.id,
        r.statement.grade,
        about + context,
        states,
        r.statement.figure(),
        f"{100 * r.network:.3g} %",
        f"{r.z:+.2f}",
        inside,
        r.statement.source.short(),
    )
