"""The user's own numbers in place of the ontology's, as the command line gives them: a prior, losses and burdens."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hepagraph.ontology.errors import CaseError, Problem

if TYPE_CHECKING:
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.kg.costs import Costs


def prior_weights(text: str | None) -> dict[str, float] | None:
    """Return the weights that ``name=number,...`` gives, None for none; the reasoner checks the names.

    Raises
    ------
    CaseError
        It does not read as that.
    """
    if text is None:
        return None
    found: dict[str, float] = {}
    problems = []
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        try:
            found[name] = float(number) if equals and name not in found else float("nan")
        except ValueError:
            found[name] = float("nan")
        if math.isnan(found[name]):
            advice = "write name=number, once for each entity, with commas between"
            problems.append(Problem("prior", "--prior", f"cannot read {part.strip()[:60]!r}", advice=advice))
    if problems:
        raise CaseError(problems)
    return found


def own_costs(reasoner: Reasoner, path: str | None) -> Costs | None:
    """Return the costs that a JSON file changes, or those of the ontology (None where it has none).

    Raises
    ------
    CaseError
        The file is bad; see ``changed_costs``.
    """
    from hepagraph.inference.costs import burden_names, changed_costs
    from hepagraph.inference.network import ENTITY
    from hepagraph.service.reading import read_cases

    if path is None:
        return reasoner.costs
    values = read_cases([path])
    if len(values) != 1:
        what = f"holds {len(values)} JSON values"
        raise CaseError([Problem("type", f"--costs {path}", what, advice="give one object; see --show-costs")])
    return changed_costs(reasoner.costs, values[0][1], reasoner.network.states[ENTITY], burden_names(reasoner))
