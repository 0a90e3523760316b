"""The generated reference: every cell has its place, every link its end, and what is kept out is said to be."""

from __future__ import annotations

import doctest
import hashlib
import importlib
import os
import pkgutil
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rdflib import Graph, Literal, Namespace
from rdflib.namespace import SKOS

import hepagraph.service.reference
from hepagraph.inference import Network, compile_network
from hepagraph.kg import Source, Statement, build_graph
from hepagraph.ontology.namespaces import SCHEMA
from hepagraph.ontology.store import load_ontology
from hepagraph.service.reference import reference_files, wilson, write_reference
from hepagraph.service.reference.markdown import escape, percent, web_link
from hepagraph.service.reference.proportions import mark

if TYPE_CHECKING:
    import networkx as nx

COIN = Namespace("https://example.org/coin/")
SVG = "{http://www.w3.org/2000/svg}"
NASTY = "a|b *c* `d` [e](http://f) <script>alert(1)</script> {#g} & # h\n\n# i"


def pages_of(rdf: Graph) -> tuple[dict[str, str], Network]:
    graph = build_graph(rdf)
    network = compile_network(graph)
    return reference_files(rdf, graph, network), network


@pytest.fixture
def coin_rdf(data: Path) -> Graph:
    return load_ontology(data / "coin")


@pytest.fixture(scope="module")
def packaged_pages(rdf: Graph, kg: nx.MultiDiGraph[str]) -> tuple[dict[str, str], Network]:
    network = compile_network(kg)
    return reference_files(rdf, kg, network), network


@pytest.fixture(scope="module", params=["coin", "skin", "packaged"])
def pages(request: pytest.FixtureRequest, data: Path) -> tuple[dict[str, str], Network]:
    if request.param == "packaged":
        found: tuple[dict[str, str], Network] = request.getfixturevalue("packaged_pages")
        return found
    return pages_of(load_ontology(data / request.param))


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - our own


def anchors(files: dict[str, str]) -> list[str]:
    text = "\n".join(text for name, text in files.items() if name.endswith(".md"))
    return re.findall(r"^\((\S+)\)=$", text, re.MULTILINE) + re.findall(r"\]\{#(\S+?)\}", text)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(8, 10, 0.490, 0.943), (0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (1, 2, 0.095, 0.905), (50, 100, 0.404, 0.596)],
)
def test_interval_against_hand_values(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-4)


def test_pages_are_the_expected_ones(coin_rdf: Graph) -> None:
    files, _ = pages_of(coin_rdf)
    assert set(files) == {
        *("index.md", "classes.md", "coverage.md", "sources.md"),
        *("entities/index.md", "entities/biased.md", "entities/fair.md", "features/index.md", "features/toss.md"),
        *("concepts/index.md", "concepts/Differential.md", "concepts/RootEntity.md"),
        *("concepts/SharingPolicy.md", "concepts/SurprisePolicy.md"),
        *("pictures/cell-biased-toss.svg", "pictures/cell-fair-toss.svg"),
    }
    assert "not a medical device" in files["index.md"]


def test_every_cell_has_its_anchor_on_its_page(pages: tuple[dict[str, str], Network]) -> None:
    files, network = pages
    for entity in max(network.differentials.values(), key=len):
        for feature in network.variables("feature"):
            assert f"(cell-{entity}-{feature})=\n" in files[f"entities/{entity}.md"]
            assert f"](#cell-{entity}-{feature})" in files["coverage.md"]
            assert f"](#cell-{entity}-{feature})" in files[f"features/{feature}.md"]


def test_every_internal_link_leads_somewhere_once(pages: tuple[dict[str, str], Network]) -> None:
    files, _ = pages
    found = anchors(files)
    assert len(found) == len(set(found))
    for name, text in files.items():
        assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= set(found), name
        for path in re.findall(r"^:file: (\S+)$", text, re.MULTILINE):
            assert path.removeprefix("../") in files, name
    listed = {
        str(Path(name).parent / line) + ".md"
        for name, text in files.items()
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
        if line and not line.startswith(":")
    }
    assert listed == {name for name in files if name.endswith(".md")} - {"index.md"}


def test_every_statement_is_shown_once(pages: tuple[dict[str, str], Network]) -> None:
    files, network = pages
    shown = re.findall(r'<span id="statement-([^"]+)">', "\n".join(files.values()))
    assert len(shown) == len(set(shown))
    assert {s.id for found in network.evidence.values() for s in found} <= set(shown)


def test_pictures_are_well_formed_and_say_what_they_show(pages: tuple[dict[str, str], Network]) -> None:
    files, _ = pages
    pictures = {name: text for name, text in files.items() if name.endswith(".svg")}
    assert pictures
    for name, text in pictures.items():
        root = parsed(text)
        title = root.find(f"{SVG}title")
        assert root.get("role") == "img" and title is not None and title.text, name
        assert root.get("aria-labelledby") == title.get("id")
        assert "\n\n" not in text, name


def test_picture_puts_the_networks_value_and_the_count_in_place(coin_rdf: Graph) -> None:
    files, network = pages_of(coin_rdf)
    root = parsed(files["pictures/cell-biased-toss.svg"])
    ticks = {t.text: float(t.get("x", "")) for t in root.iter(f"{SVG}text") if t.get("text-anchor") == "middle"}
    left, wide = ticks["0 %"], ticks["100 %"] - ticks["0 %"]
    value = float(network.tables["toss"].values[0, 0])
    diamond = [float(point.split(",")[0]) for point in root.findall(f"{SVG}polygon")[0].get("points", "").split()]
    assert sum(diamond) / 4 == pytest.approx(left + wide * value, abs=0.2)
    (row,) = root.findall(f"{SVG}g")
    (square,), (line,) = row.findall(f"{SVG}rect"), row.findall(f"{SVG}line")
    centre = float(square.get("x", "")) + float(square.get("width", "")) / 2
    assert centre == pytest.approx(left + wide * 30 / 40, abs=0.2)
    low, high = wilson(30, 40)
    assert float(line.get("x1", "")) == pytest.approx(left + wide * low, abs=0.2)
    assert float(line.get("x2", "")) == pytest.approx(left + wide * high, abs=0.2)
    assert row.get("opacity") is None


@pytest.mark.parametrize(
    ("predicate", "value", "reason"),
    [
        ("selectedSubset", Literal(True), "a selected sample"),
        ("keptApart", Literal("counted twice over"), "counted twice over"),
        ("duplicateOf", COIN.heads_of_fair, r"repeats heads\_of\_fair"),
        ("quantity", SCHEMA.Sensitivity, "this kind of figure never enters"),
    ],
)
def test_a_statement_kept_out_is_said_to_be(coin_rdf: Graph, predicate: str, value: Literal, reason: str) -> None:
    before, _ = pages_of(coin_rdf)
    assert "{.enters}" in before["entities/biased.md"] and "kept out" not in before["entities/biased.md"]
    assert "A 1](#cell-biased-toss)" in before["coverage.md"]
    coin_rdf.set((COIN.heads_of_biased, SCHEMA[predicate], value))
    files, _ = pages_of(coin_rdf)
    assert f"[kept out\\: {reason}" in files["entities/biased.md"]
    assert "0 of 1 published statements enter" in files["entities/biased.md"]
    row = parsed(files["pictures/cell-biased-toss.svg"]).find(f"{SVG}g")
    assert row is not None and float(row.get("opacity", "1")) < 1
    assert r"[– \+1](#cell-biased-toss)]{.grade-none}" in files["coverage.md"]


def test_a_condition_that_the_table_does_not_hold_is_named(coin_rdf: Graph) -> None:
    coin_rdf.add((COIN.heads_of_biased, SCHEMA.context, COIN.toss_tails))
    files, _ = pages_of(coin_rdf)
    assert r"kept out\: holds only under\: tails" in files["entities/biased.md"]


def test_a_judged_distribution_is_one_row_between_what_enters_and_what_does_not(coin_rdf: Graph, data: Path) -> None:
    coin_rdf.parse(data / "coin_judged.ttl")
    text = pages_of(coin_rdf)[0]["entities/biased.md"]
    rows = [line for line in text.splitlines() if "**judged:**" in line]
    assert ["heads 70 %, tails 30 %" in row for row in rows] == [True, False, False]
    assert "heads 40 %, tails 60 %" in rows[1] and "[storm]" in rows[1] and "calm 80 %, storm 20 %" in rows[2]
    assert [row.count('<span id="statement-') for row in rows] == [2, 2, 2]
    assert text.index("30/40") < text.index(rows[0])
    assert "1 of 1 published statements enter the network; our judgement besides" in text
    assert "our judgement alone" in text
    coin_rdf.set((COIN.heads_of_biased, SCHEMA.selectedSubset, Literal(True)))
    text = pages_of(coin_rdf)[0]["entities/biased.md"]
    assert text.index("30/40") > text.index("heads 70 %")


def test_pictures_are_of_published_figures_with_the_bare_judgement_beside_them(coin_rdf: Graph, data: Path) -> None:
    coin_rdf.parse(data / "coin_judged.ttl")
    files, _ = pages_of(coin_rdf)
    assert "pictures/cell-biased-wind.svg" not in files
    root = parsed(files["pictures/cell-biased-toss.svg"])
    said = [t.text for row in root.findall(f"{SVG}g") for t in row.findall(f"{SVG}title")]
    assert len(said) == 2
    assert any("30/40" in str(t) for t in said) and any("70 %" in str(t) for t in said)
    assert [t.text for t in root.findall(f"{SVG}text") if t.text in ("heads", "tails")] == ["heads"]


def test_coverage_counts_what_was_published(coin_rdf: Graph, data: Path) -> None:
    coin_rdf.parse(data / "coin_judged.ttl")
    files, _ = pages_of(coin_rdf)
    assert "[A 1](#cell-biased-toss)]{.grade-a}" in files["coverage.md"]
    assert "[D](#cell-biased-wind)]{.grade-d}" in files["coverage.md"]


def test_a_feature_says_what_else_its_frequencies_depend_on(coin_rdf: Graph, data: Path) -> None:
    coin_rdf.parse(data / "coin_judged.ttl")
    files, _ = pages_of(coin_rdf)
    assert "depend on\n\n- [wind](#thing-wind): what the toy calls wind" in files["features/toss.md"]
    assert "depend on" not in files["features/wind.md"]


def test_text_from_the_ontology_cannot_become_markup(coin_rdf: Graph) -> None:
    coin_rdf.set((COIN.biased, SKOS.prefLabel, Literal(NASTY)))
    coin_rdf.set((COIN.toss_heads, SKOS.prefLabel, Literal(NASTY)))
    coin_rdf.set((COIN.heads_of_biased, SCHEMA.note, Literal(NASTY)))
    files, _ = pages_of(coin_rdf)
    for name, text in files.items():
        assert re.search(r"(?<!\\)<script", text) is None, name
        if name.endswith(".md"):
            assert re.search(r"(?<!\\)\]\(http", text) is None, name
            assert "\n# i" not in text, name
    rows = [line for line in files["entities/biased.md"].splitlines() if "statement-heads_of_biased" in line]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [6]
    assert files["entities/biased.md"].splitlines()[1] == f"# {escape(NASTY)}"
    parsed(files["pictures/cell-biased-toss.svg"])


def test_only_addresses_of_the_web_become_links() -> None:
    assert web_link("x", "javascript:alert(1)") == "x"
    assert web_link("x", "https://doi.org/10.1/a(b)<c>") == "[x](https://doi.org/10.1/a%28b%29%3Cc%3E)"


def test_writing_again_changes_nothing_and_leaves_nothing_behind(tmp_path: Path, data: Path, coin_rdf: Graph) -> None:
    other, own = tmp_path / "other.md", load_ontology(data / "skin")
    other.write_text("not ours")
    graph = build_graph(own)
    write_reference(tmp_path, own, graph, compile_network(graph))
    graph = build_graph(coin_rdf)
    paths = write_reference(tmp_path, coin_rdf, graph, compile_network(graph))
    on_disk = {p for p in tmp_path.rglob("*") if p.is_file()} - {other, tmp_path / ".written"}
    assert on_disk == set(paths)
    stamps = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}
    again = load_ontology(data / "coin")
    graph = build_graph(again)
    assert write_reference(tmp_path, again, graph, compile_network(graph)) == paths
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths} == stamps


def test_the_bytes_do_not_depend_on_the_hash_seed(packaged_pages: tuple[dict[str, str], Network]) -> None:
    code = """
import hashlib
from hepagraph.inference import compile_network
from hepagraph.kg import build_graph
from hepagraph.ontology.store import load_ontology
from hepagraph.service.reference import reference_files
rdf = load_ontology()
graph = build_graph(rdf)
files = reference_files(rdf, graph, compile_network(graph))
print(len(files), hashlib.sha256(repr(files).encode()).hexdigest())
"""
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True, text=True)
    files, _ = packaged_pages
    assert done.stdout.split() == [str(len(files)), hashlib.sha256(repr(files).encode()).hexdigest()]


def statement(**fields: object) -> Statement:
    return Statement("e", "", "ConditionalProbability", True, "x", Source("s", "t"), "A", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "elicited", "drawn"),
    [
        ({"k": 8, "n": 10}, None, ("counted", 0.490, 0.8, 0.943)),
        ({"value": 0.5, "n": 2}, None, ("counted", 0.095, 0.5, 0.905)),
        ({"value": 0.5, "ci": (0.4, 0.7)}, None, ("counted", 0.4, 0.5, 0.7)),
        ({"value": 0.3}, None, ("bare", 0.3, 0.3, 0.3)),
        ({"value": 0.3, "bound": "UpperBound"}, None, ("upper", 0.0, 0.3, 0.3)),
        ({"value": 0.3, "bound": "LowerBound"}, None, ("lower", 0.3, 0.3, 1.0)),
        ({"range": (0.2, 0.4)}, None, ("range", 0.2, 0.3, 0.4)),
        ({"words": "often", "word_mean": 0.66}, (0.35, 0.85), ("words", 0.35, 0.66, 0.85)),
    ],
)
def test_what_is_drawn_of_a_statement(
    fields: dict[str, object], elicited: tuple[float, float] | None, drawn: tuple[str, float, float, float]
) -> None:
    found = mark(statement(**fields), elicited)
    assert found is not None
    assert found.shape == drawn[0]
    assert (found.low, found.centre, found.high) == pytest.approx(drawn[1:], abs=5e-4)


def test_a_mean_is_not_drawn() -> None:
    assert mark(statement(mean=3.0, sd=1.0), None) is None


def test_percentages_never_claim_certainty() -> None:
    assert [percent(p) for p in (0.00001, 0.5, 0.99999)] == ["< 0.1 %", "50 %", "> 99.9 %"]


def test_docstring_examples_of_the_package() -> None:
    package = hepagraph.service.reference
    names = [f"{package.__name__}.{found.name}" for found in pkgutil.iter_modules(package.__path__)]
    results = [doctest.testmod(importlib.import_module(name)) for name in names]
    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) >= 6
