"""Keys of one file, which all processes share: a line each, the oldest first, `HEX` or `HEX SINCE`.

A key is used from its moment on, some seconds after it was written: by then every process has read it, so all
agree at any time which one that is. Those before it go on being read, until they are taken out.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from appliance import disk, logs
from appliance.clock import Clock, parse_rfc3339, rfc3339, utc_now
from appliance.errors import CannotStart

LEAD: Final = dt.timedelta(seconds=5)
"""From the moment that a key is written to its first use."""
_LOOK: Final = 1.0
"""Seconds between two looks whether the file was changed."""
_EVER: Final = dt.datetime.min.replace(tzinfo=dt.UTC)

log = logs.get(__name__)


class Key(NamedTuple):
    secret: bytes
    since: dt.datetime
    """It is used from then on."""


class KeyFile:
    """The keys as the file has them, looked at again within a second of a change."""

    def __init__(self, path: Path, *, now: Callable[[], float] = time.monotonic, clock: Clock = utc_now):
        self.path = path
        self._now, self._clock = now, clock
        self._stamp: tuple[int, ...] = ()
        self._looked_at = now()
        self._keys = self._load()

    def all(self) -> list[Key]:
        """The oldest first."""
        if self._now() - self._looked_at >= _LOOK:
            self.look()
        return self._keys

    def at(self, moment: dt.datetime | None = None) -> Key:
        """The one that was used then, or is used now; of what is older than all of them the first."""
        when = moment or self._clock()
        keys = self.all()
        return next((key for key in reversed(keys) if key.since <= when), keys[0])

    def others(self, used: Key) -> list[Key]:
        """All but this one, the newest first."""
        return [key for key in reversed(self.all()) if key != used]

    def look(self) -> None:
        """What cannot be read now leaves the keys as they are, and is tried again."""
        self._looked_at = self._now()
        try:
            if _stamp(self.path) != self._stamp:
                self._keys = self._load()
        except (OSError, CannotStart) as fault:
            log.error("keys cannot be read again", extra={"error": str(fault)})

    def _load(self) -> list[Key]:
        stamp = _stamp(self.path)  # before the content: a change in between is seen at the next look
        keys = read(self.path)
        self._stamp = stamp
        return keys


def open_keys(path: Path) -> KeyFile:
    """The keys in `path`; one is made now if there is no file. Raises CannotStart, OSError."""
    disk.create_once(path, secrets.token_hex(32))
    return KeyFile(path)


def read(path: Path) -> list[Key]:
    """Raises CannotStart for a file that is missing or holds no keys."""
    try:
        found = [_parse(line) for line in path.read_text().splitlines() if line.strip()]
    except FileNotFoundError:
        raise CannotStart(f"{path} is missing; run ./scripts/up, which creates it") from None
    except (OSError, ValueError):
        found = []
    if not found:
        raise CannotStart(f"{path} holds no keys; restore it from a backup")
    return found


def add(path: Path, *, clock: Clock = utc_now) -> Key:
    """A new key, from LEAD on. One write; again, it is one more. Raises CannotStart, OSError."""
    with _changing(path) as keys:
        keys.append(Key(secrets.token_bytes(32), clock() + LEAD))
        return keys[-1]


def take_out(path: Path, before: dt.datetime) -> int:
    """Forget the keys whose successor was in use before then; how many. Raises CannotStart, OSError."""
    keys = read(path)
    if _spent(keys, before) == 0:
        return 0
    with _changing(path) as keys:
        count = _spent(keys, before)
        del keys[:count]
        return count


def _spent(keys: list[Key], before: dt.datetime) -> int:
    return sum(later.since < before for later in keys[1:])


def _parse(line: str) -> Key:
    digits, _, since = line.strip().partition(" ")
    return Key(bytes.fromhex(digits), parse_rfc3339(since) if since else _EVER)


def _line(key: Key) -> str:
    since = "" if key.since == _EVER else f" {rfc3339(key.since)}"
    return f"{key.secret.hex()}{since}\n"


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[list[Key]]:
    """The keys to change in place, with nobody else doing so meanwhile; written when the block has ended."""
    with disk.locked(path.with_suffix(".lock")):
        keys = read(path)
        yield keys
        disk.write_durably(path, "".join(map(_line, keys)))


def _stamp(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
