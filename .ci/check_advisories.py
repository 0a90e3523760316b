"""Hold every locked version against the advisories of a committed snapshot; no network is needed.

Prints each problem and exits with status 1, or prints what was compared, and how old the snapshot is, and exits with
0. What was published after the snapshot is unknown here: ``make audit-online`` asks for it, ``make advisories`` renews
the snapshot. A locked package that the snapshot was never asked about is a problem, so a new dependency renews it too.
"""

from __future__ import annotations

import datetime
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

FOLDER = Path("requirements")
SNAPSHOT = FOLDER / "advisories.json"
EXCEPTIONS = FOLDER / "advisory_exceptions.toml"
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
LOWEST = Version("0.dev0")  # nothing sorts before it: what "introduced: 0" means
RENEW = "make advisories FROM=path/to/a/clone renews it"


class RefusedError(Exception):
    """A file cannot be used: what, where, and what to do."""


@dataclass(frozen=True)
class Locked:
    """One version of one package, and the line of a lock that asks for it."""

    package: str
    version: Version
    where: str


def read_lock(path: Path, root: Path) -> tuple[list[Locked], list[str]]:
    """Return what a lock asks for, and what is wrong with it: not one version, or no hash.

    Raises
    ------
    RefusedError
        The file asks for nothing.
    """
    found, problems = [], []
    for number, text in logical_lines(path.read_text(encoding="utf-8")):
        where = f"{path.relative_to(root)}:{number}"
        wanted, *options = re.split(r"\s+(?=--)", text)
        version = exact_version(wanted)
        if version is None:
            problems.append(f"{where}: not a package with one exact version: {wanted}")
            continue
        found.append(Locked(canonicalize_name(Requirement(wanted).name), version, where))
        if not options or not all(HASH.fullmatch(option.strip()) for option in options):
            problems.append(f"{where}: {wanted} has no sha256 hash, or has more than hashes")
    if not found:
        raise RefusedError(f"{path.relative_to(root)} asks for no package; make lock writes it anew")
    return found, problems


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line, with the lines that it is continued on and without comments."""
    parts: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), start=1):
        words = re.sub(r"(^|\s)#.*$", "", line).strip()
        start = start if parts else number
        parts.append(words.removesuffix("\\").strip())
        if not words.endswith("\\"):
            if whole := " ".join(part for part in parts if part):
                yield start, whole
            parts = []
    if whole := " ".join(part for part in parts if part):
        yield start, whole


def exact_version(wanted: str) -> Version | None:
    """Return the one version that a requirement allows, or None."""
    try:
        pins = list(Requirement(wanted).specifier)
        return Version(pins[0].version) if len(pins) == 1 and pins[0].operator == "==" else None
    except (InvalidRequirement, InvalidVersion):
        return None


def read_locks(root: Path) -> tuple[list[Locked], list[str]]:
    """Return what all locks ask for, and what is wrong with them.

    Raises
    ------
    RefusedError
        There is no lock, or one asks for nothing.
    """
    paths = sorted((root / FOLDER).glob("*.lock"))
    if not paths:
        raise RefusedError(f"no lock in {FOLDER}; make lock writes them")
    read = [read_lock(path, root) for path in paths]
    return [locked for found, _ in read for locked in found], [problem for _, more in read for problem in more]


def read_snapshot(root: Path) -> dict[str, Any]:
    """Return the snapshot.

    Raises
    ------
    RefusedError
        There is none, or it lacks something.
    """
    try:
        snapshot: dict[str, Any] = json.loads((root / SNAPSHOT).read_text(encoding="utf-8"))
        datetime.date.fromisoformat(snapshot["source"]["date"])
        for advisory in snapshot["advisories"]:
            _ = advisory["id"], advisory["aliases"], advisory["package"]
            affects(advisory, LOWEST)
        if not snapshot["asked"]:
            raise ValueError("asked about no package")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedError(f"{SNAPSHOT} cannot be used ({type(error).__name__}: {error}); {RENEW}") from error
    return snapshot


def read_exceptions(root: Path) -> list[Mapping[str, str]]:
    """Return what was looked at and is let through, each with id, package and reason.

    Raises
    ------
    RefusedError
        The file cannot be read, or an exception lacks one of these.
    """
    try:
        listed = tomllib.loads((root / EXCEPTIONS).read_text(encoding="utf-8")).get("exception", [])
    except (OSError, ValueError) as error:
        raise RefusedError(f"{EXCEPTIONS} cannot be read: {error}") from error
    keys = {"id", "package", "reason"}
    for number, exception in enumerate(listed, start=1):
        given = {key for key, value in exception.items() if isinstance(value, str) and value.strip()}
        if given != keys or set(exception) != keys:
            raise RefusedError(
                f"{EXCEPTIONS}: exception {number} needs text for {', '.join(sorted(keys))}, nothing else"
            )
    return listed


def place(event: Mapping[str, str]) -> Version:
    """Return where an event of a range stands among the versions."""
    ((kind, text),) = event.items()
    return LOWEST if kind == "introduced" and text == "0" else Version(text)


def in_range(events: Iterable[Mapping[str, str]], version: Version) -> bool:
    """Whether a range holds a version: the events are gone through in order, as OSV says."""
    inside = False
    for event in sorted(events, key=place):
        at = place(event)
        if "introduced" in event:
            inside = inside or version >= at
        elif "fixed" in event:
            inside = inside and version < at
        elif "last_affected" in event:
            inside = inside and version <= at
        else:
            raise ValueError(f"unknown event {event}")
    return inside


def affects(advisory: Mapping[str, Any], version: Version) -> bool:
    """Whether an advisory is about a version: it is listed, or a range holds it."""
    listed = any(Version(text) == version for text in advisory["versions"])
    return listed or any([in_range(events, version) for events in advisory["ranges"]])


def remedy(advisory: Mapping[str, Any], version: Version) -> str:
    """Return what is known of a version that is not affected any more."""
    fixed = {Version(event["fixed"]) for events in advisory["ranges"] for event in events if "fixed" in event}
    later = [candidate for candidate in fixed if candidate > version and not affects(advisory, candidate)]
    return f"fixed in {min(later)}" if later else "no version with a repair is known"


def problems(
    locks: Sequence[Locked], snapshot: Mapping[str, Any], exceptions: Sequence[Mapping[str, str]]
) -> Iterator[str]:
    """Yield what nothing lets through, what the snapshot was not asked about, and exceptions without use."""
    asked, used = set(snapshot["asked"]), set()
    for package in sorted({locked.package for locked in locks} - asked):
        where = ", ".join(locked.where for locked in locks if locked.package == package)
        yield f"{package} ({where}): the snapshot was not asked about it; {RENEW}"
    for advisory in snapshot["advisories"]:
        names = [advisory["id"], *advisory["aliases"]]
        hits = [lock for lock in locks if lock.package == advisory["package"] and affects(advisory, lock.version)]
        allowed = {
            number
            for number, exception in enumerate(exceptions)
            if exception["id"] in names and canonicalize_name(exception["package"]) == advisory["package"]
        }
        if allowed:
            used |= allowed if hits else set()
            continue
        for lock in hits:
            cure = remedy(advisory, lock.version)
            yield f"{lock.package} {lock.version} ({lock.where}): {' = '.join(names)}; {cure}"
    for number, exception in enumerate(exceptions):
        if number not in used:
            yield f"{EXCEPTIONS}: {exception['id']} for {exception['package']} lets nothing through any more: remove it"


def age(snapshot: Mapping[str, Any], today: datetime.date) -> str:
    """Say from when the snapshot is, and what that means."""
    source = snapshot["source"]
    days = (today - datetime.date.fromisoformat(source["date"])).days
    return (
        f"advisories: {source['name']}, {source['date']}, {days} days old: what was published since is not known here "
        "(make audit-online asks for it)"
    )


def main(root: Path, today: datetime.date) -> int:
    """Check the locks below ``root``; return the exit status."""
    try:
        locks, wrong = read_locks(root)
        snapshot, exceptions = read_snapshot(root), read_exceptions(root)
    except RefusedError as refused:
        print(refused)
        return 1
    wrong += problems(locks, snapshot, exceptions)
    print(age(snapshot, today))
    through = f", {len(exceptions)} let through with a reason" if exceptions else ""
    clean = (
        f"{len({(lock.package, lock.version) for lock in locks})} locked versions have hashes and are in none of "
        f"{len(snapshot['advisories'])} advisories{through}"
    )
    print("\n".join(wrong) if wrong else clean)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1], datetime.datetime.now(tz=datetime.UTC).date()))
