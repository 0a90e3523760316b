"""Write scenarios side by side as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from hepagraph.inference.result import NOTICE
from hepagraph.inference.what_if import AS_IT_IS, Outcome, WhatIf
from hepagraph.ontology.errors import printable
from hepagraph.service.tables import table
from hepagraph.service.text import percent


def what_if_text(found: WhatIf, labels: Mapping[str, str]) -> str:
    """Return one table for each lesion: a row for each scenario, a column for each entity, the leading one starred."""
    blocks = []
    for lesion in dict.fromkeys(outcome.lesion for outcome in found.outcomes):
        own = [outcome for outcome in found.outcomes if outcome.lesion == lesion]
        ranked = sorted(own[0].posterior, key=lambda entity: -own[0].posterior[entity])
        columns = ["scenario", *(labels.get(entity, entity) for entity in ranked)]
        rows = [[printable(outcome.scenario), *_cells(outcome, ranked)] for outcome in own]
        blocks.append(f"Lesion {printable(lesion)}\n{table(columns, rows)}".rstrip())
        blocks += [_unseen(o, labels) for o in own if o.unseen and lesion == found.outcomes[0].lesion]
    return "\n\n".join([*blocks, NOTICE]) + "\n"


def _cells(outcome: Outcome, ranked: list[str]) -> list[str]:
    top = max(ranked, key=lambda entity: outcome.posterior[entity])
    return [percent(outcome.posterior[e]) + (" *" if e == top else "") for e in ranked]


def _unseen(outcome: Outcome, labels: Mapping[str, str]) -> str:
    names = ", ".join(labels.get(name, name) for name in outcome.unseen)
    kind = "the case" if outcome.scenario == AS_IT_IS else printable(outcome.scenario)
    return f"{kind}: not visible there, so withdrawn: {names}"
