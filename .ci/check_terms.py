"""Refuse terms of the ontology in Python sources: knowledge belongs to the ontology, code to every domain.

Prints each place and exits with status 1, or prints what was checked and exits with 0.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

from rdflib import Graph, Namespace, URIRef
from rdflib.namespace import RDF, SKOS

SCHEMA = Namespace("https://w3id.org/hepagraph/schema#")
KINDS = (
    "LesionEntity", "RootEntity", "LesionSubtype", "Mechanism", "ImagingFeature", "FeatureState", "StateGroup",
    "Sign", "ContextVariable", "ContextState", "ExamVariable", "Primary", "Histology", "Modality", "ContrastAgent",
    "Phase", "Sequence",
)  # fmt: skip
FOLDERS = ("kg", "ontology", "inference", "service", "tests", "benchmarks", ".ci")
# Words that the ontology also uses but that are plain English, program words or keys of the fixed case format.
PLAIN = {
    "absent", "age", "any", "bright", "darker", "delayed", "dynamic", "elsewhere", "f", "few", "fill", "fluid", "given",
    "hidden", "high", "iso", "location", "low", "m", "margin", "mixed", "modality", "multiple", "no", "none", "normal",
    "number", "other", "present", "progressive", "rim", "setting", "several", "sex", "shape", "sharp", "six", "size",
    "solitary", "sustained", "target", "unknown", "us", "wide", "yes",
}  # fmt: skip


def ontology_terms(files: Iterable[Path]) -> set[str]:
    """Return the local names and notations of the ontology's things, without the plain words."""
    graph = Graph()
    for path in files:
        graph.parse(path, format="turtle")
    things = {thing for kind in KINDS for thing in graph.subjects(RDF.type, SCHEMA[kind]) if isinstance(thing, URIRef)}
    names = {str(thing).rsplit("/", 1)[-1].rsplit("#", 1)[-1] for thing in things}
    names |= {str(notation) for thing in things for notation in graph.objects(thing, SKOS.notation)}
    return {name.lower() for name in names} - PLAIN


def words(text: str) -> Iterator[str]:
    """Yield each snake_case name of a text and, where it has several parts, every run of parts."""
    for name in re.findall(r"[a-z][a-z0-9_]*", text.lower()):
        parts = [part for part in name.split("_") if part]
        for start in range(len(parts)):
            for end in range(start + 1, len(parts) + 1):
                yield "_".join(parts[start:end])


def offences(path: Path, terms: set[str]) -> list[str]:
    """Return ``file:line: term`` for every term in the names, strings and comments of one file."""
    found = []
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    for token in tokens:
        if token.type in (tokenize.NAME, tokenize.STRING, tokenize.COMMENT):
            found += [f"{path}:{token.start[0]}: {word}" for word in sorted(set(words(token.string)) & terms)]
    return found


def main(root: Path) -> int:
    """Check the sources below ``root``; return the exit status."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *FOLDERS],
        cwd=root, check=True, capture_output=True, text=True,
    ).stdout.split("\n")  # fmt: skip
    sources = [root / name for name in sorted(set(listed)) if name.endswith(".py") and (root / name).exists()]
    terms = ontology_terms(sorted((root / "ontology").rglob("*.ttl")))
    if not sources or not terms:
        print(f"nothing to check: {len(sources)} Python files, {len(terms)} terms")
        return 1
    found = [line.replace(f"{root}/", "") for path in sources for line in offences(path, terms)]
    print("\n".join(found) if found else f"{len(sources)} Python files are free of {len(terms)} ontology terms")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1]))
