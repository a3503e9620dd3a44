"""A drill: a backup becomes a data folder aside, with a database of its own; it is compared, and taken away.

Contract: nothing of the appliance is touched, and of a drill that is killed nothing is left after the next
one, or the next start of the scheduler. It leaves the data folder's disk what that needs.
"""

from __future__ import annotations

import errno
import shutil
import time
from pathlib import Path
from typing import Final, NamedTuple

from pyrage.x25519 import Identity

from appliance import disk
from appliance.addresses import Paths
from appliance.clock import utc_now
from appliance.errors import CannotStart
from appliance.ops import restoring
from appliance.ops.progress import Told
from appliance.runtime import mongo
from appliance.services import backup_making, backups
from appliance.settings import Settings

CACHE: Final = 64 * 2**20
"""Bytes of the database's cache: it shares the scheduler's part of the memory."""


class Drilled(NamedTuple):
    made_at: str
    documents: int
    responses: int
    files: int
    seconds: float


def drill(settings: Settings, path: Path, identities: list[Identity], told: Told, *, noted: bool) -> Drilled:
    """Raises Conflict while a backup is made or another drill is under way, Damaged, CannotStart, OSError,
    PyMongoError, BSONError. A success is `noted`, a failure is not.
    """
    paths = Paths(settings.data)

    def tell(done: int, total: int) -> None:
        if disk.free_bytes(paths.backups) < backups.KEPT_FREE:
            raise OSError(errno.ENOSPC, "the data folder's disk is nearly full", str(paths.backups))
        told(done, total)

    _check_server(settings)
    with backups.alone(paths):
        begun, started, scratch = utc_now(), time.monotonic(), paths.backups / backups.SCRATCH
        backups.sweep(paths, backups.folder_of(settings))
        try:
            built = restoring.build(
                settings, restoring.read(path, identities, tell), scratch, cache=CACHE, is_kept=False
            )
            manifest = built.manifest
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        tallies = manifest["collections"]
        result = Drilled(
            manifest["created_at"],
            sum(tally["documents"] for tally in tallies.values()),
            tallies.get("responses", {"documents": 0})["documents"],
            sum(name.startswith(backup_making.FILES) for name in manifest["members"]),
            round(time.monotonic() - started, 1),
        )
        if noted:
            backups.drilled(settings, path, begun, result.responses, result.seconds)
        return result


def _check_server(settings: Settings) -> None:
    """Raises CannotStart. With a MONGODB_URI nothing else needs one."""
    try:
        mongo.server(settings)
    except CannotStart as fault:
        raise CannotStart(
            f"a drill fills a database of its own, and {fault};"
            " next: install mongod, or switch drills off: BACKUP_DRILL_CRON="
        ) from None
