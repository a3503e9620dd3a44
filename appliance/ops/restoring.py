"""A backup becomes a data folder again.

    read it all ──▶ a folder beside, with a database that is filled and compared ──▶ the two change places

Contract: whatever is killed, the data folder is as it was or as it is to be; the draft beside it is removed
by the next attempt. What was there before is kept beside under another name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymongo
from pymongo.database import Database
from pyrage.x25519 import Identity

from appliance import addresses, disk, processes
from appliance.addresses import Paths
from appliance.backups import archive
from appliance.backups.archive import Damaged
from appliance.clock import utc_now
from appliance.errors import CannotStart
from appliance.runtime import folders, mongo
from appliance.services import backup_making
from appliance.settings import Settings
from appliance.stores import dumps
from appliance.stores.dumps import Tally

_MARK = ".restoring"
"""In the folder that was built: it goes where that goes, so what has none is what was there before."""

Told = Callable[[int, int], None]


def restore(settings: Settings, path: Path, identities: list[Identity], told: Told) -> Path | None:
    """Into the settings' data folder; where what was there before is now. Raises Damaged, CannotStart,
    OSError, PyMongoError.
    """
    data = settings.data
    draft = data.with_name(f".{data.name}.restoring")
    if data.is_mount():
        raise CannotStart(
            f"{data} is a mount, which no folder can take the place of; next: restore elsewhere"
        )
    with _alone(data.parent):
        _finish(data, draft)
        try:
            _build(settings, path, identities, draft, told)
            _take_over(Paths(data).backups, Paths(draft).backups)
            if data.exists():
                disk.exchange(draft, data)
            else:
                draft.rename(data)
        except BaseException:
            if (draft / _MARK).exists():  # it is the draft still
                shutil.rmtree(draft)
            raise
        return _finish(data, draft)


def _finish(data: Path, draft: Path) -> Path | None:
    """What comes after the two have changed places; also when an attempt before was killed there."""
    before = None
    if draft.exists() and not (draft / _MARK).exists():
        before = data.with_name(f"{data.name}.before-{utc_now():%Y-%m-%dT%H-%M-%S-%f}Z")
        draft.rename(before)
    disk.sync_folder(data.parent)
    (data / _MARK).unlink(missing_ok=True)
    return before


@contextlib.contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """One restore at a time beside a data folder. Raises CannotStart."""
    descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise CannotStart(f"another restore is under way in {parent}; next: wait for it") from None
    finally:
        os.close(descriptor)


def _take_over(backups: Path, second: Path) -> None:
    """The backups that there are stay at hand, under a second name of each, or copied from another disk."""
    for backup in backups.glob(f"*{backup_making.SUFFIX}"):
        try:
            (second / backup.name).hardlink_to(backup)
        except OSError:
            shutil.copyfile(backup, second / backup.name)
    disk.sync_folder(second)


def _build(settings: Settings, path: Path, identities: list[Identity], folder: Path, told: Told) -> None:
    """A data folder out of a backup, compared with what it says of itself."""
    manifest = archive.check(path, *identities)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    (folder / _MARK).touch()
    scratch = dataclasses.replace(settings, data=folder)
    folders.create(Paths(folder))
    wanted = {name: Tally(**tally) for name, tally in manifest["collections"].items()}
    done, total = 0, sum(tally.documents for tally in wanted.values())
    with archive.reading(path, *identities) as members, contextlib.ExitStack() as stack:
        db: Database[Any] | None = None
        for name, content in members:
            if not name.startswith(backup_making.COLLECTIONS):
                archive.copy(content, folder / name)
                continue
            if db is None:
                db = stack.enter_context(_serving(scratch))
            done += dumps.insert(db, name.split("/")[1], content.read())
            told(done, total)
        if db is None:
            db = stack.enter_context(_serving(scratch))
        if wrong := dumps.differing(db, wanted):
            raise Damaged(f"after it was restored, {', '.join(wrong)} is not what was backed up")


@contextlib.contextmanager
def _serving(scratch: Settings) -> Iterator[Database[Any]]:
    """The folder's own database, for as long as it is filled; stopped in order, so that all is on disk."""
    paths = Paths(scratch.data)
    folders.create_secrets(paths, scratch)  # those that the backup is without
    port = mongo.ensure_port(paths)
    parent = os.getpid()
    child = subprocess.Popen(
        mongo.prepare(paths, scratch), preexec_fn=lambda: processes.die_with_parent(signal.SIGKILL, parent)
    )
    try:
        mongo.await_port(port, child)
        uri = addresses.mongodb_uri(scratch)
        with pymongo.MongoClient[dict[str, Any]](uri, appname="restore", timeoutMS=60_000) as client:
            yield client.get_default_database(addresses.DATABASE)
        child.terminate()
        if child.wait(mongo.STOP_SECONDS):
            raise CannotStart(f"the database that was filled ended with status {child.returncode}")
    finally:
        child.kill()
        child.wait()
