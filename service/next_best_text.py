"""Write what to look at next as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hepagraph.inference.next_best import Look, NextBest, Protocol
from hepagraph.inference.result import NOTICE
from hepagraph.ontology.errors import printable
from hepagraph.service.text import percent


def next_best_text(case: str, lesions: Sequence[NextBest], labels: Mapping[str, str], *, top: int = 5) -> str:
    """Return the ranking for a case's lesions."""
    blocks = [f"Case {printable(case)}"]
    blocks += ["\n".join(_lesion(lesion, labels, top)) for lesion in lesions]
    return "\n\n".join([*blocks, NOTICE]) + "\n"


def _lesion(lesion: NextBest, labels: Mapping[str, str], top: int) -> list[str]:
    leading = labels.get(lesion.leading, lesion.leading)
    lines = [
        f"Lesion {printable(lesion.lesion)}: {leading} on top; "
        f"a test that is never wrong would tell {lesion.uncertainty:.2f} bits"
    ]
    if lesion.rival is not None and lesion.separator is not None:
        name, bits = lesion.separator
        rival = labels.get(lesion.rival, lesion.rival)
        lines.append(f"  what best tells it from {rival}: {labels.get(name, name)} ({bits:.2f} bits of that choice)")
    if lesion.enough:
        return [*lines, "  nothing further is expected to tell much"]
    if lesion.looks:
        lines.append("  on the examinations at hand")
    for look in lesion.looks[:top]:
        lines += _look(look, labels)
    if lesion.protocols:
        lines.append("  another examination (at least)")
    lines += [_protocol(protocol, labels) for protocol in lesion.protocols[:top]]
    return lines


def _look(look: Look, labels: Mapping[str, str]) -> list[str]:
    lines = [f"    {look.information:.2f} bits  {look.label}; another answer in {percent(look.chance_of_change)}"]
    for state, probability, entity in look.outcomes[:3]:
        lines.append(f"               {state.replace('_', ' ')} ({percent(probability)}): {labels.get(entity, entity)}")
    return lines


def _protocol(protocol: Protocol, labels: Mapping[str, str]) -> str:
    agent = f" with {protocol.agent.replace('_', ' ')}" if protocol.agent else ""
    shows = ", ".join(labels.get(name, name) for name in protocol.findings)
    return f"    {protocol.information:.2f} bits  {protocol.modality.replace('_', ' ')}{agent}: {shows}"
