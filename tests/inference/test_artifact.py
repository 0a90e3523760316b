"""What is kept of a reconciliation: found again by its evidence, noticed when stale, never half-written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hepagraph.inference import Reasoner
from hepagraph.inference.artifact import (
    PACKAGED,
    artifact_of,
    cached_path,
    find_artifact,
    read_artifact,
    write_artifact,
)
from hepagraph.inference.compiling import read_skeleton, skeleton_key
from hepagraph.inference.estimating import fit, probabilities
from hepagraph.kg import build_graph
from hepagraph.ontology.errors import OntologyError
from hepagraph.ontology.store import load_ontology


def test_packaged_artifact_belongs_to_the_packaged_evidence(reasoner: Reasoner) -> None:
    """Or else a clone would have to fit before its first answer: run `hepagraph compile --packaged`."""
    artifact = read_artifact(PACKAGED)
    assert artifact is not None
    assert artifact.key == skeleton_key(reasoner.skeleton)
    assert PACKAGED.stat().st_size < 1_000_000


def test_packaged_parameters_are_what_a_fit_finds(reasoner: Reasoner) -> None:
    """Fitted again from nothing at the stored spread, the same tables come out, for every variable that is quick to fit."""
    skeleton = reasoner.skeleton
    estimates = skeleton.reconciliation.estimates.values()
    small = [e for e in estimates if e.observations and e.parameters.size < 200]
    assert len(small) > 20
    for estimate in small:
        found = fit(estimate.design, estimate.observations, estimate.judgement_scale)
        table = probabilities(estimate.design, found.parameters).reshape(estimate.design.shape)
        np.testing.assert_allclose(table, estimate.table, atol=1e-3, err_msg=estimate.variable.name)


def test_artifact_survives_writing_and_reading(skin: Reasoner, tmp_path: Path) -> None:
    artifact = artifact_of(skin.skeleton.reconciliation, "key")
    path = tmp_path / "deep" / "fit.npz"
    write_artifact(artifact, path)
    found = read_artifact(path)
    assert found is not None
    assert (found.tau, found.key) == (artifact.tau, "key")
    for name, parameters in artifact.parameters.items():
        np.testing.assert_array_equal(found.parameters[name], parameters)
    assert list(path.parent.iterdir()) == [path]


def test_unwritable_place_is_an_error_that_names_it(skin: Reasoner, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OntologyError, match=r"fit\.npz: cannot be written"):
        write_artifact(artifact_of(skin.skeleton.reconciliation, "key"), tmp_path / "file" / "fit.npz")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 torn"])
def test_torn_artifact_is_no_artifact(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "fit.npz").write_bytes(content)
    assert read_artifact(tmp_path / "fit.npz") is None
    assert read_artifact(tmp_path / "missing.npz") is None


def test_a_cached_artifact_is_found_by_the_evidence_alone(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    text = (data / "coin" / "coin.ttl").read_text()
    folders = {}
    for name, new in (
        ("relabelled", text.replace('"toss"', '"throw"')),
        ("recounted", text.replace("fl:k 30", "fl:k 31")),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "coin.ttl").write_text(new)
        folders[name] = tmp_path / name
    fitted = read_skeleton(build_graph(load_ontology(data / "coin")))
    key = skeleton_key(fitted)
    assert find_artifact(key) is None
    write_artifact(artifact_of(fitted.reconciliation, key), cached_path(key))
    called: list[str] = []

    def progress(done: int, total: int, name: str) -> None:
        called.append(name)

    same = read_skeleton(build_graph(load_ontology(folders["relabelled"])), progress=progress)
    assert called == []
    np.testing.assert_array_equal(same.values["toss"], fitted.values["toss"])
    other = read_skeleton(build_graph(load_ontology(folders["recounted"])), progress=progress)
    assert "toss" in called
    assert not np.allclose(other.values["toss"], fitted.values["toss"])
