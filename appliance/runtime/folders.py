"""The data folder as it must be before anything starts: folders, generated secrets."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path

from appliance.addresses import Paths
from appliance.disk import write_atomically, write_durably
from appliance.secret_files import Pair, new_password
from appliance.settings import FOLDERS, Settings

NGINX_TEMPORARY = ("body", "proxy", "fastcgi", "uwsgi", "scgi")


def create(paths: Paths) -> list[str]:
    """Make what is missing, and close to others what was open to them; what was closed, a line each.

    Each folder is 0700 then. Whether closing harms nobody, `place` has asked before. Raises OSError, also
    for a link that somebody else has put in a folder's place.
    """
    names = [paths.data, *(paths.data / name for name in FOLDERS), paths.pids, paths.alerts, paths.counts]
    names += [paths.run / "beats", paths.run / "left", paths.run / "nginx", paths.challenges]
    names += [paths.run / "nginx" / name for name in NGINX_TEMPORARY]
    closed = []
    for folder in names:
        _check_link(paths, folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & 0o077:
            folder.chmod(0o700)
            closed.append(f"closed {folder} to other users; its mode was {mode:04o}")
    return closed


def _check_link(paths: Paths, folder: Path) -> None:
    if folder == paths.data or not folder.is_symlink():
        return
    if folder.lstat().st_uid != os.geteuid():
        raise OSError(
            errno.ELOOP, "is a link that is not ours; next: see where it leads, remove it", str(folder)
        )


def create_secrets(paths: Paths, settings: Settings) -> list[Path]:
    """Generate the passwords that do not exist yet; the new files. An existing one is never replaced.

    Call while no server runs: a rotation that was cut short is ended too.
    """
    # Of one run: nothing keeps it, and whoever needs it reads it again.
    write_atomically(paths.alertmanager_password, f"{secrets.token_urlsafe(32)}\n")
    for password in (paths.redis_password, paths.mongo_password, paths.mongo_owner):
        Pair(password).settle()
    wanted = {
        paths.redis_password: secrets.token_urlsafe(24),
        paths.mongo_password: secrets.token_urlsafe(24),
        paths.mongo_owner: new_password(),
        paths.admin_password: settings.admin_password or secrets.token_urlsafe(12),
    }
    made = [path for path in wanted if not path.exists()]
    for path in made:
        write_durably(path, wanted[path] + "\n")
    return made
