"""Work at set times: one run a tick, whoever asks and however often.

A tick that passed while nothing ran is made up for once, by its last one. Times are UTC, and expressions
those of Debian's cron (man 5 crontab).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from cronsim import CronSim

from appliance.clock import Clock, rfc3339
from appliance.queue.scripts import Job
from appliance.services.context import Context
from appliance.stores import cron

_SECOND = dt.timedelta(seconds=1)


class Entry(NamedTuple):
    name: str
    expression: str
    task: str


ENTRIES = (
    Entry("purge", "37 1 * * *", "purge"),
    Entry("prune", "17 3 * * *", "prune"),
    Entry("prune_exports", "23 * * * *", "prune_exports"),
    Entry("prune_uploads", "41 * * * *", "prune_uploads"),
)


class Cron:
    """A chore of the scheduler."""

    def __init__(self, entries: Sequence[Entry] = ENTRIES) -> None:
        self._entries = entries
        self._last: dict[str, dt.datetime] = {}
        """By name: promised up to then, as far as this process knows."""

    async def __call__(self, context: Context, now: Clock) -> int:
        """How many tasks were promised."""
        promised = 0
        for entry in self._entries:
            moment = now()
            known = self._last.get(entry.name)
            if known is None or cron.is_ahead(known, moment):
                self._last[entry.name] = await cron.last(context.db, entry.name, moment)
            tick = last_tick(entry.expression, moment)
            if tick > self._last[entry.name]:
                promised += await _promise(context, entry, tick)
                self._last[entry.name] = tick
        return promised


def last_tick(expression: str, moment: dt.datetime) -> dt.datetime:
    """The last time that the expression names, up to the moment and including it."""
    return next(CronSim(expression, moment.replace(microsecond=0) + _SECOND, reverse=True))


async def _promise(context: Context, entry: Entry, tick: dt.datetime) -> bool:
    job = Job(f"cron:{entry.name}:{rfc3339(tick)}", entry.task, {})
    is_ours = await cron.promise(context.db, entry.name, tick, job)
    if is_ours:
        await context.sender.send([job])
    return is_ours
