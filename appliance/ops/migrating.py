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
from dataclasses import replace
from typing import Any

import bson
import pymongo
from bson.errors import BSONError
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, PyMongoError

from appliance import addresses, levels, settings
from appliance.addresses import Paths
from appliance.backups import archive, keys
from appliance.backups.archive import Damaged
from appliance.clock import new_id
from appliance.errors import CannotStart, Conflict
from appliance.ops import database_alone
from appliance.runtime import snapshots
from appliance.runtime.migrating import AWAY, LEFT
from appliance.services import backup_making
from appliance.settings import Settings
from appliance.stores import applied, attempts, dumps, migrations
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
            status = {"look": _look, "run": _migrate, "back": _put_back}[mode](chosen, db)
        if mode == "run":
            levels.note(chosen, levels.of_code())
    except ConnectionFailure as fault:
        print(f"appliance: the database does not answer ({str(fault)[:200]})", flush=True)
        return AWAY
    except (PyMongoError, BSONError, Damaged, Conflict, OSError) as fault:
        raise CannotStart(str(fault)) from None
    return status


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


def _look(chosen: Settings, db: Database[Any]) -> int:
    if chosen.mongodb_uri is not None:
        attempts.check_none(db)
    level = applied.read(db)
    levels.note(chosen, level)
    print(level, flush=True)
    return 0


def _owner() -> str:
    """Another one each time."""
    return f"process {os.getpid()} on {socket.gethostname()} ({new_id()[-6:]})"


def _migrate(chosen: Settings, db: Database[Any]) -> int:
    with applied.locked(db, owner := _owner()) as lock:
        level = applied.read(db)  # another machine may have done it since we looked
        steps, attempt = levels.pending(level), ""
        if chosen.mongodb_uri is not None and steps:
            attempts.check_none(db, owner)
            attempt = _back_up(chosen, level)
            lock.check()
            attempts.begin(db, attempt, owner)
        for step in steps:
            _apply(db, step, lock, attempt)
        if attempt:
            attempts.end(db, attempt, "migrated")
    return 0


def _back_up(chosen: Settings, level: int) -> str:
    """Of a database elsewhere: read back whole before anything is changed. The attempt's name."""
    paths = Paths(chosen.data)
    mark = snapshots.read(paths)
    if mark is None:
        raise CannotStart("this is for ./scripts/up alone")
    made = backup_making.make(chosen, snapshots.folder(paths))
    made.path.rename(snapshots.archive(paths))
    attempt = snapshots.arm(paths, replace(mark.about, level=level))
    print(f"backed up the database as it is, of level {level}: {made.documents} documents", flush=True)
    return attempt


def _apply(db: Database[Any], step: levels.Step, lock: Lock, attempt: str) -> None:
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
        applied.record(db, step, attempt)
    except (CannotStart, PyMongoError):
        raise
    except Exception as fault:
        where = traceback.extract_tb(fault.__traceback__)[-1]
        raise CannotStart(
            f"migration {step.number} ({step.name}) failed: {type(fault).__name__}: {fault}"
            f" ({where.name}, line {where.lineno})"
        ) from None


def _put_back(chosen: Settings, db: Database[Any]) -> int:
    """LEFT when nothing of it is this appliance's to put back. Raises CannotStart when others have changed it
    since, and keeps everything.
    """
    paths = Paths(chosen.data)
    mark = snapshots.read(paths)
    if mark is None:
        raise CannotStart("this is for ./scripts/up alone")
    # The lock of the process that was killed: it died with its `up`, whose data folder is ours now.
    attempts.free(db, mark.attempt)
    with applied.locked(db, owner := _owner()) as lock:
        state = attempts.find_state(db, mark.attempt, mark.about.level, owner, is_asked=mark.phase == "asked")
        if state == "open":
            attempts.own(db, mark.attempt, owner)
        elif state is None and mark.phase == "asked":
            attempts.begin(db, mark.attempt, owner)
        elif state == "put back":
            return 0
        else:
            print(
                "the upgrade was broken off "
                + ("after its end" if state else "before it changed the database")
                + ", which is left as it is",
                flush=True,
            )
            return LEFT
        _restore(paths, db, lock)
        attempts.end(db, mark.attempt, "put back")
    print("the database is what it was", flush=True)
    return 0


def _restore(paths: Paths, db: Database[Any], lock: Lock) -> None:
    """All collections as they are in the backup; killed anywhere, it is done again from the beginning, for
    what says that comes last. Raises CannotStart, PyMongoError, OSError, Damaged.
    """
    path, identities = snapshots.archive(paths), keys.read_all(paths.backup_key)
    manifest = archive.check(path, *identities)
    wanted = {name: Tally(**tally) for name, tally in manifest["collections"].items()}
    wanted.pop(applied.COLLECTION, None)
    for name in dumps.collections(db):
        lock.check()
        if name != applied.COLLECTION:
            db.drop_collection(name)
    level: list[dict[str, Any]] = []
    with archive.reading(path, *identities) as members:
        for name, content in members:
            if not name.startswith(backup_making.COLLECTIONS):
                continue
            lock.check()
            if (collection := name.split("/")[1]) == applied.COLLECTION:
                level += [row for row in bson.decode_all(content.read()) if row["_id"] == "level"]
            else:
                dumps.insert(db, collection, content.read())
    if wrong := dumps.differing(db, wanted, without=applied.COLLECTION):
        raise CannotStart(f"after it was put back, {', '.join(wrong)} is not what was backed up")
    for row in level:
        db[applied.COLLECTION].replace_one({"_id": "level"}, row, upsert=True)
