"""What the HTTP server logs: see ``service.logs``. Of a request, method, template of its route, status and time."""

from __future__ import annotations

import logging
from typing import Any

from hepagraph.service.logs import JsonLines, config, exception_place

__all__ = ["CONFIG", "LOG", "JsonLines", "event", "exception_place"]

NAME = "hepagraph.http"
LOG = logging.getLogger(NAME)


def event(name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event with its fields."""
    LOG.log(level, name, extra={"fields": fields})


CONFIG: dict[str, Any] = config(
    {
        NAME: {"level": "INFO"},
        "uvicorn": {"level": "WARNING"},
        "uvicorn.access": {"level": "CRITICAL", "handlers": []},
    }
)
