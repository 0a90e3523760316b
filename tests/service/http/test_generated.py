"""A few hundred requests that Schemathesis makes from the description; ``benchmarks.http_server.fuzz`` makes many thousands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from schemathesis.checks import CHECKS

from hepagraph.service.http.questions import QUESTIONS

CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
# How many bodies a question gets in each mode: less where an answer takes long.
EXAMPLES: Mapping[str, int] = {"sensitivity": 2, "response": 5}


@pytest.fixture(scope="module")
def schema(client: httpx.Client) -> Any:
    return schemathesis.openapi.from_dict(client.get("/openapi.json").json())


@pytest.mark.filterwarnings("ignore")  # what the generator's own libraries deprecate
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", [question.name for question in QUESTIONS])
def test_generated_questions_break_nothing(client: httpx.Client, schema: Any, name: str, mode: Any) -> None:
    operation, checks, statuses = schema[f"/v1/{name}"]["POST"], CHECKS.get_by_names(list(CHECKED)), set()

    @hypothesis.seed(1)
    @hypothesis.settings(
        max_examples=EXAMPLES.get(name, 20),
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        response = case.call(base_url=str(client.base_url), timeout=60)
        statuses.add(response.status_code)
        case.validate_response(response, checks=checks)

    ask()
    assert statuses <= ({200, 422} if mode.value == "positive" else {200, 400, 413, 415, 422})
    assert statuses & {200, 422}
