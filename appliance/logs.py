"""Logs are JSON lines on stdout; supervisord keeps them in files.

    log = logs.get(__name__)
    log.info("response stored", extra={"form": form_id, "seq": 3})

gives {"time": …, "level": "info", "program": "api-1", "logger": …, "message": "response stored",
"request_id": …, "form": …, "seq": 3}. Whatever is given as `extra` becomes a field of the line; of what
`hide` was told, nothing does, wherever in the line it would stand.
"""

from __future__ import annotations

import contextvars
import datetime as dt
import functools
import json
import logging
import os
import re
import sys
from collections.abc import Callable
from typing import Any, TextIO
from urllib.parse import quote

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
        return redacted(_encode(line))


Values = Callable[[], frozenset[str]]
HIDDEN = "(secret)"
"""What stands in a line for a value that is hidden."""
_hidden: Values = frozenset


def hide(values: Values) -> None:
    """Leave these out of every line from now on; asked again at each line."""
    global _hidden
    _hidden = values


def redacted(line: str) -> str:
    """Without what is hidden."""
    values = _hidden()
    return _pattern(values).sub(HIDDEN, line) if values else line


@functools.lru_cache(maxsize=4)
def _pattern(values: frozenset[str]) -> re.Pattern[str]:
    """Each as it is, as JSON has it, twice over where JSON stands in a text, and as in an address."""
    written = {form for value in values for form in _forms(value)}
    return re.compile("|".join(map(re.escape, sorted(written, key=len, reverse=True))))


def _forms(value: str) -> set[str]:
    once = _encode(value)[1:-1]
    return {value, once, _encode(once)[1:-1], quote(value, safe=""), quote(value)}


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
