"""Which backups are kept: the newest of each of the last days that have one, and of the last weeks."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Hashable, Iterable, Mapping


def kept(made: Mapping[str, dt.datetime], daily: int, weekly: int, zone: str, until: dt.datetime) -> set[str]:
    """Names out of `made`, which has them in the order of their making: the last one is always kept. Days and
    weeks that have none do not count, so a pause removes nothing. Weeks begin on Mondays. One after `until`
    was made while the clock was wrong: it is kept besides, and takes no other one's place.
    """
    ahead = {name for name, moment in made.items() if moment > until}
    there = {
        name: moment.astimezone(zoneinfo.ZoneInfo(zone)) for name, moment in made.items() if name not in ahead
    }
    newest = sorted(there, key=lambda name: (there[name], name), reverse=True)
    days = _firsts(((there[name].date(), name) for name in newest), max(daily, 1))
    weeks = _firsts(((there[name].isocalendar()[:2], name) for name in newest), weekly)
    return days | weeks | ahead | set(list(made)[-1:])


def _firsts(rows: Iterable[tuple[Hashable, str]], most: int) -> set[str]:
    """The first name of each of the first `most` keys."""
    found: dict[Hashable, str] = {}
    for key, name in rows:
        if key not in found and len(found) < most:
            found[key] = name
    return set(found.values())
