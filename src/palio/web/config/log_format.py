"""Formats of log lines: text for people, or one JSON object a line for a log collector. Does not import Django.

Code that handles one attempt does so inside `about`. Every line that is logged there, by whichever module or library,
has the fields `attempt` and `submission` in JSON.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

LOG_FORMATS = ("text", "json")
TEXT = "{asctime} {levelname:<7} {name}: {message}"

_about: ContextVar[dict[str, str] | None] = ContextVar("about", default=None)


def only_about(attempt: str, submission: str) -> None:
    """Mark everything that this thread logs from now on as about this attempt."""
    _about.set({"attempt": attempt, "submission": submission})


@contextmanager
def about(attempt: str, submission: str) -> Iterator[None]:
    """Mark everything that this thread logs meanwhile as about this attempt."""
    token = _about.set({"attempt": attempt, "submission": submission})
    try:
        yield
    finally:
        _about.reset(token)


class JsonLines(logging.Formatter):
    """One object a line: `time` (UTC), `level`, `logger`, `process`, `message`; `attempt` and `submission` inside
    `about`; `exception` with a traceback; and what the caller adds as `extra={"fields": {...}}`.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
            **(_about.get() or {}),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def formatter(log_format: str) -> logging.Formatter:
    """For one of LOG_FORMATS."""
    return JsonLines() if log_format == "json" else logging.Formatter(TEXT, style="{")
