"""Backups that are looked after: where they lie, what became of each, which are kept.

Light to import: `status`, `doctor` and the scheduler ask here. What waits for a lock is for a thread.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from appliance import disk
from appliance.addresses import Paths
from appliance.backups import book, retention
from appliance.backups.book import SUFFIX, Archive, Kind
from appliance.clock import last_tick, rfc3339, utc_now
from appliance.errors import Conflict
from appliance.settings import Settings

SCRATCH: Final = ".drill"
"""In `backups/`: the data folder that a drill makes out of a backup, and takes away again."""
KEPT_FREE: Final = 4 * disk.RESERVE_BYTES
"""On the data folder's disk, whatever a backup or a drill would like to write."""
HELD: Final = ".held"
"""In `backups/`: second names of the files, while a backup is made."""
AGAIN: Final[dict[Kind, dt.timedelta]] = {"backup": dt.timedelta(hours=1), "drill": dt.timedelta(days=1)}
"""After a failure it is tried again so much later, though its next time has not come."""
_GRACE: Final = dt.timedelta(hours=6)
"""That one which is due may take before it counts as missing."""
AHEAD: Final = dt.timedelta(hours=1)
"""A moment that is later than now by more was noted by a clock that was wrong: it counts as never."""


class Row(NamedTuple):
    """An archive of a folder, and what is known of it: nothing when it was not made here."""

    path: Path
    bytes: int
    known: Archive | None

    @property
    def fault(self) -> str | None:
        """What is known to be wrong with it."""
        if self.known is None:
            return None
        size = None if self.known.bytes == self.bytes else "its size is not what it was"
        return size if self.known.fault is None else self.known.fault


def folder_of(settings: Settings) -> Path:
    """Where backups are kept."""
    return settings.backup_folder or Paths(settings.data).backups


@contextlib.contextmanager
def alone(paths: Paths) -> Iterator[None]:
    """Nobody else makes, tries out or removes backups meanwhile. Raises Conflict, OSError."""
    paths.backups.mkdir(mode=0o700, exist_ok=True)
    with disk.only_one(paths.backups) as is_first:
        if not is_first:
            raise Conflict("another backup is being made or tried out; next: wait for its end")
        yield


def sweep(paths: Paths, folder: Path) -> None:
    """What one that was killed has left. Call it `alone`."""
    shutil.rmtree(paths.backups / HELD, ignore_errors=True)
    shutil.rmtree(paths.backups / SCRATCH, ignore_errors=True)
    for left in folder.glob(f".appliance-*{SUFFIX}.new"):
        left.unlink(missing_ok=True)


def failed(
    settings: Settings, kind: Kind, error: str, archive: Path | None = None, *, is_damaged: bool = False
) -> None:
    """Note it; of the archive only when it is what is wrong. Raises OSError."""
    backups = Paths(settings.data).backups
    with book.changing(backups) as noted:
        name = book.name(backups, archive) if archive else None
        noted.course(kind).fail(utc_now(), error, name)
        if name in noted.archives and is_damaged:
            noted.archives[name].fault = error[:500]


def read_wholly(settings: Settings, path: Path, fault: Exception | None) -> None:
    """Note what came of reading one with the key that it was made with. Raises OSError."""
    backups = Paths(settings.data).backups
    with book.changing(backups) as noted:
        if (found := noted.archives.get(book.name(backups, path))) is None:
            return
        if fault is not None:
            found.fault = str(fault)[:500]
        else:
            found.whole_at = utc_now()
            found.fault = None


def drilled(settings: Settings, path: Path, begun: dt.datetime, responses: int, seconds: float) -> None:
    """Note that it was restored aside, and that what came of it was equal. Raises OSError."""
    backups = Paths(settings.data).backups
    with book.changing(backups) as noted:
        name = book.name(backups, path)
        if (found := noted.archives.get(name)) is not None:
            found.whole_at = found.drilled_at = utc_now()
            found.fault = None
        noted.drill.succeed(begun, name, path.stat().st_size, responses, seconds)


def rows(settings: Settings, folder: Path | None = None) -> list[Row]:
    """The archives of a folder, the oldest first. Raises OSError."""
    backups, where = Paths(settings.data).backups, folder or folder_of(settings)
    noted = book.read(backups)
    found = sorted(where.glob(f"appliance-*{SUFFIX}"))
    return [
        Row(path, path.stat().st_size, noted.archives.get(book.name(backups, path)))
        for path in found
        if path.is_file()
    ]


def newest(settings: Settings) -> Path | None:
    """Of those that were made here: the one that was made last, whatever its clock said. Raises OSError."""
    ours = _ours(settings)
    return ours[-1].path if ours else None


def prune(settings: Settings, now: dt.datetime | None = None) -> list[Path]:
    """Remove what is not kept, and say which. Raises Conflict, OSError.

    What was not made here, or is not what was made, or was found not to be whole (the key may be what is
    wrong) is neither removed nor counted; and nothing is while the newest is not whole.
    """
    paths = Paths(settings.data)
    with alone(paths):
        ours = _ours(settings)
        made = {row.path.name: row.known.made_at for row in ours if row.known and row.known.fault is None}
        if not made or ours[-1].path.name not in made:
            return []
        daily, weekly = settings.backup_keep_daily, settings.backup_keep_weekly
        until = (now or utc_now()) + AHEAD
        kept = retention.kept(made, daily, weekly, settings.backup_time_zone, until)
        removed = [row.path for row in ours if row.path.name in made and row.path.name not in kept]
        for path in removed:
            path.unlink(missing_ok=True)
        if removed:
            disk.sync_folder(folder_of(settings))
            with book.changing(paths.backups) as noted:
                for path in removed:
                    noted.archives.pop(book.name(paths.backups, path), None)
        return removed


def _ours(settings: Settings) -> list[Row]:
    """Those that were made here, in the order of their making: the book's, which no clock changes."""
    backups = Paths(settings.data).backups
    order = {name: number for number, name in enumerate(book.read(backups).archives)}
    found = [row for row in rows(settings) if _is_ours(row)]
    return sorted(found, key=lambda row: order.get(book.name(backups, row.path), -1))


def _is_ours(row: Row) -> bool:
    return row.known is not None and row.known.bytes == row.bytes


def cron_of(settings: Settings, kind: Kind) -> str | None:
    return settings.backup_cron if kind == "backup" else settings.backup_drill_cron


def is_due(settings: Settings, kind: Kind, now: dt.datetime) -> bool:
    """It was asked for; or since its last time none went well, and none has failed just now."""
    noted = book.read(Paths(settings.data).backups)
    course, cron = noted.course(kind), cron_of(settings, kind)
    if course.asked_at is not None:
        return True
    if cron is None or course.since is None or (kind == "drill" and not noted.archives):
        return False
    tick, last = last_tick(cron, settings.backup_time_zone, now), _last(course, now)
    if last is not None and tick <= last:
        return False
    failed_at = course.failed_at
    if failed_at is None or is_ahead(failed_at, now):
        return True
    return failed_at < tick or now - failed_at >= AGAIN[kind]


def is_ahead(moment: dt.datetime, now: dt.datetime) -> bool:
    """It was noted while the clock was wrong; or it is wrong now."""
    return moment > now + AHEAD


def _last(course: book.Course, now: dt.datetime) -> dt.datetime | None:
    """Since when the next one is waited for; None when nothing is known that has passed."""
    known = (moment for moment in (course.since, course.succeeded_at) if moment is not None)
    return max((moment for moment in known if not is_ahead(moment, now)), default=None)


def ask(settings: Settings, kind: Kind, now: dt.datetime) -> dt.datetime:
    """Have the scheduler make one: since when that is asked for. Raises Conflict, OSError."""
    with book.changing(Paths(settings.data).backups) as noted:
        if kind == "drill" and not noted.archives:
            raise Conflict("There is no backup that was made here yet; make one first.")
        course = noted.course(kind)
        course.asked_at = course.asked_at or now
        return course.asked_at


def is_missing(settings: Settings, kind: Kind, now: dt.datetime) -> bool:
    """The last two of its times have passed without one that went well."""
    course, cron = book.read(Paths(settings.data).backups).course(kind), cron_of(settings, kind)
    if cron is None or course.since is None:
        return False
    tick = last_tick(cron, settings.backup_time_zone, now - _GRACE)
    before = last_tick(cron, settings.backup_time_zone, tick - dt.timedelta(seconds=1))
    last = _last(course, now)
    return last is None or last < before


def look_after(settings: Settings, now: dt.datetime) -> None:
    """From now on; and what one that was killed has left goes. Raises OSError."""
    paths = Paths(settings.data)
    with book.changing(paths.backups) as noted:
        for course in (noted.backup, noted.drill):
            if course.since is None or is_ahead(course.since, now):
                course.since = now
    try:
        with alone(paths):
            sweep(paths, folder_of(settings))
    except Conflict:
        return  # it is at work


def tell(settings: Settings) -> dict[str, Any]:
    """For `status`: the last backup and the last drill that went well, and what has failed since."""
    noted = book.read(Paths(settings.data).backups)
    return {
        kind: {
            "succeeded_at": rfc3339(course.succeeded_at) if course.succeeded_at else None,
            "archive": course.archive,
            "bytes": course.bytes,
            "responses": course.responses,
            "seconds": course.seconds,
            "failures": course.failures,
            "error": course.error,
        }
        for kind, course in (("backup", noted.backup), ("drill", noted.drill))
    }
