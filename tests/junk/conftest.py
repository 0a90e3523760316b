"""The world of the junk tests, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from junk.table import World

from hepagraph.inference import Reasoner


@pytest.fixture(scope="session")
def world(
    reasoner: Reasoner, skin: Reasoner, coin: Reasoner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    found = World(tmp_path_factory.mktemp("junk"), reasoner, skin, coin)
    yield found
    for held in reversed(found.held.values()):
        if hasattr(held, "close"):
            held.close()
