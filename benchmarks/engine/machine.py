"""What the measures were taken on: processor, versions, compiler; no names, no paths."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.engine.limits import compiler
from hepagraph.inference.engine.native import LEVELS, level, library


def describe() -> dict[str, Any]:
    """Return the description."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "pgmpy", "pyagrum")},
        "compiler": compiler_version(),
        "kernel": LEVELS[level()] if library() is not None else "NumPy",
    }


def processor() -> str:
    """Return the processor's name as Linux tells it, or as Python does."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def compiler_version() -> str:
    """Return the first line that the compiler says about itself."""
    command = compiler()
    if command is None:
        return "none"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]
