"""The keys that tokens are signed with: one file, `secrets/jwt_keys.json`, shared by all API processes.

A key is `next` (published, not signing yet), `active` (signs) or `retiring` (verifies only).
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Literal

import msgspec

from appliance import disk
from appliance.clock import rfc3339, utc_now
from appliance.errors import CannotStart

State = Literal["next", "active", "retiring"]


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kid: str
    secret: str
    state: State
    created_at: str


class Keyring:
    """Verifies with every key it holds, signs with the one active key."""

    def __init__(self, keys: list[Key]) -> None:
        active = [key for key in keys if key.state == "active"]
        if len(active) != 1:
            raise CannotStart(
                "secrets/jwt_keys.json must hold exactly one active key; restore it from a backup"
            )
        self.active = active[0]
        self._by_kid = {key.kid: key for key in keys}

    def find(self, kid: object) -> Key | None:
        return self._by_kid.get(kid) if isinstance(kid, str) else None


def open_keyring(path: Path, secret_key: str | None) -> Keyring:
    """The ring in `path`, made now if there is none. A SECRET_KEY that it lacks becomes the active key.

    Raises CannotStart for a file that cannot be read.
    """
    keys = _read(path) or _create(path, [_new_key(secret_key)])
    if secret_key is not None and not any(key.secret == secret_key for key in keys):
        keys = [_retire(key) for key in keys] + [_new_key(secret_key)]
        disk.write_durably(path, _encode(keys))
    return Keyring(keys)


def _new_key(secret_key: str | None) -> Key:
    secret = secret_key or secrets.token_urlsafe(48)
    # Derived, so that processes which take up a new SECRET_KEY at once agree on its name.
    kid = hashlib.sha256(b"kid\0" + secret.encode()).hexdigest()[:16]
    return Key(kid=kid, secret=secret, state="active", created_at=rfc3339(utc_now()))


def _retire(key: Key) -> Key:
    return msgspec.structs.replace(key, state="retiring") if key.state == "active" else key


def _read(path: Path) -> list[Key] | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Key])
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as fault:
        raise CannotStart(
            f"{path}: {fault}; restore it from a backup, or remove it to end all sessions"
        ) from None


def _create(path: Path, keys: list[Key]) -> list[Key]:
    """Several processes start at once: the first to create the file wins, the others read that one."""
    return msgspec.json.decode(disk.create_once(path, _encode(keys)), type=list[Key])


def _encode(keys: list[Key]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(keys))
