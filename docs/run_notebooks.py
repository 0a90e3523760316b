"""Execute the notebooks side by side and compare what they say with the outputs that stand in the repository.

``python docs/run_notebooks.py`` writes executed copies to ``build/notebooks`` and exits with 1 when a cell fails,
warns, or says something else than its committed output; ``--save`` renews the committed outputs instead of comparing.
Words after the options choose notebooks by the start of their names. Pictures are not compared: their bytes depend on
the machine. A widget lives only as long as its kernel, so only what it shows without one is kept.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 300_000  # bytes of a committed notebook
CELL_TIMEOUT = 300  # seconds
COLOURS = 64  # of a committed picture: enough for charts, and a third of the bytes
WIDGET = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def find_notebooks(root: Path = ROOT, chosen: Sequence[str] = ()) -> list[Path]:
    """Return the notebooks, in order; ``chosen`` holds beginnings of names, none of them means all."""
    paths = sorted((root / "notebooks").glob("*.ipynb"))
    return [path for path in paths if not chosen or path.name.startswith(tuple(chosen))]


def execute(path: Path) -> Any:
    """Return a notebook run from its first cell to its last, small, and without traces of when and where.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        A cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        asyncio.run(client.async_execute())  # closes the loop of this thread, as client.execute() does not
    except CellExecutionError as error:
        error.add_note(path.name)
        raise
    for data in (output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", ())):
        data.pop(WIDGET, None)
        if "image/png" in data:
            data["image/png"] = with_few_colours(data["image/png"])
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def with_few_colours(picture: str) -> str:
    """Return a PNG in base64 with at most ``COLOURS`` colours."""
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    written = io.BytesIO()
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode("ascii")


def execute_all(paths: Sequence[Path], processes: int | None = None) -> list[Any]:
    """Return all notebooks executed, each in a kernel of its own, the last ones first since they take longest."""
    with ThreadPoolExecutor(processes or os.cpu_count() or 1) as pool:
        running = [pool.submit(execute, path) for path in reversed(paths)]
        return [future.result() for future in reversed(running)]


def as_text(notebook: Any) -> str:
    """Return a notebook as it is written."""
    text: str = nbformat.writes(notebook, version=4)
    return text + "\n"


def differences(name: str, committed: Any, executed: Any) -> list[str]:
    """Return one line for each cell whose text differs between two versions of a notebook.

    A notebook that was committed without any output says nothing that could have become untrue.
    """
    if not any(cell.get("outputs") for cell in committed.cells):
        return []
    pairs = zip(committed.cells, executed.cells, strict=True)
    return [
        f"{name}, cell {after.id}: says something else than the committed output"
        for before, after in pairs
        if _texts(before) != _texts(after)
    ]


def problems(name: str, notebook: Any) -> list[str]:
    """Return what an executed notebook should not hold: warnings, paths or addresses of this machine, too much."""
    size = len(as_text(notebook).encode())
    found = [f"{name}: {size} bytes, more than {LARGEST}"] if size > LARGEST else []
    for cell in notebook.cells:
        if any(output.get("name") == "stderr" for output in cell.get("outputs", ())):
            found.append(f"{name}, cell {cell.id}: writes to standard error")
        text = json.dumps(_texts(cell))
        if str(Path.home()) in text or str(ROOT) in text or re.search(r"\bat 0x[0-9a-f]{6,}|/tmp/", text):
            found.append(f"{name}, cell {cell.id}: names a path or an address of this machine")
    return found


def _texts(cell: Any) -> list[str]:
    """Return what a cell says in words: streams joined, tables as text; a picture only by its kind."""
    return [f"{kind}: {text.rstrip()}" for kind, text in _joined(cell.get("outputs", ()))]


def _joined(outputs: Sequence[Any]) -> Iterator[tuple[str, str]]:
    stream = "".join(output["text"] for output in outputs if output["output_type"] == "stream")
    if stream:
        yield "stream", stream
    for output in outputs:
        data = output.get("data", {})
        drawn = sorted(kind for kind in data if not kind.startswith("text/"))
        if drawn:
            yield drawn[0], ""
        elif "text/plain" in data:
            yield "text", data["text/plain"]


def main(arguments: Sequence[str]) -> int:
    """Run the notebooks; return the exit status."""
    save = "--save" in arguments
    paths = find_notebooks(chosen=[word for word in arguments if not word.startswith("--")])
    folder = ROOT / "notebooks" if save else ROOT / "build" / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    for path, executed in zip(paths, execute_all(paths), strict=True):
        if not save:
            wrong += differences(path.name, nbformat.read(path, as_version=4), executed)
        wrong += problems(path.name, executed)
        (folder / path.name).write_text(as_text(executed), encoding="utf-8")
    last = "; make notebooks-save renews the committed outputs" if wrong and not save else ""
    wrong.append(f"{len(paths)} notebooks executed into {folder.relative_to(ROOT)}{last}")
    sys.stdout.write("\n".join(wrong) + "\n")
    return 1 if len(wrong) > 1 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
