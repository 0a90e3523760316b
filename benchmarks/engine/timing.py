"""Rounds of contenders in turn, and ratios of their rates within a round: median, lowest and highest."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

Work = Callable[[int], int]
"""Do the work of a round, given its number, and return how many units it was."""
Rates = Mapping[str, list[float]]


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return median, lowest and highest."""
        found = list(values)
        return cls(statistics.median(found), min(found), max(found))

    def json(self) -> dict[str, float]:
        """Return the figures to four digits."""
        names = ("median", "low", "high")
        return {name: float(f"{getattr(self, name):.4g}") for name in names}

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.low)} to {number(self.high)})"


def number(value: float) -> str:
    """Return a figure with three digits, and thousands apart."""
    if value == 0 or 1e-3 <= abs(value) < 1000:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1e}"


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure with its bar: reached when the median is at least the bar, or at most where ``most`` is set."""

    key: str
    what: str
    figure: Spread
    bar: float | None = None
    most: bool = False
    unit: str = "x"

    @property
    def reached(self) -> bool | None:
        """Whether the bar is reached; None where there is none."""
        if self.bar is None:
            return None
        return self.figure.median <= self.bar if self.most else self.figure.median >= self.bar

    def json(self) -> dict[str, Any]:
        """Return what goes into the results."""
        return {
            "key": self.key,
            "what": self.what,
            "unit": self.unit,
            **self.figure.json(),
            "bar": self.bar,
            "at": "most" if self.most else "least",
            "reached": self.reached,
        }

    def __str__(self) -> str:
        line = f"{self.what}: {self.figure} {self.unit}"
        if self.bar is None:
            return line
        sign = "<=" if self.most else ">="
        return f"{line}; bar {sign} {number(self.bar)}: {'reached' if self.reached else 'NOT REACHED'}"


def interleave(contenders: Mapping[str, Work], rounds: int, *, warm: bool = True) -> Rates:
    """Return each contender's rate in each round; all are in turn, and each round starts with another one.

    A first round only warms up, unless ``warm`` is false.
    """
    names = list(contenders)
    rates: dict[str, list[float]] = {name: [] for name in names}
    for name in names if warm else ():
        contenders[name](0)
    for turn in range(1, rounds + 1):
        for place in range(len(names)):
            name = names[(place + turn) % len(names)]
            start = time.perf_counter()
            done = contenders[name](turn)
            rates[name].append(done / (time.perf_counter() - start))
    return rates


def hashing(threads: int) -> Work:
    """Return work that threads cannot but share well, to see how many cores the machine has left for them."""
    data = bytes(2**25)

    def work(turn: int) -> int:
        with ThreadPoolExecutor(max_workers=threads) as pool:
            return len(list(pool.map(lambda _: hashlib.sha256(data).digest(), range(8))))

    return work


def ratio(rates: Rates, name: str, peer: str) -> Spread:
    """Return how many times faster one contender was than another in the same round."""
    return Spread.of(own / other for own, other in zip(rates[name], rates[peer], strict=True))


def best(rates: Rates, prefix: str) -> str:
    """Return the contender with the highest median rate among those whose name starts with ``prefix``."""
    return max((n for n in rates if n.startswith(prefix)), key=lambda name: statistics.median(rates[name]))


def medians(rates: Rates) -> dict[str, float]:
    """Return each contender's median rate, to four digits."""
    return {name: float(f"{statistics.median(values):.4g}") for name, values in rates.items()}
