"""Making a backup while everything runs: the database as of one moment, and all files that it knows then.

What can be made again is left out: the lake, vectors, models, logs, Redis, whose tasks the database has
promised. Synchronous: call it in a process or thread of its own.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pymongo
from pymongo.client_session import ClientSession as Session

from appliance import addresses, disk
from appliance.addresses import Paths
from appliance.backups import archive, keys
from appliance.backups.archive import Writer
from appliance.clock import rfc3339, utc_now
from appliance.errors import Conflict
from appliance.settings import Settings, find_dotenv
from appliance.stores import dumps
from appliance.stores.dumps import Counting, Tally
from appliance.stores.file_area import FileArea

SUFFIX: Final = ".tar.zst.age"
COLLECTIONS: Final = "database/"
FILES: Final = "files/"
SETTINGS: Final = "settings.env"
_HELD: Final = ".held"
_PATIENCE: Final = 60_000
"""Milliseconds that one answer of the database may take."""

Told = Callable[[int, int], None]
"""How many documents are done, of about how many."""


class Made(NamedTuple):
    path: Path
    documents: int
    files: int
    missing: list[str]
    """Ids of files that the database knows and the disk has lost."""


def make(settings: Settings, folder: Path, told: Told = lambda done, total: None) -> Made:
    """Raises Conflict while another one is made, PyMongoError, OSError, CannotStart."""
    paths, now = Paths(settings.data), utc_now()
    identity = keys.ensure(paths.backup_key)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths.backups.mkdir(mode=0o700, exist_ok=True)
    with disk.only_one(paths.backups) as alone, _only_one(folder, paths.backups) as is_first:
        if not (alone and is_first):
            raise Conflict("Another backup is being made.")
        _sweep(paths, folder)
        path = folder / f"appliance-{now:%Y-%m-%dT%H-%M-%S}Z{SUFFIX}"
        while path.exists():  # another appliance's, of the same second
            path = path.with_name(f"{path.name.removesuffix(SUFFIX)}-2{SUFFIX}")
        with archive.writing(path, identity.to_public()) as writer:
            with _connected(settings) as client:
                made = _write(client, settings, writer, now, told)
        return made._replace(path=path)


def _only_one(folder: Path, backups: Path) -> contextlib.AbstractContextManager[bool]:
    """Several appliances may have one folder for their backups."""
    return contextlib.nullcontext(enter_result=True) if folder == backups else disk.only_one(folder)


def _sweep(paths: Paths, folder: Path) -> None:
    """What one that was killed has left."""
    shutil.rmtree(paths.backups / _HELD, ignore_errors=True)
    for left in folder.glob(f".appliance-*{SUFFIX}.new"):
        left.unlink(missing_ok=True)


@contextlib.contextmanager
def _connected(settings: Settings) -> Iterator[dumps.Client]:
    uri = addresses.mongodb_uri(settings)
    with pymongo.MongoClient[dict[str, Any]](uri, appname="backup", timeoutMS=_PATIENCE) as client:
        yield client


def is_embedded(settings: Settings) -> bool:
    """Whether the database is SecantusDB, rather than a MongoDB."""
    kind = Paths(settings.data).mongo / "kind"
    return settings.mongodb_uri is None and kind.is_file() and addresses.read_line(kind) == "secantusdb"


class _Copy:
    """Of the database and the files, into an archive."""

    def __init__(self, client: dumps.Client, writer: Writer, told: Told) -> None:
        self._db = client.get_default_database(addresses.DATABASE)
        self._writer, self._told = writer, told
        self._done, self._total = 0, self._estimate()
        self.tallies: dict[str, Tally] = {}

    @property
    def documents(self) -> int:
        return sum(tally.documents for tally in self.tallies.values())

    def begin(self, session: Session) -> None:
        """What is read from now on is of this moment."""
        self._db.files.find_one({}, session=session)

    def collections(self, session: Session) -> None:
        """Raises PyMongoError, OSError."""
        for name in dumps.collections(self._db):
            self.tallies[name] = self._collection(name, session)

    def _collection(self, name: str, session: Session) -> Tally:
        counting = Counting()
        for number, raw in enumerate(dumps.parts(self._db, name, session)):
            self._writer.add(f"{COLLECTIONS}{name}/{number:06d}.bson", raw)
            before = counting.documents
            counting.add(raw)
            self._done += counting.documents - before
            self._told(self._done, max(self._total, self._done))
        return counting.tally()

    def files(self, held: Path, session: Session) -> list[str]:
        """The ids of those that are lost. Raises PyMongoError, OSError."""
        area, missing = FileArea(held), []
        for row in self._db.files.find({}, {"_id": 1}, session=session):
            try:
                self._writer.add_file(f"{FILES}{area.address(row['_id'])}", area.path(row["_id"]))
            except FileNotFoundError:
                missing.append(str(row["_id"]))
        return missing

    def _estimate(self) -> int:
        return sum(self._db[name].estimated_document_count() for name in dumps.collections(self._db))


def _write(client: dumps.Client, settings: Settings, writer: Writer, now: dt.datetime, told: Told) -> Made:
    paths = Paths(settings.data)
    copy = _Copy(client, writer, told)
    _add_own(writer, paths)  # first: who restores needs the secrets to start the database
    with _held(paths) as held:
        _hold(paths.files, held)  # what is taken away from now on
        with dumps.moment(client, is_embedded=is_embedded(settings)) as session:
            copy.begin(session)
            _hold(paths.files, held)  # and what came before the moment, which was that of the first read
            copy.collections(session)
            missing = copy.files(held, session)
    files = sum(name.startswith(FILES) for name in writer.members)
    tallies = {name: tally._asdict() for name, tally in copy.tallies.items()}
    writer.finish({"created_at": rfc3339(now), "collections": tallies, "missing_files": missing})
    return Made(Path(), copy.documents, files, missing)


def _add_own(writer: Writer, paths: Paths) -> None:
    for folder in (paths.secrets, paths.tls):
        for path in sorted(each for each in folder.iterdir() if each.is_file()):
            writer.add_file(f"{folder.name}/{path.name}", path)
    if (dotenv := find_dotenv(os.environ)).is_file():
        writer.add_file(SETTINGS, dotenv)


@contextlib.contextmanager
def _held(paths: Paths) -> Iterator[Path]:
    """A folder for second names of the files, so that one that is purged meanwhile is still there."""
    folder = paths.backups / _HELD
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _hold(files: Path, held: Path) -> None:
    for path in files.glob("??/*"):
        second = held / path.parent.name / path.name
        second.parent.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            second.hardlink_to(path)
