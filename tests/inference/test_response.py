"""Answers of the packaged response network: figure cases, published shares, pitfalls, sources, and how cases are read."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from rdflib import Graph, URIRef
from rdflib.namespace import RDF

from hepagraph.inference.case import Finding
from hepagraph.inference.response import ResponseReasoner
from hepagraph.inference.response_case import ResponseReader
from hepagraph.inference.result import NOTICE
from hepagraph.kg.vocabulary import read_vocabulary
from hepagraph.ontology.errors import CaseError, ContradictionError, ImpossibleEvidenceError, OntologyError
from hepagraph.ontology.namespaces import PROV, SCHEMA, local_name

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "response"
EXPECTED = json.loads((DATA / "expected.json").read_text(encoding="utf-8"))
FIGURES = ROOT / "examples" / "response"


@pytest.fixture
def packaged(response_reasoner: ResponseReasoner) -> ResponseReasoner:
    return response_reasoner


@pytest.fixture(scope="module")
def garden() -> ResponseReasoner:
    return ResponseReasoner.load(DATA / "garden")


def seen(reasoner: ResponseReasoner, states: dict[str, str]) -> dict[str, Finding]:
    vectors = {n: tuple(float(s == state) for s in reasoner.compiled.states[n]) for n, state in states.items()}
    return {name: Finding(name, vector, states[name]) for name, vector in vectors.items()}


def share(reasoner: ResponseReasoner, ask: str, states: list[str], given: dict[str, str]) -> float:
    posterior = reasoner.query(seen(reasoner, given), [ask])[ask]
    return sum(posterior[state] for state in states)


def lesion(response: dict[str, Any], **patient: Any) -> dict[str, Any]:
    return {"patient": patient, "lesions": [{"response": response}]}


def test_figure_cases_go_the_way_of_the_truth(packaged: ResponseReasoner) -> None:
    values = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FIGURES.glob("*.json"))]
    cases = {value["id"]: packaged.read(value) for value in values}
    text = (FIGURES / "truth.tsv").read_text(encoding="utf-8")
    missed, rows = [], list(csv.DictReader(text.splitlines(), delimiter="\t"))
    for row in rows:
        case = cases[row["case_id"]]
        found = next(item for item in case.lesions if item.id == row["lesion_id"])
        name, state = row["variable"], row["state"]
        before = packaged.query(case.context, [name])[name][state]
        after = packaged.query({**case.context, **found.seen}, [name])[name][state]
        if (after > before) != (row["direction"] == "up"):
            missed.append([row["case_id"], row["lesion_id"], name])
    assert {row["case_id"] for row in rows} == set(cases)
    assert missed == EXPECTED["missed"]
    assert [packaged.posterior(case).id for case in cases.values()] == list(cases)


@pytest.mark.parametrize("item", EXPECTED["shares"], ids=lambda item: item["id"])
def test_published_shares_are_given_back(packaged: ResponseReasoner, item: dict[str, Any]) -> None:
    assert item["low"] <= share(packaged, item["ask"], item["states"], item["seen"]) <= item["high"]


@pytest.mark.parametrize("item", EXPECTED["higher"], ids=lambda item: item["id"])
def test_published_differences_keep_their_sign(packaged: ResponseReasoner, item: dict[str, Any]) -> None:
    more = share(packaged, item["ask"], item["states"], item["more"])
    assert more > share(packaged, item["ask"], item["states"], item["less"]) + 0.02


@pytest.mark.parametrize("item", EXPECTED["medians"]["of"], ids=lambda item: item["id"])
def test_published_medians_fall_in_the_median_band(packaged: ResponseReasoner, item: dict[str, Any]) -> None:
    ask = EXPECTED["medians"]["ask"]
    posterior, total = packaged.query(seen(packaged, item["seen"]), [ask])[ask], 0.0
    for band, probability in posterior.items():
        total += probability
        if total >= 0.5:
            assert band == item["band"]
            return


@pytest.mark.parametrize("item", EXPECTED["pitfalls"], ids=lambda item: item["fires"])
def test_pitfalls_fire_with_their_statements(packaged: ResponseReasoner, item: dict[str, Any]) -> None:
    found = {pitfall.id: pitfall for pitfall in packaged.posterior(lesion(item["response"])).lesions[0].pitfalls}
    assert item["fires"] in found
    assert set(item["cites"]) <= {basis.id for basis in found[item["fires"]].basis}
    assert found[item["fires"]].sources and found[item["fires"]].text
    assert not packaged.posterior(lesion({})).lesions[0].pitfalls


def test_a_pitfall_waits_for_all_that_it_names(packaged: ResponseReasoner) -> None:
    item = EXPECTED["only_with"]
    fired = [
        {pitfall.id for pitfall in packaged.posterior(lesion(item["response"], **patient)).lesions[0].pitfalls}
        for patient in (item["patient"], item["without"], {})
    ]
    assert [item["fires"] in found for found in fired] == [True, False, False]


def test_every_number_reaches_a_source_and_says_if_it_is_judgement(packaged: ResponseReasoner, rdf: Graph) -> None:
    statements = {local_name(s) for s in rdf.subjects(RDF.type, SCHEMA.EvidenceStatement)}
    model = packaged.model
    for item in (*model.numbers, *model.definitions, *model.effects):
        grounds = item.grounds
        assert (grounds.grade == "D") == (grounds.source.id == "hepagraph_judgement"), grounds.id
        assert grounds.grade == "D" or grounds.basis, f"{grounds.id} cites nothing"
        assert grounds.grade != "A" or any(basis.id in statements for basis in grounds.basis), grounds.id
        node = URIRef(f"https://w3id.org/hepagraph/id/{grounds.id}")
        assert (rdf.value(node, SCHEMA.reviewStatus) == SCHEMA.Queued) == (grounds.grade == "D"), grounds.id
    for name in model.variables:
        assert any(n.variable == name for n in (*model.numbers, *model.definitions)), name


def test_the_numbers_can_be_listed_by_a_query(rdf: Graph) -> None:
    rows = rdf.query(
        "SELECT ?n ?source WHERE { ?n a ?kind ; prov:wasQuotedFrom ?source . VALUES ?kind { fl:ResponseNumber fl:ResponseEffect fl:ResponseDefinition } }",
        initNs={"fl": SCHEMA, "prov": PROV},
    )
    listed = {local_name(row[0]) for row in rows}
    kinds = ("ResponseNumber", "ResponseEffect", "ResponseDefinition")
    assert listed == {local_name(s) for kind in kinds for s in rdf.subjects(RDF.type, SCHEMA[kind])}
    assert len(listed) > 150


def test_the_main_network_does_not_see_the_response_network(packaged: ResponseReasoner, reasoner: Any) -> None:
    ours = {local_name(URIRef(node)) for v in packaged.model.variables.values() for node in v.nodes.values()}
    assert not ours & {node for v in read_vocabulary(reasoner.graph).values() for node in v.nodes.values()}
    assert not set(packaged.model.variables) & set(reasoner.network.states)


def test_reasons_are_withdrawals_with_support(packaged: ResponseReasoner) -> None:
    item = EXPECTED["aliases"][1]
    case = {"patient": item, "lesions": [{"response": EXPECTED["pitfalls"][5]["response"]}]}
    result = packaged.posterior(case).lesions[0]
    name, state = result.leading
    assert {reason.variable for reason in result.reasons} == {*item, *EXPECTED["pitfalls"][5]["response"]}
    assert all(reason.support for reason in result.reasons)
    weights = [abs(reason.likelihood_ratio_log) for reason in result.reasons]
    assert weights == sorted(weights, reverse=True)
    low, high = result.interval[name][state]
    assert low < result.answers[name][state] < high
    assert sum(result.answers[name].values()) == pytest.approx(1)


def test_the_answer_says_what_it_is_not(packaged: ResponseReasoner) -> None:
    result = packaged.posterior(lesion({})).to_dict()
    assert result["model"]["notice"] == NOTICE
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert any("nothing was seen" in warning["message"] for warning in result["lesions"][0]["warnings"])


def test_spellings_and_measurements_mean_the_same(packaged: ResponseReasoner) -> None:
    first, second = (packaged.read({"patient": item, "lesions": [{}]}).context for item in EXPECTED["aliases"])
    assert {n: f.likelihood for n, f in first.items()} == {n: f.likelihood for n, f in second.items()}


def test_ordinary_findings_are_read_through_the_ontology(packaged: ResponseReasoner) -> None:
    bridge = EXPECTED["bridge"]
    found = packaged.read({"lesions": [{"findings": bridge["findings"]}]}).lesions[0]
    states = packaged.compiled.states
    assert {n: [states[n][p] for p in f.states] for n, f in found.seen.items()} == bridge["shows"]
    assert set(found.taken) == set(bridge["shows"])


def test_what_the_case_says_itself_goes_before_what_is_read(packaged: ResponseReasoner) -> None:
    bridge = EXPECTED["bridge"]
    found = packaged.read({"lesions": [{"findings": bridge["findings"], "response": bridge["own"]}]}).lesions[0]
    (name,) = bridge["own"]
    assert name not in found.taken and found.seen[name].given == bridge["own"][name]


def test_clashing_findings_are_dropped_and_said_and_vague_ones_say_nothing(packaged: ResponseReasoner) -> None:
    bridge = EXPECTED["bridge"]
    case = packaged.read({"lesions": [{"findings": bridge["clash"]}, {"findings": bridge["vague"]}]})
    assert case.lesions[0].conflicts == (bridge["clashing"],) and bridge["clashing"] not in case.lesions[0].seen
    assert bridge["silent"] not in case.lesions[1].seen
    warnings = packaged.posterior(case).lesions[0].warnings
    assert any("contradict" in warning.message for warning in warnings)


def test_all_problems_come_together_with_the_nearest_match(packaged: ResponseReasoner) -> None:
    with pytest.raises(CaseError) as caught:
        packaged.read(EXPECTED["bad"]["case"])
    text = str(caught.value)
    assert [part for part in EXPECTED["bad"]["says"] if part not in text] == []
    assert len(caught.value.problems) == len(EXPECTED["bad"]["says"])


def test_a_patient_outside_the_model_is_refused(packaged: ResponseReasoner) -> None:
    with pytest.raises(ContradictionError, match="outside the response model"):
        packaged.read(EXPECTED["outside"])


@pytest.mark.parametrize(
    "value", [None, 3, [], {}, {"lesions": []}, {"lesions": 3}, {"lesions": [3]}, {"patient": 3, "lesions": [{}]}]
)
def test_what_is_no_case_is_refused(garden: ResponseReasoner, value: Any) -> None:
    with pytest.raises(CaseError):
        garden.read(value)


def test_another_domain_brings_its_own_network(garden: ResponseReasoner) -> None:
    case = {
        "patient": {"plant": "fern", "water_ml": 30},
        "lesions": [{"findings": {"hue": "lime"}}, {"response": {"bud": "fallen"}, "findings": {"gloss": "dull"}}],
    }
    read = garden.read(case)
    assert read.presumed == () and read.lesions[0].taken == ("leaf",)
    assert read.lesions[1].taken == (), "what is ruled out is not read from findings either"
    result = garden.posterior(read)
    assert [pitfall.id for pitfall in result.lesions[0].pitfalls] == ["unsure"]
    with pytest.raises(ContradictionError):
        garden.read({"patient": {"plant": "moss"}, "lesions": [{}]})


def test_impossible_evidence_is_a_typed_error(garden: ResponseReasoner) -> None:
    with pytest.raises(ImpossibleEvidenceError):
        garden.query(seen(garden, {"recovery": "no", "step": "s2"}), ["roots"])


def test_an_ontology_without_a_network_says_so(data: Path) -> None:
    with pytest.raises(OntologyError, match="has no response network"):
        ResponseReasoner.load(data / "coin")


def test_the_reader_keeps_the_ordinary_format(garden: ResponseReasoner) -> None:
    assert isinstance(garden.reader, ResponseReader)
    with pytest.raises(CaseError, match="did you mean hue"):
        garden.read({"lesions": [{"findings": {"huee": "lime"}}]})
