"""Generated requests against the OpenAPI description: ``python -m benchmarks.http_server.fuzz [--requests 20000]``.

Schemathesis makes bodies that the description allows and bodies that it forbids; no answer may be a server error,
of a status, kind or shape that is not described, or an answer to what is forbidden. Each failure is printed once.
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
import time
from typing import Any

import httpx
import hypothesis
import requests
import schemathesis
from schemathesis.checks import CHECKS
from schemathesis.core.failures import FailureGroup

from benchmarks.http_server.server import HEADERS, served

# How many of a thousand requests an operation gets: less where an answer takes longer.
SHARES = {
    "posterior": 100,
    "explain": 140,
    "what_if": 150,
    "next_best": 140,
    "sensitivity": 20,
    "recommend": 140,
    "response": 25,
    "batch": 60,
    "form_read": 40,
    "form_check": 40,
    "form_reasons": 20,
    "form_next": 20,
}
OTHERS = 8
# A batch answers 200 to any lines, as each bad one has an error of its own; SPARQL's protocol lets parameters that are
# not its own be.
TOLERANT = ("batch", "sparql_get")
NDJSON = "application/x-ndjson"
CASE = {"$ref": "#/components/schemas/Case"}
CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)


@schemathesis.serializer(NDJSON)
def as_lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Return JSON Lines of a list, and anything else as one line."""
    items = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


@schemathesis.serializer("application/sparql-query")
def as_query(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Return a text as it is, and anything else as JSON."""
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "replace")


def fuzz(url: str, requests_wanted: int, seed: int) -> tuple[collections.Counter[str], dict[str, str]]:
    """Return how many requests had which operation and status, and the failures by operation, check and title."""
    description = httpx.get(f"{url}/openapi.json", headers=HEADERS).json()
    lines = description["paths"]["/v1/batch"]["post"]["requestBody"]["content"][NDJSON]
    lines["schema"] = {"type": "array", "items": {"anyOf": [CASE, {}]}}
    schema = schemathesis.openapi.from_dict(description)
    checks = CHECKS.get_by_names(list(CHECKED))
    counts: collections.Counter[str] = collections.Counter()
    failures: dict[str, str] = {}
    session = requests.Session()
    for result in schema.get_all_operations():
        operation = result.ok()
        name = operation.definition.raw.get("operationId", operation.label)
        share = SHARES.get(name, OTHERS)
        for mode in schemathesis.GenerationMode:
            started, before = time.monotonic(), sum(counts.values())
            examples = max(1, requests_wanted * share // 2000)
            used = [check for check in checks if name not in TOLERANT or check.__name__ != "negative_data_rejection"]
            _one(url, operation, mode, examples, seed, session, used, counts, failures)
            done = sum(counts.values()) - before
            print(f"{name:14} {mode.value:9} {done:6} requests {time.monotonic() - started:7.1f} s", file=sys.stderr)
    return counts, failures


def _one(
    url: str,
    operation: Any,
    mode: Any,
    examples: int,
    seed: int,
    session: requests.Session,
    checks: list[Any],
    counts: collections.Counter[str],
    failures: dict[str, str],
) -> None:
    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        response = case.call(base_url=url, session=session, headers=HEADERS, timeout=120)
        counts[f"{operation.label} {response.status_code}"] += 1
        judged = [check for check in checks if _sent_whole(case) or check.__name__ != "negative_data_rejection"]
        try:
            case.validate_response(response, checks=judged, headers=HEADERS, transport_kwargs={"base_url": url})
        except FailureGroup as group:
            for failure in group.exceptions:
                name = f"{operation.label}: {failure.title}"
                if name not in failures:
                    failures[name] = f"{failure}\n{case.as_curl_command()[:1500]}"
                    print(f"\nFAILURE {name}\n{failures[name]}\n", flush=True)

    try:
        ask()
    except hypothesis.errors.Unsatisfiable:
        print(f"{operation.label}: nothing {mode.value} can be made", file=sys.stderr)


def _sent_whole(case: Any) -> bool:
    """Return whether each parameter is sent: one that is an empty list is not, and may be all that is wrong."""
    return all(value not in ([], {}) for value in (case.query or {}).values())


def main() -> int:
    """Run, print counts and failures, and return 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    started = time.monotonic()
    with served("--lesions", "2", "--scenarios", "4", "--seconds", "600") as server:
        counts, failures = fuzz(server.url, given.requests, given.seed)
        memory = server.resident_bytes()
    for name, count in sorted(counts.items()):
        print(f"{count:7} {name}")
    print(
        f"{sum(counts.values()):7} requests in {time.monotonic() - started:.0f} s; {memory / 2**20:.0f} MiB at the end"
    )
    print(f"{len(failures)} kinds of failure")
    return min(len(failures), 1)


if __name__ == "__main__":
    sys.exit(main())
