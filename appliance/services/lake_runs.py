"""Having the lake brought up to date: who asks, who does it, how far it is.

The scheduler does it (`Doing`), at set times and when a task asks; the task waits for it without holding a
worker. All that were asked for before one began are done by it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from typing import Any

from pymongo.errors import PyMongoError

from appliance import logs
from appliance.addresses import Paths
from appliance.analytics.lake import Lake
from appliance.clock import Clock, last_tick, rfc3339
from appliance.errors import Conflict, Problem
from appliance.services import lake_running
from appliance.services.context import Context
from appliance.services.lake_running import Summary
from appliance.stores import cron, lake_runs

log = logs.get(__name__)
_TELL = 1.0
"""Seconds between two words on how far a run is."""


class Doing:
    """A chore of the scheduler: what is due."""

    def __init__(self) -> None:
        self._last: dt.datetime | None = None
        """Asked for up to then, as far as this process knows."""

    async def __call__(self, context: Context, now: Clock) -> int:
        """How many runs there were: 0 or 1."""
        await self._ask_on_time(context, now())
        rows = await lake_runs.waiting(context.db)
        if not rows:
            return 0
        ids = [row["_id"] for row in rows]
        await lake_runs.note(context.db, ids, state="running", begun_at=now(), error=None)
        try:
            summary = await lake_running.run(context, _Telling(context, ids))
        except PyMongoError:
            raise  # the next turn tries again: nobody could be told either
        except Conflict:  # somebody shares or rebuilds the lake: a later turn
            await lake_runs.note(context.db, ids, state="asked", begun_at=None)
            return 0
        except Exception as fault:  # else it would be run again every second
            told = (
                str(fault)[:500] if isinstance(fault, (Problem, OSError, ValueError)) else repr(fault)[:500]
            )
            await lake_runs.note(context.db, ids, state="failed", ended_at=now(), error=told)
            log.exception("the lake could not be brought up to date", extra={"error": told})
            return 1
        await lake_runs.note(
            context.db, ids, state="completed", ended_at=now(), result=shape(summary), error=None
        )
        await lake_runs.prune(context.db, now())
        return 1

    async def _ask_on_time(self, context: Context, now: dt.datetime) -> None:
        if self._last is None or cron.is_ahead(self._last, now):
            self._last = await cron.last(context.db, "analytics", now)
        tick = last_tick(context.settings.analytics_cron, context.settings.analytics_time_zone, now)
        if tick > self._last:
            # First, so that one who dies here is not taken for one who had nothing to do.
            await asyncio.to_thread(Lake(Paths(context.settings.data).lake).note_due, tick.timestamp())
            await lake_runs.ask(context.db, f"cron:{rfc3339(tick)}", now)
            await cron.moved(context.db, "analytics", tick)
            self._last = tick


class _Telling:
    """Writes down how far a run is, now and then."""

    def __init__(self, context: Context, ids: list[str]) -> None:
        self._context, self._ids, self._last = context, ids, 0.0
        self._writing: asyncio.Task[None] | None = None

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._last > _TELL and (self._writing is None or self._writing.done()):
            self._last = time.monotonic()
            self._writing = asyncio.create_task(self._write(done, total))

    async def _write(self, done: int, total: int) -> None:
        try:
            await lake_runs.note(self._context.db, self._ids, done=done, total=total)
        except PyMongoError:
            log.warning("cannot tell how far the run is")


def shape(summary: Summary) -> dict[str, Any]:
    return {
        "as_of": rfc3339(summary.as_of),
        "responses": summary.responses,
        "days": summary.days,
        "bytes": summary.bytes,
        "tables": summary.tables,
        "drift": summary.drift,
        "compared": summary.compared,
        "seconds": round(summary.seconds, 3),
        "steps": summary.steps,
    }
