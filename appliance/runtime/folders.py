"""The data folder as it must be before anything starts: folders, generated secrets."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from appliance.addresses import Paths
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


def write_durably(path: Path, content: str | bytes, *, mode: int = 0o600) -> None:
    """Replace a file so that after a crash or power loss the old or the new content is there, whole."""
    _write(path, content, mode, durable=True)


def write_atomically(path: Path, content: str | bytes, *, mode: int = 0o600) -> None:
    """Replace a file so that no reader sees half of it. For what can be made again at the next start."""
    _write(path, content, mode, durable=False)


def _write(path: Path, content: str | bytes, mode: int, *, durable: bool) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask is
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
