"""Logs for machines: one JSON object a line, to standard error, with nothing in it that a client has sent.

Of an exception stand there its type and where in the code it was raised, not its message, since that may quote a case.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object: time, level, event, and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        found: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "event": record.getMessage() if not record.exc_info else "exception",
        }
        found.update(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[1] is not None:
            found["exception"] = exception_place(record.exc_info[1])
        return json.dumps(found)


def exception_place(error: BaseException) -> dict[str, Any]:
    """Return an exception's type and the innermost places that raised it, without its message."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    places = [f"{'/'.join(frame.filename.split('/')[-3:])}:{frame.lineno} {frame.name}" for frame in frames]
    return {"type": type(error).__name__, "at": places}


def log_exception(log: logging.Logger, error: BaseException, event: str = "exception", **fields: Any) -> None:
    """Log an exception, so that no handler, whatever its format, writes down more than its type and its places."""
    place = exception_place(error)
    found = {"event": event, **fields, "exception": place}
    log.error("%s: %s at %s", event, place["type"], "; ".join(place["at"]), extra={"fields": found})


def config(loggers: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> dict[str, Any]:
    """Return a configuration of ``logging``: these loggers, and from everywhere else warnings, as JSON lines."""
    ours = {name: {"handlers": ["stderr"], "propagate": False, **given} for name, given in loggers.items()}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonLines}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": ours,
    }
