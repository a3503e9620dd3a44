"""The one place that knows what time it is, so that tests can say."""

from __future__ import annotations

import datetime as dt
import os
import re
import time
import zoneinfo
from collections.abc import Callable

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)

Clock = Callable[[], dt.datetime]


def utc_now() -> dt.datetime:
    """Now in UTC, cut to whole milliseconds: what MongoDB keeps."""
    now = dt.datetime.now(dt.UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def rfc3339(moment: dt.datetime) -> str:
    """RFC 3339 in UTC with `Z` and milliseconds. A naive moment is taken as UTC, as pymongo gives it."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> dt.datetime:
    """An aware moment. Raises ValueError for anything but a full RFC 3339 date-time with an offset."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("not an RFC 3339 date-time with an offset, such as 2026-01-31T12:00:00Z")
    try:
        return dt.datetime.fromisoformat(text.upper()).astimezone(dt.UTC)
    except OverflowError:
        raise ValueError("outside of the years 1 to 9999 in UTC") from None


def is_moment(value: dt.datetime) -> bool:
    """In years that every time zone and the database can tell of."""
    return 1970 <= value.year <= 9000


def new_id() -> str:
    """A UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then 74 random ones, so ids sort by age."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def is_time_zone(name: str) -> bool:
    """Of the IANA database; what this machine's own zone is, its name does not tell others."""
    return name != "localtime" and name in zoneinfo.available_timezones()


def last_tick(expression: str, zone: str, moment: dt.datetime) -> dt.datetime:
    """The last time, up to the moment and including it, that a cron expression names in that zone; UTC."""
    from cronsim import CronSim  # late: the machine's own Python, before anything is set up, has none

    there = moment.astimezone(zoneinfo.ZoneInfo(zone)).replace(microsecond=0)
    return next(CronSim(expression, there + dt.timedelta(seconds=1), reverse=True)).astimezone(dt.UTC)
