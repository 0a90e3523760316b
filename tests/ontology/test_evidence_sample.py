"""Sixty randomly drawn rows of the evidence tables, field by field, against the statements imported from them.

The rows were drawn with ``random.seed(20261124); random.sample(rows, 60)`` from the 1,653 usable rows of both tables.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rdflib import Graph, URIRef

from hepagraph.ontology.lookup import Lookup
from hepagraph.ontology.namespaces import ID, SCHEMA, local_name
from hepagraph.ontology.sheet_columns import COLUMNS
from hepagraph.ontology.sheet_writing import write_sheet

DATA = Path(__file__).resolve().parents[1] / "data"
SAMPLE = list(csv.DictReader((DATA / "evidence_sample.csv").read_text(encoding="utf-8").splitlines(keepends=True)))
SPELLINGS: dict[str, Any] = json.loads((DATA / "evidence_spellings.json").read_text(encoding="utf-8"))
SAME = ("id", "k", "n", "percent", "unit", "reference_standard", "grade", "context", "note", "first_author", "journal")


@pytest.fixture(scope="module")
def graph(rdf: Graph) -> Graph:
    return rdf


@pytest.fixture(scope="module")
def sheet(graph: Graph) -> dict[str, dict[str, str]]:
    rows = csv.DictReader(write_sheet(graph, Lookup(graph)).splitlines(keepends=True))
    return {row["id"]: row for row in rows}


def as_printed(row: dict[str, str]) -> dict[str, str]:
    pairs = (part.split(": ", 1) if ": " in part else (part.rstrip(":"), "") for part in row["as_printed"].split(" | "))
    return {name: text for name, text in pairs if name}


def entity_and_subgroup(graph: Graph, given: str) -> tuple[str, str]:
    node = ID[given]
    while True:
        parent = graph.value(node, SCHEMA.subtypeOf)
        if not isinstance(parent, URIRef) or local_name(parent) == SPELLINGS["root"]:
            entity = local_name(node)
            return entity, given.removeprefix(entity).lstrip("_")
        node = parent


def number(text: str) -> float | str:
    return float(text) if text else ""


@pytest.mark.parametrize("printed", SAMPLE, ids=lambda row: row["id"])
def test_every_field_of_a_row_is_in_its_statement(
    printed: dict[str, str], sheet: dict[str, dict[str, str]], graph: Graph
) -> None:
    row = sheet[printed["id"]]
    kept = as_printed(row)
    entity, subgroup = entity_and_subgroup(graph, row["given"])
    feature = row["feature"].removeprefix("study_")
    found = {
        **{name: row[name] for name in SAME},
        "entity": entity,
        "subgroup": subgroup,
        "feature": feature,
        "state": row["state"] or row["state_text"],
        "modality": row["modality"],
        "contrast_agent": row["agent"],
        "ci_low": row["ci_low"] or row["range_low"],
        "ci_high": row["ci_high"] or row["range_high"],
        **{name: row[name] for name in ("year", "doi", "pmid", "url")},
        **kept,
        "source_title": kept.get("title", row["title"]),
    }
    for name, wanted in printed.items():
        if name == "url":
            assert found["url"] == ("" if found["doi"] or found["pmid"] else wanted)
        elif name in ("k", "n", "percent", "ci_low", "ci_high"):
            assert number(found[name]) == number(wanted), name
        elif name == "modality" and "modality" not in kept:
            assert set(found[name].split("|")) == set(re.split(r"[|/]", wanted.lower()))
        elif name in kept and name in ("modality", "contrast_agent"):
            assert found[name] == wanted.replace("|", "/")
        elif name == "contrast_agent":
            assert set(found[name].split("|")) == {SPELLINGS["agent"].get(part, part) for part in wanted.split("|")}
        elif name == "source_title":
            assert found[name] == wanted.removesuffix(SPELLINGS["title_suffix"])
        else:
            assert found[name] == wanted, name


def test_every_row_is_a_statement_or_listed_as_left_out(sheet: dict[str, dict[str, str]]) -> None:
    from hepagraph.ontology.files import find_ontology
    from hepagraph.service.statistics import left_out_rows

    left_out = {row for row, _ in left_out_rows(find_ontology())}
    imported = {name for name in sheet if "-" in name}
    assert len(imported) == 1653
    assert len(left_out) == 35
    assert not imported & left_out


def test_the_sheet_has_the_documented_columns(sheet: dict[str, dict[str, str]]) -> None:
    assert set(next(iter(sheet.values()))) == set(COLUMNS)
