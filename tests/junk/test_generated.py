"""The same doors, with what Hypothesis makes of an ontology's own words: nearly right, and wrong in ways of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from junk.commands import COIN
from junk.corpus import VALUES
from junk.formats import _form, _frame
from junk.servers import _answered, _server
from junk.table import World, command, refusable, skin_folder

from hepagraph.inference import Reasoner
from hepagraph.service.http.questions import QUESTIONS

TIMES = float(os.environ.get("JUNK", "1"))
Strategy = st.SearchStrategy[Any]


def examples(count: int) -> Callable[[Any], Any]:
    """Return the settings of a test with so many examples, times what ``JUNK`` says."""
    return settings(
        max_examples=max(4, int(count * TIMES)),
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def cases(world: World) -> Strategy:
    return nearly(world.skin)


def nearly(reasoner: Reasoner) -> Strategy:
    """Return what makes cases of known keys and states, with something else now and then."""
    variables = list(reasoner.reader.variables.values())
    states = sorted({spelling for variable in variables for spelling in variable.leaves})
    scalars = st.one_of(
        st.sampled_from(states),
        st.floats(),
        st.integers(),
        st.booleans(),
        st.none(),
        st.text(max_size=8),
        st.just("not_assessable"),
    )
    junk = st.one_of(st.sampled_from(VALUES), st.recursive(scalars, _inner, max_leaves=6))
    likelihoods = st.dictionaries(st.sampled_from(states), st.one_of(st.floats(0, 1), scalars), max_size=4)
    values = st.one_of(scalars, st.lists(st.sampled_from(states), max_size=3), likelihoods, junk)

    def section(*names: str) -> Strategy:
        keys = sorted(reasoner.reader.inputs(*names))
        return st.one_of(st.dictionaries(st.sampled_from(keys), values, max_size=5), junk)

    found = [variable for variable in variables if variable.section == "findings"]
    right = st.fixed_dictionaries({}, optional={v.name: st.sampled_from(list(v.leaves)) for v in found})
    ids = st.one_of(st.sampled_from(["L1", "L2", ""]), scalars)
    lesion = st.fixed_dictionaries(
        {"findings": st.one_of(right, right, right, section("findings", "lesion"))},
        optional={"id": ids, **{key: values for key in reasoner.reader.inputs("lesion")}},
    )
    return st.fixed_dictionaries(
        {"lesions": st.lists(st.one_of(lesion, lesion, lesion, lesion, junk), min_size=1, max_size=3)},
        optional={
            "id": ids,
            "patient": section("patient"),
            "exam": st.one_of(section("exam"), st.lists(section("exam"), max_size=2)),
        },
    )


def _inner(children: Strategy) -> Strategy:
    return st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=6), children, max_size=3)


def test_cases_of_known_words(world: World, cases: Strategy) -> None:
    asked = (world.doors.posterior, world.doors.explain, world.doors.next_best)
    answered = refused = 0

    @examples(60)
    @given(cases)
    def ask(case: Any) -> None:
        nonlocal answered, refused
        for one in asked:
            done = refusable(lambda one=one: json.dumps(one(case), allow_nan=False))
            answered, refused = answered + done, refused + (not done)

    ask()
    assert min(answered, refused) > 10


def test_scenarios_and_options_of_known_words(world: World, cases: Strategy) -> None:
    keys = sorted(world.skin.reader.inputs("patient", "exam", "findings", "lesion"))
    words = st.one_of(st.sampled_from([*keys, *world.skin.entities(), "three", "L1"]), st.text(max_size=5))
    junk = st.one_of(
        st.sampled_from(VALUES), words, st.floats(), st.dictionaries(words, st.floats() | words, max_size=4)
    )
    names = {name for question in QUESTIONS for name in question.options}
    client = _server(world).client
    scenario = st.fixed_dictionaries(
        {"name": words}, optional={"values": st.dictionaries(words, junk, max_size=3), "exam": st.lists(junk)}
    )
    scenarios = st.lists(st.one_of(scenario, junk), max_size=3)
    given_options = st.fixed_dictionaries(
        {}, optional={name: junk for name in names} | {"scenarios": scenarios, "sweep": st.lists(words)}
    )

    @examples(60)
    @given(
        st.sampled_from([question for question in QUESTIONS if question.name != "sensitivity"]), cases, given_options
    )
    def ask(question: Any, case: Any, options: dict[str, Any]) -> None:
        kept = {name: value for name, value in options.items() if name in question.options}
        body = json.dumps({"case": case, **kept}).encode()
        _answered(client.post(f"/v1/{question.name}", content=body, headers={"content-type": "application/json"}))

    ask()


def test_choices_of_known_words(world: World, cases: Strategy) -> None:
    keys = sorted(world.skin.reader.variables)
    states = sorted({s for v in world.skin.reader.variables.values() for s in v.leaves})
    values = st.dictionaries(
        st.sampled_from(keys), st.one_of(st.sampled_from(states), st.sampled_from(VALUES), st.floats()), max_size=4
    )
    lesions = st.lists(
        st.fixed_dictionaries({"id": st.sampled_from(["L1", "L2"]), "values": values}), min_size=1, max_size=3
    )
    chosen = st.fixed_dictionaries(
        {"lesions": lesions},
        optional={"patient": values, "exams": st.lists(values, max_size=2), "id": st.text(max_size=3)},
    )

    @examples(100)
    @given(chosen)
    def ask(choices: Any) -> None:
        refusable(lambda: json.dumps(_form(world).check(choices)))

    ask()


def test_tables_of_known_words(world: World) -> None:
    keys = sorted(world.skin.reader.inputs("patient", "exam", "findings", "lesion"))
    states = sorted({s for v in world.skin.reader.variables.values() for s in v.leaves})
    cell = st.one_of(st.sampled_from(states), st.none(), st.floats(), st.integers(), st.sampled_from(VALUES))
    columns = st.lists(st.one_of(st.sampled_from(keys), st.text(max_size=3)), min_size=1, max_size=3)
    rows = columns.flatmap(
        lambda names: st.tuples(st.just(names), st.lists(st.tuples(*[cell] * len(names)), min_size=1, max_size=4))
    )

    @examples(40)
    @given(rows)
    def ask(table: tuple[list[str], list[tuple[Any, ...]]]) -> None:
        names, values = table
        _frame(world, (pd.DataFrame(values, columns=names), None))

    ask()


TOKENS = "SELECT ASK CONSTRUCT DESCRIBE WHERE { } ( ) ?s ?p ?o * . ; , a fl:k id:toss 'x' \"y\"@en 1 1.0 1e0 true <a:b> <x> FILTER"
TOKENS += " OPTIONAL UNION MINUS BIND AS VALUES COUNT(*) SUM GROUP BY HAVING ORDER LIMIT OFFSET DISTINCT FROM SERVICE PREFIX BASE _:b"
TOKENS += (
    " REGEX STR EXISTS NOT IN && || ! = != < > + - / | ^ [] $x \\u0041 # ''' INSERT DELETE DATA LOAD xsd:integer UNDEF"
)


def test_queries_of_known_words(world: World) -> None:
    good = ("ASK {", "SELECT * WHERE {", "CONSTRUCT { ?s ?p ?o } WHERE {", "SELECT (COUNT(*) AS ?n) {", "")
    tokens = st.lists(st.one_of(st.sampled_from(TOKENS.split(" ")), st.text(max_size=4)), max_size=8)

    @examples(30)
    @given(st.sampled_from(good), tokens, st.sampled_from(["}", "} LIMIT 3", "} GROUP BY ?s", ""]))
    def ask(start: str, inner: list[str], end: str) -> None:
        text = " ".join([start, *inner, end]).encode("utf-8", "replace")
        command("sparql", "-", "--ontology", COIN, stdin=text)
        command("sparql", "-", "--ontology", COIN, "--store", "rdflib", stdin=text)

    ask()


def test_words_of_a_command(world: World) -> None:
    path = world.file("good.json", json.dumps(world.case).encode())
    keys = sorted(world.skin.reader.inputs("patient", "exam", "findings", "lesion"))
    words = st.one_of(
        st.sampled_from([*keys, *world.skin.entities(), "dermoscopy", "low", "1", "nan"]), st.text(max_size=6)
    )
    pairs = st.builds(
        lambda key, sign, value: f"{key}{sign}{value}", words, st.sampled_from(["=", "", ",", "/", "|"]), words
    )
    text = st.one_of(words, pairs, st.builds(lambda a, b: f"{a},{b}", pairs, pairs)).filter(
        lambda word: "\x00" not in word
    )

    @examples(60)
    @given(
        st.sampled_from(("what-if --set", "what-if --exam", "what-if --sweep", "posterior --prior", "archetype --set")),
        text,
    )
    def ask(words: str, word: str) -> None:
        name, option = words.split()
        command(name, *([path] if name != "archetype" else []), f"{option}={word}", "--ontology", skin_folder())

    ask()
