"""Whether the data folder can be where APPLIANCE_DATA puts it, asked before anything is changed there."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from appliance.errors import CannotStart
from appliance.settings import FOLDERS, HOME

ELSEWHERE = "set APPLIANCE_DATA to another folder"
SOURCES = (".git", "pyproject.toml")
"""What marks a folder of somebody's source code."""


def find_faults(data: Path) -> list[str]:
    """What forbids to keep state there, a line each with the next command."""
    # The first kind of fault that is found makes the others guesses.
    for look in (_sources, _storage, _access, _openness):
        if faults := [f"data folder {data}: {fault}" for fault in look(data)]:
            return faults
    return []


def check_readable(data: Path) -> None:
    """For commands that only look. Raises CannotStart when the folder is somebody else's."""
    for folder in (nearest(data), *(data / name for name in FOLDERS)):
        if folder.is_dir() and not _may(folder, os.R_OK if folder == data else 0):
            owner = user(folder.stat().st_uid)
            raise CannotStart(
                f"data folder {data}: {folder} belongs to {owner}, and {_me()} may not look into it;"
                f" next: run this as {owner}{' (sudo)' if owner == 'root' else ''}, or {ELSEWHERE}"
            )


def nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that exists as far as we may see."""
    while not os.path.lexists(path):
        path = path.parent
    return path


def user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _sources(data: Path) -> Iterator[str]:
    own = "set APPLIANCE_DATA to a folder of its own"
    if data in (HOME, *HOME.parents):
        yield f"the appliance's own code lies {'in it' if data == HOME else f'below it, in {HOME}'}; {own}"
    elif marks := [name for name in SOURCES if os.path.lexists(data / name)]:
        yield f"it holds {' and '.join(marks)}, so it is a folder of source code; {own}"


def _storage(data: Path) -> Iterator[str]:
    existing = nearest(data)
    if not existing.is_dir():
        yield f"{existing} is not a folder; set APPLIANCE_DATA to another one"
        return
    found = os.statvfs(existing)
    if found.f_blocks == 0:  # /proc, /sys and the like
        yield f"nothing can be stored in {existing}; {ELSEWHERE}"
    elif found.f_flag & os.ST_RDONLY:
        yield f"the file system of {existing} is read-only; mount it writable, or {ELSEWHERE}"


def _access(data: Path) -> Iterator[str]:
    existing = nearest(data)
    if existing != data:
        if not _may(existing, os.W_OK):
            yield _cannot_make(data, existing)
        return
    if not _may(data, os.R_OK | os.W_OK):
        yield _cannot_write(data, data)
        return
    for folder in sorted(filter(_is_folder, data.iterdir())):
        if not _may(folder, os.R_OK | os.W_OK):
            yield _cannot_write(data, folder)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except PermissionError:  # a link to where we may not look
        return False


def _cannot_make(data: Path, existing: Path) -> str:
    told = f"{_me()} may not make it in {existing}, which belongs to {_owner(existing)}"
    if not _may(existing, 0):
        return f"{told}; {ELSEWHERE}"  # made there by root, it would still be out of reach
    return f"{told}; next, as root: install -d -m 700 -o {_me()} {shlex.quote(str(data))}, or {ELSEWHERE}"


def _cannot_write(data: Path, folder: Path) -> str:
    owner = user(folder.stat().st_uid)
    as_owner = f"run this as {owner}{' (sudo)' if owner == 'root' else ''}, or "
    if owner == _me():
        as_owner = f"chmod u+rwx {shlex.quote(str(folder))}, or "
    # Handing over is offered only for what is certainly an appliance's: never for /etc.
    hand_over = f"as root: chown -R {_me()} {shlex.quote(str(data))}, or " if _is_ours(data) else ""
    return (
        f"{_me()} may not write to {folder}, which belongs to {_owner(folder)};"
        f" next: {as_owner}{hand_over}{ELSEWHERE}"
    )


def _openness(data: Path) -> Iterator[str]:
    """What others can reach is closed by `folders.create`, but only where that harms nobody."""
    if not os.path.lexists(data):
        return
    status = data.stat()
    if not status.st_mode & 0o077:
        return
    if status.st_uid != os.geteuid():
        yield (
            f"it belongs to {_owner(data)}, so others can reach it; next, as {user(status.st_uid)}:"
            f" chmod 700 {shlex.quote(str(data))}, or {ELSEWHERE}"
        )
    elif status.st_mode & stat.S_ISVTX or not _is_ours(data):
        yield (
            f"others can reach it (mode {_mode(data)}), and it holds what is not the appliance's;"
            " set APPLIANCE_DATA to a folder of its own"
        )


def _is_ours(data: Path) -> bool:
    """Nothing is in it but what an appliance puts there; an empty folder is anybody's."""
    try:
        return {path.name for path in data.iterdir()} <= {*FOLDERS, "lost+found"}
    except OSError:
        return False


def _may(folder: Path, more: int) -> bool:
    return os.access(folder, os.X_OK | more, effective_ids=True)


def _owner(folder: Path) -> str:
    return f"{user(folder.stat().st_uid)} with mode {_mode(folder)}"


def _mode(folder: Path) -> str:
    return f"{stat.S_IMODE(folder.stat().st_mode):04o}"


def _me() -> str:
    return user(os.geteuid())
