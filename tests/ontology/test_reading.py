from __future__ import annotations

from pathlib import Path

import pytest

from hepagraph.ontology import OntologyError, content_hash, find_ontology
from hepagraph.ontology.store import load_ontology


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OntologyError, match="nowhere: no such folder"):
        find_ontology(tmp_path / "nowhere")


def test_folder_without_facts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OntologyError, match="holds no Turtle file"):
        find_ontology(tmp_path)


def test_new_domain_borrows_schema_and_shapes(data: Path) -> None:
    files = find_ontology(data / "coin")
    assert any(path.name == "tbox.ttl" for path in files.data)
    assert files.shapes


def test_broken_turtle_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "facts.ttl").write_text("@prefix id: <https://example.org/> .\n\nid:a id:b .\nid:c id:d id:e .\n")
    with pytest.raises(OntologyError, match=r"facts\.ttl: line 3: not valid Turtle"):
        load_ontology(tmp_path)


def test_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "facts.ttl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OntologyError, match="not UTF-8"):
        load_ontology(tmp_path)


def test_hash_follows_content(tmp_path: Path) -> None:
    (tmp_path / "facts.ttl").write_text("@prefix id: <https://example.org/> .\nid:a id:b id:c .\n")
    before = content_hash(find_ontology(tmp_path))
    assert before == content_hash(find_ontology(tmp_path))
    (tmp_path / "facts.ttl").write_text("@prefix id: <https://example.org/> .\nid:a id:b id:d .\n")
    assert content_hash(find_ontology(tmp_path)) != before
