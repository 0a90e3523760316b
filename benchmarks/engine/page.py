"""The tables of docs/benchmarks.md, between markers, from the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.engine.timing import number


def write_tables(path: Path, results: dict[str, Any]) -> None:
    """Put the tables of the results in place of what stands between the markers."""
    text = path.read_text(encoding="utf-8")
    tables = {
        "machine": machine_text(results["machine"]),
        "measures": measures_table(results["measures"]),
        "networks": networks_table(results["details"]["curves"]["network"]),
    }
    for name, table in tables.items():
        begin, end = f"<!-- {name}: written by make bench -->", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}"
    path.write_text(text, encoding="utf-8")


def machine_text(machine: dict[str, Any]) -> str:
    """Return one line about the machine."""
    return (
        f"{machine['processor']}, {machine['cores']} cores (load before the run {machine['load_before']}), "
        f"Python {machine['python']}, NumPy {machine['numpy']}, pyAgrum {machine['pyagrum']}, "
        f"pgmpy {machine['pgmpy']}, {machine['compiler']}, kernel {machine['kernel']}."
    )


def measures_table(measures: list[dict[str, Any]]) -> str:
    """Return the measures, a line each."""
    lines = ["| measure | median (lowest to highest round) | bar | reached |", "|---|---|---|---|"]
    for measure in measures:
        median, low, high = (number(measure[part]) for part in ("median", "low", "high"))
        spread = median if low == high else f"{median} ({low} to {high})"
        sign = "≤" if measure["at"] == "most" else "≥"
        bar = "" if measure["bar"] is None else f"{sign} {number(measure['bar'])}"
        reached = {None: "", True: "yes", False: "**no**"}[measure["reached"]]
        lines.append(f"| {measure['what']} | {spread} {measure['unit']} | {bar} | {reached} |".replace("  |", " |"))
    return "\n".join(lines)


def networks_table(curve: list[dict[str, Any]]) -> str:
    """Return the ratios by network."""
    lines = ["| network | parameters | 1 thread | 2 threads | against |", "|---|---|---|---|---|"]
    for point in curve:
        start = f"| {point['network']} | {point['parameters']:,}"
        if point["1 thread"] is None:
            lines.append(f"{start} | refused | refused | {point['refused']} |")
            continue
        cells = [
            f"{number(s['median'])} ({number(s['low'])} to {number(s['high'])}) x"
            for s in (point["1 thread"], point["2 threads"])
        ]
        lines.append(f"{start} | {cells[0]} | {cells[1]} | {point['peer']} |")
    return "\n".join(lines)
