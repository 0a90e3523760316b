"""Names of a package that are imported when first asked for, so that a start pays for nothing that it does not use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a package's ``__getattr__`` (PEP 562).

    ``modules`` says for each name which submodule of ``package`` holds it; those submodules are found too. A name
    that was asked for stays in the package, so it is looked up once.
    """

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name in modules:
            found = getattr(import_module(f"{package}.{modules[name]}"), name)
            setattr(sys.modules[package], name, found)
            return found
        if name in modules.values():
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return __getattr__
