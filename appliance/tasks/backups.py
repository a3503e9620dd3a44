"""Backups and drills at their times, and the alerts that tell of those that fail.

Each is a child (`appliance.ops.backup_child`), so that this process waits for nothing and a backup is the
first to end when memory is short. One that is killed, or whose scheduler is, left nothing that counts and is
begun again. A row of failures is one alert: its id is the time of the first one.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sys
from asyncio.subprocess import DEVNULL

import pymongo

from appliance import logs
from appliance.addresses import Paths
from appliance.backups import book
from appliance.backups.book import Course, Kind
from appliance.clock import Clock, rfc3339
from appliance.services import alerts, backups
from appliance.services.context import Context
from appliance.settings import Settings

KINDS: tuple[Kind, ...] = ("backup", "drill")
CHILD = "appliance.ops.backup_child"
PAUSE = dt.timedelta(minutes=5)
"""After a failure, also when nothing could be noted of it since the disk is full."""
LONGEST = 12 * 3600.0
"""Seconds that one may take: one that hangs would be the last."""
SECONDS = 10.0
"""That the database has for one alert."""

log = logs.get(__name__)


class Backups:
    """A chore of the scheduler."""

    def __init__(self, longest: float = LONGEST) -> None:
        self._longest = longest
        self._is_first = True
        self._told: set[str] = set()
        self._failed: dict[Kind, dt.datetime] = {}

    async def __call__(self, context: Context, now: Clock) -> int:
        """How many backups and drills there were."""
        asked, done = context.settings, 0
        if self._is_first:
            await asyncio.to_thread(backups.look_after, asked, now())
            self._is_first = False
        for kind in KINDS:
            if not self._rests(asked, kind, now()) and backups.is_due(asked, kind, now()):
                await self._do(context, kind, now)
                done += 1
        await self._tell(context)
        return done

    def _rests(self, asked: Settings, kind: Kind, now: dt.datetime) -> bool:
        """Not for one that somebody has asked for since."""
        if kind not in self._failed or not dt.timedelta(0) <= now - self._failed[kind] < PAUSE:
            return False
        wanted = book.read(Paths(asked.data).backups).course(kind).asked_at
        return wanted is None or wanted <= self._failed[kind]

    async def _do(self, context: Context, kind: Kind, now: Clock) -> None:
        status = await _run(kind, self._longest)
        if status == 0:
            self._failed.pop(kind, None)
            return
        self._failed[kind] = now()
        if status != 1:  # it could note nothing itself
            why = f"it ended by signal {-status}" if status < 0 else f"it ended with status {status}"
            why += "; next: ./scripts/appliance logs scheduler"
            await asyncio.to_thread(backups.failed, context.settings, kind, why)

    async def _tell(self, context: Context) -> None:
        noted = book.read(Paths(context.settings.data).backups)
        for kind in KINDS:
            course = noted.course(kind)
            if course.failing_since is None:
                continue
            alert_id = f"{kind}-failed:{rfc3339(course.failing_since)}"
            if alert_id not in self._told:
                with pymongo.timeout(SECONDS):
                    await alerts.fire(context, alert_id, course.failing_since, _data(kind, course))
                self._told.add(alert_id)


def _data(kind: Kind, course: Course) -> dict[str, str | None]:
    if kind == "backup":
        return {"alert": "backup_failed", "error": course.error}
    return {"alert": "drill_failed", "archive": course.failed_archive, "error": course.error}


async def _run(kind: Kind, longest: float) -> int:
    """The child's exit status, negative for a signal. Cancelled, or after too long, the child is killed."""
    command = (sys.executable, "-P", "-m", CHILD, kind, str(os.getpid()))
    child = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL)
    try:
        return await asyncio.wait_for(child.wait(), longest)
    except TimeoutError:
        log.error("it took too long and is ended", extra={"kind": kind, "seconds": longest})
        child.kill()
        return await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await asyncio.shield(child.wait())
