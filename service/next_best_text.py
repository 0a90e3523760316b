"""Write what to look at next as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hepagraph.inference.next_best import Look, NextBest, PerfectTest, Protocol
from hepagraph.inference.result import NOTICE
from hepagraph.ontology.errors import printable
from hepagraph.service.text import in_words, percent


def next_best_text(case: str, lesions: Sequence[NextBest], labels: Mapping[str, str], *, top: int = 5) -> str:
    """Return the ranking for a case's lesions."""
    blocks = [f"Case {printable(case)}"]
    blocks += ["\n".join(next_best_lines(lesion, labels, top=top)) for lesion in lesions]
    return "\n\n".join([*blocks, NOTICE]) + "\n"


def next_best_lines(lesion: NextBest, labels: Mapping[str, str], *, top: int = 5) -> list[str]:
    """Return a lesion's ranking, line by line; states are said by their labels under ``variable=state``, if any."""
    leading = labels.get(lesion.leading, lesion.leading)
    lines = [
        f"Lesion {printable(lesion.lesion)}: {leading} on top; "
        f"a test that is never wrong would tell {lesion.uncertainty:.2f} bits"
    ]
    if lesion.rival is not None and lesion.separator is not None:
        name, bits = lesion.separator
        rival = labels.get(lesion.rival, lesion.rival)
        lines.append(f"  what best tells it from {rival}: {labels.get(name, name)} ({bits:.2f} bits of that choice)")
    if lesion.management is not None and lesion.expected_loss is not None:
        best = labels.get(lesion.management, lesion.management)
        lines.append(f"  as things stand: {best}, at an expected loss of {points(lesion.expected_loss)}")
    if lesion.settled:
        lines.append("  nothing further is expected to save more than it costs")
    if lesion.enough:
        return [*lines, "  nothing further is expected to tell much"]
    if lesion.looks:
        lines.append("  on the examinations at hand")
    for look in lesion.looks[:top]:
        lines += _look(look, labels)
    if lesion.protocols or lesion.tests:
        lines.append("  another examination (at least)")
    lines += [_protocol(protocol, labels) for protocol in lesion.protocols[:top]]
    lines += [_test(test) for test in lesion.tests[:top]]
    return lines


def points(value: float) -> str:
    """Return a loss or a saving in points.

    >>> points(12.34), points(0.04), points(0.0)
    ('12.3 points', '0.04 points', '0 points')
    """
    return f"{value:.3g} points"


def _priced(saving: float | None, burden: float | None = None) -> str:
    if saving is None:
        return ""
    if burden is None:
        return f"; saves {points(saving)}"
    net = saving - burden
    return f"; saves {points(saving)} for {points(burden)}: {'worth it' if net > 0 else 'not worth it'}"


def _look(look: Look, labels: Mapping[str, str]) -> list[str]:
    changes = f"another answer in {percent(look.chance_of_change)}"
    lines = [f"    {look.information:.2f} bits  {look.label}; {changes}{_priced(look.saving)}"]
    for state, probability, entity in look.outcomes[:3]:
        said = in_words(look.variable, state, labels)
        lines.append(f"               {said} ({percent(probability)}): {labels.get(entity, entity)}")
    return lines


def _protocol(protocol: Protocol, labels: Mapping[str, str]) -> str:
    agent = f", {in_words('exam', protocol.agent, labels)}" if protocol.agent else ""
    shows = ", ".join(labels.get(name, name) for name in protocol.findings)
    name = f"{in_words('exam', protocol.modality, labels)}{agent}: {shows}"
    return f"    {protocol.information:.2f} bits  {name}{_priced(protocol.saving, protocol.burden)}"


def _test(test: PerfectTest) -> str:
    return f"    {test.information:.2f} bits  {test.label}, were it never wrong{_priced(test.saving, test.burden)}"
