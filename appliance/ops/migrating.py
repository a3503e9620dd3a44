"""`appliance migrate look|run|back`: what `up` starts to work with a database that nobody else works with.

Not for people: it takes no copy of an embedded database, and needs the data folder's lock of `up`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pymongo
from bson.errors import BSONError
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, PyMongoError

from appliance import addresses, levels, settings
from appliance.addresses import Paths
from appliance.backups import archive, keys
from appliance.backups.archive import Damaged
from appliance.errors import CannotStart, Conflict
from appliance.ops import database_alone
from appliance.runtime import snapshots
from appliance.runtime.migrating import AWAY
from appliance.services import backup_making
from appliance.settings import Settings
from appliance.stores import applied, dumps, migrations
from appliance.stores.applied import Lock
from appliance.stores.dumps import Tally

_PATIENCE = 60_000
"""Milliseconds that one answer of the database may take."""
_TOLD_EACH = 1.0


def run(mode: str) -> int:
    """Raises CannotStart."""
    chosen = settings.load()
    try:
        with _database(chosen) as db:
            {"look": _look, "run": _migrate, "back": _put_back}[mode](chosen, db)
        if mode == "run":
            levels.note(chosen, levels.of_code())
    except ConnectionFailure as fault:
        print(f"appliance: the database does not answer ({str(fault)[:200]})", flush=True)
        return AWAY
    except (PyMongoError, BSONError, Damaged, Conflict, OSError) as fault:
        raise CannotStart(str(fault)) from None
    return 0


@contextlib.contextmanager
def _database(chosen: Settings) -> Iterator[Database[Any]]:
    """The embedded one is started for it, and stopped in order at the end, so that all is on the disk."""
    if chosen.mongodb_uri is None:
        with database_alone.serving(chosen, appname="migrate") as db:
            yield db
        return
    with pymongo.MongoClient[dict[str, Any]](
        chosen.mongodb_uri,
        appname="migrate",
        timeoutMS=_PATIENCE,
        serverSelectionTimeoutMS=5000,
        journal=True,
        tz_aware=True,
    ) as client:
        yield client.get_default_database(addresses.DATABASE)


def _look(chosen: Settings, db: Database[Any]) -> None:
    level = applied.read(db)
    levels.note(chosen, level)
    print(level, flush=True)


def _migrate(chosen: Settings, db: Database[Any]) -> None:
    with applied.locked(db, f"process {os.getpid()} on {socket.gethostname()}") as lock:
        level = applied.read(db)  # another machine may have done it since we looked
        steps = levels.pending(level)
        if chosen.mongodb_uri is not None and steps:
            _back_up(chosen, level)
        for step in steps:
            _apply(db, step, lock)


def _back_up(chosen: Settings, level: int) -> None:
    """Of a database elsewhere: read back whole before anything is changed."""
    paths = Paths(chosen.data)
    mark = snapshots.read(paths)
    if mark is None:
        raise CannotStart("this is for ./scripts/up alone")
    made = backup_making.make(chosen, snapshots.folder(paths))
    made.path.rename(snapshots.archive(paths))
    snapshots.arm(paths, mark.about)
    print(f"backed up the database as it is, of level {level}: {made.documents} documents", flush=True)


def _apply(db: Database[Any], step: levels.Step, lock: Lock) -> None:
    """Raises CannotStart with what the migration says, whatever it is."""
    told_at = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told_at
        lock.check()
        if time.monotonic() - told_at > _TOLD_EACH:
            told_at = time.monotonic()
            print(f"migration {step.number}: {done} of {total}", flush=True)

    try:
        migration = migrations.load(step)
        print(f"migration {step.number}: {migration.does}", flush=True)
        migration.run(db, tell)
        lock.check()
        applied.record(db, step)
    except (CannotStart, PyMongoError):
        raise
    except Exception as fault:
        where = traceback.extract_tb(fault.__traceback__)[-1]
        raise CannotStart(
            f"migration {step.number} ({step.name}) failed: {type(fault).__name__}: {fault}"
            f" ({where.name}, line {where.lineno})"
        ) from None


def _put_back(chosen: Settings, db: Database[Any]) -> None:
    """All collections as they are in the backup; killed anywhere, it is done again from the beginning."""
    paths = Paths(chosen.data)
    path, identities = snapshots.archive(paths), keys.read_all(paths.backup_key)
    manifest = archive.check(path, *identities)
    wanted = {name: Tally(**tally) for name, tally in manifest["collections"].items()}
    for name in dumps.collections(db):
        db.drop_collection(name)
    with archive.reading(path, *identities) as members:
        for name, content in members:
            if name.startswith(backup_making.COLLECTIONS):
                dumps.insert(db, name.split("/")[1], content.read())
    if wrong := dumps.differing(db, wanted):
        raise CannotStart(f"after it was put back, {', '.join(wrong)} is not what was backed up")
    db[applied.COLLECTION].delete_one({"_id": "lock"})
    print("the database is what it was", flush=True)
