"""The key of backups: an age identity. Who has it reads every backup; a machine that is lost takes it along.

So an operator keeps it elsewhere too (`appliance backup key`). To write a backup its public half suffices.
A file may hold several, as age has it: the first one writes, the others open what was written before.
"""

from __future__ import annotations

from pathlib import Path

import pyrage

from appliance import disk
from appliance.clock import rfc3339, utc_now
from appliance.errors import CannotStart


def ensure(path: Path) -> pyrage.x25519.Identity:
    """The key that writes, made when there is none. Raises OSError, CannotStart."""
    return _parsed(disk.create_once(path, _made()).decode("utf-8", "replace"), path)[0]


def read(path: Path) -> pyrage.x25519.Identity:
    """The key that writes. Raises CannotStart."""
    return read_all(path)[0]


def read_all(path: Path) -> list[pyrage.x25519.Identity]:
    """All that open, the one that writes first. Raises CannotStart."""
    try:
        return _parsed(path.read_text("utf-8", "replace"), path)
    except OSError as fault:
        raise CannotStart(f"{path}: {fault.strerror}; next: name the file with the key: --key FILE") from None


def rotate(path: Path) -> None:
    """Another one writes from now on; all those before still open. One write. Raises OSError, CannotStart."""
    ensure(path)
    disk.write_durably(path, _made() + path.read_text())


def _made() -> str:
    return f"# made {rfc3339(utc_now())}\n{pyrage.x25519.Identity.generate()}\n"


def _parsed(text: str, path: Path) -> list[pyrage.x25519.Identity]:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        found = [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise CannotStart(f"{path} holds no key of backups; it begins with AGE-SECRET-KEY-1")
    return found
