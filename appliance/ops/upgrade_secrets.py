"""What `upgrade --back` does not take back: a secret that was replaced since, maybe because it leaked.

The database of before goes with its own passwords (of its users, of the first admin), so those come back;
what signs and opens outside of it stays as it is now. Written into the copy, before it is asked for: killed
anywhere, it is done again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from appliance import disk
from appliance.addresses import Paths
from appliance.backups import keys
from appliance.runtime import snapshots

_OF_NOW: Final = ("jwt_keys.json", "cursor_key", "redis_password", "seen.json")
"""Nothing in the database depends on them."""
AS_OF_THEN: Final = ("admin_password", "mongo_password", "mongo_owner_password", "mongo_keyfile")
"""What the database of before takes."""


def keep_newer(paths: Paths) -> list[str]:
    """The secrets that are as of then when the copy is put back, of those that have changed since. Raises
    OSError.
    """
    there = snapshots.folder(paths) / paths.secrets.name
    if not there.is_dir():
        return []  # the database is elsewhere: secrets are not copied
    if (there / paths.backup_key.name).exists():
        keys.join(paths.backup_key, there / paths.backup_key.name)
    elif paths.backup_key.exists():
        disk.copy_durably(paths.backup_key, there / paths.backup_key.name)
    _join_lines(paths.webhook_key, there / paths.webhook_key.name)
    for name in _OF_NOW:
        if _content(paths.secrets / name) not in (b"", _content(there / name)):
            disk.write_durably(there / name, _content(paths.secrets / name))
    disk.sync_folder(there)
    return [name for name in AS_OF_THEN if _content(paths.secrets / name) != _content(there / name)]


def _join_lines(now: Path, then: Path) -> None:
    """Keys of webhooks: those of then open what the database of then holds, the last one seals."""
    mine, theirs = _content(now).splitlines(), _content(then).splitlines()
    if joined := [*(line for line in theirs if line not in mine), *mine]:
        disk.write_durably(then, b"".join(line + b"\n" for line in joined))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
