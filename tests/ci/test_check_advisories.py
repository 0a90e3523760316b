"""The check of locked versions against advisories, and the renewal of its snapshot, on made-up packages."""

from __future__ import annotations

import datetime
import importlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.version import Version

FOLDER = Path(__file__).resolve().parents[2] / ".ci"
TODAY = datetime.date(2020, 1, 11)
HASH = f"--hash=sha256:{'0a' * 32}"
LOCK = f"""# made by hand
blorp==2.0 \\
    {HASH} \\
    {HASH}
Quux.Lib==1.5.post1 ; sys_platform == 'win32' \\
    {HASH}  # via blorp
"""
RANGE = [{"introduced": "0"}, {"fixed": "2.1"}]
GIT = {"type": "GIT", "repo": "https://example.org/blorp", "events": [{"introduced": "0"}, {"fixed": "0a0a"}]}


@pytest.fixture(scope="module")
def check() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module("check_advisories")


@pytest.fixture(scope="module")
def renew(check: ModuleType) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module("renew_advisories")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "a.lock").write_text(LOCK)
    (tmp_path / "requirements" / "advisory_exceptions.toml").write_text("# none\n")
    snapshot(tmp_path)
    return tmp_path


def advisory(**changes: Any) -> dict[str, Any]:
    return {"id": "T-1", "aliases": ["X-9"], "package": "blorp", "ranges": [RANGE], "versions": []} | changes


def snapshot(root: Path, *advisories: dict[str, Any], asked: tuple[str, ...] = ("blorp", "quux-lib")) -> None:
    source = {"name": "A list", "date": "2020-01-01"}
    text = json.dumps({"source": source, "asked": asked, "advisories": advisories})
    (root / "requirements" / "advisories.json").write_text(text)


def exception(root: Path, **keys: str) -> None:
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    (root / "requirements" / "advisory_exceptions.toml").write_text("\n".join(["[[exception]]", *lines]))


def said(check: ModuleType, root: Path, capsys: pytest.CaptureFixture[str], status: int) -> str:
    assert check.main(root, TODAY) == status
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("events", "versions", "inside", "outside"),
    [
        (RANGE, [], ["0.dev0", "0", "1", "2.1rc1", "2.0.post1"], ["2.1", "2.1.post1", "1!0"]),
        (
            [{"introduced": "1.0"}, {"last_affected": "2.0"}],
            [],
            ["1.0", "2", "2.0.0"],
            ["1.0rc1", "2.0.post1", "2.0.1"],
        ),
        ([{"introduced": "3"}], [], ["3", "99"], ["2.9"]),
        (
            [{"fixed": "3.2"}, {"introduced": "3"}, {"fixed": "2.1"}, {"introduced": "2"}],  # in no order
            [],
            ["2.0.9", "3.1"],
            ["1", "2.1", "2.5", "3.2", "4"],
        ),
        (RANGE, ["5.0", "6.0a1"], ["1", "5", "6.0alpha1"], ["4", "5.0.1", "6.0"]),
        ([], ["5.0"], ["5.0.0"], ["1", "5.1"]),
    ],
)
def test_which_versions_an_advisory_is_about(
    check: ModuleType, events: list[dict[str, str]], versions: list[str], inside: list[str], outside: list[str]
) -> None:
    found = advisory(ranges=[events] if events else [], versions=versions)
    assert [text for text in inside if not check.affects(found, Version(text))] == []
    assert [text for text in outside if check.affects(found, Version(text))] == []


def test_locks_that_no_advisory_is_about_pass_with_the_age_of_the_snapshot(
    check: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot(root, advisory(ranges=[[{"introduced": "0"}, {"fixed": "2.0"}]]), advisory(package="quux-lib", ranges=[]))
    printed = said(check, root, capsys, 0)
    assert "A list, 2020-01-01, 10 days old: what was published since is not known here" in printed
    assert "2 locked versions have hashes and are in none of 2 advisories" in printed


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "blorp 2.0 (requirements/a.lock:2): T-1 = X-9; fixed in 2.1"),
        ({"ranges": [[{"introduced": "2"}, {"last_affected": "2.0"}]]}, "no version with a repair is known"),
        ({"ranges": [RANGE, [{"introduced": "2.1"}, {"fixed": "3.0.1"}]]}, "fixed in 3.0.1"),  # 2.1 is affected again
        (
            {"package": "quux-lib", "ranges": [], "versions": ["1.5.post1"]},
            "quux-lib 1.5.post1 (requirements/a.lock:5)",
        ),
    ],
)
def test_an_affected_version_is_told_with_its_place_and_repair(
    check: ModuleType, root: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], told: str
) -> None:
    snapshot(root, advisory(**changes))
    printed = said(check, root, capsys, 1)
    assert told in printed
    assert "in none of" not in printed


@pytest.mark.parametrize("name", ["T-1", "X-9"])
def test_an_exception_with_a_reason_lets_it_through(
    check: ModuleType, root: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    snapshot(root, advisory())
    exception(root, id=name, package="blorp", reason="we never call it")
    assert "1 let through with a reason" in said(check, root, capsys, 0)


@pytest.mark.parametrize(
    "keys",
    [
        {"id": "T-1", "package": "blorp"},
        {"id": "T-1", "package": "blorp", "reason": "  "},
        {"id": "T-1", "reason": "we never call it"},
        {"id": "T-1", "package": "blorp", "reason": "we never call it", "until": "later"},
    ],
)
def test_an_exception_must_say_what_and_why(
    check: ModuleType, root: Path, capsys: pytest.CaptureFixture[str], keys: dict[str, str]
) -> None:
    snapshot(root, advisory())
    exception(root, **keys)
    assert "exception 1 needs text for id, package, reason" in said(check, root, capsys, 1)


@pytest.mark.parametrize(
    ("name", "package"), [("T-2", "blorp"), ("T-1", "quux-lib")], ids=["another advisory", "another package"]
)
def test_an_exception_lets_nothing_else_through_and_is_told_when_it_is_idle(
    check: ModuleType, root: Path, capsys: pytest.CaptureFixture[str], name: str, package: str
) -> None:
    snapshot(root, advisory())
    exception(root, id=name, package=package, reason="we never call it")
    printed = said(check, root, capsys, 1)
    assert "T-1 = X-9" in printed
    assert f"{name} for {package} lets nothing through any more" in printed


def test_an_exception_is_idle_once_the_lock_has_the_repair(
    check: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot(root, advisory(ranges=[[{"introduced": "0"}, {"fixed": "2.0"}]]))
    exception(root, id="T-1", package="blorp", reason="we never call it")
    assert "lets nothing through any more: remove it" in said(check, root, capsys, 1)


def test_a_package_that_the_snapshot_was_not_asked_about_is_told(
    check: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot(root, asked=("blorp",))
    printed = said(check, root, capsys, 1)
    assert "quux-lib (requirements/a.lock:5): the snapshot was not asked about it; make advisories" in printed


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("blorp==2.0", "blorp==2.0 has no sha256 hash"),
        ("blorp==2.0 \\\n    --hash=md5:00", "has no sha256 hash"),
        (f"blorp==2.0 \\\n    {HASH} --no-deps", "has more than hashes"),
        (f"blorp>=2.0 {HASH}", "not a package with one exact version: blorp>=2.0"),
        (f"blorp==2.* {HASH}", "not a package with one exact version"),
        (f"blorp {HASH}", "not a package with one exact version: blorp"),
        (f"blorp @ https://example.org/blorp.whl {HASH}", "not a package with one exact version"),
        ("-r other.txt", "not a package with one exact version: -r other.txt"),
        ("--no-binary blorp", "not a package with one exact version"),
    ],
)
def test_a_line_without_one_version_and_hashes_is_told(
    check: ModuleType, root: Path, capsys: pytest.CaptureFixture[str], line: str, told: str
) -> None:
    (root / "requirements" / "b.lock").write_text(f"quux-lib==1.5.post1 {HASH}\n{line}\n")
    printed = said(check, root, capsys, 1)
    assert told in printed
    assert "requirements/b.lock:2: " in printed


def test_locks_are_needed(check: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "requirements" / "a.lock").write_text("# nothing\n")
    assert "requirements/a.lock asks for no package" in said(check, root, capsys, 1)
    (root / "requirements" / "a.lock").unlink()
    assert "no lock in requirements" in said(check, root, capsys, 1)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{",
        "[]",
        json.dumps({"source": {"name": "A list", "date": "yesterday"}, "asked": ["blorp"], "advisories": []}),
        json.dumps({"source": {"name": "A list", "date": "2020-01-01"}, "asked": [], "advisories": []}),
        json.dumps(
            {
                "source": {"name": "A list", "date": "2020-01-01"},
                "asked": ["blorp"],
                "advisories": [advisory(ranges=[[{"introduced": "0"}, {"limit": "3"}]])],
            }
        ),
    ],
)
def test_a_snapshot_that_cannot_be_used_is_a_failure(
    check: ModuleType, root: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    path = root / "requirements" / "advisories.json"
    path.unlink()
    if text is not None:
        path.write_text(text)
    printed = said(check, root, capsys, 1)
    assert "requirements/advisories.json cannot be used" in printed
    assert "make advisories" in printed


# -- the snapshot is renewed ------------------------------------------------------------------------------------------


def write(clone: Path, name: str, **content: Any) -> None:
    """Write an advisory as the database has it; JSON is YAML."""
    path = clone / "vulns" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"id": path.stem, "details": "words", **content}, indent=1))


def about(name: str, *events: dict[str, str], versions: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    ranges = [GIT, {"type": "ECOSYSTEM", "events": list(events)}] if events else [GIT]
    return {"package": {"ecosystem": "PyPI", "name": name}, "ranges": ranges, "versions": list(versions), **more}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    return folder


def commit(clone: Path) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(clone), "add", "."], check=True)
    subprocess.run(["git", "-C", str(clone), *who, "commit", "--quiet", "--allow-empty", "-m", "x"], check=True)
    done = subprocess.run(["git", "-C", str(clone), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_snapshot_holds_what_the_database_says_of_locked_packages(
    renew: ModuleType, check: ModuleType, root: Path, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = {"introduced": "0"}, {"fixed": "1.10"}
    write(clone, "blorp/T-10.yaml", affected=[about("Blorp", new, old, versions=("1.9", "1.10", "2004d", "2.0"))])
    write(clone, "blorp/T-9.yaml", affected=[about("blorp", old, new)], aliases=["X-2", "X-1"])
    write(clone, "blorp/T-11.yaml", affected=[about("blorp", old)], withdrawn="2019-01-01T00:00:00Z")
    write(clone, "other/T-12.yaml", affected=[about("other", old)])
    write(clone, "other/T-13.yaml", affected=[about("other", old), about("quux_lib", versions=("1.5.post1",))])
    write(clone, "blorp/T-14.yaml", affected=[about("blorp", old) | {"package": {"ecosystem": "npm", "name": "blorp"}}])
    head = commit(clone)
    assert renew.main(root, [str(clone)]) == 0
    assert "3 of 6 advisories are about 2 locked packages" in capsys.readouterr().out
    text = (root / "requirements" / "advisories.json").read_text()
    found = json.loads(text)
    assert found["asked"] == ["blorp", "quux-lib"]
    assert found["source"]["commit"] == head
    assert found["source"]["licence"] == "CC-BY-4.0"
    facts = [{"id": "T-9", "aliases": ["X-1", "X-2"]}, {"id": "T-10", "aliases": [], "versions": ["1.10", "2.0"]}]
    wanted = [{"package": "blorp", "ranges": [[old, new]], "versions": []} | fact for fact in facts]
    wanted += [{"id": "T-13", "aliases": [], "package": "quux-lib", "ranges": [], "versions": ["1.5.post1"]}]
    assert found["advisories"] == wanted
    printed = said(check, root, capsys, 1)
    assert "blorp 2.0 (requirements/a.lock:2): T-10; no version with a repair is known" in printed
    assert "T-13" in printed and "T-9" not in printed


@pytest.mark.parametrize(
    ("affected", "told"),
    [
        ([about("blorp", {"introduced": "0"}, {"limit": "3"})], "blorp/T-1.yaml: a range of a kind"),
        ([about("blorp", {"introduced": "zero"})], "blorp/T-1.yaml: "),
        ([about("blorp")], "blorp/T-1.yaml: names no version of blorp"),
    ],
)
def test_what_cannot_be_compared_is_told_and_the_snapshot_stays(
    renew: ModuleType, root: Path, clone: Path, capsys: pytest.CaptureFixture[str], affected: list[Any], told: str
) -> None:
    before = (root / "requirements" / "advisories.json").read_text()
    write(clone, "blorp/T-1.yaml", affected=affected)
    commit(clone)
    assert renew.main(root, [str(clone)]) == 1
    assert told in capsys.readouterr().out
    assert (root / "requirements" / "advisories.json").read_text() == before


def test_how_to_get_a_clone_is_told(
    renew: ModuleType, root: Path, clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for arguments in ([], [""], [str(tmp_path / "nowhere")], [str(tmp_path / "empty")], [str(clone)]):
        assert renew.main(root, arguments) == 1
        assert "git clone --depth 1 https://github.com/pypa/advisory-database" in capsys.readouterr().out


def test_the_snapshot_in_the_repository_says_whose_it_is(check: ModuleType) -> None:
    source = check.read_snapshot(FOLDER.parent)["source"]
    assert f"The present one, of {source['date']}, is older" in (FOLDER.parent / "SECURITY.md").read_text("utf-8")
    assert source["licence"] == "CC-BY-4.0"
    assert set(source) == {"name", "address", "licence", "licence_address", "changes", "commit", "date"}
