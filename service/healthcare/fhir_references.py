"""Whom and what FHIR resources speak of: references, whichever way they are written, to one key for each thing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hepagraph.service.healthcare.fhir_values import obj, objects

Json = dict[str, Any]
_VERSION = re.compile(r"/_history/[^/]*$")
_ABSOLUTE = re.compile(r"^(https?://.+)/([A-Za-z]+/[^/]+)$")
_POINTING = ("subject", "patient", "focus", "bodyStructure")
CONTAINED = "#"


@dataclass(frozen=True)
class Entries:
    """The resources of a Bundle by key, and the keys by every address and identifier of theirs."""

    resources: Mapping[str, Json]
    keys: Mapping[str, str]
    servers: int

    def of_kind(self, kind: str) -> Iterator[tuple[str, Json]]:
        """Yield key and resource of every resource of a type."""
        return ((key, one) for key, one in self.resources.items() if one.get("resourceType") == kind)

    def key(self, reference: Any, holder: Json) -> str:
        """Return the key of what a Reference in a resource refers to; empty where it refers to nothing.

        What is not in the Bundle has its address as its key, without the version, and without the server where all
        addresses name the same one. What is contained in the resource goes by its identifier; without one its key
        starts with a #.
        """
        found = obj(reference)
        place = found.get("reference")
        if not isinstance(place, str) or not place:
            name = _identifier(found.get("identifier"))
            return self.keys.get(name, name)
        place = unversioned(place)
        if place.startswith(CONTAINED):
            inner = [one for one in objects(holder.get("contained")) if one.get("id") == place[1:]]
            names = [name for one in inner for name in _identifiers(one)]
            return next((self.keys.get(name, name) for name in names), place)
        short = _relative(place) if self.servers == 1 else place
        return self.keys.get(place) or self.keys.get(short) or short


def entries(bundle: Mapping[str, Any]) -> Entries:
    """Return the resources that a Bundle holds."""
    resources: dict[str, Json] = {}
    keys: dict[str, str] = {}
    places: list[str] = []
    for position, entry in enumerate(objects(bundle.get("entry"))):
        resource = obj(entry.get("resource"))
        named = resource.get("resourceType") and resource.get("id")
        relative = f"{resource['resourceType']}/{resource['id']}" if named else ""
        full = unversioned(str(entry.get("fullUrl") or ""))
        key = relative or full or str(position)
        if resources.get(key) == resource:
            continue  # the answers to two searches may hold the same resource
        key = f"{key} ({position})" if key in resources else key
        resources[key] = resource
        for place in (full, relative, *_identifiers(resource)):
            if place:
                keys.setdefault(place, key)
        pointing = [one for name in _POINTING for one in (objects(resource.get(name)) or [obj(resource.get(name))])]
        places += [full, *(unversioned(str(one.get("reference") or "")) for one in pointing)]
    return Entries(resources, keys, len({found.group(1) for place in places if (found := _ABSOLUTE.match(place))}))


@dataclass
class Patients:
    """Whom the statements are of."""

    places: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, where: str) -> None:
        """Note that a resource is of a patient; an empty key: it does not say of whom."""
        self.places.setdefault(key, where)

    def problem(self) -> tuple[str, str] | None:
        """Return where and why these are not one patient's; None where they are."""
        known = [key for key in self.places if key]
        if len(known) > 1:
            return "bundle", f"the resources are of {len(known)} patients ({', '.join(self.places[k] for k in known)})"
        if known and "" in self.places:
            return self.places[""], "does not say of which patient it is, and others do"
        return None


def _identifiers(resource: Json) -> list[str]:
    found = resource.get("identifier")
    return [name for one in (objects(found) or [obj(found)]) if (name := _identifier(one))]


def _identifier(identifier: Any) -> str:
    found = obj(identifier)
    return f"{found.get('system') or ''}|{found['value']}" if isinstance(found.get("value"), str) else ""


def _relative(place: str) -> str:
    """Return type and id of a web address; anything else as it is."""
    found = _ABSOLUTE.match(place)
    return found.group(2) if found else place


def unversioned(place: str) -> str:
    """Return an address without the version of the resource.

    >>> unversioned("Patient/1/_history/2")
    'Patient/1'
    """
    return _VERSION.sub("", place)


def last_part(key: str) -> str:
    """Return what a key calls a thing within its type or its system of identifiers."""
    return re.split(r"[/|]", key)[-1] or key
