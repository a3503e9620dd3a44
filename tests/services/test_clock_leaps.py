"""A clock that has leapt ahead makes nothing old: what is purged by its days waits, and not for ever."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec

from appliance.addresses import Paths
from appliance.clock import utc_now
from appliance.services.clock_leaps import LEAP, WAIT, Mark, Watch, find, find_waiting
from appliance.services.context import Context
from appliance.tasks.cron import Cron, Entry
from tests.api.forms import publish
from tests.api.tasks import until_status
from tests.faults.steering import with_context
from tests.people import People
from tests.running import Running, unique
from tests.services.test_purging import as_old, ids_of, left

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


class Ran:
    """The appliance's looks, of a machine that runs for so many seconds in between."""

    def __init__(self, folder: Path) -> None:
        self.paths, self._at = Paths(folder), 0.0
        self._watch = Watch(lambda: self._at)

    def look(self, now: dt.datetime, ran: float = 60.0) -> Mark:
        self._at += ran
        return self._watch.look(self.paths, now)

    def run_on(self, now: dt.datetime, seconds: float) -> dt.datetime:
        for _ in range(int(seconds / 300)):
            now += dt.timedelta(seconds=300)
            self.look(now, ran=300)
        return now

    def waits(self, now: dt.datetime) -> bool:
        return find_waiting(self.paths, now) is not None


def test_the_clock_may_go_on_and_the_appliance_may_be_off_for_a_weekend(tmp_path: Path) -> None:
    ran = Ran(tmp_path)
    assert not ran.waits(NOW), "it was never looked at"
    ran.look(NOW)
    later = ran.run_on(NOW, 600)
    assert not ran.waits(later) and not ran.waits(later + LEAP)
    ran.look(later + LEAP)
    assert not ran.waits(later + LEAP)


def test_after_a_leap_it_waits_until_it_has_run_for_a_day(tmp_path: Path) -> None:
    ran, ahead = Ran(tmp_path), NOW + 400 * DAY
    ran.look(NOW)
    assert ran.waits(ahead), "before the scheduler has looked"
    assert ran.look(ahead).before == NOW
    later = ran.run_on(ahead, WAIT / 2)
    ran = Ran(tmp_path)  # a start loses nothing, and the machine sleeps
    ran.look(later)
    ran.look(later + DAY, ran=24 * 3600)
    assert ran.waits(later + DAY)
    later = ran.run_on(later + DAY, WAIT / 2 - 600)
    assert ran.waits(later)
    later = ran.run_on(later, 600)
    assert not ran.waits(later)
    ran.run_on(later, 600)
    assert not ran.waits(later), "it is over for good"


def test_a_clock_that_comes_back_ends_it(tmp_path: Path) -> None:
    ran = Ran(tmp_path)
    ran.look(NOW)
    ran.look(NOW + 400 * DAY)
    ran.look(NOW + 800 * DAY)
    assert ran.look(NOW + dt.timedelta(minutes=3)) == Mark(NOW + dt.timedelta(minutes=3))
    assert ran.waits(NOW + 400 * DAY), "the next leap is one again"


def test_what_cannot_be_read_makes_nobody_wait(tmp_path: Path) -> None:
    ran = Ran(tmp_path)
    ran.paths.clock.write_text("{")
    assert not ran.waits(NOW)
    ran.look(NOW)
    assert find(ran.paths) == Mark(NOW)


def purge(appliance: Running, cast: People) -> None:
    """As at its time in the night."""
    entry = Entry(unique("cron"), "* * * * *", "purge")
    now = utc_now()

    async def ask(context: Context) -> None:
        cron = Cron([entry])
        await cron(context, lambda: now - DAY)
        assert await cron(context, lambda: now) == 1

    with_context(appliance, ask)
    tick = now.replace(second=0, microsecond=0)
    until_status(cast.admin, f"cron:{entry.name}:{tick:%Y-%m-%dT%H:%M:%S.000Z}", "completed", seconds=60)


def test_nothing_is_purged_while_the_clock_may_be_wrong(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, retention_days=10)
    ids = ids_of(cast.alice, form_id, 2)
    as_old(appliance, form_id, ids[:1], created_at=11 * DAY)
    mark = appliance.paths.clock
    try:
        mark.write_bytes(msgspec.json.encode(Mark(utc_now() - 10 * DAY)))
        purge(appliance, cast)
        assert left(appliance, form_id) == set(ids)
    finally:
        mark.unlink()
    purge(appliance, cast)
    assert left(appliance, form_id) == set(ids[1:])
