"""What a structured report could not hold, or should not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.service.healthcare.dicom import layout
from hepagraph.service.healthcare.statements import STATE

if TYPE_CHECKING:
    from hepagraph.service.healthcare.statements import CaseSaid

MANUFACTURER = "hepagraph"
LONG = 64  # characters that DICOM gives a code's meaning and a long string


def check(said: CaseSaid, evidence: Iterable[Any]) -> None:
    """Refuse what a report would not give back, and pictures of somebody else.

    Raises
    ------
    CaseError
        An id is one that DICOM changes, or the sex of the case is another than that of an image.
    """
    problems = []
    if len(said.id) > LONG or "\\" in said.id:
        what = f"DICOM has {LONG} characters and no backslash for the id of a case"
        problems.append(Problem("range", "id", what, advice="give it another id"))
    for name in (said.id, *(lesion.id for lesion in said.lesions)):
        if not name or name != name.strip():
            what = f"DICOM keeps no blanks at the ends of an id, as those of {name[:40]!r}, and wants one"
            problems.append(Problem("range", "id", what, advice="give it another id"))
    form = layout()["sex"]
    stated = [one.states for one in said.patient if one.variable == form["variable"] and one.manner == STATE]
    for position, image in enumerate(evidence):
        pictured = form["states"].get(str(image.get("PatientSex") or ""))
        if pictured and stated and stated[0] != (pictured,):
            what = f"its PatientSex is not the {form['variable']} of the case"
            problems.append(Problem("contradiction", f"evidence[{position}]", what))
    if problems:
        raise CaseError(problems)
