"""The data folder: whose it is, who may look into it, how full it is."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.ops import service
from appliance.ops.findings import Fault, Situation, check
from appliance.ops.table import size
from appliance.security import keyring
from appliance.settings import FOLDERS

FULL = 512 * 1024**2
"""Bytes: below this `up` refuses to start."""
NEARLY_FULL = 2 * 1024**3
FEW_NAMES = 1000
"""Files (inodes): a start makes hundreds."""
LOGS_LARGE = 1024**3
"""Bytes. Rotation keeps 4 files of 10 MB a program; more than this is not of our making."""


@check("data-folder", "the data folder is complete and private")
def folders(situation: Situation) -> Iterator[Fault]:
    data = situation.paths.data
    if not data.is_dir():
        yield "warning", f"{data} does not exist yet", service.start_command()
        return
    missing = [name for name in FOLDERS if not (data / name).is_dir()]
    if missing and len(missing) < len(FOLDERS):  # all of them: the first start will make them
        yield (
            "warning",
            f"{', '.join(missing)} of {data} {'is' if len(missing) == 1 else 'are'} missing",
            f"a start makes empty ones: {service.start_command()}; or bring back what was in them",
        )
    for folder in (data, *(data / name for name in FOLDERS if name not in missing)):
        yield from _privacy(folder, owner=data.stat().st_uid)


def _privacy(path: Path, *, owner: int) -> Iterator[Fault]:
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        wanted = 0o700 if path.is_dir() else 0o600
        yield "error", f"{path} has mode {mode:04o}: others can reach it", f"chmod {wanted:o} '{path}'"
    if status.st_uid != owner:
        yield (
            "error",
            f"{path} belongs to {_user(status.st_uid)}, the data folder to {_user(owner)}",
            f"chown {_user(owner)} '{path}'",
        )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@check("secrets", "nobody else can read the secrets")
def secrets(situation: Situation) -> Iterator[Fault]:
    paths = situation.paths
    files = [*_files(paths.secrets), *(path for path in _files(paths.tls) if path.suffix != ".crt")]
    for path in files:
        yield from _privacy(path, owner=paths.data.stat().st_uid)
    yield from _broken(paths)
    if situation.dotenv.is_file() and situation.dotenv.stat().st_mode & 0o004:
        yield "warning", f"{situation.dotenv} can be read by everybody", f"chmod 600 '{situation.dotenv}'"


def _broken(paths: Paths) -> Iterator[Fault]:
    """What is empty or no keys: who reads it does not start."""
    for path in (paths.redis_password, paths.mongo_password, paths.mongo_owner):
        if path.exists() and os.access(path, os.R_OK) and not path.read_bytes().strip():
            mend = f"rm '{path}'; then {service.start_command()}, which makes another"
            yield "error", f"{path} is empty: its server cannot be asked, nor started", mend
    if paths.jwt_keys.exists() and os.access(paths.jwt_keys, os.R_OK):
        try:
            keyring.read(paths.jwt_keys)
        except (CannotStart, OSError, ValueError, LookupError, TypeError) as fault:
            told = str(fault).partition("; next: ")[0] or repr(fault)
            mend = f"mv '{paths.jwt_keys}' '{paths.jwt_keys}.damaged'; a restart makes others; sessions end"
            yield "error", f"{paths.jwt_keys} holds no keys ({told}): no token can be checked", mend


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return []  # told by data-folder


@check("disk", "there is room on the disk")
def disk(situation: Situation) -> Iterator[Fault]:
    data = situation.paths.data
    place = next(folder for folder in (data, *data.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if free < FULL:
        yield (
            "error",
            f"{size(free)} are free for {data}: writes will fail",
            f"free some; see: df -h '{place}'",
        )
    elif free < NEARLY_FULL:
        yield "warning", f"only {size(free)} are free for {data}", f"see: df -h '{place}'"
    names = os.statvfs(place)
    if names.f_files and names.f_favail < FEW_NAMES:
        yield (
            "error",
            f"only {names.f_favail} more files can be made on the disk of {data}, whatever room there is",
            f"remove files; see: df -i '{place}'",
        )


@check("log-size", "the logs are small")
def log_size(situation: Situation) -> Iterator[Fault]:
    logs = situation.paths.logs
    total = sum(path.stat().st_size for path in _files(logs))
    if total > LOGS_LARGE:
        yield "warning", f"{logs} holds {size(total)}", f"see: du -sh '{logs}'/*"
