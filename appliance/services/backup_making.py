"""Making a backup while everything runs: the database as of one moment, and all files that it knows then.

What can be made again is left out: the lake, vectors, models, logs, Redis, whose tasks the database has
promised. Synchronous: call it in a process or thread of its own.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pymongo
from pymongo.client_session import ClientSession as Session

from appliance import addresses, disk
from appliance.addresses import Paths
from appliance.backups import archive, book, keys
from appliance.backups.archive import Writer
from appliance.backups.book import SUFFIX, Archive
from appliance.clock import rfc3339, utc_now
from appliance.errors import CannotStart, Conflict
from appliance.services import backups
from appliance.settings import Settings, find_dotenv
from appliance.stores import dumps
from appliance.stores.dumps import Counting, Tally
from appliance.stores.file_area import FileArea

COLLECTIONS: Final = "database/"
FILES: Final = "files/"
SETTINGS: Final = "settings.env"
_PATIENCE: Final = 60_000
"""Milliseconds that one answer of the database may take."""

Told = Callable[[int, int], None]
"""How many documents are done, of about how many."""


class Made(NamedTuple):
    path: Path
    at: dt.datetime
    bytes: int
    documents: int
    responses: int
    files: int
    missing: list[str]
    """Ids of files that the database knows and the disk has lost."""


def create(settings: Settings, folder: Path | None, told: Told) -> Made:
    """Make one and note it. Raises as `make` does; what fails is not noted."""
    own, into = Paths(settings.data).backups, folder or backups.folder_of(settings)
    if folder is None and settings.backup_folder is not None and not into.is_dir():
        raise CannotStart(
            f"BACKUP_FOLDER: there is no folder {into};"
            f" next: mount its disk, or make it: install -d -m 700 '{into}'"
        )
    started = time.monotonic()

    def note(made: Made) -> None:
        with book.changing(own) as noted:
            name = book.name(own, made.path)
            noted.archives.pop(name, None)  # it is the last one that was made
            noted.archives[name] = Archive(made.at, made.bytes, made.responses, utc_now())

    made = make(settings, into, told, note)
    if into == backups.folder_of(settings):
        with book.changing(own) as noted:
            name = book.name(own, made.path)
            noted.backup.succeed(made.at, name, made.bytes, made.responses, time.monotonic() - started)
    return made


def make(
    settings: Settings,
    folder: Path,
    told: Told = lambda done, total: None,
    note: Callable[[Made], None] = lambda made: None,
) -> Made:
    """One that was read back from the disk when it takes its name; `note` hears of it just before. Raises
    Conflict while another one is made or tried out, PyMongoError, OSError, CannotStart, Damaged.
    """
    paths, now = Paths(settings.data), utc_now()
    identity = keys.ensure(paths.backup_key)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with backups.alone(paths), _only_one(folder, paths.backups):
        backups.sweep(paths, folder)
        path = folder / f"appliance-{now:%Y-%m-%dT%H-%M-%S}Z{SUFFIX}"
        while path.exists():  # another appliance's, of the same second
            path = path.with_name(f"{path.name.removesuffix(SUFFIX)}-2{SUFFIX}")
        made: list[Made] = []

        def is_whole() -> None:
            made[0] = made[0]._replace(path=path, bytes=archive.draft_of(path).stat().st_size)
            note(made[0])

        public = identity.to_public()
        with archive.writing(path, public, reader=identity, is_whole=is_whole) as writer:
            writer.check = _Room(folder, paths.data)
            with _connected(settings) as client:
                made.append(_write(client, settings, writer, now, told))
        return made[0]


@contextlib.contextmanager
def _only_one(folder: Path, own: Path) -> Iterator[None]:
    """Several appliances may have one folder for their backups."""
    if folder == own:
        yield
        return
    with disk.only_one(folder) as is_first:
        if not is_first:
            raise Conflict(f"another appliance makes a backup into {folder}; next: wait for its end")
        yield


class _Room:
    """Raises OSError before the archive takes what the data folder needs to go on."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._folder, self._is_shared = folder, disk.is_one(folder, data)

    def __call__(self) -> None:
        if self._is_shared and disk.free_bytes(self._folder) < backups.KEPT_FREE:
            what = "the disk that it shares with the data folder is nearly full"
            raise OSError(errno.ENOSPC, what, str(self._folder))


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
        self._done = self._total = 0
        self.tallies: dict[str, Tally] = {}

    @property
    def documents(self) -> int:
        return sum(tally.documents for tally in self.tallies.values())

    def begin(self, session: Session) -> None:
        """What is read from now on is of this moment."""
        self._db.files.find_one({}, session=session)

    def collections(self, session: Session) -> None:
        """Raises PyMongoError, OSError."""
        self._total = dumps.about(self._db, session)
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
    responses = copy.tallies.get("responses", dumps.EMPTY).documents
    return Made(Path(), now, 0, copy.documents, responses, files, missing)


def _add_own(writer: Writer, paths: Paths) -> None:
    for folder in (paths.secrets, paths.tls):
        for path in sorted(each for each in folder.iterdir() if each.is_file()):
            writer.add_file(f"{folder.name}/{path.name}", path)
    if (dotenv := find_dotenv(os.environ)).is_file():
        writer.add_file(SETTINGS, dotenv)


@contextlib.contextmanager
def _held(paths: Paths) -> Iterator[Path]:
    """A folder for second names of the files, so that one that is purged meanwhile is still there."""
    folder = paths.backups / backups.HELD
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
