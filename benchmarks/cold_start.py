"""How long a second `hepagraph posterior` takes, beside `python -c "import numpy"`: python benchmarks/cold_start.py.

The runs are interleaved, so that other work on the machine meets all of them alike. A model is compiled and stored
first, in a cache folder of its own. `--imports` adds what the modules of one answer cost to import.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CASE = str(ROOT / "examples" / "maino2023_fig4.json")
PYTHON = (sys.executable, "-c")
# The entry point that pip makes does just this.
COMMAND = "import sys; from hepagraph.service.cli import main; sys.exit(main())"
BARE = """
import json
from hepagraph.inference.reasoner import Reasoner
reasoner = Reasoner.load()
"""
ASK = BARE + f"case = json.load(open({CASE!r}))\nprint(json.dumps(reasoner.posterior(case{{}}).to_dict()))"
SUBJECTS = {
    "numpy": (*PYTHON, "import numpy"),
    "numpy, click and json": (*PYTHON, "import numpy, click, json"),
    "model loaded, nothing asked": (*PYTHON, BARE),
    "posterior alone": (*PYTHON, ASK.format(", surprise=False, reasons=False")),
    "posterior and reasons": (*PYTHON, ASK.format(", surprise=False")),
    "posterior, reasons and surprise": (*PYTHON, ASK.format("")),
    "hepagraph posterior --json": (*PYTHON, COMMAND, "posterior", CASE, "--json"),
}


def seconds(command: Sequence[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def measure(rounds: int, environment: dict[str, str]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in SUBJECTS}
    for _ in range(rounds):
        for name, command in SUBJECTS.items():
            found[name].append(seconds(command, environment))
    return found


def print_table(found: dict[str, list[float]]) -> None:
    base = statistics.median(found["numpy"])
    print(f"{'':34}{'median':>9}{'quartiles':>18}{'least':>9}{'x numpy':>9}")
    for name, times in found.items():
        low, middle, high = statistics.quantiles(times, n=4)
        spread = f"{1000 * low:.0f} to {1000 * high:.0f} ms"
        print(f"{name:34}{1000 * middle:>6.0f} ms{spread:>18}{1000 * min(times):>6.0f} ms{middle / base:>9.2f}")


def print_imports(environment: dict[str, str], most: int = 30) -> None:
    command = [sys.executable, "-X", "importtime", *SUBJECTS["hepagraph posterior --json"][1:]]
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    lines = [line.split("|") for line in done.stderr.splitlines() if line.startswith("import time:")]
    costs = [(int(own.removeprefix("import time:")), name.strip()) for own, _, name in lines[1:]]
    print("\nimports of one answer, own microseconds")
    for cost, name in sorted(costs, reverse=True)[:most]:
        print(f"{cost:8} {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--imports", action="store_true", help="print what the imports of one answer cost")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_CACHE_HOME": folder, "OPENBLAS_NUM_THREADS": "1"}
        for name in ("compiling and storing", "a second time"):
            print(f"{name}: {seconds(SUBJECTS['hepagraph posterior --json'], environment):.2f} s")
        print_table(measure(chosen.rounds, environment))
        if chosen.imports:
            print_imports(environment)


if __name__ == "__main__":
    main()
