"""The mapping sets conform, say what their licences ask, and broken ones are refused with the place and the way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDFS, SKOS

from hepagraph.ontology import OntologyError
from hepagraph.ontology.sssom import (
    PREDICATES,
    Licence,
    MappingSet,
    check_closed_labels,
    licence_notes,
    load_licences,
    load_mappings,
    mapping_triples,
    read_set,
)

TOY = """\
#curie_map:
#  TOY: https://example.org/toy/
#  id: https://w3id.org/hepagraph/id/
#  semapv: https://w3id.org/semapv/vocab/
#  skos: http://www.w3.org/2004/02/skos/core#
#license: https://creativecommons.org/licenses/by/4.0/
#mapping_date: 2026-11-24
#mapping_set_description: "Says \\"credit us\\": see below."
#mapping_set_id: https://w3id.org/hepagraph/mappings/open/toy.sssom.tsv
#mapping_set_title: toy
#object_source: https://example.org/toy/
#see_also:
#  - https://example.org/licence
#subject_source: https://w3id.org/hepagraph/id/
subject_id	subject_label	predicate_id	object_id	object_label	mapping_justification	comment
id:heads	heads	skos:exactMatch	TOY:1	head side	semapv:ManualMappingCuration	seen
id:tails	tails	skos:closeMatch	TOY:2	tail side	semapv:ManualMappingCuration	seen
"""
TOY_LICENCE = Licence(
    "toy", "Toy", ("https://example.org/toy/",), "free", "", ("https://e.org",), "now", "ids and labels", ""
)


@pytest.fixture(scope="module")
def graph(rdf: Graph) -> Graph:
    return rdf


@pytest.fixture(scope="module")
def sets() -> tuple[MappingSet, ...]:
    return load_mappings()


@pytest.fixture(scope="module")
def licences() -> dict[str, Licence]:
    return load_licences()


def write(root: Path, text: str, folder: str = "open") -> Path:
    path = root / folder / "toy.sssom.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def without_labels(text: str) -> str:
    head, table = text.split("subject_id\t")
    rows = [line.split("\t") for line in ("subject_id\t" + table).splitlines()]
    return head + "\n".join("\t".join(row[:4] + row[5:]) for row in rows) + "\n"


# ---- the sets that ship


def test_every_subject_is_in_the_ontology(graph: Graph, sets: tuple[MappingSet, ...]) -> None:
    present = set(graph.subjects())
    assert not {match.subject for one in sets for match in one.matches} - present


def test_every_set_says_its_terms(sets: tuple[MappingSet, ...], licences: dict[str, Licence]) -> None:
    for one in sets:
        terms = licences[one.vocabulary]
        place = f"{one.path.parent.name}/{one.path.name}"
        assert one.header["mapping_set_id"] == f"https://w3id.org/hepagraph/mappings/{place}"
        assert terms.licence in one.header["mapping_set_description"], place
        assert terms.read_at and {*terms.read_at, *terms.licence_url.split()} == {*one.see_also}, place
        assert terms.namespaces[0] in one.prefixes.values(), place
        assert all(match.comment.startswith("verified in ") for match in one.matches), place


def test_no_match_is_said_twice_in_two_ways(sets: tuple[MappingSet, ...]) -> None:
    pairs = [(match.subject, match.object) for one in sets for match in one.matches]
    assert len(pairs) == len(set(pairs))


def test_nothing_ships_against_a_licence(
    graph: Graph, sets: tuple[MappingSet, ...], licences: dict[str, Licence]
) -> None:
    assert check_closed_labels(graph, sets, licences) == ()
    merged = Graph()
    merged += graph
    for triple in mapping_triples(sets):
        merged.add(triple)
    assert check_closed_labels(merged, sets, licences) == ()


def test_triples_carry_labels_of_open_sets_only(sets: tuple[MappingSet, ...]) -> None:
    triples = list(mapping_triples(sets))
    labelled = {subject for subject, kind, _ in triples if kind == RDFS.label}
    for one in sets:
        assert {match.object in labelled for match in one.matches} == {one.path.parent.name == "open"}
    assert sum(kind != RDFS.label for _, kind, _ in triples) == sum(len(one.matches) for one in sets)


def test_document_is_in_step(root: Path, sets: tuple[MappingSet, ...], licences: dict[str, Licence]) -> None:
    text = (root / "docs" / "ontology" / "licences.md").read_text(encoding="utf-8")
    assert text == licence_notes(sets, licences), "run: python docs/build_licences.py"
    assert all(licence.name in text and licence.read_on in text for licence in licences.values())


# ---- a small set, and broken copies of it


def test_small_set_is_read(tmp_path: Path) -> None:
    one = read_set(write(tmp_path, TOY))
    assert one.header["mapping_set_description"] == 'Says "credit us": see below.'
    assert one.see_also == ("https://example.org/licence",)
    assert [str(part) for part in next(mapping_triples([one]))] == [
        "https://w3id.org/hepagraph/id/heads",
        "http://www.w3.org/2004/02/skos/core#exactMatch",
        "https://example.org/toy/1",
    ]
    closed = read_set(write(tmp_path, without_labels(TOY), "id_only"))
    assert [match.object_label for match in closed.matches] == [None, None]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("\tmapping_justification", "", r"toy\.sssom\.tsv:15: lacks column mapping_justification; allowed: subject_id"),
        ("\tpredicate_id", "\tpredicat_id", r":15: column predicat_id .*did you mean predicate_id\?"),
        ("subject_id\tsubject_label", "subject_label\tsubject_id", ":15: columns in another order"),
        ("TOY:2", "TOI:2", r":17: prefix TOI is not in curie_map; .*allowed: TOY.*add it to curie_map"),
        ("TOY:2", "second", ":17: 'second' is not of the form prefix:name"),
        ("closeMatch", "closeMach", r":17: predicate skos:closeMach is no match; did you mean skos:closeMatch\?"),
        ("skos:closeMatch", "id:seenIn", ":17: predicate id:seenIn is no match; allowed: skos:exactMatch"),
        ("id:tails", "TOY:3", ":17: subject TOY:3 is not ours; .*our thing stands on the left"),
        ("tail side", "", ":17: TOY:2 has no label"),
        ("\ttail side", "", ":17: has 6 cells instead of 7; separate by tabs"),
        ("id:tails\ttails\tskos:closeMatch\tTOY:2", "id:heads\tx\tskos:exactMatch\tTOY:1", ":17: repeats line 16"),
        (
            "#license: https://creativecommons.org/licenses/by/4.0/\n",
            "",
            ":14: the header lacks license; add '#license",
        ),
        ("#mapping_date", "#mappingdate", r":7: unknown key mappingdate .*did you mean mapping_date\?"),
        ('below."', "below.", ":8: cannot be read as metadata"),
        ("#see_also:", "#see also", ":12: cannot be read as metadata: #see also"),
    ],
)
def test_broken_copy_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in TOY
    write(tmp_path, TOY.replace(old, new))
    with pytest.raises(OntologyError, match=expected):
        load_mappings(tmp_path)


def test_label_in_id_only_is_refused(tmp_path: Path) -> None:
    write(tmp_path, TOY, "id_only")
    with pytest.raises(OntologyError, match=r"id_only/toy\.sssom\.tsv:15: column object_label does not belong here"):
        load_mappings(tmp_path)


def test_empty_or_unreadable_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OntologyError, match=r"holds no \*\.sssom\.tsv in open or id_only"):
        load_mappings(tmp_path)
    with pytest.raises(OntologyError, match=r"licences\.tsv: no such file"):
        load_licences(tmp_path)
    write(tmp_path, TOY).write_bytes(b"\xff")
    with pytest.raises(OntologyError, match="not UTF-8"):
        load_mappings(tmp_path)


@pytest.mark.parametrize(
    ("handling", "expected"),
    [
        ("ids", "licences.tsv:2: handling 'ids' is not known; .*allowed: ids and labels, ids only, left out"),
        ("left out", "licences.tsv:3: toy stands twice"),
    ],
)
def test_broken_licence_table_is_refused(tmp_path: Path, handling: str, expected: str) -> None:
    row = f"toy\tToy\thttps://example.org/toy/\tfree\t\thttps://e.org\tnow\t{handling}\t\n"
    head = "vocabulary name namespaces licence licence_url read_at read_on handling note".replace(" ", "\t")
    (tmp_path / "licences.tsv").write_text(f"{head}\n{row}{row}", encoding="utf-8")
    with pytest.raises(OntologyError, match=expected):
        load_licences(tmp_path)


def test_breaches_of_a_licence_are_found(tmp_path: Path) -> None:
    one = read_set(write(tmp_path, TOY))
    closed = Licence("toy", "Toy", ("https://example.org/toy/",), "closed", "", (), "now", "ids only", "")
    graph = Graph()
    assert check_closed_labels(graph, [one], {"toy": TOY_LICENCE}) == ()
    assert "not in licences.tsv" in check_closed_labels(graph, [one], {})[0]
    assert "stands in open, but licences.tsv says 'ids only'" in check_closed_labels(graph, [one], {"toy": closed})[0]
    other = Licence("toy", "Toy", ("https://example.org/other/",), "free", "", (), "now", "ids and labels", "")
    assert "https://example.org/toy/1 is not of toy" in check_closed_labels(graph, [one], {"toy": other})[0]
    for kind in (RDFS.label, SKOS.prefLabel):
        graph = Graph()
        graph.add((URIRef("https://example.org/toy/9"), kind, Literal("nine")))
        (found,) = check_closed_labels(graph, [], {"toy": closed})
        assert re.match(r"https://example\.org/toy/9: its licence does not let the \w+abel ship", found)


def test_predicates_are_the_five_of_skos() -> None:
    assert {SKOS[name.removeprefix("skos:")] for name in PREDICATES} == {
        SKOS.exactMatch,
        SKOS.closeMatch,
        SKOS.broadMatch,
        SKOS.narrowMatch,
        SKOS.relatedMatch,
    }
