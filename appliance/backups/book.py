"""What became of backups and of drills: `book.json` in `backups/` of the data folder.

In a file and not in the database, which may be what is down. Who changes it holds a lock for that moment;
who reads it sees it whole. An archive that is not in it was not made here, and is never removed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from appliance import disk
from appliance.clock import utc_now

SUFFIX: Final = ".tar.zst.age"
"""Of the names of archives, which begin with `appliance-`."""
FILE: Final = "book.json"
_LOCK: Final = ".book.lock"
_MOST: Final = 1_000
"""Archives that are remembered although they are gone: their disk may be away."""

Kind = Literal["backup", "drill"]


class Archive(msgspec.Struct, omit_defaults=True):
    """One that was made here."""

    made_at: dt.datetime
    bytes: int
    responses: int
    whole_at: dt.datetime
    """When all of it was read last, and was as it was written."""
    drilled_at: dt.datetime | None = None
    """When it was restored aside last, and what came of it was equal."""
    fault: str | None = None
    """Why it is not whole, or could not be restored, when that was tried last."""


class Course(msgspec.Struct, omit_defaults=True):
    """How the backups go, or the drills."""

    since: dt.datetime | None = None
    """They are looked after since then."""
    succeeded_at: dt.datetime | None = None
    """When the last one that went well was begun."""
    archive: str | None = None
    bytes: int = 0
    responses: int = 0
    seconds: float = 0.0
    failures: int = 0
    """In a row; 0 when the last one went well."""
    failing_since: dt.datetime | None = None
    failed_at: dt.datetime | None = None
    error: str | None = None
    failed_archive: str | None = None
    asked_at: dt.datetime | None = None
    """Somebody wants one now; gone when one that began since has ended, well or not."""

    def succeed(self, begun: dt.datetime, archive: str, size: int, responses: int, seconds: float) -> None:
        self.succeeded_at, self.archive, self.bytes = begun, archive, size
        self.responses, self.seconds, self.failures = responses, round(seconds, 1), 0
        self.failing_since = self.failed_at = self.error = self.failed_archive = None
        if self.asked_at is not None and (begun >= self.asked_at or self.asked_at > utc_now()):
            self.asked_at = None  # it was asked for before; or by a clock that was ahead

    def fail(self, now: dt.datetime, error: str, archive: str | None = None) -> None:
        self.failures, self.failed_at, self.error = self.failures + 1, now, error[:500]
        self.failing_since, self.failed_archive = self.failing_since or now, archive
        self.asked_at = None


class Book(msgspec.Struct):
    backup: Course = msgspec.field(default_factory=Course)
    drill: Course = msgspec.field(default_factory=Course)
    archives: dict[str, Archive] = msgspec.field(default_factory=dict)
    """By name for those in `backups/`, which moves with the data folder, else by path. In the order of their
    making, so that which is the newest does not hang on the clock.
    """

    def course(self, kind: Kind) -> Course:
        return self.backup if kind == "backup" else self.drill


def read(backups: Path) -> Book:
    """An empty one when there is none, or none that can be read."""
    try:
        return msgspec.json.decode((backups / FILE).read_bytes(), type=Book)
    except (OSError, msgspec.DecodeError):
        return Book()


def find_fault(backups: Path) -> str | None:
    """Why what is there cannot be read; None also when there is none yet."""
    try:
        msgspec.json.decode((backups / FILE).read_bytes(), type=Book)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as fault:
        return str(fault)
    return None


@contextlib.contextmanager
def changing(backups: Path) -> Iterator[Book]:
    """The book, which is written as it is left; not when the body raises. Raises OSError."""
    with disk.locked(backups / _LOCK):
        book = read(backups)
        yield book
        _forget(backups, book)
        disk.write_durably(backups / FILE, msgspec.json.format(msgspec.json.encode(book)))


def name(backups: Path, path: Path) -> str:
    return path.name if path.parent == backups else str(path)


def path(backups: Path, name: str) -> Path:
    return backups / name


def _forget(backups: Path, book: Book) -> None:
    gone = [name for name in book.archives if not path(backups, name).exists()]
    for each in sorted(gone, key=lambda name: book.archives[name].made_at)[:-_MOST]:
        del book.archives[each]
