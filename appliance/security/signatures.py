"""Small signed values that a client carries for us and cannot make up: the cursors of lists; and secrets
that can be made again from their name: a repeated request gets the first answer though nobody kept it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Any

import msgspec

from appliance import disk
from appliance.errors import BadRequest

_TAG = 16


class Signer:
    """HMAC-SHA256 over a JSON value and the context it is good for (a path with its filters)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, context: str, value: Any) -> str:
        body = msgspec.json.encode(value)
        return base64.urlsafe_b64encode(self._tag(context, body) + body).rstrip(b"=").decode()

    def read(self, context: str, text: str) -> Any:
        """Raises BadRequest for what was not signed here, or for another context."""
        try:
            raw = base64.b64decode(
                text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
            )
            if hmac.compare_digest(raw[:_TAG], self._tag(context, raw[_TAG:])):
                return msgspec.json.decode(raw[_TAG:])
        except (binascii.Error, UnicodeError, msgspec.MsgspecError):
            pass
        raise BadRequest("The cursor is not one that this list gave out.")

    def derive(self, purpose: str, name: str) -> str:
        """256 bits in base64url that only this key makes of `name`; not reversible, the same each time."""
        made = hmac.digest(self._key, f"derive\0{purpose}\0{name}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()

    def _tag(self, context: str, body: bytes) -> bytes:
        return hmac.digest(self._key, context.encode() + b"\0" + body, hashlib.sha256)[:_TAG]


def open_signer(path: Path) -> Signer:
    """The signer whose key lies in `path`, made now if there is none."""
    return Signer(bytes.fromhex(disk.create_once(path, secrets.token_hex(32).encode()).decode()))
