"""What becomes of each program: kept by the guardian in run/guardian.json, told by `status`.

It is of one life of supervisord: another one has begun everything anew. It is written twice, each file whole
or not at all: a program that was stopped by hand must stay so whatever becomes of one of them.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import msgspec

from appliance import logs
from appliance.addresses import GUARDIAN, Paths
from appliance.disk import write_atomically


class Phase(StrEnum):
    UP = "up"
    WAITING = "waiting"
    """For the time of its next attempt."""
    STARTING = "starting"
    """Decided and on disk; supervisord may have been asked, or not yet."""
    DOWN = "down"
    """Given up, until somebody starts it."""
    LEFT = "left"
    """Stopped by somebody while it was down."""


@dataclass(slots=True)
class Course:
    """Of one program."""

    phase: Phase = Phase.UP
    attempts: int = 0
    """Starts since it was healthy, or since somebody started it."""
    restarts: int = 0
    """Starts after an end that nobody asked for, since supervisord started."""
    due: float = 0.0
    """The time of the next attempt, by the monotonic clock, which all processes of a boot share."""
    pid: int = 0
    started: int = 0
    """Seconds since 1970, by supervisord: with the pid it names the life that was seen last."""
    answers: bool | None = None
    """Whether this process did when it was last asked; None when it was not, or nobody can say."""
    has_answered: bool = False
    """This process did at least once."""
    why: str = ""
    """How it ended last."""
    verdict: str = ""
    """Why the guardian ends it."""
    told: bool = False
    """Its alert is on disk."""
    kills: int | None = None
    """Processes of it that the kernel has killed for want of memory; None when nobody counts."""


@dataclass(slots=True)
class Book:
    life: str = ""
    """Names the run of supervisord that it is about."""
    restarts: int = 0
    """Of the guardian itself."""
    was_asked: bool = False
    """The guardian was asked to end."""
    courses: dict[str, Course] = field(default_factory=dict)

    def course(self, program: str) -> Course:
        return self.courses.setdefault(program, Course())

    def restarts_of(self, program: str) -> int:
        """Starts after an end that nobody asked for, since supervisord started."""
        if program == GUARDIAN:
            return self.restarts
        return self.courses[program].restarts if program in self.courses else 0


encode = msgspec.json.encode
log = logs.get(__name__)


def read(paths: Paths) -> Book:
    """Of the supervisord that runs; an empty one when there is none yet or neither file can be read."""
    life = _life(paths)
    for path in files(paths):
        try:
            book = msgspec.json.decode(path.read_bytes(), type=Book)
        except (OSError, msgspec.MsgspecError):
            continue
        if book.life == life:
            return book
    return Book(life)


def write(paths: Paths, text: bytes) -> None:
    """Raises OSError. Killed in between, the first file is the newer one, and is read first."""
    for path in files(paths):
        write_atomically(path, text)


def open_book(paths: Paths) -> Book:
    """The guardian's, at its start: one whose end nobody asked for is a restart of its own."""
    book = read(paths)
    for path in files(paths):
        _put_aside_damaged(path)
    if book.courses:
        book.restarts += not book.was_asked
    book.was_asked = False
    return book


def files(paths: Paths) -> tuple[Path, ...]:
    """Where it is kept, the one that is read first first."""
    return paths.run / "guardian.json", paths.run / "guardian.copy.json"


def is_damaged(path: Path) -> bool:
    """It is there, and nothing that a guardian has written."""
    try:
        msgspec.json.decode(path.read_bytes(), type=Book)
    except OSError:
        return False
    except msgspec.MsgspecError:
        return True
    return False


def _put_aside_damaged(path: Path) -> None:
    """Not by us: a disk, or somebody's editor. Whoever looks into it finds it as it was."""
    try:
        msgspec.json.decode(path.read_bytes(), type=Book)
    except FileNotFoundError:
        pass
    except (OSError, msgspec.MsgspecError) as fault:
        aside = path.with_name(f"{path.name}.damaged")
        about = {"path": str(path), "kept_as": str(aside), "error": str(fault)}
        log.error("cannot read what was kept of the programs", extra=about)
        with contextlib.suppress(OSError):
            path.replace(aside)


def _life(paths: Paths) -> str:
    """supervisord writes its pidfile at each start, also when it starts anew within its process (SIGHUP)."""
    try:
        found = (paths.run / "supervisord.pid").stat()
    except OSError:
        return ""
    return f"{found.st_ino}:{found.st_mtime_ns}"
