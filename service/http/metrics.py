"""Counts and times for Prometheus; their labels come from the code, never from what a client has sent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The counts of one application."""

    def __init__(self, model: dict[str, Any]) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        self.requests = Counter(
            "hepagraph_http_requests",
            "Requests answered, by method, template of the route, and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "hepagraph_http_request_seconds",
            "Seconds from the first byte of a request to the last of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.running = Gauge(
            "hepagraph_http_requests_running",
            "Requests that are being answered.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.rows = Counter(
            "hepagraph_batch_rows", "Cases of batches, by outcome.", ["outcome"], registry=self.registry
        )
        info = Gauge(
            "hepagraph_model_info",
            "What answers.",
            ["version", "ontology_sha256"],
            registry=self.registry,
            multiprocess_mode="max",
        )
        info.labels(model["version"], model["ontology_sha256"]).set(1)

    def text(self) -> bytes:
        """Return all counts in Prometheus' text format; those of all processes where several share the work."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        _forget_dead(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def _forget_dead(folder: str) -> None:
    """Leave out what processes were doing that are no more; one that was killed could not say so itself."""
    from prometheus_client.multiprocess import mark_process_dead

    if os.name != "posix":  # there, asking whether a process lives would end it
        return
    for path in Path(folder).glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            mark_process_dead(int(pid), folder)  # type: ignore[no-untyped-call]
        except (PermissionError, ValueError):
            continue


def method_label(method: str) -> str:
    """Return the method, or ``other`` where it is none of HTTP's own, so that no client can invent labels."""
    return method if method in METHODS else "other"
