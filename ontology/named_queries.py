"""Named queries: SPARQL files with a question as their first line and parameters in their head.

A head line ``# param side: id:toss_{} fl:FeatureState | a side`` lets ``side=heads`` fill in ``?side`` with the
individual of that name and class; ``# param size_mm: number = 8 | lesion size`` takes a number, 8 unless said. A
parameter without a default that is not given leaves its variable open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hepagraph.ontology.errors import QueryError, nearest
from hepagraph.ontology.sparql import PREFIXES
from hepagraph.ontology.stores import Store

_CLASSES = r"\w+:\w+(?:\|\w+:\w+)*"
_PARAM = re.compile(rf"#\s*param\s+(\w+):\s*(\S+)(?:\s+({_CLASSES}))?(?:\s*=\s*(\S+))?\s*(?:\|\s*(.*))?$")
_WHERE = re.compile(r"\bwhere\s*\{|\bask\s*\{", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: an individual named by a pattern such as ``id:{}``, of one of the classes; or ``number``."""

    name: str
    pattern: str
    classes: tuple[str, ...]
    default: str | None
    help: str


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A query that an ontology brings: its name, the question it answers, its parameters and text."""

    name: str
    question: str
    parameters: tuple[Parameter, ...]
    text: str


def read_query(path: Path) -> NamedQuery:
    """Read a query file; the first comment line is its question."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"{path}: cannot be read: {error}") from None
    return parse_query(path.stem, text)


def parse_query(name: str, text: str) -> NamedQuery:
    r"""Read a query's head.

    >>> query = parse_query("q", "# Which?\n# param size: number = 8 | in mm\nSELECT ?s WHERE { ?s ?p ?size }")
    >>> query.question, query.parameters[0].default
    ('Which?', '8')
    """
    comments = [line.strip() for line in text.splitlines() if line.strip().startswith("#")]
    found = [match for line in comments if (match := _PARAM.fullmatch(line))]
    parameters = tuple(_parameter(match) for match in found)
    question = next((line.lstrip("# ") for line in comments if not _PARAM.fullmatch(line)), "")
    return NamedQuery(name, question, parameters, text)


def _parameter(match: re.Match[str]) -> Parameter:
    name, pattern, classes, default, help_text = match.groups()
    return Parameter(name, pattern, tuple(classes.split("|")) if classes else (), default, help_text or "")


def bind(query: NamedQuery, given: Mapping[str, str], store: Store) -> str:
    """Return the query's text with its parameters filled in.

    Raises
    ------
    QueryError
        A parameter is not the query's, or its value names nothing in the ontology.
    """
    known = {parameter.name: parameter for parameter in query.parameters}
    for name in given:
        if name not in known:
            close = nearest(name, known)
            hint = f"; did you mean {close}?" if close else ""
            allowed = ", ".join(known) or "none"
            raise QueryError(f"{query.name}: no parameter {name!r}{hint}; parameters: {allowed}")
    text = query.text
    for parameter in query.parameters:
        value = given.get(parameter.name, parameter.default)
        if value is not None:
            text = _with_value(text, parameter, _term(query, parameter, value, store))
    return text


def _with_value(text: str, parameter: Parameter, term: str) -> str:
    """Put the term for the variable in the query's body; a projected variable is bound to it as well."""
    match = _WHERE.search(text)
    end = text.rfind("}")
    if match is None or end < match.end():
        raise QueryError("the query has no WHERE { } to bind parameters in")
    variable = re.compile(rf"[?$]{parameter.name}\b")
    head, body, tail = text[: match.end()], text[match.end() : end], text[end:]
    projected = any(variable.search(line) for line in head.splitlines() if not line.lstrip().startswith("#"))
    values = f" VALUES ?{parameter.name} {{ {term} }}" if projected else ""
    return head + values + variable.sub(lambda _: term, body) + tail


def _term(query: NamedQuery, parameter: Parameter, value: str, store: Store) -> str:
    where = f"{query.name}: {parameter.name}={value}"
    if parameter.pattern == "number":
        if not _NUMBER.fullmatch(value):
            raise QueryError(f"{where}: is not a number ({parameter.help})")
        return value
    if not _NAME.fullmatch(value):
        raise QueryError(f"{where}: names are letters, digits and underscores ({parameter.help})")
    names = _names(parameter, store)
    if value not in names:
        close = nearest(value, names)
        hint = f"; did you mean {close}?" if close else ""
        some = ", ".join(sorted(names)[:40]) + (", ..." if len(names) > 40 else "")
        raise QueryError(f"{where}: nothing of that kind in the ontology is called so{hint}; allowed: {some}")
    return parameter.pattern.replace("{}", value)


def _names(parameter: Parameter, store: Store) -> set[str]:
    """Return what may stand for ``{}``: the local names that fit the pattern and the classes."""
    pattern = parameter.pattern
    prefix, _, head = pattern.replace("{}", "").partition(":")
    if prefix not in PREFIXES or "{}" not in pattern:
        raise QueryError(f"parameter pattern {pattern!r} is neither number nor prefix:name_{{}}")
    start = PREFIXES[prefix] + head
    classes = f"VALUES ?c {{ {' '.join(parameter.classes)} }} " if parameter.classes else ""
    text = f'SELECT DISTINCT ?s WHERE {{ {classes}?s a ?c . FILTER (strstarts(str(?s), "{start}")) }}'
    rows = store.query(text).rows
    return {str(row[0]).removeprefix(f"{prefix}:{head}") for row in rows}
