"""The curves as pictures. Colours are told apart by the colour-blind and in grey (Okabe-Ito); markers differ too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

STYLES = {"1 thread": ("#0072B2", "o"), "2 threads": ("#D55E00", "s")}
BAR = 1000
AXIS = "times faster than pyAgrum's best engine\n(one core, same run)"


def draw_curves(curves: dict[str, list[dict[str, Any]]], folder: Path) -> list[Path]:
    """Write all pictures and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _lines(curves["rows"], "rows", "rows scored", folder / "rows.png", logarithmic=True),
        _lines(curves["missing"], "missing", "context and features missing", folder / "missing.png", percent=True),
        _bars(curves["network"], folder / "networks.png"),
    ]


def _axes(width: float) -> tuple[Any, Axes]:
    figure, axes = plt.subplots(figsize=(width, 4.0), layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    axes.set_ylabel(AXIS)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    return figure, axes


def _lines(
    curve: list[dict[str, Any]], key: str, label: str, path: Path, *, logarithmic: bool = False, percent: bool = False
) -> Path:
    figure, axes = _axes(6.4)
    at = [point[key] for point in curve]
    for name, (colour, marker) in STYLES.items():
        median, low, high = (np.array([point[name][part] for point in curve]) for part in ("median", "low", "high"))
        axes.plot(at, median, color=colour, marker=marker, label=f"float32, {name}")
        axes.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.axhline(BAR, color="0.35", linestyle="--", linewidth=1, label="bar, one thread")
    axes.set_xlabel(label)
    axes.set_ylim(bottom=0)
    if logarithmic:
        axes.set_xscale("log")
    if percent:
        axes.set_xticks(at, [f"{100 * value:.0f} %" for value in at])
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return _save(figure, path)


def _bars(curve: list[dict[str, Any]], path: Path) -> Path:
    figure, axes = _axes(7.2)
    for number, (name, (colour, _)) in enumerate(STYLES.items()):
        for place, point in enumerate(curve):
            if point[name] is None:
                if number == 0:
                    axes.text(place, 30, "refused", ha="center", color="0.35")
                continue
            spread = point[name]
            error = [[spread["median"] - spread["low"]], [spread["high"] - spread["median"]]]
            axes.bar(place + 0.36 * (number - 0.5), spread["median"], 0.34, color=colour, yerr=error, ecolor="0.25",
                     capsize=2, label=f"float32, {name}" if place == 0 else None)  # fmt: skip
    axes.axhline(BAR, color="0.35", linestyle="--", linewidth=1, label="bar, one thread")
    names = [
        f"{point['network'].replace(', ', chr(10))}\n{point['parameters'] / 1000:,.0f} k parameters" for point in curve
    ]
    axes.set_xticks(range(len(curve)), names, fontsize=8)
    axes.set_xlim(-0.5, len(curve) - 0.5)
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return _save(figure, path)


def _save(figure: Any, path: Path) -> Path:
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
    return path
