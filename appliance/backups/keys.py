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


def join(there: Path, restored: Path) -> None:
    """The keys that were `there` go on opening what they wrote, beside those that came out of a backup: one
    write, after which both files' are in `restored`. Raises OSError.

    Which writes: that of a backup from before a rotation has been replaced, maybe since it leaked, so the
    newer one goes on. A key that has nothing to do with the backup's has a copy elsewhere less surely than
    that which has just opened it, and comes after.
    """
    try:
        mine, out = _blocks(there), _blocks(restored)
    except (OSError, CannotStart):
        return  # none was there, or nothing that opens anything
    if mine.keys() <= out.keys():
        return
    is_newer = next(iter(out)) in mine
    joined = {**mine, **out} if is_newer else {**out, **mine}
    disk.write_durably(restored, "".join(joined.values()))


def _blocks(path: Path) -> dict[str, str]:
    """By key, its lines with what is said above it. Raises OSError, CannotStart."""
    text, found, above = path.read_text("utf-8", "replace"), dict[str, str](), ""
    _parsed(text, path)
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            found.setdefault(line.strip(), f"{above}{line.strip()}\n")
            above = ""
        else:
            above += f"{line}\n"
    return found


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
