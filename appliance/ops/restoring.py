"""A backup becomes a data folder again.

    read it all ──▶ a folder beside, with a database that is filled and compared ──▶ the two change places

Contract: whatever is killed, the data folder is as it was or as it is to be; the draft beside it is removed
by the next attempt. What was there before is kept beside under another name. In a data folder that is a mount
both are within (`runtime.swapping`). What was erased since the backup was made is erased from the draft,
before anybody can see it. Where MONGODB_URI names the database, that one is filled (`restore_target`).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import fcntl
import functools
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pymongo
from pymongo.database import Database
from pyrage.x25519 import Identity

from appliance import disk, levels
from appliance.addresses import Paths
from appliance.backups import archive, book, keys
from appliance.backups.archive import Damaged
from appliance.clock import utc_now
from appliance.errors import CannotStart
from appliance.ops import database_alone, owners, restore_target
from appliance.ops.progress import Told
from appliance.ops.restore_target import Target
from appliance.ops.table import size
from appliance.runtime import folders, mongo, swapping, unfinished
from appliance.services import backup_making, backups, erasure_records
from appliance.services.erasure_records import Applied, Record
from appliance.settings import Settings
from appliance.stores import applied, dumps
from appliance.stores import mongo as stores_mongo
from appliance.stores.dumps import Tally

_MARK = ".restoring"
"""In the folder that was built: it goes where that goes, so what has none is what was there before."""


class Source(NamedTuple):
    """A backup, what opens it, who hears how far it is, and what was erased since."""

    path: Path
    identities: list[Identity]
    told: Told
    records: Sequence[Record]
    manifest: Any


class Built(NamedTuple):
    manifest: Any
    erased: Applied


class Restored(NamedTuple):
    before: Path | None
    """Where what was there before is now."""
    erased: Applied
    """Anew."""


def restore(
    settings: Settings,
    path: Path,
    identities: list[Identity],
    told: Told,
    erased: Path | None = None,
) -> Restored:
    """Into the settings' data folder. `erased`: a folder of more records of erasures. Raises Damaged,
    CannotStart, OSError, PyMongoError.
    """
    records = _records(Paths(settings.data).erasures, erased)
    source = read(path, identities, told, records)  # before anything is touched
    within = disk.is_mount(settings.data)
    with _alone(settings.data if within else settings.data.parent):
        if within:
            _check_mounts(settings.data)
        with restore_target.claimed(settings) as target:
            return (_restore_within if within else _restore_beside)(settings, source, target)


def _restore_beside(settings: Settings, source: Source, target: Target | None) -> Restored:
    data = settings.data
    draft = data.with_name(f".{data.name}.restoring")
    _finish(data, draft)
    try:
        gone = build(settings, source, draft, target=target).erased
        _take_over(Paths(data), Paths(draft))
        owners.keep(data, draft)
        if data.exists():
            disk.exchange(draft, data)
        else:
            draft.rename(data)
        _taken(target)
    except BaseException:
        if (draft / _MARK).exists():  # it is the draft still
            shutil.rmtree(draft)
        else:
            _taken(target)
        raise
    before = _finish(data, draft)
    if target is not None:
        target.finish()
    return Restored(before, gone)


def _taken(target: Target | None) -> None:
    if target is not None:
        target.is_taken = True


def _records(*folders: Path | None) -> list[Record]:
    """Each once. Raises CannotStart."""
    try:
        found = [record for folder in folders if folder for record in erasure_records.read_all(folder)]
    except ValueError as fault:
        raise CannotStart(f"{fault}; next: put it right, or aside") from None
    return list({record.erasure_id: record for record in found}.values())


def _check_mounts(data: Path) -> None:
    """Raises CannotStart."""
    swapping.finish(data)
    if mounts := [each for each in swapping.contents(data) if disk.is_mount(each)]:
        raise CannotStart(f"{mounts[0]} is a mount within {data}; next: unmount it, or restore elsewhere")


def _restore_within(settings: Settings, source: Source, target: Target | None) -> Restored:
    """Into a mount: no folder can take its place, so what is in it is exchanged."""
    data, draft = settings.data, settings.data / swapping.DRAFT
    is_empty = not swapping.contents(data)
    try:
        gone = build(settings, source, draft, target=target).erased
        (draft / _MARK).unlink()
        _take_over(Paths(data), Paths(draft))
        owners.keep(data, draft)
        os.sync()  # each file and name of the draft
        swapping.begin(data, f"{utc_now():%Y-%m-%dT%H-%M-%SZ}")
        _taken(target)
    except BaseException:
        if not swapping.is_begun(data):
            shutil.rmtree(draft, ignore_errors=True)
        else:
            _taken(target)
        raise
    before = swapping.finish(data)
    if is_empty and before is not None:
        before.rmdir()
    elif before is not None:
        owners.keep_one(data, before)
    if target is not None:
        target.finish()
    return Restored(None if is_empty else before, gone)


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


def _take_over(there: Paths, draft: Paths) -> None:
    """The backups that there are stay at hand, under a second name of each, or copied from another disk; so
    does what is known of them, and the keys that open them.
    """
    keys.join(there.backup_key, draft.backup_key)
    own, second = there.backups, draft.backups
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(own / book.FILE, second / book.FILE, follow_symlinks=False)
    for backup in own.glob(f"*{book.SUFFIX}"):
        try:
            (second / backup.name).hardlink_to(backup)
        except OSError:
            shutil.copyfile(backup, second / backup.name, follow_symlinks=False)
    disk.sync_folder(second)


def read(path: Path, identities: list[Identity], told: Told, records: Sequence[Record] = ()) -> Source:
    """All of it, compared with what its manifest says. Raises Damaged, OSError."""
    return Source(path, identities, told, records, archive.check(path, *identities))


def build(
    settings: Settings,
    source: Source,
    folder: Path,
    *,
    target: Target | None = None,
    cache: int | None = None,
    is_kept: bool = True,
) -> Built:
    """A data folder out of a backup, compared with what its manifest says; then what the records tell of is
    erased from it. It has a database of its own, unless a `target` is given. Raises Damaged, CannotStart,
    OSError, PyMongoError, BSONError.
    """
    path, identities, told, records, manifest = source
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    (folder / _MARK).touch()
    _check_room(folder, manifest, is_embedded=target is None)
    scratch = dataclasses.replace(settings, data=folder)
    if target is None:
        scratch = dataclasses.replace(scratch, mongodb_uri=None)
    folders.create(Paths(folder))
    serving = database_alone.serving(
        scratch,
        appname="restore",
        cache=cache,
        besides=mongo.find_port(Paths(settings.data)),
        is_kept=is_kept,
    )
    database = serving if target is None else contextlib.nullcontext(target.db)
    wanted = {name: Tally(**tally) for name, tally in manifest["collections"].items()}

    done, total = 0, sum(tally.documents for tally in wanted.values())
    with archive.reading(path, *identities) as members, contextlib.ExitStack() as stack:
        opened = functools.cache(lambda: stack.enter_context(database))  # its secrets come first
        for name, content in members:
            if name.startswith(backup_making.COLLECTIONS):
                done += dumps.insert(opened(), name.split("/")[1], content.read(), is_kept=is_kept)
                told(done, total)
            elif name != archive.MANIFEST:
                archive.copy(content, folder / name)
        db = opened()
        asyncio.run(_index(scratch))
        if wrong := dumps.differing(db, wanted, without=unfinished.COLLECTION):
            raise Damaged(f"after it was restored, {', '.join(wrong)} is not what was backed up")
        _check_level(scratch, db)
        gone = asyncio.run(_erase_anew(scratch, records))
    if differing := _differing_files(folder, manifest):
        raise Damaged(f"after it was restored, {differing[0]} is not what was backed up")
    for record in records:
        erasure_records.write(Paths(folder).erasures, record)
    if target is not None:
        target.make_safe()
    return Built(manifest, gone)


async def _index(scratch: Settings) -> None:
    """All of them, here, where nobody waits for the first start."""
    async with stores_mongo.connect(scratch) as client:
        with pymongo.timeout(stores_mongo.BUILDING):
            await stores_mongo.prepare(stores_mongo.database(client))


def _check_level(scratch: Settings, db: Database[Any]) -> None:
    """Raises CannotStart for what a newer release has written; the next start migrates older data."""
    known, level = levels.of_code(), applied.read(db)
    if level > known:
        raise CannotStart(
            f"the backup is of level {level}, and this code knows level {known} at most;"
            " next: restore it with the newer code"
        )
    levels.note(scratch, level)


async def _erase_anew(scratch: Settings, records: Sequence[Record]) -> Applied:
    async with stores_mongo.connect(scratch) as client:
        return await erasure_records.apply(stores_mongo.database(client), records)


def _check_room(folder: Path, manifest: Any, *, is_embedded: bool) -> None:
    """The database takes about as much as its documents, and what it writes ahead. Raises OSError."""
    sizes = {name: member["size"] for name, member in manifest["members"].items()}
    here = (name for name in sizes if is_embedded or not name.startswith(backup_making.COLLECTIONS))
    needed = sum(sizes[name] for name in here) + backups.KEPT_FREE
    if (free := disk.free_bytes(folder)) < needed:
        what = f"{size(needed)} are needed to restore it, {size(free)} are free"
        raise OSError(errno.ENOSPC, what, str(folder))


def _differing_files(folder: Path, manifest: Any) -> list[str]:
    return [
        name
        for name, member in manifest["members"].items()
        if not name.startswith(backup_making.COLLECTIONS) and _find_digest(folder / name) != member["sha256"]
    ]


def _find_digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None  # the disk has lost it since
