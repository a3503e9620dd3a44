"""When a log line was written and how grave it is, in the formats of the programs that we run."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

# redis: `712:M 24 Nov 2026 15:20:08.123 * Ready`, in local time
_REDIS = re.compile(r"\d+:[A-Z] (\d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2}\.\d{3}) ")
# supervisord and Python's default: `2026-11-24 15:20:08,123 INFO …`, in local time unless an offset is there
# nginx: `2026/11/24 15:20:08 [error] 7#7: …`, in local time
_ISO = re.compile(
    r"\[?(\d{4}[-/]\d{2}[-/]\d{2})[ T](\d{2}:\d{2}:\d{2})(?:[.,](\d{1,6}))?\d*(Z|[+-]\d{2}:?\d{2})?"
)


_NGINX = re.compile(r"\d{4}/\d{2}/\d{2} [0-9:]{8} \[(\w+)\]")
_GRAVE = {
    "warn": "warning", "crit": "critical", "alert": "critical", "emerg": "critical",
    "W": "warning", "E": "error", "F": "critical",
}  # fmt: skip
"""nginx's words and mongod's letters. supervisord calls CRIT, and redis `#`, what is so at each start."""
_SAID_LOUDLY = re.compile(r"Loaded \d+ entries from ")
"""redis-exporter calls it an error that it has read its passwords."""


def find_level(text: str, fields: dict[str, Any]) -> str | None:
    """None where the line names none."""
    if _SAID_LOUDLY.match(str(fields.get("msg", ""))):
        return "info"
    found = _NGINX.match(text)
    word = found[1] if found else fields.get("level", fields.get("s"))
    return _GRAVE.get(word, word) if isinstance(word, str) else None


def find_time(text: str, fields: dict[str, Any]) -> float | None:
    """Seconds since 1970, or None where the line names no time."""
    stamp = fields.get("time", fields.get("ts", fields.get("t")))  # ours; Prometheus's programs; mongod
    if isinstance(stamp, dict):
        stamp = stamp.get("$date")  # mongod
    if isinstance(stamp, str):
        return _iso(stamp)
    return _redis(text) or _iso(text)


def _redis(text: str) -> float | None:
    if not (found := _REDIS.match(text)):
        return None
    try:
        return dt.datetime.strptime(found[1], "%d %b %Y %H:%M:%S.%f").astimezone().timestamp()
    except ValueError:
        return None


def _iso(text: str) -> float | None:
    if not (found := _ISO.match(text)):
        return None
    day, time, fraction, offset = found.groups()
    try:
        moment = dt.datetime.fromisoformat(
            f"{day.replace('/', '-')}T{time}.{(fraction or '0'):0<6}{offset or ''}"
        )
        return moment.timestamp()  # without an offset: local time
    except (ValueError, OverflowError):
        return None
