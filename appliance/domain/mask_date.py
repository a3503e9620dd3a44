"""Answers to text questions with a mask of type datetime."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from appliance.domain.faults import Faults
from appliance.domain.field import Accept, needs, refuse
from appliance.domain.message import Message
from appliance.domain.moment import Moment, read_moment
from appliance.domain.node import Node

_PARTS: Final = {
    "y": "year",
    "m": "month",
    "d": "day",
    "h": "hour",
    "H": "hour",
    "M": "minute",
    "s": "second",
}
_DIGITS: Final[Mapping[str, str]] = {
    "year": r"\d{4}",
    "month": r"\d\d",
    "day": r"\d\d",
    "hour": r"\d\d",
    "minute": r"\d\d",
    "second": r"\d\d",
}
_PRESETS: Final = {"localedate": "yyyy-mm-dd", "localetime": "HH:MM", "localedatetime": "yyyy-mm-dd HH:MM"}
"""What a preset asks for; how it looks depends on the language."""
_CENTURY: Final = 68
"""InputMaskDateTime.turnOfTheCentury: years of two digits above it are of the last century."""
_DAY_ONE: Final = "1970-01-01T"


def date_accept(settings: Node, _: str) -> Accept:
    preset = "" if settings.text("pattern") else (settings.text("patternPreset") or "localeDate").lower()
    pattern = settings.text("pattern") or _PRESETS.get(preset, "")
    parts = [part for letter, part in _PARTS.items() if letter in pattern]
    shape, century = _shape(pattern), _century(settings.text("max"))
    low, high = (_limit(settings.text(name)) for name in ("min", "max"))
    saves, shown = settings.flag("saveMaskedValue"), preset or pattern

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, str):
            return refuse(faults, path, needs("a string", value))
        if not parts or (saves and preset):
            return value
        found = shape.fullmatch(value) if saves else _iso(parts).fullmatch(value)
        moment = Moment(math.nan) if found is None else _moment(found.groupdict(), century)
        if math.isnan(moment.at):
            return refuse(faults, path, f"the mask {shown} is not filled in")
        if low is not None and moment.at < low.at:
            return refuse(faults, path, Message("minError", (settings.text("min"),)))
        if high is not None and moment.at > high.at:
            return refuse(faults, path, Message("maxError", (settings.text("max"),)))
        return value

    return accept


def _limit(text: str) -> Moment | None:
    if not text:
        return None
    found = read_moment(text if "-" in text else _DAY_ONE + text)
    return None if math.isnan(found.at) else found


def _century(most: str) -> int:
    return int(most[2:4]) if most[2:4].isdigit() else _CENTURY


def _iso(parts: list[str]) -> re.Pattern[str]:
    """getISO_8601Format: a part is told only with all the larger ones beside it."""
    day = "-".join(f"(?P<{name}>{_DIGITS[name]})" for name in _run(parts, ("year", "month", "day")))
    clock = ":".join(f"(?P<{name}>{_DIGITS[name]})" for name in _run(parts, ("hour", "minute", "second")))
    return re.compile("T".join(one for one in (day, clock if ":" in clock else "") if one), re.ASCII)


def _run(parts: list[str], names: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    for name in names:
        if name not in parts:
            break
        found.append(name)
    return found


def _shape(pattern: str) -> re.Pattern[str]:
    """What the text looks like: as many digits as letters, one or two for a single one.

    A part that comes again is not read again.
    """
    pieces, seen = [], set[str]()
    for run in re.finditer(r"(.)\1*", pattern, re.DOTALL):
        letter, count = run[1], len(run[0])
        if letter in "tT":
            pieces.append(_group("marker", "[aApP][mM]", seen))
        elif letter in _PARTS:
            digits = rf"\d{{{count}}}" if count > 1 else r"\d{1,2}"
            pieces.append(_group(_PARTS[letter], digits, seen))
        else:
            pieces.append(re.escape(run[0]))
    return re.compile("".join(pieces), re.ASCII)


def _group(name: str, pattern: str, seen: set[str]) -> str:
    if name in seen:
        return f"(?:{pattern})"
    seen.add(name)
    return f"(?P<{name}>{pattern})"


def _moment(found: Mapping[str, str], century: int) -> Moment:
    """NaN for what is no date or time."""
    year = found.get("year") or "1970"
    if len(year) == 2:
        year = ("19" if int(year) > century else "20") + year
    hour, marker = int(found.get("hour") or 0), (found.get("marker") or "").lower()
    if hour > 23 or (marker and not 1 <= hour <= 12):
        return Moment(math.nan)
    if marker:
        hour = hour % 12 + (12 if marker == "pm" else 0)
    day = f"{year}-{int(found.get('month') or 1):02d}-{int(found.get('day') or 1):02d}"
    clock = f"{hour:02d}:{int(found.get('minute') or 0):02d}:{int(found.get('second') or 0):02d}"
    made = read_moment(f"{day}T{clock}")
    parts = made.parts()
    return made if parts is not None and parts.day == int(found.get("day") or 1) else Moment(math.nan)
