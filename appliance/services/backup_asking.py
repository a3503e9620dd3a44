"""Backups as an admin sees them by the API, and asking for one; neither what is in them nor their key."""

from __future__ import annotations

import asyncio

from appliance.addresses import Paths
from appliance.backups import book
from appliance.backups.book import Course, Kind
from appliance.clock import rfc3339, utc_now
from appliance.domain.access import Caller
from appliance.errors import Unavailable
from appliance.services import backups
from appliance.services import system_shapes as shapes
from appliance.services.backups import Row
from appliance.services.context import Context
from appliance.settings import Settings
from appliance.stores import audit, pauses

PATH = "/api/v1/system/backups"


async def every(settings: Settings) -> shapes.SystemBackups:
    """Raises Unavailable while their folder cannot be read."""
    try:
        return await asyncio.to_thread(_every, settings)
    except OSError as fault:
        raise Unavailable(f"The folder of backups cannot be read: {fault.strerror}.") from None


def _every(settings: Settings) -> shapes.SystemBackups:
    noted = book.read(Paths(settings.data).backups)
    rows = sorted(backups.rows(settings), key=lambda row: row.path.name, reverse=True)
    return shapes.SystemBackups(
        backups=[_backup(row) for row in rows],
        courses=[_course("backup", noted.backup), _course("drill", noted.drill)],
    )


def _backup(row: Row) -> shapes.SystemBackup:
    known = row.known
    return shapes.SystemBackup(
        name=row.path.name,
        bytes=row.bytes,
        ours=known is not None,
        made_at=rfc3339(known.made_at) if known else None,
        responses=known.responses if known else None,
        whole_at=rfc3339(known.whole_at) if known else None,
        drilled_at=rfc3339(known.drilled_at) if known and known.drilled_at else None,
        fault=row.fault,
    )


def _course(kind: Kind, course: Course) -> shapes.BackupCourse:
    return shapes.BackupCourse(
        kind=kind,
        asked_at=rfc3339(course.asked_at) if course.asked_at else None,
        succeeded_at=rfc3339(course.succeeded_at) if course.succeeded_at else None,
        archive=course.archive,
        failed_at=rfc3339(course.failed_at) if course.failed_at else None,
        failures=course.failures,
        error=course.error,
    )


async def ask(context: Context, caller: Caller, kind: Kind) -> shapes.AskedBackup:
    """The scheduler makes it within seconds, as at a set time. The same again, while it is not over, is the
    same one. Raises Conflict, Unavailable.
    """
    await pauses.record(context.db, audit.Entry(caller.user_id, f"{kind}.asked", kind, {}))
    try:
        since = await asyncio.to_thread(backups.ask, context.settings, kind, utc_now())
    except OSError as fault:
        raise Unavailable(f"It cannot be asked for: {fault.strerror}.") from None
    return shapes.AskedBackup(kind=kind, asked_at=rfc3339(since), status_url=PATH)
