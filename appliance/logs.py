"""Logs are JSON lines on stdout; supervisord keeps them in files.

    log = logs.get(__name__)
    log.info("response stored", extra={"form": form_id, "seq": 3})

gives {"time": …, "level": "info", "program": "api-1", "logger": …, "message": "response stored",
"request_id": …, "form": …, "seq": 3}. Whatever is given as `extra` becomes a field of the line.
"""

from __future__ import annotations

import contextvars
import datetime as dt
import json
import logging
import os
import sys
from typing import Any, TextIO

from appliance.clock import rfc3339
from appliance.errors import SettingError

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)
"""Set by the API's middleware and the worker's execution context; every line written meanwhile carries it."""

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_encode = json.JSONEncoder(default=str).encode


class JsonLines(logging.Formatter):
    """One record, one line, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": rfc3339(dt.datetime.fromtimestamp(record.created, dt.UTC)),
            "level": record.levelname.lower(),
            "program": os.environ.get("APPLIANCE_PROGRAM", "appliance"),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (current := request_id.get()) is not None:
            line["request_id"] = current
        known = _RECORD | line.keys()
        line.update({key: value for key, value in vars(record).items() if key not in known})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)


def configure(level: str = "info", *, stream: TextIO | None = None) -> None:
    """Send every logger of this process to `stream` (stdout). Raises SettingError for an unknown level."""
    if level.lower() not in LEVELS:
        raise SettingError(f"APPLIANCE_LOG_LEVEL={level!r}: one of {', '.join(LEVELS)} is needed")
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level.lower()])
    # A handler of its own would write the line twice, or not as JSON.
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def get(name: str) -> logging.Logger:
    return logging.getLogger(name)
