"""No traceback reaches a user: junk is given to every door, and each answers or says what is wrong.

``JUNK=20`` gives twenty times as much junk as an ordinary run does.
"""

from __future__ import annotations

import itertools
import os

import pytest
from junk.commands import file_doors, word_doors
from junk.folders import folder_doors
from junk.formats import format_doors
from junk.servers import server_doors
from junk.table import Door, World

TIMES = float(os.environ.get("JUNK", "1"))
DOORS = [*word_doors(), *file_doors(), *folder_doors(), *format_doors(), *server_doors()]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_junk_is_answered_or_refused(door: Door, world: World, record_property: pytest.RecordProperty) -> None:
    answered = refused = 0
    for junk in itertools.islice(door.junk(world), max(4, int(door.share * TIMES))):
        try:
            done = door.ask(world, junk)
        except BaseException as error:
            error.add_note(f"{door.name} was given {repr(junk)[:3000]}")
            raise
        answered, refused = answered + done, refused + (not done)
    record_property("answered", answered)
    record_property("refused", refused)
    assert answered + refused >= 4
