"""Write the public interface as it is: python tests/update_public_api.py.

Whoever embeds the package relies on it. Commit a difference only on purpose, with a line in CHANGELOG.md.
"""

from __future__ import annotations

import inspect
import json
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent / "data" / "public_api.json"


def public_interface() -> dict[str, Any]:
    """Return names with signatures, fields and bases, by module."""
    import hepagraph.inference
    import hepagraph.ontology
    from hepagraph.service.learn import EntityClassifier

    errors = [name for name in hepagraph.ontology.__all__ if name.endswith("Error")]
    modules = {
        "hepagraph.inference": {name: getattr(hepagraph.inference, name) for name in hepagraph.inference.__all__},
        "hepagraph.ontology": {name: getattr(hepagraph.ontology, name) for name in (*errors, "Problem")},
        "hepagraph.service.learn": {"EntityClassifier": EntityClassifier},
    }
    return {
        module: {name: described(thing) for name, thing in sorted(names.items())} for module, names in modules.items()
    }


def described(thing: Any) -> Any:
    """Return a function's signature, or what a class has that is public."""
    if not inspect.isclass(thing):
        return str(inspect.signature(thing))
    found: dict[str, Any] = {}
    bases = [base.__name__ for base in thing.__bases__ if base is not object]
    if bases:
        found["bases"] = bases
    if is_dataclass(thing):
        found["fields"] = {
            f.name: f"{f.type}" + ("" if f.default is MISSING and f.default_factory is MISSING else " = ...")
            for f in fields(thing)
        }
    elif "__init__" in vars(thing):
        found["made"] = str(inspect.signature(thing.__init__))
    slots = set(found.get("fields", ()))
    members = {name: value for name, value in vars(thing).items() if not name.startswith("_") and name not in slots}
    if members:
        found["members"] = {name: member(value) for name, value in sorted(members.items())}
    return found


def member(value: Any) -> str:
    """Return a method's signature, or that it is a property or a value."""
    inside = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    if callable(inside):
        return str(inspect.signature(inside))
    return "property" if type(value).__name__ in ("property", "cached_property") else "value"


if __name__ == "__main__":
    TARGET.write_text(json.dumps(public_interface(), indent=1) + "\n", encoding="utf-8")
