"""What a case does to the network: which variables matter, how probable their states are, and how far they moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hepagraph.inference.network import ENTITY, SUBTYPE
from hepagraph.ontology.errors import Problem, UnknownKeyError, nearest

if TYPE_CHECKING:
    from hepagraph.inference.case import Case
    from hepagraph.inference.reasoner import Reasoner


@dataclass(frozen=True, slots=True)
class ShadedState:
    """One state of a variable that was not seen itself, and its probability before and after the lesion's findings."""

    state: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class ShadedVariable:
    """A variable with what was said of it (``given``), or else with the states that matter."""

    name: str
    layer: str
    given: str = ""
    states: tuple[ShadedState, ...] = ()


@dataclass(frozen=True, slots=True)
class Shading:
    """The part of the network that one lesion's findings touch, and the arrows between its variables."""

    lesion: str
    leading: str
    posterior: float
    variables: tuple[ShadedVariable, ...]
    arrows: tuple[tuple[str, str], ...]


def shading(
    reasoner: Reasoner,
    case: Case,
    *,
    lesion: str | None = None,
    differential: str | None = None,
    mechanisms: int = 6,
    states: int = 4,
) -> Shading:
    """Return how a lesion's findings move the network.

    Before stands for what is known of the patient, with the other lesions; after for all.

    Parameters
    ----------
    lesion
        The id of the lesion; None: the first.
    mechanisms
        How many of the causes of the findings to keep, those that moved most.
    states
        How many entities and subtypes to keep, the most probable ones.

    Raises
    ------
    CaseError
        The differential is bad, there is no such lesion, or the findings have probability zero.
    """
    network, known = reasoner.network, tuple(found.id for found in case.lesions)
    chosen = known[0] if lesion is None else lesion
    if chosen not in known:
        what = f"no lesion has the id {chosen!r}"
        raise UnknownKeyError([Problem("unknown_key", "lesion", what, known, nearest(chosen, known))])
    position = known.index(chosen)
    entities = reasoner.entities(differential)
    after = reasoner.prepare(case, entities)[position].likelihood
    findings = {n: f for n, f in case.lesions[position].findings.items() if n in after and n in network.tables}
    context = {n: f for n, f in case.context.items() if n in after and n in network.tables}
    before = {name: vector for name, vector in after.items() if name not in findings}
    causes = [
        name
        for name in network.variables("mechanism")
        if any(name in network.tables[finding].parents for finding in findings)
    ]
    asked = [ENTITY, SUBTYPE, *causes]
    then, now = (network.engine.marginals(seen, asked).posterior for seen in (before, after))

    def shaded(name: str, row: int) -> ShadedState:
        return ShadedState(network.states[name][row], float(then[name][row]), float(now[name][row]))

    def likeliest(name: str) -> tuple[ShadedState, ...]:
        rows = sorted(range(len(now[name])), key=lambda row: -float(now[name][row]))[:states]
        return tuple(shaded(name, row) for row in rows)

    moved = sorted(causes, key=lambda name: -abs(float(now[name][-1] - then[name][-1])))[:mechanisms]
    variables = [
        *(ShadedVariable(name, network.layers[name], finding.given) for name, finding in context.items()),
        *(ShadedVariable(name, name, states=likeliest(name)) for name in (ENTITY, SUBTYPE)),
        *(
            ShadedVariable(name, network.layers[name], states=(shaded(name, len(network.states[name]) - 1),))
            for name in causes
            if name in moved
        ),
        *(ShadedVariable(name, network.layers[name], finding.given) for name, finding in findings.items()),
    ]
    shown = {variable.name for variable in variables}
    arrows = tuple(
        (p, name) for name in network.tables if name in shown for p in network.tables[name].parents if p in shown
    )
    joined = {name for arrow in arrows for name in arrow}
    leading = variables[len(context)].states[0]
    kept = tuple(variable for variable in variables if variable.name in joined)
    return Shading(chosen, leading.state, leading.after, kept, arrows)
