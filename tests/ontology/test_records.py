"""Frozen classes with shared functions behave as the standard ones."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from hepagraph.ontology import records


def made(decorator: Any) -> type[Any]:
    class Point:
        """A point, with a name and what is known of it."""

        x: int
        y: tuple[int, ...] = (0,)
        name: str = "p"
        notes: dict[str, int] = dataclasses.field(default_factory=dict)

        @property
        def total(self) -> int:
            """Their sum."""
            return self.x + sum(self.y)

    found: type[Any] = decorator(frozen=True, slots=True)(Point)
    return found


OURS, THEIRS = made(records.dataclass), made(dataclasses.dataclass)


@records.dataclass(frozen=True, slots=True)
class Pair:
    """Two numbers."""

    a: int
    b: int = 2


@records.dataclass(frozen=True)
class Open:
    """One with a dictionary of its own."""

    a: int


CALLS: tuple[Callable[[type[Any]], object], ...] = (
    lambda kind: repr(kind(1, name="q")),
    lambda kind: dataclasses.astuple(kind(1, (2, 3), "q", {"a": 1})),
    lambda kind: dataclasses.asdict(dataclasses.replace(kind(1), y=(4,))),
    lambda kind: kind(1) == kind(x=1, y=(0,)),
    lambda kind: kind(1) == (1, (0,), "p", {}),
    lambda kind: kind(1) != kind(2),
    lambda kind: kind(3, (4,)).total,
    lambda kind: kind.__match_args__,
    lambda kind: [item.name for item in dataclasses.fields(kind)],
    lambda kind: kind.__slots__,
    lambda kind: list(inspect.signature(kind).parameters),
    lambda kind: copy.deepcopy(kind(1)).x,
    lambda kind: hasattr(kind(1), "__dict__"),
    lambda kind: kind(1).notes is kind(1).notes,
)


@pytest.mark.parametrize("call", CALLS)
def test_same_as_the_standard_one(call: Callable[[type[Any]], object]) -> None:
    assert call(OURS) == call(THEIRS)


@pytest.mark.parametrize(
    "call",
    [
        lambda kind: kind(),
        lambda kind: kind(1, x=2),
        lambda kind: kind(1, z=2),
        lambda kind: kind(1, (), "", {}, 5),
        lambda kind: hash(kind(1)),
        lambda kind: setattr(kind(1), "x", 2),
        lambda kind: delattr(kind(1), "x"),
    ],
)
def test_same_errors(call: Callable[[type[Any]], object]) -> None:
    for kind in (OURS, THEIRS):
        with pytest.raises((TypeError, dataclasses.FrozenInstanceError)):
            call(kind)


def test_equal_ones_hash_alike_and_survive_pickling() -> None:
    assert {Pair(1), Pair(1, 2), Pair(2, 1)} == {Pair(1), Pair(2, 1)}
    assert pickle.loads(pickle.dumps(Pair(5))) == Pair(5)  # noqa: S301
    assert Open(1) != Pair(1)
    assert vars(Open(1)) == {"a": 1}


def test_only_frozen_classes() -> None:
    with pytest.raises(TypeError, match="frozen"):
        records.dataclass(frozen=False)
