"""Matches of our things to other vocabularies: read the SSSOM sets, turn them into triples, keep to their licences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDFS, SKOS

from hepagraph.ontology.errors import OntologyError, Problem, nearest
from hepagraph.ontology.files import PACKAGED, OntologyFiles
from hepagraph.ontology.namespaces import DCTERMS, ID_IRI, SCHEMA_IRI, local_name

MAPPINGS = PACKAGED / "mappings"
ID_ONLY = ("subject_id", "subject_label", "predicate_id", "object_id", "mapping_justification", "comment")
COLUMNS = {"open": (*ID_ONLY[:4], "object_label", *ID_ONLY[4:]), "id_only": ID_ONLY}
FOLDERS = {"ids and labels": "open", "ids only": "id_only", "left out": None}
LICENCE_COLUMNS = "vocabulary name namespaces licence licence_url read_at read_on handling note".split()
HEADER = "license mapping_date mapping_set_description mapping_set_id mapping_set_title object_source subject_source"
PREDICATES = tuple(f"skos:{kind}Match" for kind in ("exact", "close", "broad", "narrow", "related"))
_ADDRESS = r"[^\x00-\x20\x7f<>\"{}|\\^`\s]+"  # what may stand in an IRI
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*:"
LABELS = (RDFS.label, SKOS.prefLabel, SKOS.altLabel, SKOS.hiddenLabel, DCTERMS.title)


@dataclass(frozen=True, slots=True)
class Match:
    """One row of a set: our thing, how it matches, the other vocabulary's thing and, where free, its label."""

    subject: URIRef
    subject_label: str
    predicate: URIRef
    object: URIRef
    object_label: str | None
    comment: str


@dataclass(frozen=True, slots=True)
class MappingSet:
    """The matches to one vocabulary, with what its header says."""

    path: Path
    vocabulary: str
    header: Mapping[str, str]
    prefixes: Mapping[str, str]
    see_also: tuple[str, ...]
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Licence:
    """What may be done with a vocabulary, and where that was read."""

    vocabulary: str
    name: str
    namespaces: tuple[str, ...]
    licence: str
    licence_url: str
    read_at: tuple[str, ...]
    read_on: str
    handling: str
    note: str


def load_mappings(directory: str | Path = MAPPINGS) -> tuple[MappingSet, ...]:
    """Return the sets of ``open/`` and ``id_only/`` by name; an OntologyError names the file and line that is wrong."""
    paths = [path for folder in COLUMNS for path in (Path(directory) / folder).glob("*.sssom.tsv")]
    if not paths:
        raise OntologyError(f"{directory}: holds no *.sssom.tsv in {' or '.join(COLUMNS)}; give the mappings folder")
    return tuple(read_set(path) for path in sorted(paths, key=lambda path: path.name))


def load_licences(directory: str | Path = MAPPINGS) -> dict[str, Licence]:
    """Return ``licences.tsv`` by vocabulary; an OntologyError names the file and line that is wrong."""
    path = Path(directory) / "licences.tsv"
    found: dict[str, Licence] = {}
    for number, row in _rows(path, _lines(path), 1, LICENCE_COLUMNS):
        if row["vocabulary"] in found:
            raise _error(path, number, f"{row['vocabulary']} stands twice", advice="delete one of the two lines")
        if row["handling"] not in FOLDERS:
            raise _error(path, number, f"handling {row['handling']!r} is not known", FOLDERS, row["handling"])
        namespaces, read_at = tuple(row.pop("namespaces").split()), tuple(row.pop("read_at").split())
        found[row["vocabulary"]] = Licence(namespaces=namespaces, read_at=read_at, **row)
    return found


def read_set(path: Path) -> MappingSet:
    """Read one SSSOM file; its folder says whether labels of the other vocabulary may stand in it."""
    if path.parent.name not in COLUMNS:
        raise OntologyError(f"{path}: a mapping set stands in a folder called {' or '.join(COLUMNS)}")
    lines = _lines(path)
    size = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    header, prefixes, see_also = _header(path, lines[:size])
    seen: dict[tuple[URIRef, URIRef, URIRef], int] = {}
    matches = []
    for number, row in _rows(path, lines[size:], size + 1, COLUMNS[path.parent.name]):
        match = _match(path, number, row, prefixes)
        first = seen.setdefault((match.subject, match.predicate, match.object), number)
        if first != number:
            raise _error(path, number, f"repeats line {first}", advice="delete one of the two")
        matches.append(match)
    return MappingSet(path, path.name.removesuffix(".sssom.tsv"), header, prefixes, see_also, tuple(matches))


def mapping_triples(sets: Iterable[MappingSet]) -> Iterator[tuple[URIRef, URIRef, URIRef | Literal]]:
    """Yield each match as a triple, and the label of its object where the set may carry it."""
    for match in (match for one in sets for match in one.matches):
        yield match.subject, match.predicate, match.object
        if match.object_label:
            yield match.object, RDFS.label, Literal(match.object_label, lang="en")


def mapping_lines(files: OntologyFiles) -> Iterator[str]:
    """Yield the matches of an ontology as lines of N-Triples."""
    for triple in mapping_triples(read_set(path) for path in files.mappings):
        yield " ".join(term.n3() for term in triple) + " .\n"


def check_closed_labels(graph: Graph, sets: Iterable[MappingSet], licences: Mapping[str, Licence]) -> tuple[str, ...]:
    """Return what would ship against a licence, sorted: sets in the wrong folder, and labels of closed vocabularies."""
    problems = set()
    for one in sets:
        licence, folder = licences.get(one.vocabulary), one.path.parent.name
        if licence is None:
            problems.add(f"{one.path}: {one.vocabulary} is not in licences.tsv; add what its licence allows")
            continue
        if FOLDERS[licence.handling] != folder:
            problems.add(f"{one.path}: stands in {folder}, but licences.tsv says {licence.handling!r}")
        foreign = {match.object for match in one.matches if not str(match.object).startswith(licence.namespaces)}
        problems |= {f"{one.path}: {thing} is not of {one.vocabulary}; move it to its own file" for thing in foreign}
    closed = tuple(n for each in licences.values() if each.handling != "ids and labels" for n in each.namespaces)
    for kind in LABELS:
        things = {str(thing) for thing in graph.subjects(kind) if str(thing).startswith(closed)}
        problems |= {f"{thing}: its licence does not let the {local_name(kind)} ship; delete it" for thing in things}
    return tuple(sorted(problems))


def closed_label_problems(files: OntologyFiles, graph: Graph) -> tuple[str, ...]:
    """Return what an ontology, loaded as ``graph``, would ship against a licence; empty where it has no mappings."""
    if not files.mappings:
        return ()
    sets = tuple(read_set(path) for path in files.mappings)
    return check_closed_labels(graph, sets, load_licences(files.directory / "mappings"))


def licence_notes(sets: Iterable[MappingSet], licences: Mapping[str, Licence]) -> str:
    """Return the attribution of every vocabulary as Markdown, from the sets' headers and ``licences.tsv``."""
    used = {one.vocabulary: one for one in sets}
    shipped, others = [], []
    for licence in sorted(licences.values(), key=lambda licence: licence.name.lower()):
        note = f" Note: {licence.note}." if licence.note else ""
        places = ", ".join(f"<{place}>" for place in licence.read_at)
        address = f"Licence: <{licence.licence_url}>. " if licence.licence_url else ""
        read = f"{address}Read on {licence.read_on} at {places}.{note}"
        if one := used.get(licence.vocabulary):
            where = f"`ontology/mappings/{one.path.parent.name}/{one.path.name}`"
            count = f"Matches: {len(one.matches)}, {licence.handling}, in {where}."
            shipped += [f"## {licence.name}", count, one.header["mapping_set_description"], read]
        else:
            others.append(f"**{licence.name}** ({licence.handling}): {licence.licence}. {read}")
    title = ["# Licences of the vocabularies we match to", "Generated by `python docs/build_licences.py`; do not edit."]
    return "\n\n".join([*title, *shipped, "## Vocabularies of which no match ships", *others]) + "\n"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except FileNotFoundError:
        raise OntologyError(f"{path}: no such file; give the mappings folder") from None
    except OSError as error:
        raise OntologyError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise OntologyError(f"{path}: byte {error.start} is not UTF-8 text; save the file as UTF-8") from None


def _header(path: Path, lines: Sequence[str]) -> tuple[dict[str, str], dict[str, str], tuple[str, ...]]:
    """Read the part of YAML that our headers use: texts, one map of prefixes, one list of addresses."""
    texts: dict[str, str] = {}
    prefixes: dict[str, str] = {}
    see_also: list[str] = []
    for number, line in enumerate(lines, start=1):
        if item := re.fullmatch(r"#  - (\S+)", line):
            see_also.append(item[1])
        elif item := re.fullmatch(r"#  (\w+): (\S+)", line):
            prefixes[item[1]] = item[2]
        elif item := re.fullmatch(r'#(\w+): ("(?:[^"\\]|\\["\\])+"|[^"\s].*)', line):
            if item[1] not in HEADER.split():
                raise _error(path, number, f"unknown key {item[1]} in the header", HEADER.split(), item[1])
            texts[item[1]] = json.loads(item[2], strict=False) if item[2].startswith('"') else item[2]
        elif line not in ("#curie_map:", "#see_also:"):
            advice = "write '#key: value', '#  prefix: address' or '#  - address'"
            raise _error(path, number, f"cannot be read as metadata: {line}", advice=advice)
    if missing := [key for key in HEADER.split() if key not in texts]:
        advice = f"add '#{missing[0]}: ...' above the table"
        raise _error(path, len(lines) + 1, f"the header lacks {', '.join(missing)}", advice=advice)
    return texts, prefixes, tuple(see_also)


def _rows(path: Path, lines: Sequence[str], start: int, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and cells of each row below the line with the columns' names."""
    names = lines[0].split("\t") if lines else []
    for name in (name for name in names if name not in columns):
        raise _error(path, start, f"column {name} does not belong here", columns, name)
    if names != list(columns):
        missing = ", ".join(name for name in columns if name not in names)
        raise _error(path, start, f"lacks column {missing}" if missing else "columns in another order", columns)
    for number, line in enumerate(lines[1:], start=start + 1):
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise _error(path, number, f"has {len(cells)} cells instead of {len(columns)}", advice="separate by tabs")
        yield number, dict(zip(columns, cells, strict=True))


def _match(path: Path, number: int, row: Mapping[str, str], prefixes: Mapping[str, str]) -> Match:
    if row["predicate_id"] not in PREDICATES:
        raise _error(path, number, f"predicate {row['predicate_id']} is no match", PREDICATES, row["predicate_id"])
    keys = ("subject_id", "predicate_id", "object_id", "mapping_justification")
    subject, predicate, thing, _ = (_iri(path, number, row[key], prefixes) for key in keys)
    if not str(subject).startswith((SCHEMA_IRI, ID_IRI)):
        advice = "our thing stands on the left"
        raise _error(path, number, f"subject {row['subject_id']} is not ours", (SCHEMA_IRI, ID_IRI), advice=advice)
    label = row.get("object_label")
    if label == "":
        raise _error(path, number, f"{row['object_id']} has no label", advice="write it as the vocabulary does")
    return Match(subject, row["subject_label"], predicate, thing, label, row["comment"])


def _iri(path: Path, number: int, curie: str, prefixes: Mapping[str, str]) -> URIRef:
    parts = re.fullmatch(rf"(\w+):({_ADDRESS})", curie)
    if not parts:
        raise _error(path, number, f"{curie!r} is not of the form prefix:name")
    if parts[1] not in prefixes:
        advice = "or add it to curie_map in the header"
        raise _error(path, number, f"prefix {parts[1]} is not in curie_map", prefixes, parts[1], advice)
    found = prefixes[parts[1]] + parts[2]
    if not re.fullmatch(_SCHEME + _ADDRESS, found):
        raise _error(path, number, f"{curie} stands for {found!r}, which is no address", advice="mend curie_map")
    return URIRef(found)


def _error(
    path: Path, number: int, what: str, allowed: Iterable[str] = (), word: str = "", advice: str = ""
) -> OntologyError:
    """Return an error that names file and line, what is allowed and what comes nearest to the word written."""
    close = nearest(word, allowed := tuple(allowed)) if word else None
    return OntologyError(str(Problem("mapping", f"{path}:{number}", what, tuple(allowed), close, advice)))
