"""Every route answers as the doors do, over a real connection, and says what is wrong in the way of RFC 9457."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import jsonschema
import pytest

from hepagraph.inference.what_if import key_sections
from hepagraph.service.doors import Doors
from hepagraph.service.http.openapi import example_of
from hepagraph.service.http.questions import QUESTIONS, Question
from hepagraph.service.http.schemas import components


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_answers_are_those_of_the_doors(client: httpx.Client, doors: Doors, question: Question) -> None:
    body = example_of(question)
    found = client.post(f"/v1/{question.name}", json=body)
    assert found.status_code == 200, found.text
    assert found.headers["content-type"] == "application/json"
    options = {name: value for name, value in body.items() if name != "case"}
    assert found.json() == getattr(doors, question.method)(body["case"], **options)


def test_scenarios_may_set_what_a_case_may_state(doors: Doors) -> None:
    schemas = components(doors)
    case = schemas["Case"]["properties"]
    lesion = case["lesions"]["items"]["properties"]
    stated = {*case["patient"]["properties"], *lesion["findings"]["properties"], *lesion} - {"id", "findings"}
    assert set(schemas["Values"]["properties"]) == stated == set(key_sections(doors.reasoner))


def test_every_option_is_handed_on(client: httpx.Client, doors: Doors, cases: list[dict[str, Any]]) -> None:
    case = cases[3]
    network = doors.reasoner.network
    one, other, *_ = network.differentials[network.default_differential]
    wide = next(name for name in network.differentials if name != network.default_differential)
    prior = dict.fromkeys(network.differentials[wide], 1.0)
    finding = next(iter(case["lesions"][0]["findings"]))
    lesion = case["lesions"][-1].get("id", "L1")
    given: dict[str, dict[str, Any]] = {
        "posterior": {
            "differential": wide,
            "prior": prior,
            "interval": True,
            "reasons": False,
            "surprise": False,
        },
        "explain": {"differential": wide, "entity": one, "against": other, "prior": prior},
        "what-if": {
            "scenarios": [{"name": "without", "values": {finding: None}}],
            "sweep": [finding],
            "lesion": lesion,
            "differential": wide,
            "prior": prior,
        },
        "next-best": {"differential": wide, "prior": prior},
        "sensitivity": {"differential": wide, "prior": prior},
        "recommend": {"differential": wide, "prior": prior, "interval": True},
        "response": {},
    }
    for question in QUESTIONS:
        options = given[question.name]
        assert options.keys() | {"costs"} == question.options.keys() | {"costs"}
        if question.name == "response":
            continue
        found = client.post(f"/v1/{question.name}", json={"case": case, **options})
        assert found.status_code == 200, found.text
        assert found.json() == getattr(doors, question.method)(case, **options)
        del options["prior"]
        assert found.json() != getattr(doors, question.method)(case, **options)
    costs = {"losses": {name: dict.fromkeys(row, 3) for name, row in doors.reasoner.costs.losses.items()}}  # type: ignore[union-attr]
    found = client.post("/v1/next-best", json={"case": case, "costs": costs})
    assert found.json() == doors.next_best(case, costs=costs)


def test_an_option_that_is_null_is_left_out(client: httpx.Client, doors: Doors, cases: list[dict[str, Any]]) -> None:
    found = client.post("/v1/posterior", json={"case": cases[0], "differential": None, "prior": None, "reasons": None})
    assert found.json() == doors.posterior(cases[0])


def test_many_clients_at_once_get_their_own_answers(
    client: httpx.Client, doors: Doors, cases: list[dict[str, Any]]
) -> None:
    def ask(case: dict[str, Any]) -> Any:
        return client.post("/v1/posterior", json={"case": case, "surprise": False}).json()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, cases * 3))
    assert found == [doors.posterior(case, surprise=False) for case in cases] * 3


def test_what_the_server_says_of_itself(client: httpx.Client, doors: Doors) -> None:
    assert client.get("/v1/model").json() == doors.model()
    assert client.get("/v1/vocabulary").json() == doors.vocabulary()
    assert client.get("/v1/vocabulary?definitions=true").json() == doors.vocabulary(definitions=True)
    assert client.get("/v1/vocabulary?definitions=yes").status_code == 422
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}
    text = client.get("/metrics")
    assert text.headers["content-type"].startswith("text/plain; version=")
    assert 'hepagraph_http_requests_total{method="GET",route="/v1/model",status="200"}' in text.text
    assert f'ontology_sha256="{doors.reasoner.network.ontology_sha256}"' in text.text


def test_description_has_every_route_and_an_example_that_is_answered(client: httpx.Client) -> None:
    found = client.get("/openapi.json").json()
    assert found["openapi"].startswith("3.1")
    paths = {f"/v1/{question.name}" for question in QUESTIONS}
    paths |= {"/v1/batch", "/v1/model", "/v1/vocabulary", "/health", "/ready", "/metrics"}
    assert paths <= set(found["paths"])
    for question in QUESTIONS:
        content = found["paths"][f"/v1/{question.name}"]["post"]["requestBody"]["content"]["application/json"]
        assert client.post(f"/v1/{question.name}", json=content["example"]).status_code == 200
    assert json.dumps(found).count("http://") == json.dumps(found).count("https://") == 0, "nothing from elsewhere"


def test_a_client_can_be_made_from_the_description(client: httpx.Client) -> None:
    """Every operation has a name of its own that a function may have, a tag, a summary, and all that it refers to."""
    found = client.get("/openapi.json").json()
    operations = [operation for path in found["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names)) and all(re.fullmatch("[a-z][a-z_]*", name) for name in names)
    assert all(operation["summary"] and len(operation["tags"]) == 1 for operation in operations)
    wanted = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(found)))
    assert wanted <= set(found["components"]["schemas"])


@pytest.mark.parametrize("path", ["/v1/model", "/v1/vocabulary", "/v1/vocabulary?definitions=true"])
def test_what_the_server_says_of_itself_is_as_described(client: httpx.Client, path: str) -> None:
    found = client.get("/openapi.json").json()
    answers = found["paths"][path.partition("?")[0]]["get"]["responses"]["200"]["content"]["application/json"]
    schema = {**answers["schema"], "components": found["components"]}
    jsonschema.validate(client.get(path).json(), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({}, schema)


# -- what is wrong ----------------------------------------------------------------------------------------------------


def problem(found: httpx.Response, status: int) -> dict[str, Any]:
    assert found.status_code == status, found.text
    assert found.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = found.json()
    assert body["status"] == status and body["type"] == "about:blank" and body["title"] and body["detail"]
    for one in body["problems"]:
        assert set(one) == {"kind", "where", "what", "allowed", "nearest", "advice"}
    return body


def send(client: httpx.Client, content: bytes | str, kind: str = "application/json") -> httpx.Response:
    return client.post("/v1/posterior", content=content, headers={"Content-Type": kind})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"case": NaN}',
        b'{"case": Infinity}',
        b'{"case": 1e999}',
        b'{"case": {"lesions": [], "lesions": []}}',
        b"1" * 500,
        b"[" * 100_000,
        b'{"case": 1} {"case": 2}',
    ],
    ids=lambda body: body[:12].decode("latin-1") or "empty",
)
def test_what_is_no_json_is_refused(client: httpx.Client, body: bytes) -> None:
    assert problem(send(client, body), 400)["problems"][0]["where"] == "body"


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "", "application/x-www-form-urlencoded"])
def test_other_media_types_are_refused(client: httpx.Client, kind: str) -> None:
    assert problem(send(client, b"{}", kind), 415)["problems"][0]["allowed"] == ["application/json"]


@pytest.mark.parametrize(
    "body",
    [
        [],
        1,
        "case",
        {},
        {"case": None},
        {"case": []},
        {"case": {}},
        {"case": {"lesions": []}},
        {"case": {"lesions": [{"findings": {}}]}, "differential": 1},
        {"case": {"lesions": [{"findings": {}}]}, "differential": "no such"},
        {"case": {"lesions": [{"findings": {}}]}, "interval": "yes"},
        {"case": {"lesions": [{"findings": {}}]}, "prior": []},
        {"case": {"lesions": [{"findings": {}}]}, "prior": {}},
        {"case": {"lesions": [{"findings": {}}]}, "prior": {"x": "y"}},
        {"case": {"lesions": [{"findings": {}}]}, "intervall": True},
        {"case": {"lesions": [{"findings": {"no such": 10**200}}]}},
        {"case": {"lesions": [{"findings": {}}] * 21}},
    ],
    ids=repr,
)
def test_what_is_no_question_is_refused(client: httpx.Client, body: Any) -> None:
    assert problem(client.post("/v1/posterior", json=body), 422)["problems"]


def test_every_problem_is_told_with_its_place_and_what_is_near(client: httpx.Client, doors: Doors) -> None:
    name = next(iter(doors.reasoner.reader.variables))
    case = {"lesions": [{"findings": {f"{name}x": 1, name: "zz"}}, {"finding": {}}]}
    found = problem(client.post("/v1/posterior", json={"case": case, "reason": True}), 422)
    assert found["problems"] == [
        {
            "kind": "unknown_key",
            "where": "body",
            "what": "unknown key 'reason'",
            "allowed": ["case", "differential", "interval", "prior", "reasons", "surprise"],
            "nearest": "reasons",
            "advice": "",
        }
    ]
    found = problem(client.post("/v1/posterior", json={"case": case}), 422)
    assert len(found["problems"]) == 4
    assert name in {one["nearest"] for one in found["problems"]}


def test_at_most_a_hundred_problems_are_told(client: httpx.Client) -> None:
    case = {"lesions": [{"findings": {f"unknown {i}": 1 for i in range(250)}}]}
    found = problem(client.post("/v1/posterior", json={"case": case}), 422)
    assert len(found["problems"]) == 100 and found["more_problems"] == 150


def test_what_is_not_there(client: httpx.Client) -> None:
    problem(client.get("/nothing"), 404)
    problem(client.post("/v1/posterior/"), 404)
    found = client.get("/v1/posterior")
    problem(found, 405)
    assert found.headers["allow"] == "POST"


def test_half_a_surrogate_pair_comes_back_as_it_was(client: httpx.Client) -> None:
    found = send(client, rb'{"case": {"id": "\ud800", "lesions": [{"findings": {}}]}}')
    assert found.status_code == 200
    assert found.json()["id"] == "\ud800"


def test_scenarios_are_counted_with_those_of_a_sweep(client: httpx.Client, doors: Doors) -> None:
    case = {"lesions": [{"findings": {}}]}
    scenarios = [{"name": str(i), "values": {}} for i in range(101)]
    problem(client.post("/v1/what-if", json={"case": case, "scenarios": scenarios}), 422)
    variables = doors.reasoner.reader.variables.values()
    sizes = sorted(((len(v.states), v.name) for v in variables if v.section == "findings"), reverse=True)
    (first, one), (second, other), *_ = sizes
    assert first * second > 100
    found = problem(client.post("/v1/what-if", json={"case": case, "sweep": [one, other]}), 422)
    assert str(first * second) in found["problems"][0]["what"]


def test_questions_that_take_longer_take_fewer_lesions(client: httpx.Client) -> None:
    for question in QUESTIONS:
        case = {"lesions": [{"findings": {}}] * (20 // question.weight + 1)}
        found = problem(client.post(f"/v1/{question.name}", json={"case": case}), 422)
        assert f"at most {20 // question.weight} " in found["problems"][0]["what"]
    assert {question.weight for question in QUESTIONS} == {1, 2, 4}
