"""A line of a log: read, chosen, shown."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import Any

from appliance import clock
from appliance.ops.log_times import find_time

LEVELS = ("debug", "info", "warning", "error")
# Fields that the line's head already tells, or that every line has.
_HEAD = frozenset({"time", "level", "program", "message", "logger"})


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `fields` is empty unless it was a JSON object. `at` is seconds since 1970."""

    at: float
    program: str
    text: str
    fields: dict[str, Any]

    def __lt__(self, other: Line) -> bool:
        return self.at < other.at


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines to show. Lines that are not JSON have no request id and count as `info`."""

    programs: tuple[str, ...] = ()
    since: float | None = None
    request_id: str | None = None
    level: str | None = None

    def takes_program(self, name: str) -> bool:
        return not self.programs or name in self.programs or re.sub(r"-\d+$", "", name) in self.programs

    def takes(self, line: Line) -> bool:
        if self.since is not None and line.at < self.since:
            return False
        if self.request_id is not None and line.fields.get("request_id") != self.request_id:
            return False
        return self.level is None or _rank(line.fields.get("level", "info")) >= LEVELS.index(self.level)


def _rank(level: object) -> int:
    text = str(level).lower()
    return LEVELS.index(text) if text in LEVELS else len(LEVELS) if text == "critical" else 1


class Parser:
    """Lines of one program. Times never go back, so that a merge keeps a program's own order.

    A line that names no time belongs right after the one before.
    """

    def __init__(self, program: str) -> None:
        self.program = program
        self.latest = 0.0

    def parse(self, raw: bytes) -> Line:
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        fields = _fields(text)
        self.latest = max(self.latest, find_time(text, fields) or 0.0)
        return Line(self.latest, self.program, text, fields)


def _fields(text: str) -> dict[str, Any]:
    if not text.startswith("{"):
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def as_json_line(line: Line) -> str:
    if line.fields:
        return json.dumps({"program": line.program, **line.fields})
    return json.dumps({"time": _rfc3339(line.at), "program": line.program, "message": line.text})


def _rfc3339(at: float) -> str:
    return clock.rfc3339(dt.datetime.fromtimestamp(at, dt.UTC))


def as_text(line: Line) -> str:
    """For people: time in UTC, program, level, message, then the other fields."""
    head = f"{_rfc3339(line.at)} {line.program:<14}"
    if "message" not in line.fields and "level" not in line.fields:
        return f"{head} {_pairs(line.fields) if line.fields else line.text}"
    fields = line.fields
    return f"{head} {fields.get('level', 'info')!s:<7} {fields.get('message', '')} {_pairs(fields)}".rstrip()


def _pairs(fields: dict[str, Any]) -> str:
    return " ".join(
        f"{key}={value if isinstance(value, str) and ' ' not in value else json.dumps(value)}"
        for key, value in fields.items()
        if key not in _HEAD
    )
