"""Write the snapshot of advisories for the locked packages anew, from a clone of the advisory database.

Only facts are taken: identifiers, packages and which versions are affected; no text. What was withdrawn is left out.
Nothing is fetched: get or renew the clone first.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from check_advisories import SNAPSHOT, RefusedError, in_range, place, read_locks
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

DATABASE = "https://github.com/pypa/advisory-database"
SOURCE = {
    "name": "Python Packaging Advisory Database",
    "address": DATABASE,
    "licence": "CC-BY-4.0",
    "licence_address": "https://creativecommons.org/licenses/by/4.0/",
    "changes": "only the packages of our locks; no descriptions; versions that a range holds are not listed again",
}
HOW = f"git clone --depth 1 {DATABASE} FOLDER, then make advisories FROM=FOLDER"
NAME = re.compile(r"\bname[\"']?\s*:\s*[\"']?([\w.-]+)")
EVENTS = {"introduced", "fixed", "last_affected"}


def git(clone: Path, *words: str) -> bytes:
    """Return what git says of a clone.

    Raises
    ------
    RefusedError
        It is no clone, or has not what was asked for.
    """
    done = subprocess.run(["git", "-C", str(clone), *words], capture_output=True)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise RefusedError(f"{clone} is not a clone of the advisory database: {said}\n{HOW}")
    return done.stdout


def files(clone: Path) -> Iterator[tuple[str, str]]:
    """Yield name and text of each advisory of the last commit."""
    with tarfile.open(fileobj=io.BytesIO(git(clone, "archive", "--format=tar", "HEAD", "vulns"))) as archive:
        for member in archive:
            if member.name.endswith((".yaml", ".yml")) and (held := archive.extractfile(member)) is not None:
                yield member.name, held.read().decode("utf-8")


def version_ranges(affected: Mapping[str, Any], name: str) -> list[list[dict[str, str]]]:
    """Return the ranges of versions of one package; ranges of commits are no use here.

    Raises
    ------
    RefusedError
        A range is of another kind, or has events or versions that we cannot read.
    """
    found = []
    for given in affected.get("ranges", ()):
        if given["type"] == "GIT":
            continue
        events = [{str(kind): str(text) for kind, text in event.items()} for event in given["events"]]
        if given["type"] != "ECOSYSTEM" or any(len(event) != 1 or not set(event) <= EVENTS for event in events):
            raise RefusedError(f"{name}: a range of a kind that this program does not know: {given}")
        try:
            found.append(sorted(events, key=place))
        except InvalidVersion as error:
            raise RefusedError(f"{name}: {error}") from error
    return found


def other_versions(affected: Mapping[str, Any], ranges: list[list[dict[str, str]]]) -> list[str]:
    """Return the listed versions that no range holds; what is not a version of PEP 440 cannot be locked either."""
    found = set()
    for text in map(str, affected.get("versions") or ()):
        try:
            version = Version(text)
        except InvalidVersion:
            continue
        if not any(in_range(events, version) for events in ranges):
            found.add(version)
    return [str(version) for version in sorted(found)]


def facts(name: str, text: str, asked: set[str]) -> Iterator[dict[str, Any]]:
    """Yield what one file says of the packages asked for.

    Raises
    ------
    RefusedError
        It says of one of them nothing that a version can be compared with.
    """
    if not asked & {canonicalize_name(found) for found in NAME.findall(text)}:
        return
    advisory = yaml.safe_load(text)
    if advisory.get("withdrawn"):
        return
    for affected in advisory["affected"]:
        package = canonicalize_name(affected["package"]["name"])
        if affected["package"]["ecosystem"] != "PyPI" or package not in asked:
            continue
        ranges = version_ranges(affected, name)
        versions = other_versions(affected, ranges)
        if not ranges and not versions:
            raise RefusedError(f"{name}: names no version of {package}")
        aliases = sorted(map(str, advisory.get("aliases") or ()))
        yield {
            "id": str(advisory["id"]),
            "aliases": aliases,
            "package": package,
            "ranges": ranges,
            "versions": versions,
        }


def snapshot_text(source: Mapping[str, str], asked: Iterable[str], advisories: Iterable[Mapping[str, Any]]) -> str:
    """Return the snapshot as JSON, a package or an advisory a line, sorted."""
    number = re.compile(r"\d+")

    def order(advisory: Mapping[str, Any]) -> tuple[str, list[int], str]:
        return advisory["package"], [int(part) for part in number.findall(advisory["id"])], advisory["id"]

    def lines(items: Iterable[Any]) -> str:
        return ",\n".join(json.dumps(item, ensure_ascii=False) for item in items)

    return (
        f'{{"source": {json.dumps(source, indent=1, ensure_ascii=False)},\n"asked": [\n{lines(sorted(asked))}\n],\n'
        f'"advisories": [\n{lines(sorted(advisories, key=order))}\n]}}\n'
    )


def main(root: Path, arguments: list[str]) -> int:
    """Write the snapshot below ``root`` from the clone that is named; return the exit status."""
    if len(arguments) != 1 or not arguments[0]:
        print(f"name a clone of the advisory database: {HOW}")
        return 1
    try:
        clone = Path(arguments[0])
        asked = {locked.package for locked in read_locks(root)[0]}
        commit, date = git(clone, "show", "--no-patch", "--format=%H %cs", "HEAD").decode().split()
        texts = list(files(clone))
        found = [fact for name, text in texts for fact in facts(name, text, asked)]
        if not texts:
            raise RefusedError(f"{clone} holds no advisory\n{HOW}")
    except RefusedError as refused:
        print(refused)
        return 1
    (root / SNAPSHOT).write_text(snapshot_text({**SOURCE, "commit": commit, "date": date}, asked, found), "utf-8")
    print(f"{SNAPSHOT}: {len(found)} of {len(texts)} advisories are about {len(asked)} locked packages, as of {date}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1], sys.argv[1:]))
