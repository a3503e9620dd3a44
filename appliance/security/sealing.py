"""Secrets at rest: sealed by a key that lies in a file, so that a copy of the database alone tells none."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance.security.key_files import Key, KeyFile, open_keys

_NONCE = 12
"""Bytes; random ones are safe for 2^32 secrets under one key (NIST SP 800-38D, 8.3)."""


class Broken(Exception):
    """Sealed by another key, for another purpose, or changed since."""


class Sealer:
    """AES-256-GCM. What was sealed for one name opens for that name only."""

    def __init__(self, keys: KeyFile) -> None:
        self.keys = keys

    def seal(self, name: str, secret: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self.keys.at().secret).encrypt(nonce, secret.encode(), name.encode())

    def open(self, name: str, sealed: bytes) -> str:
        """Raises Broken."""
        used = self.keys.at()
        for key in (used, *self.keys.others(used)):
            try:
                return _opened(key, name, sealed)
            except (InvalidTag, ValueError):
                continue
        raise Broken("the secret does not open; is its key file another one?")

    def is_current(self, name: str, sealed: bytes) -> bool:
        """Whether the key of now has sealed it."""
        try:
            _opened(self.keys.at(), name, sealed)
        except (InvalidTag, ValueError):
            return False
        return True


def _opened(key: Key, name: str, sealed: bytes) -> str:
    return AESGCM(key.secret).decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode()).decode()


def open_sealer(path: Path) -> Sealer:
    """The sealer whose keys lie in `path`, one made now if there is none. Raises CannotStart."""
    return Sealer(open_keys(path))
