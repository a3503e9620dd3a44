"""`python -m appliance.ops.backup_child backup|drill PARENT`: what the scheduler starts at its times.

A process of its own, behind all others for CPUs and the first to go when memory is short, so that nobody who
sends an answer waits for it. It writes into the book what came of it, and ends with the scheduler.

Exit status: 0 done, 1 failed and noted.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Final, TypeVar

from bson.errors import BSONError
from pymongo.errors import PyMongoError

from appliance import logs, processes, settings
from appliance.addresses import Paths
from appliance.backups import keys
from appliance.backups.archive import Damaged
from appliance.errors import CannotStart, Conflict, Problem
from appliance.ops import drilling
from appliance.services import backup_making, backups
from appliance.settings import Settings

WAIT: Final = 5.0
"""Seconds between two looks whether somebody else's backup or drill is over."""
FAULTS: Final = (Problem, CannotStart, Damaged, PyMongoError, BSONError, OSError)

T = TypeVar("T")

log = logs.get("appliance.ops.backup_child")  # run as a program its name would be __main__


def main(kind: str, parent: int) -> int:
    processes.die_with_parent(signal.SIGKILL, parent)
    os.nice(19)
    processes.raise_oom_score(1000)
    asked = settings.load()
    logs.configure(asked.log_level)
    return {"backup": _backup, "drill": _drill}[kind](asked)


def _backup(asked: Settings) -> int:
    try:
        made = _in_turn(lambda: backup_making.create(asked, None, _silent))
    except Exception as fault:  # whatever it was: there is no backup
        log.error("no backup was made", extra={"error": _words(fault)})
        backups.failed(asked, "backup", _words(fault))
        return 1
    log.info("backup", extra={"path": str(made.path), "bytes": made.bytes, "responses": made.responses})
    if made.missing:
        log.error("files are lost: the database knows them, the disk does not", extra={"ids": made.missing})
    try:
        removed = _in_turn(lambda: backups.prune(asked))
    except FAULTS as fault:  # what is there too long harms less than a backup that counts as failed
        log.error("older backups were not removed", extra={"error": str(fault)})
        return 0
    for path in removed:
        log.info("an older backup was removed", extra={"path": str(path)})
    return 0


def _drill(asked: Settings) -> int:
    path = None
    try:
        path = backups.newest(asked)
        if path is None:
            raise CannotStart(f"none of the backups is in {backups.folder_of(asked)} any more")
        chosen, identities = path, keys.read_all(Paths(asked.data).backup_key)
        done = _in_turn(lambda: drilling.drill(asked, chosen, identities, _silent, noted=True))
    except Exception as fault:
        log.error("a drill failed", extra={"path": str(path), "error": _words(fault)})
        backups.failed(asked, "drill", _words(fault), path, is_damaged=isinstance(fault, Damaged))
        return 1
    log.info("drill", extra={"path": str(path), "responses": done.responses, "seconds": done.seconds})
    return 0


def _words(fault: Exception) -> str:
    return str(fault) if isinstance(fault, FAULTS) else repr(fault)


def _in_turn(work: Callable[[], T]) -> T:
    while True:
        try:
            return work()
        except Conflict:
            time.sleep(WAIT)


def _silent(done: int, total: int) -> None:
    """Nobody looks."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
