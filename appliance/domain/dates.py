"""The date and time answers of HTML inputs (HTML §2.3.5), really parsed, and how JavaScript writes a date."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

PATTERNS: Final = {
    "date": re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII),
    "datetime-local": re.compile(
        r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?", re.ASCII
    ),
    "time": re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?", re.ASCII),
    "month": re.compile(r"(\d{4})-(\d\d)", re.ASCII),
    "week": re.compile(r"(\d{4})-W(\d\d)", re.ASCII),
}
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
KINDS: Final = frozenset(PATTERNS)


def parse(kind: str, text: str) -> dt.datetime:
    """The moment that an answer names, as UTC; of a month or a week its first day. Raises ValueError."""
    found = PATTERNS[kind].fullmatch(text)
    if found is None:
        raise ValueError(f"not a {kind}")
    if kind == "time":
        return _moment(1970, 1, 1, *found.groups())
    if kind == "week":
        return dt.datetime.combine(
            dt.date.fromisocalendar(int(found[1]), int(found[2]), 1), dt.time(), dt.UTC
        )
    year, month, *rest = found.groups()
    return _moment(int(year), int(month), int(rest[0]) if rest else 1, *rest[1:])


def parse_limit(kind: str, text: str) -> dt.datetime:
    """A min or max: for a date or date-time either form will do, as `new Date` reads both."""
    if kind in ("date", "datetime-local"):
        return parse("datetime-local" if "T" in text else "date", text)
    return parse(kind, text)


def js_date(kind: str, moment: dt.datetime) -> str:
    """What survey-core puts into error texts: toDateString() of a date, toString() in UTC of a date-time."""
    day = f"{DAYS[moment.weekday()]} {MONTHS[moment.month - 1]} {moment.day:02d} {moment.year:04d}"
    return day if kind == "date" else f"{day} {moment:%H:%M:%S} GMT+0000 (Coordinated Universal Time)"


def _moment(year: int, month: int, day: int, *clock: str | None) -> dt.datetime:
    hour, minute, second = (int(part or 0) for part in (*clock, None, None, None)[:3])
    millisecond = (clock[3] if len(clock) > 3 else None) or "0"
    return dt.datetime(year, month, day, hour, minute, second, int(millisecond.ljust(3, "0")) * 1000, dt.UTC)
