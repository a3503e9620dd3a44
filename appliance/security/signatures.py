"""Small signed values that a client carries for us and cannot make up: the cursors of lists; and secrets
that can be made again from their name: a repeated request gets the first answer though nobody kept it.

While the key is replaced the one before still reads what it signed, and what is made again from an id comes
of the key that was in use when the id was made: all processes agree on that.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import re
from pathlib import Path
from typing import Any

import msgspec

from appliance.errors import BadRequest
from appliance.security.key_files import Key, KeyFile, open_keys

KEPT = dt.timedelta(hours=48)
"""How long a key is kept beyond its last use. What a repeated request is told may be asked for 24 hours."""
_TAG = 16
_ID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


class Signer:
    """HMAC-SHA256 over a JSON value and the context it is good for (a path with its filters)."""

    def __init__(self, keys: KeyFile) -> None:
        self.keys = keys

    def sign(self, context: str, value: Any) -> str:
        body = msgspec.json.encode(value)
        tag = _tag(self.keys.at(), context, body)
        return base64.urlsafe_b64encode(tag + body).rstrip(b"=").decode()

    def read(self, context: str, text: str) -> Any:
        """Raises BadRequest for what was not signed here, or for another context."""
        try:
            raw = base64.b64decode(
                text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
            )
            if any(
                hmac.compare_digest(raw[:_TAG], _tag(key, context, raw[_TAG:])) for key in self.keys.all()
            ):
                return msgspec.json.decode(raw[_TAG:])
        except (binascii.Error, UnicodeError, msgspec.MsgspecError):
            pass
        raise BadRequest("The cursor is not one that this list gave out.")

    def derive(self, purpose: str, name: str) -> str:
        """256 bits in base64url that only this key makes of `name`; not reversible, the same each time."""
        return _derived(self.keys.at(_made_at(name)), purpose, name)

    def derive_others(self, purpose: str, name: str) -> list[str]:
        """What the other keys make of it: a value that was kept may be one of these."""
        return [_derived(key, purpose, name) for key in self.keys.others(self.keys.at(_made_at(name)))]


def open_signer(path: Path) -> Signer:
    """The signer whose keys lie in `path`, one made now if there is none. Raises CannotStart."""
    return Signer(open_keys(path))


def _derived(key: Key, purpose: str, name: str) -> str:
    made = hmac.digest(key.secret, f"derive\0{purpose}\0{name}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def _made_at(name: str) -> dt.datetime | None:
    """When an id was made (`clock.new_id`); None for what is no id."""
    found = _ID.fullmatch(name)
    if not found:
        return None
    return dt.datetime.fromtimestamp(int(found[1] + found[2], 16) / 1000, dt.UTC)


def _tag(key: Key, context: str, body: bytes) -> bytes:
    return hmac.digest(key.secret, context.encode() + b"\0" + body, hashlib.sha256)[:_TAG]
