"""Whose a data folder is that root restores: that of whom it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def keep(data: Path, draft: Path) -> None:
    """What is to take the place of `data` belongs to the owner of that, so that the appliance, which runs as
    that user, goes on. Only root can make files of others. Raises OSError.
    """
    if not _is_anothers(data):
        return
    for folder, names, files in os.walk(draft):
        for name in (*names, *files):
            keep_one(data, Path(folder, name))
    keep_one(data, draft)


def keep_one(data: Path, path: Path) -> None:
    """The path itself. Raises OSError."""
    if not _is_anothers(data):
        return
    owner, found = data.stat(), path.lstat()
    if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        return  # a backup that was there, whose owner stays; or somebody's outside, linked in there
    os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _is_anothers(data: Path) -> bool:
    return os.geteuid() == 0 and data.exists() and data.stat().st_uid != 0
