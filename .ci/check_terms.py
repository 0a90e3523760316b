"""Refuse terms of the ontology in Python sources: knowledge belongs to the ontology, code to every domain.

Prints each place and exits with status 1, or prints what was checked and exits with 0.
"""

from __future__ import annotations

import io
import itertools
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

from rdflib import Graph, Namespace, URIRef
from rdflib.namespace import RDF, SKOS

SCHEMA = Namespace("https://w3id.org/hepagraph/schema#")
KINDS = """
    LesionEntity RootEntity LesionSubtype Mechanism ImagingFeature FeatureState StateGroup Sign
    ContextVariable ContextState ExamVariable Primary Histology Modality ContrastAgent Phase Sequence
""".split()
FOLDERS = ("kg", "ontology", "inference", "service", "tests", "benchmarks", ".ci")
# Words that the ontology uses too, but that are plain English, words of programs and statistics, names of
# the schema, or fixed keys of a case.
PLAIN = set(
    """
    after and another any are before complete does elsewhere few for free from given head hidden high known like low
    mixed multiple no none normal not number other over present absent round several sharp simple six third
    gradient new otherwise study technique than the typical under unknown us whole wide with yes
    analysis behaviour change component content defined density echo eye fast half images kind loss multi origin pattern
    radial single site state subtypes histology compressed
    beta cell centre computed delayed dynamic effect fill iso level location margin min pool product products
    pseudo setting shape sign size target value
    contrast imaging modality phase primary
    background early late motion signal
    age agent contrast_agent exam f finding findings lesion lesions m patient sex
    """.split()
)
# Python 3.12 and later give the text of an f-string as tokens of its own.
FSTRING = getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)
TEXT = {tokenize.NAME, tokenize.STRING, tokenize.COMMENT, FSTRING}


def ontology_terms(files: Iterable[Path]) -> set[str]:
    """Return the names, notations and label words of the ontology's things, without the plain words."""
    graph = Graph()
    for path in files:
        graph.parse(path, format="turtle")
    typed = {thing for kind in KINDS for thing in graph.subjects(RDF.type, SCHEMA[kind])}
    things = {thing for thing in typed if isinstance(thing, URIRef)}
    names = {str(thing).rsplit("/", 1)[-1].rsplit("#", 1)[-1] for thing in things}
    names |= {str(notation) for thing in things for notation in graph.objects(thing, SKOS.notation)}
    for thing, kind in itertools.product(things, (SKOS.prefLabel, SKOS.altLabel)):
        for label in graph.objects(thing, kind):
            names |= set(re.findall(r"[a-z]{3,}", str(label).lower()))
    return {name.lower() for name in names} - PLAIN


def words(text: str) -> Iterator[str]:
    """Yield each name of a text in snake_case and, where it has several parts, every run of parts."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text).lower()
    for name in re.findall(r"[a-z][a-z0-9_]*", snake):
        parts = [part for part in name.split("_") if part]
        for start in range(len(parts)):
            for end in range(start + 1, len(parts) + 1):
                yield "_".join(parts[start:end])


def offences(path: Path, terms: set[str]) -> list[str]:
    """Return ``file:line: term`` for every term in the names, strings and comments of one file."""
    found = set()
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type in TEXT:
            for number, line in enumerate(token.string.split("\n"), start=token.start[0]):
                found |= {(number, word) for word in set(words(line)) & terms}
    return [f"{path}:{number}: {word}" for number, word in sorted(found)]


def main(root: Path) -> int:
    """Check the sources below ``root``; return the exit status."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *FOLDERS]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()
    sources = [root / name for name in sorted(set(listed)) if name.endswith(".py") and (root / name).exists()]
    terms = ontology_terms(sorted((root / "ontology").rglob("*.ttl")))
    if not sources or not terms:
        print(f"nothing to check: {len(sources)} Python files, {len(terms)} terms")
        return 1
    found = [line.replace(f"{root}/", "") for path in sources for line in offences(path, terms)]
    clean = f"{len(sources)} Python files are free of {len(terms)} ontology terms"
    print("\n".join(found) if found else clean)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1]))
