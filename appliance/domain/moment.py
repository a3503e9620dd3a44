"""JavaScript's Date as survey-core's expressions use it, in UTC: the server has no time zone of its own."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from appliance.domain.dates import DAYS, MONTHS
from appliance.domain.values import SPACE

DAY: Final = 86_400_000
_MOST: Final = 8.64e15
"""Milliseconds around 1970 that a Date can hold."""
_ERA: Final = 146_097
"""Days of 400 years."""
_ISO: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d:\d\d)?",
    re.ASCII | re.IGNORECASE,
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_GUESSED: Final = re.compile(
    r"(\d{1,6})(?:[-/.,\s]+(\d{1,6}))?(?:[-/.,\s]+(\d{1,6}))?(?:\s+(\d\d?):(\d\d)(?::(\d\d))?)?", re.ASCII
)


class Parts(NamedTuple):
    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    weekday: int
    """0 is Sunday."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """`at`: milliseconds since 1970, NaN for an invalid date."""

    at: float

    def parts(self) -> Parts | None:
        """None for an invalid date."""
        if math.isnan(self.at):
            return None
        days, rest = divmod(math.floor(self.at), DAY)
        seconds = rest // 1000
        return Parts(*_civil(days), seconds // 3600, seconds // 60 % 60, seconds % 60, (days + 4) % 7)

    def midnight(self) -> Moment:
        return Moment(self.at - self.at % DAY)

    def text(self) -> str:
        """As toString() writes it."""
        parts = self.parts()
        if parts is None:
            return "Invalid Date"
        day = f"{DAYS[parts.weekday - 1]} {MONTHS[parts.month - 1]} {parts.day:02d} {parts.year:04d}"
        clock = f"{parts.hour:02d}:{parts.minute:02d}:{parts.second:02d}"
        return f"{day} {clock} GMT+0000 (Coordinated Universal Time)"

    def plus(self, *, months: int = 0, milliseconds: int = 0) -> Moment:
        """Days beyond the end of a month run into the next, as setMonth() has it."""
        parts = self.parts()
        if parts is None or not months:
            return _bounded(self.at + milliseconds)
        month = parts.year * 12 + parts.month - 1 + months
        return _bounded(
            (_days(month // 12, month % 12 + 1) + parts.day - 1) * DAY + self.at % DAY + milliseconds
        )


def _bounded(at: float) -> Moment:
    return Moment(at if abs(at) <= _MOST else math.nan)


def _days(year: int, month: int) -> int:
    """From 1970 to the first of the month (H. Hinnant, days_from_civil)."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5
    return era * _ERA + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a day since 1970 (H. Hinnant, civil_from_days)."""
    era, of_era = divmod(days + 719_468, _ERA)
    years = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * years + years // 4 - years // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return years + era * 400 + (month <= 2), month, day


def read_moment(text: str) -> Moment:
    """new Date(text): ISO 8601, and numbers that V8 makes a date of; month names are invalid here."""
    text = text.strip(SPACE)
    if "T" not in text and len(text) > 10 and _DATE.search(text):
        return Moment(math.nan)  # createDate() of survey-core appends a time of its own
    if found := _ISO.fullmatch(text):
        year, month, day, *clock, zone = found.groups()
        return _at(int(year), int(month or 1), int(day or 1), clock, zone)
    found = _GUESSED.fullmatch(text)
    if found is None:
        return Moment(math.nan)
    first, second, third = (int(part or 1) for part in found.groups()[:3])
    clock = [*found.groups()[3:], None]
    if first > 31:
        return _at(_full(first), second, third, clock, None)
    return _at(_full(third), first, second, clock, None)


def _full(year: int) -> int:
    """Of a year with two digits."""
    return year + 2000 if year < 50 else year + 1900 if year < 100 else year


def _at(year: int, month: int, day: int, clock: list[str | None], zone: str | None) -> Moment:
    """JavaScript lets the 31st of a shorter month run over."""
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return Moment(math.nan)
    hour, minute, second = (int(part or 0) for part in clock[:3])
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and (minute or second)):
        return Moment(math.nan)
    fraction = int((clock[3] or "0").ljust(3, "0")[:3])
    at = (_days(year, month) + day - 1) * DAY + ((hour * 60 + minute) * 60 + second) * 1000 + fraction
    if zone and zone.upper() != "Z":
        away = (int(zone[1:3]) * 60 + int(zone[4:])) * 60_000
        at += away if zone[0] == "-" else -away
    return _bounded(float(at))
