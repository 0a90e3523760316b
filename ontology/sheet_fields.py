"""Read one field of the spreadsheet: its text becomes RDF terms, or an error that says what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from rdflib import Literal, URIRef
from rdflib.term import Node

from hepagraph.ontology.errors import nearest
from hepagraph.ontology.lookup import Lookup, snake
from hepagraph.ontology.namespaces import SCHEMA, local_name
from hepagraph.ontology.sheet_columns import Column

# Plain figures only: a short exponent would be a number of any size.
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def statement_name(row_id: str) -> str:
    """Return the local name of the statement of a row.

    >>> statement_name("AB-012")
    'ev_ab_012'
    """
    return "ev_" + snake(row_id)


class FieldError(ValueError):
    """What is wrong with a field: (what, allowed, nearest, advice)."""


def field_values(column: Column, text: str, lookup: Lookup, feature: URIRef | None) -> Iterable[Node]:
    """Yield the terms that a field stands for; ``FieldError`` says what is wrong, allowed, nearest, and to be done."""
    match column.kind:
        case "text":
            yield Literal(text)
        case "texts":
            yield from (Literal(part.strip()) for part in text.split(" | ") if part.strip())
        case "integer" | "number" | "percent":
            yield _number(column.kind, text)
        case "flag":
            yield _flag(text)
        case "choice":
            yield _choice(column, text)
        case "thing":
            yield _thing(text, column.classes, lookup)
        case "things":
            yield from (_thing(part, column.classes, lookup) for part in _parts(text, "|"))
        case "states":
            yield from (_state(part, feature, lookup) for part in _parts(text, "|"))
        case "conditions":
            yield from (_condition(part, lookup) for part in _parts(text, ";"))
        case "statements":
            yield from (lookup.namespace[statement_name(part)] for part in _parts(text, "|"))


def _parts(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _number(kind: str, text: str) -> Literal:
    if not _NUMBER.fullmatch(text):
        raise FieldError(f"{text!r} is not a number", (), None, "use a point as decimal mark, no % sign")
    value = Decimal(text)
    if kind == "integer":
        if not re.fullmatch(r"[0-9]+(\.0)?", text):  # 1.000 is a thousand where the decimal mark is a comma
            raise FieldError(f"{text!r} is not a whole number of at least 0")
        return Literal(int(value))
    if kind == "percent":
        if not 0 <= value <= 100:
            raise FieldError(f"{text!r} is not a percentage from 0 to 100")
        value /= 100
    return Literal(_plain(value), datatype="http://www.w3.org/2001/XMLSchema#decimal")


def _plain(value: Decimal) -> str:
    """Write a decimal without exponent or trailing zeros, always with a point, as Turtle reads decimals.

    >>> _plain(Decimal("1E-3")), _plain(Decimal("5"))
    ('0.001', '5.0')
    """
    text = format(value, "f")
    text = text.rstrip("0") if "." in text else text + ".0"
    return text + "0" if text.endswith(".") else text


def _flag(text: str) -> Literal:
    if text.lower() not in ("yes", "true", "1"):
        raise FieldError(f"{text!r} is not yes", ("yes",), None, "leave it empty for no")
    return Literal(True)


def _choice(column: Column, text: str) -> URIRef:
    if text not in column.choices:
        raise FieldError(f"{text!r} is not known", tuple(column.choices), nearest(text, column.choices))
    return SCHEMA[column.choices[text]]


def _thing(text: str, classes: tuple[str, ...], lookup: Lookup) -> URIRef:
    found = lookup.find(text, classes)
    if found is None:
        known = lookup.spellings(classes)
        allowed = tuple(known) if len(known) <= 40 else ()
        advice = "" if allowed else f"{len(known)} are declared; see: hepagraph sparql terms --param class=..."
        raise FieldError(f"{text!r} is not declared", allowed, nearest(text, known), advice)
    return found


def _state(text: str, feature: URIRef | None, lookup: Lookup) -> URIRef:
    if feature is None:
        raise FieldError("a state needs a declared feature", (), None, "fill the column feature")
    known = lookup.states(feature)
    if text not in known:
        raise FieldError(f"{text!r} is not a state of {local_name(feature)}", tuple(known), nearest(text, known))
    return known[text]


def _condition(text: str, lookup: Lookup) -> URIRef:
    variable, _, state = (part.strip() for part in text.partition("="))
    found = lookup.find(variable, ("ContextVariable", "ImagingFeature"))
    if found is None or not state:
        known = lookup.spellings(("ContextVariable", "ImagingFeature"))
        raise FieldError(f"{text!r} is not variable=state", (), nearest(variable, known), "e.g. variable=state")
    return _state(state, found, lookup)
