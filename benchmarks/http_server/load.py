"""Throughput, waiting times, overload, memory: ``python -m benchmarks.http_server.load [--seconds 10] [--soak 240]``.

The server is ``hepagraph serve`` in a process of its own, the clients are coroutines of this one, over loopback with
connections that stay open. Figures are for single posteriors as a user gets them (reasons and surprise), and for bare
ones, beside what the same call costs in this process. CPU seconds of the server stand beside the wall clock, since on
a busy machine only the first says what a request costs.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import httpx
import psutil

from benchmarks.http_server.server import HEADERS, TOKEN, Served, served
from hepagraph.service.doors import Doors
from hepagraph.service.http.openapi import demo_case, example_of
from hepagraph.service.http.problems import to_bytes
from hepagraph.service.http.questions import QUESTIONS

BARE = {"reasons": False, "surprise": False}


@dataclass
class Seen:
    """What the clients of one run saw: milliseconds by status."""

    seconds: float = 0.0
    times: dict[int, list[float]] = field(default_factory=lambda: collections.defaultdict(list))

    def row(self) -> dict[str, Any]:
        """Return answers a second, percentiles of the good ones in milliseconds, and how many had which status."""
        good = sorted(self.times[200]) or [float("nan")]
        return {
            "per_second": round(len(self.times[200]) / self.seconds, 1),
            "p50_ms": round(_percentile(good, 0.5), 1),
            "p99_ms": round(_percentile(good, 0.99), 1),
            "status": {str(status): len(times) for status, times in sorted(self.times.items()) if times},
        }


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def drive(server: Served, requests: list[bytes], clients: int, seconds: float) -> Seen:
    """Let clients ask one request after the other, and return what they saw."""
    seen, started = Seen(), time.perf_counter()
    await asyncio.gather(*(_client(server, requests, number, started + seconds, seen) for number in range(clients)))
    seen.seconds = time.perf_counter() - started
    return seen


async def _client(server: Served, requests: list[bytes], number: int, until: float, seen: Seen) -> None:
    address = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    while time.perf_counter() < until:
        number += 1
        started = time.perf_counter()
        writer.write(requests[number % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))[15:])
        await reader.readexactly(size)
        status = int(head[9:12])
        seen.times[status].append(1000 * (time.perf_counter() - started))
        if status == 503:
            await asyncio.sleep(0.05)  # less patient than Retry-After asks for
    writer.close()


def request(path: str, body: Any) -> bytes:
    """Return the bytes of one POST request."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def in_process(doors: Doors, options: dict[str, Any], repeats: int = 60) -> dict[str, float]:
    """Return what one answer costs without a server, in milliseconds: wall clock and CPU, medians."""
    case, wall, cpu = demo_case(), [], []
    for _ in range(repeats):
        before = time.perf_counter(), time.process_time()
        to_bytes(doors.posterior(case, **options))
        wall.append(1000 * (time.perf_counter() - before[0]))
        cpu.append(1000 * (time.process_time() - before[1]))
    return {"wall_ms": round(statistics.median(wall), 2), "cpu_ms": round(statistics.median(cpu), 2)}


def _cpu(server: Served) -> float:
    times = psutil.Process(server.pid).cpu_times()
    return float(times.user + times.system)


def throughput(server: Served, options: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
    """Return a row for each number of clients."""
    asked, rows = [request("/v1/posterior", {"case": demo_case(), **options})], []
    for clients in (1, 2, 4, 8):
        before = _cpu(server)
        seen = asyncio.run(drive(server, asked, clients, seconds))
        cpu_ms = 1000 * (_cpu(server) - before) / max(1, sum(map(len, seen.times.values())))
        rows.append({"clients": clients, **seen.row(), "server_cpu_ms": round(cpu_ms, 2)})
    return rows


async def _overloaded(server: Served, clients: int, seconds: float) -> tuple[Seen, list[float]]:
    asked = [request("/v1/posterior", {"case": demo_case()})]
    driving = asyncio.create_task(drive(server, asked, clients, seconds))
    health: list[float] = []
    async with httpx.AsyncClient(timeout=30) as client:
        while not driving.done():
            started = time.perf_counter()
            assert (await client.get(f"{server.url}/health")).status_code == 200
            health.append(1000 * (time.perf_counter() - started))
            await asyncio.sleep(0.2)
    return await driving, sorted(health)


def overload(server: Served, seconds: float) -> dict[str, Any]:
    """Return what many more clients see than there is room for, how health answers then, and the time to recover."""
    seen, health = asyncio.run(_overloaded(server, 64, seconds))
    refused = sorted(seen.times[503]) or [float("nan")]
    started = time.perf_counter()
    statuses = []
    while not statuses or statuses[-1] != 200:
        found = httpx.post(f"{server.url}/v1/posterior", json={"case": demo_case()}, headers=HEADERS, timeout=60)
        statuses.append(found.status_code)
    recovered = time.perf_counter() - started
    after = asyncio.run(drive(server, [request("/v1/posterior", {"case": demo_case()})], 2, 3))
    return {
        "clients": 64,
        **seen.row(),
        "refused_p50_ms": round(_percentile(refused, 0.5), 1),
        "refused_p99_ms": round(_percentile(refused, 0.99), 1),
        "health_p50_ms": round(_percentile(health, 0.5), 1),
        "health_max_ms": round(health[-1], 1),
        "seconds_to_next_answer": round(recovered, 2),
        "after": after.row(),
    }


def soak(server: Served, seconds: float) -> dict[str, Any]:
    """Return the server's memory while clients ask all questions in turn, good and bad, and batches."""
    asked = [request(f"/v1/{question.name}", example_of(question)) for question in QUESTIONS]
    asked += [request("/v1/posterior", {"case": {"lesions": [{"findings": {f"unknown {i}": 1}}]}}) for i in range(3)]
    asked += [request("/v1/posterior", {"case": demo_case()}) for _ in range(6)]
    memory: list[tuple[float, float]] = []

    async def run() -> Seen:
        started = time.perf_counter()
        driving = asyncio.create_task(drive(server, asked, 4, seconds))
        while not driving.done():
            memory.append((time.perf_counter() - started, server.resident_bytes() / 2**20))
            await asyncio.sleep(min(5.0, seconds / 20))
        return await driving

    seen = asyncio.run(run())
    third = len(memory) // 3
    middle, last = ([mib for _, mib in part] for part in (memory[third : 2 * third], memory[2 * third :]))
    return {
        **seen.row(),
        "seconds": round(seen.seconds),
        "mib_at_start": round(memory[0][1]),
        "mib_second_third": round(statistics.median(middle)),
        "mib_last_third": round(statistics.median(last)),
        "mib_most": round(max(mib for _, mib in memory)),
    }


def main() -> int:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--soak", type=float, default=240)
    given = parser.parse_args()
    found: dict[str, Any] = {"processors": os.cpu_count(), "load_before": [round(x, 1) for x in os.getloadavg()]}
    doors = Doors.load()
    found["in_process"] = {"posterior": in_process(doors, {}), "bare": in_process(doors, BARE)}
    with served() as server:
        found["posterior"] = throughput(server, {}, given.seconds)
        found["bare"] = throughput(server, BARE, given.seconds)
        found["overload"] = overload(server, given.seconds)
        found["soak"] = soak(server, given.soak)
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
