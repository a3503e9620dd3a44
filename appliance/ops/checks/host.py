"""The machine below."""

from __future__ import annotations

import datetime as dt
import resource
from collections.abc import Iterator
from pathlib import Path

import appliance
from appliance.ops.findings import Fault, Situation, check

AHEAD = 120.0
"""Seconds that a file may be newer than now: clocks of network file systems differ a little."""
NEEDED_FILES = 4096


@check("clock", "the clock is right, as far as can be told")
def clock(situation: Situation) -> Iterator[Fault]:
    """A clock that went back makes tokens invalid and breaks the order of what is stored by time."""
    now = situation.now().timestamp()
    newest = max(_times(situation), default=0.0)
    if newest > now + AHEAD:
        yield (
            "error",
            f"it is {_day(now)}, but files here were written on {_day(newest)}: the clock went back",
            "set the clock; see: timedatectl status",
        )


def _times(situation: Situation) -> Iterator[float]:
    yield Path(appliance.__file__).stat().st_mtime
    for folder in (situation.paths.run, situation.paths.logs):
        if folder.is_dir():
            yield from (path.lstat().st_mtime for path in folder.iterdir())


def _day(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%d %H:%M} UTC"


@check("open-files", "enough files may be open")
def open_files(_: Situation) -> Iterator[Fault]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < NEEDED_FILES:
        yield (
            "error",
            f"a process may open {hard} files, {NEEDED_FILES} are needed",
            f"ulimit -Hn {NEEDED_FILES} as root, or LimitNOFILE= in the systemd unit",
        )
