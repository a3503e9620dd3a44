"""The keys that tokens are signed with: one file, `secrets/jwt_keys.json`, shared by all API processes.

    next ──rotate──▶ active ──rotate──▶ retiring ──lifetime + 24 h──▶ spent

A `next` key verifies already, so that a process which has not read the file again knows it when another one
signs with it; `active` signs; `retiring` verifies what it signed until that has expired; of a `spent` key
only the name is left, so that a SECRET_KEY that was used up does not come back. There is always a `next`.
Each process reads the file again within a second of a change, and at once for a key it does not know.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from appliance import disk, logs
from appliance.clock import Clock, parse_rfc3339, rfc3339, utc_now
from appliance.errors import CannotStart

State = Literal["next", "active", "retiring", "spent"]
GRACE = dt.timedelta(hours=24)
"""How long a key is kept beyond the life of the last token that it signed."""
_LOOK = 1.0
"""Seconds between two looks whether the file was changed."""

log = logs.get(__name__)


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    kid: str
    secret: str
    """Empty when spent."""
    state: State
    created_at: str
    retired_at: str | None = None


class Keyring:
    """Verifies with every key it holds, signs with the one active key."""

    def __init__(self, path: Path, *, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._stamp: tuple[int, ...] = ()
        self._looked_at = now()
        self._active, self._by_kid = self._load()

    @property
    def active(self) -> Key:
        if self._now() - self._looked_at >= _LOOK:
            self._look()
        return self._active

    def find(self, kid: object) -> Key | None:
        """The key of this name, None for one that does not verify (any more)."""
        if not isinstance(kid, str):
            return None
        if kid not in self._by_kid or self._now() - self._looked_at >= _LOOK:
            self._look()
        return self._by_kid.get(kid)

    def _look(self) -> None:
        """What cannot be read now leaves the keys as they are, and is tried again."""
        self._looked_at = self._now()
        try:
            if _stamp(self._path) != self._stamp:
                self._active, self._by_kid = self._load()
        except (OSError, CannotStart) as fault:
            log.error("the signing keys cannot be read again", extra={"error": str(fault)})

    def _load(self) -> tuple[Key, dict[str, Key]]:
        stamp = _stamp(self._path)  # before the content: a change in between is seen at the next look
        keys = read(self._path)
        active = [key for key in keys if key.state == "active"]
        if len(active) != 1:
            raise CannotStart(f"{self._path} must hold exactly one active key; restore it from a backup")
        self._stamp = stamp
        return active[0], {key.kid: key for key in keys if key.state != "spent"}


def open_keyring(path: Path, secret_key: str | None) -> Keyring:
    """The ring in `path`, made now if there is none. A SECRET_KEY that it never held becomes the active key.

    Raises CannotStart for a file that cannot be read.
    """
    disk.create_once(path, _encode([_new("active", secret_key), _new("next")]))
    if not _is_whole(read(path), secret_key):
        with _changing(path) as keys:
            keys[:] = _with_secret_key(keys, secret_key)
    return Keyring(path)


def rotate(path: Path, lifetime: dt.timedelta, *, clock: Clock = utc_now) -> list[Key]:
    """The next key signs from now on; the one before verifies as long as its tokens live. Raises CannotStart.

    `lifetime` is that of a token.
    """
    with _changing(path) as keys:
        now = clock()
        turned = [_turn(key, now) for key in keys]
        keys[:] = [*(_spend(key, now - lifetime - GRACE) for key in turned), _new("next")]
        return list(keys)


def read(path: Path) -> list[Key]:
    """Raises CannotStart for a file that is missing or cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Key])
    except FileNotFoundError:
        raise CannotStart(f"{path} is missing; run ./scripts/up, which creates it") from None
    except (OSError, msgspec.MsgspecError) as fault:
        raise CannotStart(
            f"{path}: {fault}; restore it from a backup, or remove it to end all sessions"
        ) from None


def _turn(key: Key, now: dt.datetime) -> Key:
    if key.state == "next":
        return msgspec.structs.replace(key, state="active")
    return _retire(key, now) if key.state == "active" else key


def _retire(key: Key, now: dt.datetime) -> Key:
    return msgspec.structs.replace(key, state="retiring", retired_at=rfc3339(now))


def _spend(key: Key, before: dt.datetime) -> Key:
    if key.state != "retiring" or parse_rfc3339(key.retired_at or key.created_at) > before:
        return key
    return msgspec.structs.replace(key, state="spent", secret="")


def _is_whole(keys: list[Key], secret_key: str | None) -> bool:
    known = {key.kid for key in keys}
    return any(key.state == "next" for key in keys) and (secret_key is None or _kid(secret_key) in known)


def _with_secret_key(keys: list[Key], secret_key: str | None) -> list[Key]:
    if secret_key is not None and _kid(secret_key) not in {key.kid for key in keys}:
        retired = [_retire(key, utc_now()) if key.state == "active" else key for key in keys]
        keys = [*retired, _new("active", secret_key)]
    return keys if any(key.state == "next" for key in keys) else [*keys, _new("next")]


def _new(state: State, secret_key: str | None = None) -> Key:
    secret = secret_key or secrets.token_urlsafe(48)
    return Key(kid=_kid(secret), secret=secret, state=state, created_at=rfc3339(utc_now()))


def _kid(secret: str) -> str:
    """Derived, so that a SECRET_KEY is known again by its name."""
    return hashlib.sha256(b"kid\0" + secret.encode()).hexdigest()[:16]


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[list[Key]]:
    """The keys to change in place, with nobody else doing so meanwhile; written when the block has ended."""
    with disk.locked(path.with_suffix(".lock")):
        keys = read(path)
        yield keys
        owner = path.stat()
        disk.write_durably(path, _encode(keys))
        if os.geteuid() == 0:  # root may rotate for the user that the appliance runs as
            os.chown(path, owner.st_uid, owner.st_gid)


def _encode(keys: list[Key]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(keys))


def _stamp(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
