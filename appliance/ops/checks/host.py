"""The machine below."""

from __future__ import annotations

import ctypes
import datetime as dt
import hashlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import appliance
from appliance.ops.findings import Fault, Situation, check
from appliance.services import clock_leaps

AHEAD = 120.0
"""Seconds that a file may be newer than now: clocks of network file systems differ a little."""
NEEDED_FILES = 4096
_UNSYNCHRONISED: Final = 0x40
"""STA_UNSYNC of adjtimex(2)."""
_STAMPED: Final = {".venv": "runtime.txt", ".venv-mongo": "mongo.txt"}
"""What scripts/setup makes, and of which list of deploy/requirements."""


class _Timex(ctypes.Structure):
    """The beginning of `struct timex`, and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


@check("clock", "the clock is right, as far as can be told")
def clock(situation: Situation) -> Iterator[Fault]:
    """A clock that went back makes tokens invalid and breaks the order of what is stored by time."""
    now = situation.now().timestamp()
    newest = max(_times(situation), default=(0.0, Path()))
    if newest[0] > now + AHEAD:
        yield (
            "error",
            f"it is {_day(now)}, but {newest[1]} was written on {_day(newest[0])}: the clock went back",
            "set the clock; see: timedatectl status",
        )
    elif leapt := clock_leaps.find_waiting(situation.paths, situation.now()):
        before = _day((leapt.before or leapt.seen_at).timestamp())
        waits = f"nothing is purged by its days until it has run for {leapt.left / 3600:.0f} h more"
        mend = f"timedatectl status; when the clock is right, wait, or: rm '{situation.paths.clock}'"
        yield "warning", f"it is {_day(now)}, and was {before} at the look before: {waits}", mend
    elif _is_adrift():
        yield "ok", "nothing keeps this machine's clock right, as far as the kernel knows (NTP)", ""


def _times(situation: Situation) -> Iterator[tuple[float, Path]]:
    code = Path(appliance.__file__)
    yield code.stat().st_mtime, code
    for folder in (situation.paths.run, situation.paths.logs, situation.paths.backups):
        if folder.is_dir():
            for path in folder.iterdir():
                try:
                    yield path.lstat().st_mtime, path
                except FileNotFoundError:
                    continue  # gone meanwhile


def _day(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%d %H:%M} UTC"


def _is_adrift() -> bool:
    """Whether the kernel says that nobody sets its clock. To ask (modes 0) is nobody's privilege."""
    asked = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked)) < 0:
        return False
    return bool(asked.status & _UNSYNCHRONISED)


@check("open-files", "enough files may be open")
def open_files(_: Situation) -> Iterator[Fault]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < NEEDED_FILES:
        yield (
            "error",
            f"a process may open {hard} files, {NEEDED_FILES} are needed",
            f"ulimit -Hn {NEEDED_FILES} as root, or LimitNOFILE= in the systemd unit",
        )


@check("packages", "the Python packages are those of this release")
def packages(situation: Situation) -> Iterator[Fault]:
    """As scripts/setup judges it, which ran before the code or the machine's Python was updated."""
    for name, listed in _STAMPED.items():
        folder = situation.home / name
        if folder.is_symlink() or not (folder / "ready").is_file():
            continue
        python = (folder / "bin" / "python").resolve()
        if not (os.access(python, os.X_OK) and (folder / "lib" / python.name).is_dir()):
            meaning = f"{folder} was made with a Python that is not there any more"
        elif (folder / "ready").read_text().strip() != _stamp(situation.home, listed):
            meaning = f"{folder} does not have the packages that deploy/requirements/{listed} lists"
        else:
            continue
        mend = "stop the appliance, then ./scripts/up, which makes it anew"
        yield "warning", f"{meaning}: what runs, or starts next, may fail", mend


def _stamp(home: Path, listed: str) -> str:
    """`sha256sum`'s own words come after the digest."""
    lock = home / "deploy" / "requirements" / listed
    return f"{home} {hashlib.sha256(lock.read_bytes()).hexdigest()}  -"
