"""What ``next_best`` finds: looks at hand, examinations that were not done, and perfect tests, with their worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

WORTH = 0.05  # bits below which nothing more is worth looking for
LEAST_SAVING = 0.001  # of the largest loss: smaller savings are not worth a look at what is at hand


@dataclass(frozen=True, slots=True)
class Look:
    """An unobserved finding.

    ``information`` is in bits. ``chance_of_change`` is the probability that another entity comes out on top, and
    ``outcomes`` are the reports with their probability and the entity that each would put on top, likeliest first.
    ``saving`` is by how many points the expected loss of the best management is expected to fall (None: no costs).
    """

    variable: str
    label: str
    information: float
    chance_of_change: float
    outcomes: tuple[tuple[str, float, str], ...]
    saving: float | None = None


@dataclass(frozen=True, slots=True)
class Protocol:
    """An examination that was not done, with its most telling findings.

    ``information``, in bits, and ``saving``, in points, are theirs together; ``burden`` is what the examination itself
    costs, in points. Both are None where there are no costs.
    """

    modality: str
    agent: str | None
    information: float
    findings: tuple[str, ...]
    saving: float | None = None
    burden: float | None = None

    @property
    def net(self) -> float | None:
        """The saving less the burden, in points."""
        return None if self.saving is None or self.burden is None else self.saving - self.burden


@dataclass(frozen=True, slots=True)
class PerfectTest:
    """A test that is taken to be never wrong; numbers as in ``Protocol``."""

    name: str
    label: str
    information: float
    saving: float
    burden: float

    @property
    def net(self) -> float:
        """The saving less the burden, in points."""
        return self.saving - self.burden


@dataclass(frozen=True, slots=True)
class NextBest:
    """What to look at next in one lesion.

    ``uncertainty`` is the entropy of the answer in bits: what a perfect test such as histology would tell.
    ``rival`` is the second in rank and ``separator`` the finding, on whatever examination, that best tells the two
    apart, with the bits that it tells of the choice between them; None where there is nothing to tell.
    ``looks`` are findings that the examinations at hand can show, ``protocols`` examinations that were not done,
    ``tests`` tests that are never wrong; each kind is ranked by information.
    ``management`` is the one of least expected loss as things stand, ``expected_loss`` that loss in points, and
    ``largest_loss`` the largest that there is; None where there are no costs.
    """

    lesion: str
    leading: str
    rival: str | None
    separator: tuple[str, float] | None
    uncertainty: float
    looks: tuple[Look, ...]
    protocols: tuple[Protocol, ...]
    tests: tuple[PerfectTest, ...] = ()
    management: str | None = None
    expected_loss: float | None = None
    largest_loss: float | None = None

    @property
    def settled(self) -> bool | None:
        """Whether nothing further would save more than it costs; None where there are no costs."""
        if self.largest_loss is None:
            return None
        least = LEAST_SAVING * self.largest_loss
        nets = [*(found.net or 0.0 for found in self.protocols), *(found.net for found in self.tests)]
        return all((look.saving or 0.0) < least for look in self.looks) and all(net <= 0 for net in nets)

    def by_saving(self) -> NextBest:
        """Return the same with looks ranked by saving, and examinations and tests by saving less burden."""
        return replace(
            self,
            looks=tuple(sorted(self.looks, key=lambda look: -(look.saving or 0.0))),
            protocols=tuple(sorted(self.protocols, key=lambda found: -(found.net or 0.0))),
            tests=tuple(sorted(self.tests, key=lambda found: -found.net)),
        )

    @property
    def enough(self) -> bool:
        """Whether no finding and no examination is expected to tell more than ``WORTH`` bits."""
        worth = [*(look.information for look in self.looks), *(protocol.information for protocol in self.protocols)]
        return all(bits < WORTH for bits in worth)

    def to_dict(self) -> dict[str, Any]:
        """Return the ranking as a JSON object; information and uncertainty are in bits."""
        return {
            "id": self.lesion,
            "leading": self.leading,
            "rival": self.rival,
            "separator": None
            if self.separator is None
            else {"finding": self.separator[0], "information": self.separator[1]},
            "uncertainty": self.uncertainty,
            "enough": self.enough,
            "management": self.management,
            "expected_loss": self.expected_loss,
            "settled": self.settled,
            "findings": [
                {
                    "finding": look.variable,
                    "information": look.information,
                    "saving": look.saving,
                    "chance_of_change": look.chance_of_change,
                    "outcomes": [
                        {"state": state, "probability": probability, "leading": entity}
                        for state, probability, entity in look.outcomes
                    ],
                }
                for look in self.looks
            ],
            "protocols": [
                {
                    "modality": protocol.modality,
                    "contrast_agent": protocol.agent,
                    "information": protocol.information,
                    "saving": protocol.saving,
                    "burden": protocol.burden,
                    "findings": list(protocol.findings),
                }
                for protocol in self.protocols
            ],
            "tests": [
                {"test": test.name, "information": test.information, "saving": test.saving, "burden": test.burden}
                for test in self.tests
            ],
        }
