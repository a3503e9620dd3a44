"""What a folder is, to the last bit: so that it shows when somebody has touched it."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple


class Mark(NamedTuple):
    mode: int
    owner: int
    group: int
    changed: int
    """Nanoseconds: of its content."""
    size: int
    content: str
    """A digest; where a link leads."""


def fingerprint(folder: Path, *, without: Collection[str] = ()) -> dict[str, Mark]:
    """By path. `without`: names directly in the folder, of what others write while we look."""
    found = {"": _mark(folder)} if not without else {}
    for at, folders, files in os.walk(folder):
        if Path(at) == folder:
            folders[:] = [name for name in folders if name not in without]
            files = [name for name in files if name not in without]
        for name in (*folders, *files):
            path = Path(at, name)
            found[str(path.relative_to(folder))] = _mark(path)
    return found


def _mark(path: Path) -> Mark:
    status = path.lstat()
    content = ""
    if stat.S_ISLNK(status.st_mode):
        content = str(path.readlink())
    elif stat.S_ISREG(status.st_mode) and status.st_size < 2**24:
        content = sha256(path.read_bytes()).hexdigest()
    size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return Mark(status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, size, content)
