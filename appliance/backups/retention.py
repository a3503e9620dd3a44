"""Which backups are kept: the newest of each of the last days that have one, and of the last weeks."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Hashable, Iterable, Mapping


def kept(made: Mapping[str, dt.datetime], daily: int, weekly: int, zone: str) -> set[str]:
    """Names out of `made`. Days and weeks that have none do not count, so a pause removes nothing; the newest
    is always among them. Weeks begin on Mondays.
    """
    there = {name: moment.astimezone(zoneinfo.ZoneInfo(zone)) for name, moment in made.items()}
    newest = sorted(there, key=lambda name: (there[name], name), reverse=True)
    days = _firsts(((there[name].date(), name) for name in newest), max(daily, 1))
    weeks = _firsts(((there[name].isocalendar()[:2], name) for name in newest), weekly)
    return days | weeks


def _firsts(rows: Iterable[tuple[Hashable, str]], most: int) -> set[str]:
    """The first name of each of the first `most` keys."""
    found: dict[Hashable, str] = {}
    for key, name in rows:
        if key not in found and len(found) < most:
            found[key] = name
    return set(found.values())
