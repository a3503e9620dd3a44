"""Secrets at rest: sealed by a key that lies in a file, so that a copy of the database alone tells none."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance import disk

_NONCE = 12
"""Bytes; random ones are safe for 2^32 secrets under one key (NIST SP 800-38D, 8.3)."""


class Broken(Exception):
    """Sealed by another key, for another purpose, or changed since."""


class Sealer:
    """AES-256-GCM. What was sealed for one name opens for that name only."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, name: str, secret: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), name.encode())

    def open(self, name: str, sealed: bytes) -> str:
        """Raises Broken."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode()).decode()
        except (InvalidTag, ValueError):
            raise Broken("the secret does not open; is its key file another one?") from None


def open_sealer(path: Path) -> Sealer:
    """The sealer whose key lies in `path`, made now if there is none."""
    return Sealer(bytes.fromhex(disk.create_once(path, secrets.token_hex(32).encode()).decode()))
