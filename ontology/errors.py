"""The errors of the project, under one root, so that an embedding program can catch them by kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class HepagraphError(Exception):
    """Root of every error that the project raises on purpose."""


class OntologyError(HepagraphError):
    """The ontology cannot be read, or breaks a rule that the network needs."""


class QueryError(HepagraphError):
    """A SPARQL query cannot be parsed or run, or would change the data."""


class StoppedError(HepagraphError):
    """An answer was given up before it was ready: its time was up, or nobody waits for it any more."""


class MissingExtraError(HepagraphError):
    """An optional library is needed and not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional library. Install it with: pip install 'hepagraph[{extra}]'")
        self._given = (what, extra)

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), self._given


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input: what, where, what is allowed, the nearest match, the next step."""

    kind: str
    where: str
    what: str
    allowed: tuple[str, ...] = ()
    nearest: str | None = None
    advice: str = ""

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.nearest:
            parts.append(f"did you mean {self.nearest}?")
        if self.allowed:
            parts.append("allowed: " + ", ".join(self.allowed))
        if self.advice:
            parts.append(self.advice)
        return printable("; ".join(parts))


class CaseError(HepagraphError, ValueError):
    """An input case cannot be used; holds every problem found in it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[CaseError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class UnknownKeyError(CaseError):
    """A key that the case format does not have."""


class UnknownStateError(CaseError):
    """A state that the variable does not have."""


class UnitError(CaseError):
    """A number that is not possible in the variable's unit."""


class NotAssessableError(CaseError):
    """A finding that none of the listed examinations can show."""


class ContradictionError(CaseError):
    """Findings that exclude each other."""


class ImpossibleEvidenceError(CaseError):
    """Findings that have probability zero under the model."""


class ExtremeEvidenceError(CaseError):
    """Likelihoods that are too far apart for the numbers of a computer."""


_BY_KIND: dict[str, type[CaseError]] = {
    "unknown_key": UnknownKeyError,
    "unknown_state": UnknownStateError,
    "unit": UnitError,
    "not_assessable": NotAssessableError,
    "contradiction": ContradictionError,
    "impossible": ImpossibleEvidenceError,
    "extreme": ExtremeEvidenceError,
}


def case_error(problems: Sequence[Problem]) -> CaseError:
    """Return the most specific error for the problems: their common kind's, else ``CaseError``."""
    kinds = {problem.kind for problem in problems}
    kind = _BY_KIND.get(kinds.pop(), CaseError) if len(kinds) == 1 else CaseError
    return kind(problems)


def printable(text: str) -> str:
    r"""Return the text with line breaks and control characters made visible, as input may hold any.

    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """Return the text with control characters made visible, and its line breaks as they are."""
    return "\n".join(map(printable, text.split("\n")))


def nearest(word: object, allowed: Iterable[str]) -> str | None:
    """Return the allowed word most like ``word``, or None when none is close.

    >>> nearest("sharpp", ["blunt", "sharp"])
    'sharp'
    """
    from difflib import get_close_matches  # only a mistake needs it

    text = str(word).strip().lower().replace("-", "_").replace(" ", "_")[:200]
    found = get_close_matches(text, list(allowed), n=1, cutoff=0.6)
    return found[0] if found else None
