"""A case and its answer as plain text, for a file of one's own: what was seen, the answer, its reasons, next looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hepagraph.inference.ledger import Ledger, explain
from hepagraph.inference.next_best import next_best
from hepagraph.ontology.errors import printable
from hepagraph.service.explain_text import ledger_lines
from hepagraph.service.explorer.fields import Form
from hepagraph.service.explorer.saying import Stated, stated
from hepagraph.service.explorer.selections import chosen_in
from hepagraph.service.html_basics import spoken
from hepagraph.service.next_best_text import next_best_lines
from hepagraph.service.text import lesion_lines, model_text

if TYPE_CHECKING:
    from hepagraph.inference.case import Case
    from hepagraph.inference.reasoner import Reasoner

LOOKS = 5  # how many findings and examinations to look at next are shown


def answer_text(
    reasoner: Reasoner,
    form: Form,
    case: Any,
    *,
    differential: str | None = None,
    lesion: str | None = None,
    entity: str | None = None,
    against: str | None = None,
) -> str:
    """Return the case and its answer for every lesion.

    ``entity`` and ``against`` are what is weighed in the lesion with the id ``lesion``; elsewhere, and where they are
    None, the entity on top is weighed against all others.

    Raises
    ------
    CaseError
        The case is bad, or one of the names is not known.
    """
    labels = spoken(reasoner)
    chosen, read = chosen_in(case, reasoner), reasoner.read(case)
    asked = differential or reasoner.network.default_differential
    result = reasoner.posterior(read, differential=differential, interval=True, reasons=False)
    ledgers = {one.lesion: one for one in explain(reasoner, read, differential=differential)}
    if lesion is not None and (entity or against):
        ledgers[lesion] = _weighed(reasoner, read, differential, lesion, entity, against)
    looks = next_best(reasoner, read, differential=differential)
    blocks = [
        f"Case {printable(result.id)}",
        "WHAT WAS SEEN",
        *(_part(part) for part in stated(chosen, form)),
        f"THE ANSWER, among the {len(reasoner.entities(differential))} of the {labels.get(asked, asked)}; "
        "95 % intervals. The prior is the model's own, for what is known of the patient.",
        *("\n".join(lesion_lines(one, labels, reasons=0)) for one in result.lesions),
        "WHAT SPEAKS FOR AND AGAINST",
        *("\n".join(ledger_lines(ledger, labels)) for ledger in ledgers.values()),
        "WHAT TO LOOK AT NEXT",
        *("\n".join(next_best_lines(one, labels, top=LOOKS)) for one in looks),
        model_text(result.model),
    ]
    return "\n\n".join(blocks) + "\n"


def _weighed(
    reasoner: Reasoner, case: Case, differential: str | None, lesion: str, entity: str | None, against: str | None
) -> Ledger:
    return explain(reasoner, case, differential=differential, lesion=lesion, entity=entity, against=against)[0]


def _part(part: Stated) -> str:
    lines = [f"  {label}: {printable(value)}" for label, value in part.values.items()]
    return "\n".join([printable(part.title), *(lines or ["  nothing is stated"])])
