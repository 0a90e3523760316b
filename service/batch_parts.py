"""What a batch has finished so far, kept beside its result, so that a run that was cut off can go on.

``RESULT.parts`` holds a manifest and one Arrow file a chunk, each written under another name, flushed, and renamed: a
part that is there is whole. Only a run with the manifest's key uses them. Two runs that meet make the same files.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hepagraph.ontology.errors import HepagraphError
from hepagraph.ontology.whole_files import whole_file
from hepagraph.service.batch_sources import arrow

MANIFEST = "manifest.json"
_METADATA = b"hepagraph"


class Parts:
    """The finished chunks of one batch; ``description`` says what makes its result, with a key."""

    def __init__(self, target: str, description: Mapping[str, Any]) -> None:
        self.target = Path(target)
        self.folder = Path(f"{target}.parts")
        self._description = description

    def finished(self) -> bool:
        """Return whether the result is there, made from the same input by the same model and options."""
        pa = arrow()
        try:
            metadata = pa.parquet.read_schema(self.target).metadata or {}
            return bool(json.loads(metadata[_METADATA])["key"] == self._description["key"])
        except (OSError, pa.ArrowException, KeyError, RecursionError, TypeError, ValueError):
            return False

    def open(self, columns: Sequence[str]) -> set[int]:
        """Make the folder, throw away parts of any other run, and return the numbers of the chunks that are done.

        ``columns`` are those of the input; a run that goes on need not look for them again.
        """
        if not self.checked:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True, exist_ok=True)
            with whole_file(self.folder / MANIFEST) as stream:
                stream.write(json.dumps({**self._description, "columns": list(columns)}, indent=1).encode())
        found = (re.fullmatch(r"part-(\d+)\.arrow", path.name) for path in self.folder.iterdir())
        return {int(match[1]) for match in found if match}

    @property
    def checked(self) -> bool:
        """Whether a run with the same key has begun to score, and so has found every row good."""
        return bool(self._manifest().get("key") == self._description["key"])

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The columns of the input, where a run with the same key has written them down."""
        found = self._manifest().get("columns") if self.checked else None
        return tuple(map(str, found)) if isinstance(found, list) else None

    def read(self, number: int, schema: Any) -> Any:
        """Return the Arrow table of a finished chunk.

        Raises
        ------
        HepagraphError
            Something has damaged it, or put another in its place; it is gone then, and the next run makes it anew.
        """
        path = self._path(number)
        try:
            with arrow().ipc.open_file(path) as stream:
                found = stream.read_all()
                found.validate(full=True)
            sound = found.schema.equals(schema)
        except arrow().ArrowException:
            sound = False
        if not sound:
            path.unlink(missing_ok=True)
            raise HepagraphError(f"{path}: was damaged, and is removed; start the command again to go on")
        return found

    def write(self, number: int, table: Any) -> None:
        """Keep the table of a chunk."""
        with whole_file(self._path(number)) as stream, arrow().ipc.new_file(stream, table.schema) as writer:
            writer.write_table(table)

    @contextlib.contextmanager
    def result(self, schema: Any) -> Iterator[Any]:
        """Open a Parquet writer for the result, which takes its place, and the parts go, when all is well."""
        keep = {name: self._description[name] for name in ("key", "model", "options")}
        marked = schema.with_metadata({**(schema.metadata or {}), _METADATA: json.dumps(keep)})
        with (
            whole_file(self.target, waiting=self.folder) as stream,
            arrow().parquet.ParquetWriter(stream, marked, compression="zstd") as writer,
        ):
            yield writer
        self.remove()

    def remove(self) -> None:
        """Remove all parts."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}.arrow"

    def _manifest(self) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, RecursionError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
