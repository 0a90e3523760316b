"""Codes of the ontology's things, and the things of codes: the ontology's own, and what its mapping sets match exactly.

No code is made up: the ontology's own code of a thing is its local name, within the code system that its IRI starts
with; codes of other vocabularies come from ``ontology/mappings``, and only those of an exact match stand for a thing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import OntologyError

if TYPE_CHECKING:
    from hepagraph.inference.reasoner import Reasoner
    from hepagraph.kg import Variable

DATA = Path(__file__).resolve().parents[1] / "data"
EXACT, CLOSE = "exactMatch", "closeMatch"


@dataclass(frozen=True, slots=True)
class Code:
    """A code of one system. ``match`` says how what it means compares with our thing; the own code has none."""

    system: str
    code: str
    display: str | None
    vocabulary: str = ""
    match: str = EXACT


@dataclass(frozen=True)
class CodeBook:
    """The things of one ontology and their codes. Nodes are names of the knowledge graph."""

    reasoner: Reasoner
    system: str
    others: Mapping[str, tuple[Code, ...]] = field(default_factory=dict)

    @classmethod
    def load(cls, reasoner: Reasoner, ontology: str | None = None) -> CodeBook:
        """Return the codes of the ontology of a reasoner: that in the folder ``ontology``, or the packaged one.

        Raises
        ------
        OntologyError
            The ontology's files have changed since it was compiled, or a mapping set cannot be read.
        """
        from hepagraph.ontology.files import PACKAGED, find_ontology
        from hepagraph.ontology.namespaces import ID_IRI, local_name
        from hepagraph.ontology.sssom import read_set

        files, known = find_ontology(ontology), forms()["vocabularies"]
        found: dict[str, list[Code]] = {}
        for one in (read_set(path) for path in files.mappings):
            form = known.get(one.vocabulary)
            for match in one.matches if form else ():
                code = form["code"].format(str(match.object).removeprefix(form["namespace"]))
                kind = local_name(match.predicate)
                entry = Code(form.get("fhir", ""), code, match.object_label, one.vocabulary, kind)
                found.setdefault(local_name(match.subject), []).append(entry)
        system = ID_IRI if files.directory == PACKAGED else namespace(reasoner)
        return cls(reasoner, system, {node: tuple(codes) for node, codes in found.items()})

    @property
    def variables(self) -> Mapping[str, Variable]:
        """The variables that a case may state, by name."""
        return self.reasoner.reader.variables

    @property
    def labels(self) -> Mapping[str, str]:
        """The label of every node."""
        return self.reasoner.network.labels

    def own(self, node: str) -> Code:
        """Return the ontology's own code of a node."""
        return Code(self.system, node, self.labels[node])

    def codes(self, node: str, *matches: str) -> tuple[Code, ...]:
        """Return a node's own code and those of other vocabularies that match it so; exactly, when none is said."""
        wanted = matches or (EXACT,)
        return self.own(node), *(code for code in self.others.get(node, ()) if code.match in wanted)

    @cached_property
    def _nodes(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        found: dict[tuple[str, str], list[str]] = {}
        for node, codes in self.others.items():
            for code in codes:
                if code.match == EXACT and code.system:
                    found.setdefault((code.system, code.code), []).append(node)
        return {key: tuple(nodes) for key, nodes in found.items()}

    def nodes(self, system: str, code: str) -> tuple[str, ...]:
        """Return the nodes that a code stands for: one for an own code, any number for another vocabulary's."""
        if system == self.system:
            return (code,) if code in self.labels else ()
        return self._nodes.get((system, code), ())

    def variable(self, codes: Iterable[tuple[str, str]]) -> Variable | None:
        """Return the one variable that the codes stand for; the own code decides, then all others together."""
        pairs = list(codes)
        for group in ([p for p in pairs if p[0] == self.system], [p for p in pairs if p[0] != self.system]):
            names = {node for pair in group for node in self.nodes(*pair) if node in self.variables}
            if len(names) == 1:
                return self.variables[names.pop()]
        return None

    def notations(self, variable: Variable, codes: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """Return the states and groups of a variable that the codes stand for, own codes before others."""
        spelt = {node: notation for notation, node in variable.nodes.items()}
        pairs = list(codes)
        for group in ([p for p in pairs if p[0] == self.system], [p for p in pairs if p[0] != self.system]):
            found = [spelt[node] for pair in group for node in self.nodes(*pair) if node in spelt]
            if found:
                return tuple(dict.fromkeys(found))
        return ()


def namespace(reasoner: Reasoner) -> str:
    """Return what the IRIs of an ontology's variables start with: its code system. Reads the ontology in full.

    Raises
    ------
    OntologyError
        They start in more than one way, or the ontology has changed since it was compiled.
    """
    names = tuple(reasoner.reader.variables)
    starts = {str(reasoner.graph.nodes[name]["iri"]).removesuffix(name) for name in names}
    if len(starts) != 1:
        raise OntologyError(f"the variables stand in {len(starts)} namespaces; codes need one")
    return starts.pop()


def forms() -> dict[str, Any]:
    """Return how codes of other vocabularies are written, from ``service/data/code_systems.json``."""
    found: dict[str, Any] = json.loads((DATA / "code_systems.json").read_text(encoding="utf-8"))
    return found
