"""The clock is ahead of where it was when it was looked at last: what is taken out by its days waits.

A clock that is wrong for a minute would make everything old at once, and what is purged is gone. Whether it
is right now nobody here can tell: an appliance that was off for a week sees the same. So the purge is put off
until the appliance has run for a day more, in which doctor tells of it; or until the operator removes the
file. A clock that comes back ends it at once.

Contract: the file is replaced whole; whoever looks at it between a leap and the scheduler's next look sees
from the moment in it that the clock has leapt. Where it is gone, or cannot be read, nothing waits.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from appliance import disk, logs
from appliance.addresses import Paths
from appliance.clock import rfc3339

LEAP: Final = dt.timedelta(days=3)
"""A weekend that the appliance is off is none."""
WAIT: Final = 24 * 3600.0
"""Seconds that the appliance runs, after a leap, before anything is purged by its days."""
_MOST: Final = 300.0
"""Seconds that count between two looks: a machine that slept did not run."""

log = logs.get(__name__)


class Mark(msgspec.Struct, omit_defaults=True):
    seen_at: dt.datetime
    """What the clock said at the last look."""
    before: dt.datetime | None = None
    """What it said at the last look before it leapt; None when nothing waits."""
    left: float = 0.0
    """Seconds that the appliance has to run until nothing waits any more."""


class Watch:
    """The scheduler's look, from time to time."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._looked_at: float | None = None

    def look(self, paths: Paths, now: dt.datetime) -> Mark:
        """Raises OSError."""
        at = self._monotonic()
        ran = min(at - self._looked_at, _MOST) if self._looked_at is not None else 0.0
        self._looked_at = at
        mark = _after(find(paths), now, ran)
        disk.write_durably(paths.clock, msgspec.json.format(msgspec.json.encode(mark)))
        return mark


def _after(mark: Mark | None, now: dt.datetime, ran: float) -> Mark:
    if mark is None:
        return Mark(now)
    before = mark.before or mark.seen_at
    if now - mark.seen_at > LEAP:
        log.warning(
            "the clock has leapt: nothing is purged by its days until the appliance has run for a day",
            extra={"before": rfc3339(before), "now": rfc3339(now)},
        )
        return Mark(now, before, WAIT)
    left = mark.left - ran
    if mark.before is None or left <= 0 or now - before <= LEAP:
        return Mark(now)
    return Mark(now, before, left)


def find(paths: Paths) -> Mark | None:
    """None when there is none, or none that can be read."""
    try:
        return msgspec.json.decode(Path(paths.clock).read_bytes(), type=Mark)
    except (OSError, msgspec.DecodeError):
        return None


def find_waiting(paths: Paths, now: dt.datetime) -> Mark | None:
    """The mark, while what is old by this clock is to wait."""
    mark = find(paths)
    if mark is None:
        return None
    if now - mark.seen_at > LEAP:
        return Mark(now, mark.before or mark.seen_at, WAIT)
    return mark if mark.before is not None else None
