"""The named queries have their expected rows from both stores; parameters are checked; nothing can be changed or reached."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hepagraph.inference.provenance import asks_for_compiled, compiled_lines
from hepagraph.kg import build_graph
from hepagraph.ontology import MissingExtraError, OntologyError, QueryError, find_ontology
from hepagraph.ontology.named_queries import bind, parse_query, read_query
from hepagraph.ontology.store import load_ontology
from hepagraph.ontology.stores import Store, open_store

if TYPE_CHECKING:
    import networkx as nx

QUERIES = [read_query(path) for path in find_ontology().queries]
COMPILED = [query for query in QUERIES if asks_for_compiled(query.text)]
EXPECTED = Path(__file__).resolve().parents[1] / "data" / "queries"
SAMPLED: dict[str, dict[str, int]] = json.loads((EXPECTED / "sampled.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=["rdflib", "oxigraph"])
def store(request: pytest.FixtureRequest) -> Store:
    return open_store(find_ontology(), request.param)


def alike(found: Any, wanted: str) -> bool:
    if found is None or wanted == "":
        return found is None and wanted == ""
    if isinstance(found, bool) or isinstance(found, str):
        return str(found) == wanted
    return float(found) == pytest.approx(float(wanted), rel=1e-9)


def check(store: Store, name: str, text: str) -> None:
    """Compare with the expected rows; of a long answer the number of rows and every so manieth of them."""
    header, *wanted = csv.reader((EXPECTED / f"{name}.csv").read_text(encoding="utf-8").splitlines(keepends=True))
    answer = store.query(text)
    rows = answer.rows
    if name in SAMPLED:
        assert len(rows) == SAMPLED[name]["rows"]
        rows = rows[:: SAMPLED[name]["every"]]
    assert list(answer.columns) == header
    assert len(rows) == len(wanted)
    for found, row in zip(rows, wanted, strict=True):
        assert all(alike(a, b) for a, b in zip(found, row, strict=True)), (found, row)


def test_there_are_twenty_competency_questions_and_twenty_more() -> None:
    numbers = sorted(query.name[:4] for query in QUERIES if query.name.startswith("cq"))
    assert numbers == [f"cq{i:02}" for i in range(1, 21)]
    assert len(QUERIES) >= 40
    assert all(query.question.endswith(("?", ".")) for query in QUERIES)


@pytest.mark.parametrize("query", [q for q in QUERIES if not asks_for_compiled(q.text)], ids=lambda q: q.name)
def test_a_named_query_has_its_expected_rows(store: Store, query: Any) -> None:
    check(store, query.name, bind(query, {}, store))


def test_queries_of_the_compiled_layer_have_their_expected_rows(kg: nx.MultiDiGraph[str]) -> None:
    store = open_store(find_ontology(), "oxigraph")
    asked = {query.name: bind(query, {}, store) for query in COMPILED}
    assert len(asked) >= 2
    store.add(compiled_lines(kg, parameters=False))
    for name, text in asked.items():
        check(store, name, text)


def test_both_stores_answer_queries_of_the_compiled_layer_alike(data: Path) -> None:
    """On a toy, for every value of the parameters: rdflib takes half a minute to read the packaged layer."""
    files = find_ontology(data / "skin")
    lines = list(compiled_lines(build_graph(load_ontology(files)), parameters=False))
    stores = [open_store(files, engine) for engine in ("rdflib", "oxigraph")]
    for store in stores:
        store.add(lines)
    for query in COMPILED:
        slow, quick = (store.query(query.text) for store in stores)
        assert slow == quick
        assert len(slow.rows) > 1, query.name


def test_a_parameter_refuses_things_of_another_kind() -> None:
    store = open_store(find_ontology(), "oxigraph")
    typed = [(query, p) for query in QUERIES for p in query.parameters if p.classes and p.pattern == "id:{}"]
    assert len(typed) >= 10
    for query, parameter in typed:
        with pytest.raises(QueryError, match="nothing of that kind"):
            bind(query, {parameter.name: "weighting_policy"}, store)


def test_no_default_answer_is_empty() -> None:
    empty = [path.stem for path in EXPECTED.glob("*.csv") if len(path.read_text().splitlines()) < 2]
    assert empty == []


def test_every_parameter_has_help_and_a_default_that_is_there(data: Path) -> None:
    store = open_store(find_ontology(), "oxigraph")
    for query in QUERIES:
        for parameter in query.parameters:
            assert parameter.help, query.name
            if parameter.default:
                bind(query, {parameter.name: parameter.default}, store)


COIN = parse_query(
    "coins",
    "# Which?\n# param state: id:toss_{} = heads | a side\n# param least: number | k\n"
    "SELECT ?e ?k WHERE { ?e fl:state ?state ; fl:k ?k . FILTER (?k >= ?least) }",
)


@pytest.fixture(scope="module", params=["rdflib", "oxigraph"])
def coins(request: pytest.FixtureRequest, data: Path) -> Store:
    store = open_store(find_ontology(data / "coin"), request.param)
    made = "https://w3id.org/hepagraph/id/toss_heads"
    kind = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
    store.add([f"<{made}> <{kind}> <https://w3id.org/hepagraph/schema#FeatureState> .\n"])
    store.add([f"<urn:e> <https://w3id.org/hepagraph/schema#state> <{made}> .\n"])
    store.add(['<urn:e> <https://w3id.org/hepagraph/schema#k> "7"^^<http://www.w3.org/2001/XMLSchema#integer> .\n'])
    return store


def test_parameters_fill_in_things_and_numbers(coins: Store) -> None:
    assert coins.query(bind(COIN, {"least": "5"}, coins)).rows == (("urn:e", 7),)
    assert coins.query(bind(COIN, {"least": "8", "state": "heads"}, coins)).rows == ()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"stat": "heads"}, "no parameter 'stat'; did you mean state"),
        ({"state": "head"}, "nothing of that kind in the ontology is called so; did you mean heads"),
        ({"state": "x> } ; DROP"}, "names are letters, digits and underscores"),
        ({"least": "5 }"}, "is not a number"),
    ],
)
def test_a_wrong_parameter_says_what_is_right(coins: Store, given: dict[str, str], says: str) -> None:
    with pytest.raises(QueryError, match=says):
        bind(COIN, given, coins)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT ?s WHERE {", "cannot be parsed"),
        ("DELETE WHERE { ?s ?p ?o }", "only SELECT and ASK"),
        ("CONSTRUCT WHERE { ?s ?p ?o }", "use SELECT or ASK"),
        ("DESCRIBE ?s WHERE { ?s ?p ?o }", "use SELECT or ASK"),
        ("SELECT * WHERE { SERVICE <http://localhost:1/> { ?s ?p ?o } }", "uses SERVICE"),
        ("SELECT * FROM <http://localhost:1/x.ttl> WHERE { ?s ?p ?o }", "FROM"),
        ("", "cannot be parsed"),
    ],
)
def test_bad_queries_say_why(coins: Store, text: str, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        coins.query(text)


def test_ask_plain_values_and_order(coins: Store) -> None:
    assert coins.query("ASK { ?s a fl:Source }").rows == ((True,),)
    assert coins.query("ASK { ?s a fl:NoSuchThing }").rows == ((False,),)
    rows = coins.query("SELECT ?v WHERE { ?e fl:value ?v }").rows
    assert rows == tuple(sorted(rows, key=lambda row: str(row[0])))
    assert {type(row[0]) for row in rows} == {float}
    assert coins.query("SELECT ?k ?a WHERE { ?e fl:k ?k OPTIONAL { ?e fl:nothing ?a } FILTER (?k = 30) }").rows == (
        (30, None),
    )


def test_many_threads_may_ask_one_store(coins: Store) -> None:
    text = "SELECT ?e ?v WHERE { ?e fl:value ?v }"
    wanted = coins.query(text)
    with ThreadPoolExecutor(8) as pool:
        assert all(rows == wanted for rows in pool.map(coins.query, [text] * 80))


def test_an_unknown_store_is_refused() -> None:
    with pytest.raises(OntologyError, match="no such store; allowed: auto, rdflib, oxigraph"):
        open_store(find_ontology(), "sqlite")


def test_without_the_library_auto_takes_rdflib(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    monkeypatch.setattr("hepagraph.ontology.stores.find_spec", lambda name: None)
    assert type(open_store(find_ontology(data / "coin"))).__name__ == "RdflibStore"
    with pytest.raises(MissingExtraError, match=r"hepagraph\[fast\]"):
        open_store(find_ontology(data / "coin"), "oxigraph")


def test_broken_turtle_is_named_by_both(tmp_path: Path) -> None:
    (tmp_path / "facts.ttl").write_text("@prefix id: <https://example.org/> .\n\nid:a id:b .\n")
    for engine in ("rdflib", "oxigraph"):
        with pytest.raises(OntologyError, match=r"facts\.ttl: .*not valid Turtle"):
            open_store(find_ontology(tmp_path), engine)


def test_hand_checked_answers_stay(expected: dict[str, Any]) -> None:
    """Values that were read in the sources, not taken from a run; our own judgements beside them are not."""
    for name, wanted in expected["queries"].items():
        rows = csv.DictReader((EXPECTED / f"{name}.csv").read_text(encoding="utf-8").splitlines(keepends=True))
        read = [row for row in rows if expected["judged"] not in row.values()]
        assert sorted(row[wanted["column"]] for row in read) == sorted(map(str, wanted["values"])), name
