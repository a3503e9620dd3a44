"""Backups: are they made, can they be restored, and would they outlive this machine's disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from appliance import disk
from appliance.backups import book
from appliance.backups.book import Book, Kind
from appliance.clock import rfc3339
from appliance.ops.findings import Fault, Situation, check
from appliance.services import backups


class _What(NamedTuple):
    kind: Kind
    setting: str
    never: str
    command: str


_CREATE: Final = "./scripts/appliance backup create"
_DRILL: Final = "./scripts/appliance backup drill"
_WHATS: Final = (
    _What("backup", "BACKUP_CRON", "no backup was ever made", _CREATE),
    _What("drill", "BACKUP_DRILL_CRON", "no backup was ever tried out", _DRILL),
)


@check("backups", "what was due was made, and none is known to be bad")
def look(situation: Situation) -> Iterator[Fault]:
    chosen, own = situation.settings, situation.paths.backups
    if not own.is_dir():
        return  # before the first start, or told by data-folder
    if fault := book.find_fault(own):
        meaning = f"{own / book.FILE} cannot be read ({fault}): none is known as a backup"
        yield "error", meaning, f"mv '{own / book.FILE}' '{own / book.FILE}.damaged'; {_CREATE}"
    noted, folder = book.read(own), backups.folder_of(chosen)
    for what in _WHATS:
        yield from _course(situation, what, noted)
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        mend = f"mount its disk, or as the owner of the data folder: install -d -m 700 '{folder}'"
        yield "error", f"backups cannot be written into {folder}", mend
        return
    yield from _archives(situation, noted, folder)


def _course(situation: Situation, what: _What, noted: Book) -> Iterator[Fault]:
    course = noted.course(what.kind)
    if course.since is None or (what.kind == "drill" and not noted.archives):
        return  # it has not run yet; there is nothing to try out yet
    if course.failed_at is not None:
        times = "" if course.failures == 1 else f", {course.failures} times in a row"
        told = f"the last {what.kind} failed at {rfc3339(course.failed_at)}{times}: {course.error}"
        yield "error", told, f"mend that, then {what.command}"
    last = f"the last {what.kind} that went well is of " + (
        rfc3339(course.succeeded_at) if course.succeeded_at else ""
    )
    told = last if course.succeeded_at else what.never
    now = situation.now()
    for moment in (course.since, course.succeeded_at):
        if moment is not None and backups.is_ahead(moment, now):
            told = (
                f"noted for the {what.kind}s is {rfc3339(moment)}, which is yet to come, so it does not count"
            )
            mend = f"see: timedatectl status; when the clock is right: {what.command}"
            yield "warning", f"{told}: the clock was wrong then, or is now", mend
            break
    if backups.is_missing(situation.settings, what.kind, now):
        yield "warning", f"{told}; two of its times have passed", f"{what.command}; see its errors"
    elif backups.cron_of(situation.settings, what.kind) is None and course.succeeded_at is None:
        yield "warning", f"{told}, and {what.setting} is empty", f"set it, or {what.command}"


def _archives(situation: Situation, noted: Book, folder: Path) -> Iterator[Fault]:
    name = noted.backup.archive
    if name is None:
        return
    if not (last := book.path(situation.paths.backups, name)).exists():
        yield "warning", f"the last backup, {last}, is not there any more", _CREATE
    key = situation.paths.backup_key
    if not key.exists():
        yield (
            "error",
            f"{key} is missing: nothing opens the backups",
            "bring back the copy that is kept elsewhere",
        )
    bad = [row.path.name for row in backups.rows(situation.settings) if row.known and row.known.fault]
    if bad:
        told = f"these do not open, or could not be restored: {', '.join(bad)}"
        yield "error", told, f"{_CREATE}, then {_DRILL}; was secrets/backup_key replaced?"
    known = [(row.path.name, row.known) for row in backups.rows(situation.settings) if row.known]
    if ahead := [each for each, row in known if backups.is_ahead(row.made_at, situation.now())]:
        told = f"of days that are yet to come, since the clock was wrong: {', '.join(ahead)}"
        yield "warning", told, f"timedatectl status; {_CREATE}; then remove them by hand"
    if disk.is_one(folder, situation.paths.data):
        yield "ok", f"{folder} is on the disk of the data folder, and is lost with it", ""
