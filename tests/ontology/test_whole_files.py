"""Files appear whole or not at all, and nothing beside them is touched."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from hepagraph.ontology.whole_files import whole_file
from hepagraph.service.cli import main

posix = pytest.mark.skipif(os.name != "posix", reason="links, permissions and pipes of POSIX")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_stood_there_stays_until_all_is_written(tmp_path: Path) -> None:
    place = tmp_path / "answer.json"
    place.write_text("old")
    with whole_file(place) as stream:
        stream.write(b"new")
        stream.flush()
        assert place.read_text() == "old"
    assert place.read_text() == "new"
    with pytest.raises(KeyError), whole_file(place) as stream:
        stream.write(b"half")
        raise KeyError
    assert place.read_text() == "new"
    assert names(tmp_path) == {"answer.json"}


def test_it_may_wait_in_another_folder(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    with whole_file(tmp_path / "answer", waiting=parts) as stream:
        assert names(tmp_path) == {"parts"}
        assert len(names(parts)) == 1
        stream.write(b"new")
    assert (tmp_path / "answer").read_bytes() == b"new"
    assert not names(parts)


@posix
def test_permissions_and_links_stay(tmp_path: Path) -> None:
    place, link = tmp_path / "private", tmp_path / "link"
    place.write_text("old")
    place.chmod(0o600)
    link.symlink_to("private")
    with whole_file(link) as stream:
        stream.write(b"new")
    assert link.is_symlink()
    assert place.read_text() == "new"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


@posix
def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    with whole_file(pipe) as stream:
        stream.write(b"new")
    reader.join(10)
    assert got == [b"new"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_the_command_leaves_what_only_looks_like_its_own(tmp_path: Path) -> None:
    beside, output = tmp_path / "network.dot.partial", tmp_path / "network.dot"
    beside.write_text("mine")
    asked = ["export", "--format", "dot", "-o"]
    assert CliRunner().invoke(main, [*asked, str(output)]).exit_code == 0
    assert output.stat().st_size > 1000
    assert beside.read_text() == "mine"
    assert names(tmp_path) == {"network.dot.partial", "network.dot"}
    refused = CliRunner().invoke(main, [*asked, str(tmp_path)])
    assert refused.exit_code == 2
    assert "cannot be written" in refused.output
    assert names(tmp_path) == {"network.dot.partial", "network.dot"}
