"""A line of a log: read, chosen, shown."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import Any

from appliance import clock
from appliance.ops.log_times import find_level, find_time

LEVELS = ("debug", "info", "warning", "error")
_CRASH = re.compile(r"Traceback \(most recent call last\):|Fatal Python error: |thread '.*' panicked at ")
"""What a runtime writes by itself, so without a level, when a program fails."""
# Fields that the line's head already tells, or that every line has.
_HEAD = frozenset({"time", "ts", "level", "program", "message", "msg", "logger"})


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `fields` is empty unless it was a JSON object. `at` is seconds since 1970.

    `level` and `request_id` are also those of the line that this one goes on with.
    """

    at: float
    program: str
    text: str
    fields: dict[str, Any]
    level: str | None = None
    request_id: object = None

    def __lt__(self, other: Line) -> bool:
        return self.at < other.at


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines to show. Lines that name no level count as `info`."""

    programs: tuple[str, ...] = ()
    since: float | None = None
    request_id: str | None = None
    level: str | None = None

    def takes_program(self, name: str) -> bool:
        return not self.programs or name in self.programs or re.sub(r"-\d+$", "", name) in self.programs

    def takes(self, line: Line) -> bool:
        if self.since is not None and line.at < self.since:
            return False
        if self.request_id is not None and line.request_id != self.request_id:
            return False
        return self.level is None or _rank(line.level) >= LEVELS.index(self.level)


def _rank(level: object) -> int:
    text = str(level).lower()
    return LEVELS.index(text) if text in LEVELS else len(LEVELS) if text == "critical" else 1


class Parser:
    """Lines of one program. Times never go back, so that a merge keeps a program's own order.

    A line that is no JSON and names no time goes on with the one before, as those of a traceback do: it comes
    right after it, and has its level and its request. A traceback that a runtime begins is an error.
    """

    def __init__(self, program: str, *, since: float = 0.0) -> None:
        """`since` is the time of what comes before the first line that names one."""
        self.program = program
        self.latest = since
        self._level: str | None = None
        self._request_id: object = None

    def parse(self, raw: bytes) -> Line:
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        fields = _fields(text)
        at = find_time(text, fields)
        if fields or at is not None:
            self._level, self._request_id = find_level(text, fields), fields.get("request_id")
        elif _CRASH.match(text):
            self._level = "error" if _rank(self._level) < LEVELS.index("error") else self._level
        self.latest = max(self.latest, at or 0.0)
        return Line(self.latest, self.program, text, fields, self._level, self._request_id)


def _fields(text: str) -> dict[str, Any]:
    if not text.startswith("{"):
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def as_json_line(line: Line) -> str:
    level = {} if line.level is None else {"level": line.level}
    if line.fields:
        time = {} if "time" in line.fields else {"time": _rfc3339(line.at)}
        return json.dumps({**time, "program": line.program, **line.fields, **level})
    return json.dumps({"time": _rfc3339(line.at), **level, "program": line.program, "message": line.text})


def _rfc3339(at: float) -> str:
    return clock.rfc3339(dt.datetime.fromtimestamp(at, dt.UTC))


def as_text(line: Line) -> str:
    """For people: time in UTC, program, level, message, then the other fields."""
    head = f"{_rfc3339(line.at)} {line.program:<14}"
    fields = line.fields
    if not fields.keys() & {"message", "msg", "level"}:
        return f"{head} {_pairs(fields) if fields else line.text}"
    message = fields.get("message", fields.get("msg", ""))
    return f"{head} {line.level or 'info':<7} {message} {_pairs(fields)}".rstrip()


def _pairs(fields: dict[str, Any]) -> str:
    return " ".join(
        f"{key}={value if isinstance(value, str) and ' ' not in value else json.dumps(value)}"
        for key, value in fields.items()
        if key not in _HEAD
    )
