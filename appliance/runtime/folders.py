"""The data folder as it must be before anything starts: folders, generated secrets."""

from __future__ import annotations

import secrets
from pathlib import Path

from appliance.addresses import Paths
from appliance.disk import write_durably
from appliance.settings import FOLDERS, Settings

NGINX_TEMPORARY = ("body", "proxy", "fastcgi", "uwsgi", "scgi")


def create(paths: Paths) -> None:
    """Make what is missing, each folder 0700. What exists keeps its owner and mode. Raises OSError."""
    names = [paths.data, *(paths.data / name for name in FOLDERS), paths.pids, paths.run / "nginx"]
    names += [paths.run / "nginx" / name for name in NGINX_TEMPORARY]
    for folder in names:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def create_secrets(paths: Paths, settings: Settings) -> list[Path]:
    """Generate the passwords that do not exist yet; the new files. An existing one is never replaced."""
    wanted = {
        paths.redis_password: secrets.token_urlsafe(24),
        paths.mongo_password: secrets.token_urlsafe(24),
        paths.admin_password: settings.admin_password or secrets.token_urlsafe(12),
    }
    made = [path for path in wanted if not path.exists()]
    for path in made:
        write_durably(path, wanted[path] + "\n")
    return made
