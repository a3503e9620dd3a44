"""The key of backups: an age identity. Who has it reads every backup; a machine that is lost takes it along.

So an operator keeps it elsewhere too (`appliance backup key`). To write a backup its public half suffices.
"""

from __future__ import annotations

from pathlib import Path

import pyrage

from appliance import disk
from appliance.errors import CannotStart


def ensure(path: Path) -> pyrage.x25519.Identity:
    """The key in the file, made when there is none. Raises OSError, CannotStart."""
    made = str(pyrage.x25519.Identity.generate())
    return _parsed(disk.create_once(path, f"{made}\n").decode("utf-8", "replace"), path)


def read(path: Path) -> pyrage.x25519.Identity:
    """Raises CannotStart."""
    try:
        return _parsed(path.read_text("utf-8", "replace"), path)
    except OSError as fault:
        raise CannotStart(f"{path}: {fault.strerror}; next: name the file with the key: --key FILE") from None


def _parsed(text: str, path: Path) -> pyrage.x25519.Identity:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    try:
        return pyrage.x25519.Identity.from_str(lines[0].strip())
    except (IndexError, pyrage.IdentityError):
        raise CannotStart(f"{path} holds no key of backups; it begins with AGE-SECRET-KEY-1") from None
