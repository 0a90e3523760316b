"""CDS Hooks as clients meet it: a real server, the specification's own requests, and every way of prefetching."""

from __future__ import annotations

import copy
import json
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from hepagraph.inference import Reasoner
from hepagraph.inference.result import NOTICE
from hepagraph.service.doors import Doors
from hepagraph.service.healthcare import CodeBook, from_fhir, to_fhir
from hepagraph.service.healthcare.cards import escaped
from hepagraph.service.healthcare.cds import about
from hepagraph.service.http import Settings, create_app
from hepagraph.service.http.serving import uvicorn_options
from hepagraph.service.text import percent

Json = dict[str, Any]
PATIENT = "1288992"


@pytest.fixture(scope="module")
def doors(reasoner: Reasoner) -> Doors:
    found = Doors(reasoner)
    found.warm()
    return found


@pytest.fixture(scope="module")
def client(doors: Doors) -> Iterator[httpx.Client]:
    """A client of a server that runs as ``hepagraph serve`` does."""
    options = {**uvicorn_options(Settings()), "port": 0, "log_config": None}
    server = uvicorn.Server(uvicorn.Config(create_app(doors, Settings()), **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < until
        time.sleep(0.01)
    address = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{address}", timeout=60) as found:
        yield found
    server.should_exit = True
    thread.join(30)


@pytest.fixture(scope="module")
def spec(data: Path) -> Json:
    found: Json = json.loads((data / "healthcare" / "cds_hooks.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def prefetch(reasoner: Reasoner, several: Path) -> Json:
    """What a client would fetch for a patient with several lesions: a search set for each template."""
    case = json.loads(several.read_text(encoding="utf-8"))
    text = json.dumps(to_fhir(CodeBook.load(reasoner), case, None, "R4B"))
    bundle = json.loads(text)
    (patient,) = (e["resource"]["id"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    text = text.replace(f"urn:uuid:{patient}", f"Patient/{PATIENT}").replace(patient, PATIENT)
    kinds: dict[str, list[Json]] = {}
    for entry in json.loads(text)["entry"]:
        kinds.setdefault(entry["resource"]["resourceType"], []).append(entry)

    def found(kind: str) -> Json:
        return {"resourceType": "Bundle", "type": "searchset", "entry": kinds[kind]}

    return {
        "findings": found("Observation"),
        "lesions": found("BodyStructure"),
        "examinations": found("Procedure"),
        "patient": kinds["Patient"][0]["resource"],
    }


def call(client: httpx.Client, body: Any, service: str = "") -> httpx.Response:
    return client.post(f"/cds-services/{service or about()['id']}", json=body)


def asked(spec: Json, prefetch: Json | None) -> Json:
    """The specification's own call, with what this service asks to be prefetched in place of its prefetch."""
    body = {**spec["call"], "prefetch": prefetch}
    return body if prefetch is not None else {key: value for key, value in body.items() if key != "prefetch"}


def test_discovery(client: httpx.Client) -> None:
    found = client.get("/cds-services")
    assert found.status_code == 200
    assert found.headers["content-type"].startswith("application/json")
    services = found.json()["services"]
    assert [service["hook"] for service in services] == list(about()["hooks"])
    for service in services:
        assert service["id"] and service["description"] and service["title"]
        assert service["version"] == "2.0"
        for template in service["prefetch"].values():
            assert "{{context.patientId}}" in template
            assert template.count("{{") == 1


def test_the_specification_s_call_lacks_what_is_needed(client: httpx.Client, spec: Json) -> None:
    """Its prefetch is that of another service, and its FHIR server is never asked: 412."""
    found = call(client, spec["call"])
    assert found.status_code == 412
    assert "'findings' is absent" in found.json()["detail"]
    assert call(client, asked(spec, None)).status_code == 412


def test_cards(client: httpx.Client, spec: Json, prefetch: Json, doors: Doors, several: Path) -> None:
    found = call(client, asked(spec, prefetch))
    assert found.status_code == 200
    case = json.loads(several.read_text(encoding="utf-8"))
    answer, cards = doors.posterior(case, interval=True), found.json()["cards"]
    assert len(cards) == len(case["lesions"]) > 1
    assert len({card["uuid"] for card in cards}) == len(cards)
    labels = doors.reasoner.network.labels
    for card, lesion in zip(cards, answer["lesions"], strict=True):
        assert str(uuid.UUID(card["uuid"])) == card["uuid"]
        assert len(card["summary"]) < 140
        assert card["indicator"] == "info"
        assert card["source"]["label"]
        (link,) = card["links"]
        assert link["type"] == "absolute"
        assert client.get(link["url"]).json()["ontology_sha256"] == answer["model"]["ontology_sha256"]
        leading = max(lesion["posterior"], key=lambda e: lesion["posterior"][e])
        assert f"{labels[leading]} {percent(lesion['posterior'][leading])} (95 % interval" in card["summary"]
        for entity, probability in lesion["posterior"].items():
            ends = " to ".join(percent(end) for end in lesion["interval"][entity])
            assert f"- {labels[entity]} {percent(probability)} ({ends})" in card["detail"]
        strongest = labels[lesion["reasons"][0]["finding"]]
        assert strongest in card["detail"].partition("**Why")[2]
        assert "**Next look**" in card["detail"]
        assert NOTICE in card["detail"]
        assert "not supplied" not in card["detail"]
        assert "critical" not in json.dumps(card)


def test_order_select(client: httpx.Client, spec: Json, prefetch: Json) -> None:
    body = {**asked(spec, prefetch), "hook": "order-select", "context": spec["order_select_context"]}
    assert len(call(client, body).json()["cards"]) > 1
    del body["context"]["selections"]
    wrong = call(client, body)
    assert (wrong.status_code, wrong.json()["problems"][0]["where"]) == (422, "context / selections")


def test_partial_prefetch(client: httpx.Client, spec: Json, prefetch: Json) -> None:
    """What is not needed may be absent: the card says so. Null means that there is none, and is not mentioned."""
    only = {"findings": prefetch["findings"]}
    (first, *_) = call(client, asked(spec, only)).json()["cards"]
    assert "not supplied, so not counted: lesions, examinations, patient" in first["detail"]
    failed = {**prefetch, "examinations": spec["operation_outcome"]}
    (first, *_) = call(client, asked(spec, failed)).json()["cards"]
    assert "not supplied, so not counted: examinations" in first["detail"]
    (first, *_) = call(client, asked(spec, {**prefetch, "patient": None})).json()["cards"]
    assert "not supplied" not in first["detail"]


def test_looked_for_and_not_found(client: httpx.Client, spec: Json, prefetch: Json) -> None:
    """Null, an empty search set, and one in which nothing speaks of a lesion: nothing to say, and no error."""
    empty = {"resourceType": "Bundle", "type": "searchset"}
    passing = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}
    unrelated = {"resourceType": "Observation", "status": "final", "code": {"text": "another"}}
    for findings in (
        None,
        empty,
        {**empty, "entry": []},
        {**empty, "entry": [{"resource": unrelated}, {"resource": passing}]},
    ):
        found = call(client, asked(spec, {**prefetch, "findings": findings, "lesions": None}))
        assert (found.status_code, found.json()) == (200, {"cards": []})


def test_needed_and_not_usable(client: httpx.Client, spec: Json, prefetch: Json) -> None:
    paged = {**prefetch["findings"], "link": [{"relation": "next", "url": "https://example.org/2"}]}
    entries = [*prefetch["findings"]["entry"], {"resource": spec["operation_outcome"], "search": {"mode": "outcome"}}]
    partial = {**prefetch["findings"], "entry": entries}
    for findings, says in (
        (spec["operation_outcome"], "could not be fetched"),
        (paged, "has further pages"),
        (partial, "could not be fetched in full"),
    ):
        found = call(client, asked(spec, {**prefetch, "findings": findings}))
        assert found.status_code == 412
        assert says in found.json()["detail"]
        assert found.headers["content-type"] == "application/problem+json"


def test_bad_requests(client: httpx.Client, spec: Json, prefetch: Json) -> None:
    good = asked(spec, prefetch)
    wrong = [
        [],
        {},
        {**good, "hook": "order-sign"},
        {**good, "hookInstance": ""},
        {**good, "hookInstance": "d1577c69"},
        {**good, "hookInstance": 7},
        {**good, "context": {"userId": "Practitioner/1"}},
        {**good, "prefetch": []},
        {**good, "prefetch": {**prefetch, "findings": "x"}},
        {key: value for key, value in good.items() if key != "fhirServer"},
    ]
    for body in wrong:
        found = call(client, body)
        assert found.status_code == 422, body
        assert found.json()["problems"]
    assert (
        client.post(
            f"/cds-services/{about()['id']}", content=b"{", headers={"content-type": "application/json"}
        ).status_code
        == 400
    )
    assert call(client, good, "another").status_code == 404


def test_resources_of_another_patient(client: httpx.Client, spec: Json, prefetch: Json) -> None:
    for change in ("context", "findings", "patient"):
        body = copy.deepcopy(asked(spec, prefetch))
        if change == "context":
            body["context"]["patientId"] = "2"
        elif change == "findings":
            body["prefetch"]["findings"]["entry"][0]["resource"]["subject"] = {"reference": "Patient/2"}
        else:
            body["prefetch"]["patient"]["id"] = "2"
        found = call(client, body)
        assert found.status_code == 422
        assert "of another patient" in found.text


def test_one_patient_in_every_spelling(client: httpx.Client, spec: Json, prefetch: Json) -> None:
    body = copy.deepcopy(asked(spec, prefetch))
    ways = (f"Patient/{PATIENT}/_history/2", f"https://ehr.example.org/fhir/Patient/{PATIENT}")
    for entry, way in zip(body["prefetch"]["findings"]["entry"], ways, strict=False):
        entry["resource"]["subject"] = {"reference": way}
    found = call(client, body)
    assert found.status_code == 200
    assert len(found.json()["cards"]) > 1


def test_what_was_left_aside_is_told(client: httpx.Client, spec: Json, prefetch: Json) -> None:
    body = copy.deepcopy(asked(spec, prefetch))
    withdrawn = body["prefetch"]["findings"]["entry"][-1]["resource"]
    withdrawn["status"] = "entered-in-error"
    for card in call(client, body).json()["cards"]:
        assert f"left aside, so not counted: Observation/{withdrawn['id']}: entered-in-error" in card["detail"]


def test_findings_that_are_no_case(client: httpx.Client, spec: Json, prefetch: Json) -> None:
    """Every problem is told with its place, and nothing that was sent but its own codes is repeated."""
    body = copy.deepcopy(asked(spec, prefetch))
    resource = next(e["resource"] for e in body["prefetch"]["findings"]["entry"] if "focus" in e["resource"])
    resource["valueCodeableConcept"] = {
        "coding": [{"system": resource["code"]["coding"][0]["system"], "code": "none_such"}]
    }
    found = call(client, body)
    assert found.status_code == 422
    (problem,) = found.json()["problems"]
    assert problem["kind"] == "unknown_state"
    assert problem["where"] == f"Observation/{resource['id']}"
    assert problem["allowed"]


def test_feedback(client: httpx.Client, spec: Json) -> None:
    for body in spec["feedback"]:
        found = client.post(f"/cds-services/{about()['id']}/feedback", json=body)
        assert found.status_code == 200
    for body in spec["bad_feedback"]:
        found = client.post(f"/cds-services/{about()['id']}/feedback", json=body)
        assert found.status_code == 422, body
    assert client.post("/cds-services/another/feedback", json=spec["feedback"][0]).status_code == 404


def test_a_token_is_needed_for_all_but_discovery(doors: Doors, spec: Json, prefetch: Json) -> None:
    from starlette.testclient import TestClient

    token = "x" * 32
    with TestClient(create_app(doors, Settings(token=token)), base_url="http://127.0.0.1") as client:
        assert client.get("/cds-services").status_code == 200
        header = {"Authorization": f"Bearer {token}"}
        cards = client.post(f"/cds-services/{about()['id']}", json=asked(spec, prefetch), headers=header).json()[
            "cards"
        ]
        assert cards
        assert not any("links" in card or "url" in card["source"] for card in cards)  # a browser sends no token
        path, body = f"/cds-services/{about()['id']}/feedback", spec["feedback"][0]
        assert client.post(path, json=body).status_code == 401
        assert client.post(path, json=body, headers=header).status_code == 200


def test_clients_in_browsers(doors: Doors, spec: Json) -> None:
    """CORS: the origins that are listed may ask, with the headers that CDS Hooks sends, and no others."""
    from starlette.testclient import TestClient

    origin = "https://ehr.example.org"
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}
    with TestClient(create_app(doors, Settings(origins=(origin,))), base_url="http://127.0.0.1") as client:
        path = f"/cds-services/{about()['id']}"
        allowed = client.options(path, headers={"Origin": origin, **asks})
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == origin
        found = client.get("/cds-services", headers={"Origin": origin})
        assert found.headers["access-control-allow-origin"] == origin
        other = client.options(path, headers={"Origin": "https://other.example.org", **asks})
        assert "access-control-allow-origin" not in other.headers


def test_described_in_openapi(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths["/cds-services/{service}"]["post"]["responses"]) >= {"200", "404", "412", "422"}
    example = paths["/cds-services/{service}"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert call(client, example).json() == {"cards": []}


def test_prefetched_resources_are_the_case(prefetch: Json, reasoner: Reasoner, several: Path) -> None:
    entries = [entry for key in ("findings", "lesions", "examinations") for entry in prefetch[key]["entry"]]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [*entries, {"resource": prefetch["patient"]}]}
    case = json.loads(several.read_text(encoding="utf-8"))
    assert reasoner.read(from_fhir(CodeBook.load(reasoner), bundle)).lesions == reasoner.read(case).lesions


def test_a_summary_is_short_whatever_the_names(client: httpx.Client, spec: Json, prefetch: Json) -> None:
    body = copy.deepcopy(asked(spec, prefetch))
    for entry in body["prefetch"]["lesions"]["entry"]:
        entry["resource"]["identifier"][0]["value"] += "x" * 300
    for card in call(client, body).json()["cards"]:
        assert len(card["summary"]) < 140
        assert "%" in card["summary"]


def test_text_of_others_stands_for_itself() -> None:
    """A lesion's name can hold no mark-up, no HTML and no link."""
    assert escaped("<img src=x onerror=1> [a](b) `c` http://x www.y") == (
        r"\<img src=x onerror=1\> \[a\](b) \`c\` http:\/\/x www\.y"
    )
    assert "\n" not in escaped("a\n# b")
