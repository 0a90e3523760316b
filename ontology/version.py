"""The version of the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def package_version() -> str:
    """Return the installed version, or ``0+unknown`` when the code runs without being installed."""
    try:
        return version("hepagraph")
    except PackageNotFoundError:
        return "0+unknown"
