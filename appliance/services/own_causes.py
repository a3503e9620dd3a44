"""What the appliance itself has to tell of, as the scheduler knows it: an alert for as long as it is so.

Programs that were given up the guardian tells itself: the scheduler may be one of them.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Final

from appliance import alertmanager
from appliance.addresses import Paths
from appliance.backups import book
from appliance.clock import Clock
from appliance.own_alerts import HOLDS, Raised
from appliance.services.context import Context
from appliance.settings import Settings
from appliance.stores import dead_letters

MOST: Final = 100
"""Dead letters that are alerts: the newest."""
LONGEST: Final = dt.timedelta(days=7)
"""That one is, if nobody replays or discards it."""


class Telling:
    """A chore of the scheduler."""

    def __init__(self) -> None:
        self._told: dict[str, Raised] = {}
        """By what tells them apart: what Alertmanager has taken."""

    async def __call__(self, context: Context, now: Clock) -> int:
        """How many there are, or were until now. Raises Away, PyMongoError."""
        if not context.settings.monitoring:
            return 0
        moment = now()
        raised = {repr(each.labels): each for each in await _causes(context, moment)}
        over = [each for key, each in self._told.items() if key not in raised]
        told = [each.told(moment + HOLDS) for each in raised.values()]
        told += [each.told(moment) for each in over]
        await asyncio.to_thread(alertmanager.post, context.settings, told)
        self._told = raised
        return len(told)


async def _causes(context: Context, now: dt.datetime) -> list[Raised]:
    return await _letters(context, now) + await asyncio.to_thread(backups_failing, context.settings)


async def _letters(context: Context, now: dt.datetime) -> list[Raised]:
    """Without their errors: these may name a person, and go to servers of others."""
    page = await dead_letters.newest(context.db, {}, None, MOST)
    return [
        Raised(
            "DeadLetter",
            row["failed_at"],
            {"task": row["task"], "task_id": row["_id"], "queue": row["queue"]},
        )
        for row in page.rows
        if now - row["failed_at"] < LONGEST
    ]


def backups_failing(settings: Settings) -> list[Raised]:
    """The last backup, or the last drill."""
    noted = book.read(Paths(settings.data).backups)
    named = (("BackupUnmade", noted.backup), ("DrillUnproven", noted.drill))
    return [
        Raised(name, course.failing_since, {"error": (course.error or "")[:200]})
        for name, course in named
        if course.failing_since is not None
    ]
